"""``python -m tests.benchmarks.anomaly_rates RATES RUN...``: every method of the anomaly trigger at 1e-3 and below.

``RATES`` is a folder of ``codesign data zero-bias``, ``RUN`` are finished runs of ``l1-anomaly``,
``l1-anomaly-embedding`` and ``l1-anomaly-all``, which have one sample and split. The methods: of each family of the
runs the trial that is best on their validation split at 1e-3; the baselines, fitted on what the networks were
trained on; and the two that are told the signals. Half of the folder's events fix the thresholds, the other half has
the rates, in which no method was chosen; signals are those of the runs' test split. Differences are paired: the same
replicas of the same events, in which every threshold is fixed anew. What "beats" says
:func:`codesign.statistics.comparison.reading`.

Writes ``reports/reference/anomaly_rates.json`` and ``anomaly_rates.svg``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Front, Metric
from codesign.core.runfolder import RunFolder, write_atomically
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
from codesign.tasks.anomalies.rate_events import assigned, rate_events, with_rate_events
from codesign.tasks.anomalies.rates import CROSSINGS_KHZ, RATES, tail_number, told_rates
from codesign.tasks.weighting import event_weights, replicas_of, some
from tests.trees import ROOT, commit_of

__all__ = ("beside_each_other", "judged")

Array = NDArray[np.float64]
Method = Callable[[Part], Array]

CHOSEN_BY = "tpr_mean_1e-3"


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
        on_front = front is not None and any(point.trial == number for point in front.points)
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


def measured(folder: str, runs: list[RunFolder], rates: list[str]) -> dict[str, Any]:
    """Judge every method; the record."""
    sample, splits = load_sample(runs[0]), splits_of(trial_of(runs[0], 0)[0])  # type: ignore[arg-type]
    rate = rate_events(folder)
    train, own_validation = sample.part("train", splits), sample.part("validation", splits)
    whole = assigned(with_rate_events(sample, rate, folder), len(rate.features), splits)
    validation, test = whole.part("validation", splits), whole.part("test", splits)
    methods: dict[str, Method] = {}
    facts: dict[str, dict[str, Any]] = {}
    for family, (network, of_network) in networks(runs).items():
        methods[family], facts[family] = network, of_network
    for base in baselines_of(train, 1):
        methods[base.name], facts[base.name] = base, {"fitted to": "zero bias of the training split"}
    for base in ceilings_of(train, own_validation, 1):
        methods[base.name], facts[base.name] = base, {"fitted to": "zero bias and signals of the validation split"}
    replicas, shown = {}, {}
    for name, method in methods.items():
        scores = [np.asarray(method(part), dtype=np.float64)[:, 0] for part in (validation, test)]
        replicas[name], metrics, told = judged(scores[0], validation, scores[1], test, rates)
        shown[name] = facts[name] | {"rates": told, "test": {key: _row(metric) for key, metric in metrics.items()}}
        print(name, {key: row[:2] for key, row in shown[name]["test"].items() if "mean" in key}, flush=True)
    wanted = [f"tpr_mean_{name}" for name in rates]
    usual = {part.name: part.y == 0 for part in (validation, test)}
    return {
        "zero_bias": {name: int(of.sum()) for name, of in usual.items()},
        "rate_sample": {key: value for key, value in rate.provenance.items() if key != "provenance"},
        "generation": rate.provenance["provenance"],
        "signals": {name: int(of.sum()) for name, of in signals_of(test).items()},
        "khz": {name: round(RATES[name] * CROSSINGS_KHZ, 3) for name in rates},
        "columns": ["value", "error", "low", "high"],
        "methods": shown,
        "paired": beside_each_other(replicas, wanted),
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
    options = parser.parse_args()
    found = measured(options.rates, [RunFolder.open(path) for path in options.runs], ["1e-3", "1e-4", "1e-5"])
    record = {
        "commit": commit_of(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("scikit-learn", "torch", "brevitas")},
    } | found
    write_atomically(options.output, (json.dumps(record, indent=1) + "\n").encode())
    draw(record, options.output.with_suffix(".svg"))


if __name__ == "__main__":
    main()
