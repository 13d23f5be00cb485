"""``python -m tests.benchmarks.studies STUDY --seeds 1,2,3``: a study from nothing, once per seed, and what came of it.

Of every run: seconds, trials, whether every point of the front was exact in RTL simulation, and the front's metrics on
the test split beside the baselines'. ``best`` is the point that is best in the first objective on the validation split;
``over_seeds`` are its metrics' mean and standard deviation over the seeds, ``study`` is what was searched, as its file
said then: the page of tasks tells what it says otherwise now. In ``reports/reference/studies.json``, the
entries of these seeds are replaced after each run; those of other seeds and studies stay.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from codesign.core.reading.yaml import read_yaml
from codesign.core.records import Front, FrontPoint, State, TrialStatus
from codesign.core.resources import locate
from codesign.core.runfolder import RunFolder, write_atomically
from codesign.search.engine import run_study
from codesign.study.definition import Study, load_study

ROOT = Path(__file__).resolve().parents[2]

_DIGITS = 4


def _metrics(found: dict[str, Any]) -> dict[str, list[float]]:
    """Value and error of each metric."""
    plain = {name: (m if isinstance(m, dict) else m.model_dump()) for name, m in found.items()}
    return {name: [round(m["value"], _DIGITS), round(m["error"], _DIGITS)] for name, m in plain.items()}


def _point(point: FrontPoint) -> dict[str, Any]:
    verdict = point.verified
    return {
        "trial": point.trial,
        "exact": bool(verdict and verdict.exact),
        "events_simulated": verdict.events if verdict else 0,
        "thresholds": dict(zip(verdict.thresholds, verdict.fired, strict=True)) if verdict else {},
        "figures": {f"{f.quantity} ({f.fidelity})": f.value for f in point.figures},
        "metrics": _metrics(dict(point.metrics)),
    }


def best_point(study: Study, front: Front) -> FrontPoint:
    """The point that is best in the first objective, on the validation split where it is a metric."""
    first = study.objectives[0]
    sign = -1.0 if first.direction == "minimise" else 1.0

    def value(point: FrontPoint) -> float:
        if first.fidelity is None:
            return sign * point.validation[first.name].value
        return sign * next(f.value for f in point.figures if (f.quantity, f.fidelity) == (first.name, first.fidelity))

    return max(front.points, key=value)


def measured(study: Study, folder: Path, trials: int | None, workers: int) -> dict[str, Any]:
    """Run a study and say what came of it; a run that was begun before has no seconds."""
    begun = folder.exists()
    start = time.perf_counter()
    front = run_study(study, folder, trials=trials, workers=workers)
    seconds = time.perf_counter() - start
    run = RunFolder(folder)
    statuses = [s for t in run.trials() if (s := t.read("status.json", TrialStatus)) is not None]
    baseline = run.read_json("baseline.json") or {}
    named = [baseline, *baseline.get("others", ())] if baseline.get("metrics") else []
    return {
        "seed": study.seed,
        "seconds": None if begun else round(seconds),
        "trials": {state.value: sum(s.state == state for s in statuses) for state in State},
        "every_point_exact": all(p.verified is not None and p.verified.exact for p in front.points),
        "best": _point(best_point(study, front)),
        "front": [_point(p) for p in front.points],
        "baselines": {b["name"]: _metrics(b["metrics"]) for b in named},
    }


def _over_seeds(runs: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Mean and standard deviation of the best point's metrics, where every run has them."""
    every = [run["best"]["metrics"] for run in runs]
    common = [name for name in every[0] if all(name in metrics for metrics in every)]
    values = {name: [metrics[name][0] for metrics in every] for name in common}
    return {n: [round(mean(v), _DIGITS), round(stdev(v), _DIGITS) if len(v) > 1 else 0.0] for n, v in values.items()}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", help="a shipped study or a file")
    parser.add_argument("--seeds", default="1,2,3", type=lambda text: [int(seed) for seed in text.split(",")])
    parser.add_argument("--trials", type=int, help="instead of the study's")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--runs", type=Path, help="keep the run folders here, as STUDY-SEED")
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "studies.json")
    arguments = parser.parse_args()
    base = load_study(arguments.study)
    written = read_yaml(locate("search", arguments.study))
    with tempfile.TemporaryDirectory() as scratch:
        for seed in arguments.seeds:
            study = base.model_copy(update={"seed": seed})
            run = measured(
                study, (arguments.runs or Path(scratch)) / f"{base.name}-{seed}", arguments.trials, arguments.workers
            )
            first = base.objectives[0].name
            print(
                f"{base.name}, seed {seed}: {run['seconds']} s, {len(run['front'])} points, "
                f"all exact: {run['every_point_exact']}, {first} {run['best']['metrics'].get(first)}",
                flush=True,
            )
            _write(arguments.output, base, run | {"study": written}, arguments.workers)
    print(f"wrote {arguments.output}")


def _write(path: Path, study: Study, run: dict[str, Any], workers: int) -> None:
    """Put a run in place of the one of its study and seed."""
    report = json.loads(path.read_text()) if path.is_file() else {}
    others = [r for r in report.get(study.name, {}).get("runs", []) if r["seed"] != run["seed"]]
    runs = sorted([*others, run], key=lambda r: int(r["seed"]))
    report[study.name] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {workers} workers",
        "versions": {name: version(name) for name in ("torch", "brevitas", "alkaid", "cocotb", "pyosys") if _has(name)},
        "objectives": [o.name for o in study.objectives],
        "over_seeds": _over_seeds(runs),
        "runs": runs,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(report, indent=1) + "\n").encode())


def _has(name: str) -> bool:
    from importlib.metadata import PackageNotFoundError

    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    main()
