"""``python -m tests.benchmarks.embedding_front``: the front of ``l1-anomaly-embedding`` beside that of ``l1-anomaly``.

Both shipped studies, on one sample and split, as many trials each, one worker. Every point of one front is judged with
the other front's best point that takes no more LUTs, on the same test events, at thresholds that the zero bias of the
validation split fixed: the difference of the efficiencies at each rate that the sample tells, from paired replicas in
which the thresholds are fixed anew, and its reading (:mod:`codesign.statistics`). Writes
``reports/reference/embedding_front.json``. With ``--runs`` the run folders are kept, and an interrupted measurement
goes on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from codesign.core.records import Front, FrontPoint
from codesign.core.runfolder import RunFolder, write_atomically
from codesign.pipeline.parts import load_sample
from codesign.pipeline.trial_comparison import compare_trials
from codesign.search.engine import run_study
from codesign.statistics.comparison import reading
from codesign.study.definition import Study, load_study
from codesign.tasks.anomalies.rates import LEAST_EVENTS, RATES
from tests.trees import ROOT, commit_of

__all__ = ("beside",)

STUDIES = ("l1-anomaly-embedding", "l1-anomaly")


def beside(points: dict[int, tuple[float, float]], lut: float) -> int | None:
    """Of points (goodness, LUTs) by trial, the best that takes no more LUTs; None where all take more."""
    within = {trial: good for trial, (good, own) in points.items() if own <= lut}
    return max(within, key=lambda trial: within[trial], default=None)


def _lut(point: FrontPoint) -> float:
    return next(f.value for f in point.figures if (f.quantity, f.fidelity) == ("lut", "synthesised"))


def _row(point: FrontPoint, names: list[str]) -> dict[str, Any]:
    verdict = point.verified
    return {
        "trial": point.trial,
        "lut (synthesised)": _lut(point),
        "latency_ns": next(f.value for f in point.figures if (f.quantity, f.fidelity) == ("latency_ns", "simulated")),
        "exact": bool(verdict and verdict.exact),
        "events_simulated": verdict.events if verdict else 0,
        "test": {n: [round(point.metrics[n].value, 4), round(point.metrics[n].error, 4)] for n in names},
    }


def _pairs(fronts: dict[str, Front], runs: dict[str, RunFolder], rates: list[str]) -> list[dict[str, Any]]:
    """Each embedding's point and the autoencoder's that is to be compared with it."""
    one, other = STUDIES
    goodness = f"tpr_mean_{rates[-1]}"
    known = {p.trial: (p.validation[goodness].value, _lut(p)) for p in fronts[other].points}
    found: list[dict[str, Any]] = []
    for point in fronts[one].points:
        rival = beside(known, _lut(point))
        if rival is None:
            found.append(
                {"trial": point.trial, "beside": None, "why": "every autoencoder of the front takes more LUTs"}
            )
            continue
        (compared,) = compare_trials(runs[one], point.trial, runs[other], rival).compared
        names = [n for n in compared.metrics if n == "auc_mean" or (n.startswith("tpr_") and n.endswith(tuple(rates)))]
        found.append(
            {
                "trial": point.trial,
                "beside": rival,
                "lut": [_lut(point), known[rival][1]],
                "difference": {
                    n: {
                        "value": round(compared.metrics[n].value, 4),
                        "error": round(compared.metrics[n].error, 4),
                        "better": round(compared.metrics[n].better, 3),
                        "reading": reading(compared.metrics[n]),
                    }
                    for n in names
                },
            }
        )
    return found


def measured(trials: int, folder: Path) -> dict[str, Any]:
    """Run, or go on with, both studies; their record."""
    studies: dict[str, Study] = {name: load_study(name) for name in STUDIES}
    one, other = studies.values()
    assert (dict(one.sample), one.splits, one.seed) == (dict(other.sample), other.splits, other.seed)
    fronts, runs = {}, {}
    for name, study in studies.items():
        fronts[name] = run_study(study, folder / name, trials=trials, workers=1)
        runs[name] = RunFolder(folder / name)
    points = next(iter(fronts[STUDIES[0]].points)).metrics
    rates = [name for name in RATES if f"tpr_mean_{name}" in points]
    names = ["auc_mean", *(f"tpr_mean_{rate}" for rate in rates)]
    return {
        "sample": dict(one.sample),
        "generation": load_sample(runs[STUDIES[0]]).provenance.get("cards"),
        "splits": one.splits.model_dump(mode="json"),
        "trials": trials,
        "rates": rates,
        "not_told": {
            name: f"takes {LEAST_EVENTS / rate:,.0f} zero-bias events in a split"
            for name, rate in RATES.items()
            if name not in rates
        },
        "fronts": {name: [_row(p, names) for p in front.points] for name, front in fronts.items()},
        "paired": _pairs(fronts, runs, rates),
        "every_point_exact": all(p.verified and p.verified.exact for f in fronts.values() for p in f.points),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=16, help="of each study")
    parser.add_argument("--runs", type=Path, help="keep the run folders here")
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "embedding_front.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measured(options.trials, options.runs or Path(scratch))
    record = {
        "commit": commit_of(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("torch", "brevitas", "alkaid", "cocotb", "pyosys")},
        "studies": list(STUDIES),
    } | found
    write_atomically(options.output, (json.dumps(record, indent=1) + "\n").encode())
    print(json.dumps({k: record[k] for k in ("fronts", "paired", "every_point_exact")}, indent=1))


if __name__ == "__main__":
    main()
