"""``python -m tests.benchmarks.anomaly_rates RATES RUN...``: every method of the anomaly trigger at 1e-3 and below.

``RATES`` is a folder of ``codesign data zero-bias``, ``RUN`` are finished runs of ``l1-anomaly``,
``l1-anomaly-embedding`` and ``l1-anomaly-all``, which have one sample and split. The methods: of each family of the
runs the trial that is best on their validation split at 1e-3; the baselines, fitted on what the networks were
trained on; and the two that are told the signals. Beside them each point of the runs' fronts at every rate: what is
best at 1e-3, by which it was chosen, need not be at 1e-4. The folder's events, of which nothing was learned or chosen,
fix the thresholds; efficiencies are those of the signals of the runs' test split, whose own zero bias shows the rate
once more.
Differences are paired: the same replicas of the same events, in which every threshold is fixed anew. What "beats" says
:func:`codesign.statistics.comparison.reading`.

Writes ``reports/reference/anomaly_rates.json`` and ``anomaly_rates.svg``. What was judged is kept in
``build/anomaly_rates``: a measurement that was ended goes on from there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Front, Metric
from codesign.core.runfolder import RunFolder, write_atomically
from codesign.core.store import digest
from codesign.data.sample import Part
from codesign.pipeline.parts import load_sample, splits_of
from codesign.pipeline.trial import design_of, trial_of
from codesign.pipeline.trial_comparison import scores_of
from codesign.statistics import rowwise
from codesign.statistics.comparison import differences, reading, spread
from codesign.statistics.intervals import of_share
from codesign.statistics.replicas import WorkingPoints
from codesign.study.definition import Study
from codesign.tasks.anomalies.baselines import baselines_of, ceilings_of
from codesign.tasks.anomalies.judging import signals_of
from codesign.tasks.anomalies.rate_events import rate_events, with_rate_events
from codesign.tasks.anomalies.rates import CROSSINGS_KHZ, RATES, tail_number, told_rates
from codesign.tasks.base import Baseline
from codesign.tasks.weighting import event_weights, replicas_of, some
from tests.trees import ROOT, commit_of

__all__ = ("beside_each_other", "judged")

KEPT = ROOT / "build" / "anomaly_rates"

Array = NDArray[np.float64]
Method = Callable[[Part], Array]

CHOSEN_BY = "tpr_mean_1e-3"
#: in the order in which the task has them
BASELINES = (
    "isolation forest", "PCA (squared error)", "sum of z^2", "largest z (absolute)", "HT + MET + leptons", "single jet",
    "HT", "MET",
)  # fmt: skip
CEILINGS = ("searched sum (told the signals)", "supervised trees (told the signals)")


def front_points(runs: list[RunFolder]) -> dict[str, tuple[Method, dict[str, Any]]]:
    """Every point of the runs' fronts, and what it is."""
    found: dict[str, tuple[Method, dict[str, Any]]] = {}
    for run in runs:
        front, study = run.read("front.json", Front), trial_of(run, 0)[0]
        for point in front.points if front is not None and isinstance(study, Study) else ():
            design = design_of(run.trial(point.trial))
            family = str((run.trial(point.trial).read_json("config.json") or {}).get("study.family", study.family))
            luts = {f.fidelity: f.value for f in point.figures if f.quantity == "lut"}
            facts = {"run": run.path.name, "trial": point.trial, "family": family, "lut": luts}
            found[f"{run.path.name} {point.trial}"] = (partial(scores_of, design), facts | {"design": design.hash[:16]})
    return found


def networks(runs: list[RunFolder]) -> dict[str, tuple[Method, dict[str, Any]]]:
    """Of each family the best trial on the validation split of its run, on the front or not, and what it is."""
    best: dict[str, tuple[float, RunFolder, int]] = {}
    for run in runs:
        for trial in run.trials():
            judged, study = trial.read_json("metrics.json"), trial_of(run, trial.number)[0]
            if judged is None or not isinstance(study, Study):
                continue
            family = str((trial.read_json("config.json") or {}).get("study.family", study.family))
            good = float(judged["metrics"][CHOSEN_BY]["value"])
            if family not in best or good > best[family][0]:
                best[family] = (good, run, trial.number)
    found: dict[str, tuple[Method, dict[str, Any]]] = {}
    for family, (_, run, number) in best.items():
        trial, front = run.trial(number), run.read("front.json", Front)
        design, figures = design_of(trial), (trial.read_json("figures.json") or {})["figures"]
        luts = {figure["fidelity"]: figure["value"] for figure in figures if figure["quantity"] == "lut"}
        # of a run that was ended before its front was made nobody knows what is on it
        on_front = None if front is None else any(point.trial == number for point in front.points)
        facts = {"run": run.path.name, "trial": number, "on the front": on_front, "lut": luts}
        found[family] = (partial(scores_of, design), facts | {"design": design.hash[:16]})
    return found


def judged(
    score: Array, validation: Part, beside: Array, test: Part, rates: list[str]
) -> tuple[dict[str, Array], dict[str, Metric], list[str]]:
    """Efficiency of each signal and their mean at each rate in all replicas, as metrics, and the rates that are told:
    thresholds are of the zero bias of ``validation`` with ``score``, judged is ``test`` with ``beside``."""
    usual, weights = validation.y == 0, event_weights(validation)
    told = [name for name in told_rates(score[usual], some(weights, usual)) if name in rates]
    points = WorkingPoints.of(
        replicas_of(validation).collect(
            lambda rows: dict(
                zip(
                    (f"threshold_{name}" for name in told),
                    rowwise.thresholds(score[usual], [RATES[n] for n in told], rows.some(usual).weights).T,
                    strict=True,
                )
            )
        )
    )
    signals, zero = signals_of(test), test.y == 0

    def measure(rows: Any) -> dict[str, Array]:
        found = {}
        for name in told:
            cuts = rows.point(points, f"threshold_{name}")
            each = {s: rowwise.shares_above(beside[of], cuts, rows.some(of).weights) for s, of in signals.items()}
            found |= {f"tpr_{signal}_{name}": values for signal, values in each.items()}
            found[f"tpr_mean_{name}"] = np.mean(list(each.values()), axis=0)
            found[f"fpr_{name}"] = rowwise.shares_above(beside[zero], cuts, rows.some(zero).weights)
        return found

    found = replicas_of(test).collect(measure)
    own, metrics = event_weights(test), {}
    for name, rows in found.items():
        rate = name.rpartition("_")[2]
        if name.startswith("fpr_"):
            number = tail_number(beside[zero] >= points[f"threshold_{rate}"], some(own, zero))
        else:
            number = float(sum(of.sum() for signal, of in signals.items() if name == f"tpr_{signal}_{rate}"))
        value, error = float(rows[0]), spread(rows)
        metrics[name] = of_share(value, number, error) if number else Metric(value=value, error=error)
    return found, metrics, told


def beside_each_other(found: dict[str, dict[str, Array]], metrics: list[str]) -> list[dict[str, Any]]:
    """Every two methods: the paired difference of each metric that both have, and what may be said of it."""
    names, rows = list(found), []
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            gaps = differences(found[one], found[other], dict.fromkeys(metrics, "maximise"))
            said = {
                name: {
                    "value": round(gap.value, 5), "error": round(gap.error, 5), "better": round(gap.better, 4),
                    "reading": reading(gap),
                }
                for name, gap in gaps.items()
            }  # fmt: skip
            if said:
                rows.append({"one": one, "other": other, "difference": said})
    return rows


def _row(metric: Metric) -> list[float | None]:
    ends = (metric.value, metric.error, metric.low, metric.high)
    return [None if value is None else float(f"{value:.4g}") for value in ends]


def _same(method: Method) -> Method:
    return method


def _one_of(found: Callable[[], list[Baseline]], place: int) -> Method:
    return found()[place]


def measured(folder: str, runs: list[RunFolder], rates: list[str], seconds: float) -> dict[str, Any] | None:
    """Judge every method; the record, or None where so many seconds of processor time were over before."""
    sample, splits = load_sample(runs[0]), splits_of(trial_of(runs[0], 0)[0])  # type: ignore[arg-type]
    rate = rate_events(folder)
    with_rate_events(sample, rate, folder)  # refuses what was learned from
    train, own_validation, test = (sample.part(name, splits) for name in ("train", "validation", "test"))
    number = len(rate.features)
    fixing = Part("validation", rate.features, np.zeros(number, np.int64), None, {"pile_up": rate.pile_up},
                  test.class_names, weights=rate.weights)  # fmt: skip
    methods: dict[str, Callable[[], Method]] = {}
    facts: dict[str, dict[str, Any]] = {}
    for family, (network, of_network) in networks(runs).items():
        methods[family], facts[family] = partial(_same, network), of_network
    baselines = cache(partial(baselines_of, train, 1))
    for place, name in enumerate(BASELINES):
        methods[name] = partial(_one_of, baselines, place)
        facts[name] = {"fitted to": "zero bias of the training split"}
    ceilings = cache(partial(ceilings_of, train, own_validation, 1))
    for place, name in enumerate(CEILINGS):
        methods[name] = partial(_one_of, ceilings, place)
        facts[name] = {"fitted to": "zero bias of training and signals of the validation split"}
    points = front_points(runs)
    for name, (network, of_network) in points.items():
        methods[name], facts[name] = partial(_same, network), of_network
    replicas, shown = {}, {}
    for name, made in methods.items():
        path = KEPT / f"{digest({'name': name, 'events': number, 'facts': facts[name]})[:16]}.npz"
        if not path.is_file() and time.process_time() > seconds:
            return None
        if not path.is_file():
            method = made()
            scores = [np.asarray(method(part), dtype=np.float64)[:, 0] for part in (fixing, test)]
            rows, metrics, _ = judged(scores[0], fixing, scores[1], test, rates)
            values = {
                f"metric:{key}": np.array([np.nan if v is None else v for v in _row(m)]) for key, m in metrics.items()
            }
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **rows, **values)
        with np.load(path, allow_pickle=False) as stored:
            whole = {key: stored[key] for key in stored.files}
        replicas[name] = {key: rows for key, rows in whole.items() if not key.startswith("metric:")}
        test_row = {
            key.removeprefix("metric:"): [None if np.isnan(v) else float(v) for v in values]
            for key, values in whole.items() if key.startswith("metric:")
        }  # fmt: skip
        told = [name for name in rates if f"tpr_mean_{name}" in test_row]
        shown[name] = facts[name] | {"rates": told, "test": test_row}
        print(name, {key: row[:2] for key, row in test_row.items() if "mean" in key}, flush=True)
    wanted = [f"tpr_mean_{name}" for name in rates]
    fronts = {name: shown.pop(name) for name in points}
    alone = {name: rows for name, rows in replicas.items() if name not in points}
    return {
        "zero_bias": {"thresholds": number, "test": int((test.y == 0).sum())},
        "rate_sample": {key: value for key, value in rate.provenance.items() if key != "provenance"},
        "generation": rate.provenance["provenance"],
        "sample of the runs": sample.provenance.get("cards"),
        "trials of the runs": {run.path.name: len(run.trials()) for run in runs},
        "signals": {name: int(of.sum()) for name, of in signals_of(test).items()},
        "khz": {name: round(RATES[name] * CROSSINGS_KHZ, 3) for name in rates},
        "columns": ["value", "error", "low", "high"],
        "methods": shown,
        "paired": beside_each_other(alone, wanted),
        "fronts": fronts,
        "best of the fronts": {
            rate: _best_of(fronts, {name: replicas[name] for name in points}, alone, f"tpr_mean_{rate}")
            for rate in rates
            if any(f"tpr_mean_{rate}" in row["test"] for row in fronts.values())
        },
    }


def _best_of(
    fronts: dict[str, Any], points: dict[str, dict[str, Array]], methods: dict[str, dict[str, Array]], metric: str
) -> dict[str, Any]:
    """The front's point that is best by a metric of the test split, which flatters it, and its differences."""
    told = {name: row["test"][metric][0] for name, row in fronts.items() if metric in row["test"]}
    best = max(told, key=lambda name: told[name])
    pairs = beside_each_other({best: points[best]} | methods, [metric])
    return {
        "point": best,
        "points": len(told),
        "less": {pair["other"]: pair["difference"][metric] for pair in pairs if pair["one"] == best},
    }


def draw(record: dict[str, Any], path: Path) -> None:
    """Mean efficiency of each method at each rate, with its error, as SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rates = list(record["khz"])
    first = f"tpr_mean_{rates[0]}"
    order = sorted(record["methods"], key=lambda n: record["methods"][n]["test"].get(first, [0])[0])
    with mpl.rc_context({"svg.hashsalt": "codesign", "font.size": 11}):
        canvas = Figure(figsize=(9, 0.36 * len(order) + 1.4), layout="constrained")
        axes = canvas.add_subplot()
        for rate, colour, mark in zip(rates, ("#0072B2", "#D55E00", "#009E73"), "os^", strict=False):
            rows = [(k, record["methods"][n]["test"].get(f"tpr_mean_{rate}")) for k, n in enumerate(order)]
            there = [(k, row) for k, row in rows if row is not None]
            if not there:
                continue
            places, values, errors = zip(*((k, row[0], row[1]) for k, row in there), strict=True)
            label = f"false-positive rate {rate} ({record['khz'][rate]:g} kHz)"
            axes.errorbar(values, places, xerr=errors, fmt=mark, color=colour, label=label, capsize=2)
        axes.set_yticks(range(len(order)), [name.partition(" (")[0] for name in order])
        axes.set_xlabel("mean efficiency of the five signals; bars: one standard deviation")
        axes.grid(axis="x", color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="lower right", frameon=False)
        canvas.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rates", metavar="RATES", help="a folder of 'codesign data zero-bias'")
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "anomaly_rates.json")
    parser.add_argument("--seconds", type=float, default=np.inf, help="stop after so long: the next start goes on")
    options = parser.parse_args()
    found = measured(
        options.rates, [RunFolder.open(path) for path in options.runs], ["1e-3", "1e-4", "1e-5"], options.seconds
    )
    if found is None:
        print("not finished: the same command goes on")
        return
    record = {
        "commit": commit_of(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("scikit-learn", "torch", "brevitas")},
    } | found
    write_atomically(options.output, (json.dumps(record, indent=1) + "\n").encode())
    draw(record, options.output.with_suffix(".svg"))


if __name__ == "__main__":
    main()
