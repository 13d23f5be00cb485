"""``python -m tests.benchmarks.label_free RUN``: what is lost by choosing a trigger without looking at signals.

``RUN`` is a finished run of ``l1-anomaly-all``, whose every trial was trained without a signal. One trial is chosen of
them on the validation split: by the mean efficiency of all five signals at 1e-3, as a search chooses (labelled); by the
other four for each signal in turn (held-out); by anomalies that are made of zero-bias events (synthetic). The chosen
are judged on the signals of the test split; differences to the labelled choice are paired. A fold's value is the
efficiency of the signal that was held out. Writes ``reports/reference/label_free.json``.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from codesign.core.records import PairedDifference
from codesign.core.runfolder import RunFolder, write_atomically
from codesign.pipeline.parts import load_sample, splits_of
from codesign.pipeline.trial import design_of, trial_of
from codesign.pipeline.trial_comparison import scores_of
from codesign.statistics.comparison import reading, spread
from codesign.study.definition import Study
from codesign.tasks.anomalies.anomaly import AnomalyProblem
from codesign.tasks.anomalies.anomaly_sample import AnomalySample
from codesign.tasks.anomalies.judging import replicate, signals_of, thresholds_of
from codesign.tasks.anomalies.rates import threshold_at
from codesign.tasks.anomalies.synthetic import MADE, with_synthetic
from codesign.tasks.weighting import replicas_of
from tests.trees import ROOT, commit_of

RATE = "1e-3"
WAYS = ("held-out", "synthetic")


def choices(quality: dict[int, dict[str, float]], signals: list[str]) -> dict[str, Any]:
    """The trial that each way chooses, by its metric on the validation split; held-out: one for each signal."""

    def best(metric: str) -> int:
        return max(quality, key=lambda trial: quality[trial][metric])

    return {
        "labelled": best(f"tpr_mean_{RATE}"),
        "held-out": {signal: best(f"tpr_without_{signal}_{RATE}") for signal in signals},
        "synthetic": best(f"tpr_synthetic_{RATE}"),
    }


def gap(one: NDArray[np.float64], other: NDArray[np.float64]) -> dict[str, Any]:
    """``one`` less ``other``, from the same replicas."""
    less = one - other
    drawn = less[1:]
    better = float(((drawn > 0) + 0.5 * (drawn == 0)).mean())
    found = PairedDifference(value=float(less[0]), error=spread(less), better=better, replicas=len(drawn))
    return {"value": round(found.value, 5), "error": round(found.error, 5), "better": better, "reading": reading(found)}


def measured(run: RunFolder) -> dict[str, Any]:
    """Judge every trial on validation, choose, and judge the chosen on test."""
    study = trial_of(run, run.trials()[0].number)[0]
    assert isinstance(study, Study)
    sample, splits = load_sample(run), splits_of(study)
    chosen_sample = AnomalySample.model_validate({**study.sample, "selection": WAYS})
    problem, whole = AnomalyProblem(chosen_sample), with_synthetic(sample, chosen_sample.signal // 2, splits)
    validation, test = whole.part("validation", splits), whole.part("test", splits)
    quality: dict[int, dict[str, float]] = {}
    families = {}
    for trial in run.trials():
        if not trial.has("metrics.json"):
            continue
        scores = scores_of(design_of(trial), validation)
        cut = threshold_at(scores[validation.y == 0, 0], float(RATE)).value
        points = {f"threshold_{RATE}": cut, "threshold": cut}
        quality[trial.number] = problem.values(scores, validation, points)
        families[trial.number] = str((trial.read_json("config.json") or {}).get("study.family", study.family))
    signals = list(signals_of(validation))
    chosen = choices(quality, signals)
    judged = {}
    for number in {chosen["labelled"], chosen["synthetic"], *chosen["held-out"].values()}:
        design = design_of(run.trial(number))
        points = thresholds_of(scores_of(design, validation), validation)
        only = {name: value for name, value in points.items() if name == "threshold" or name.startswith("threshold_")}
        kept = type(points)(only, {name: rows for name, rows in points.replicas.items() if name in only})
        judged[number] = replicate(scores_of(design, test), test, kept, replicas_of(test), WAYS)
    labelled = judged[chosen["labelled"]]
    rows: dict[str, Any] = {"labelled": row(chosen["labelled"], families, labelled, labelled, signals)}
    rows["synthetic"] = row(chosen["synthetic"], families, judged[chosen["synthetic"]], labelled, signals)
    folds = {s: judged[number][f"tpr_{s}_{RATE}"] for s, number in chosen["held-out"].items()}
    held_out = {f"tpr_{s}_{RATE}": values for s, values in folds.items()}
    held_out[f"tpr_mean_{RATE}"] = np.mean(list(folds.values()), axis=0)
    rows["held-out"] = row(-1, families, held_out, labelled, signals)
    rows["held-out"] |= {"trial": chosen["held-out"], "family": {s: families[n] for s, n in chosen["held-out"].items()}}
    return {
        "study": study.name,
        "trials": len(quality),
        "rate": RATE,
        "synthetic": list(MADE),
        "rank correlation with the labelled quality, over trials": correlations(quality, signals),
        "chosen": rows,
    }


def row(
    trial: int, families: dict[int, str], own: dict[str, Any], labelled: dict[str, Any], signals: list[str]
) -> dict[str, Any]:
    """Of one choice: efficiencies of the test split with their errors, and by how much they differ."""
    names = [f"tpr_{s}_{RATE}" for s in (*signals, "mean")]
    return {
        "trial": trial,
        "family": families.get(trial),
        "test": {n: [round(float(own[n][0]), 5), round(spread(own[n]), 5)] for n in names},
        "less the labelled": {n: gap(own[n], labelled[n]) for n in names},
    }


def correlations(quality: dict[int, dict[str, float]], signals: list[str]) -> dict[str, float]:
    """How alike trials are ordered."""
    labelled = [of[f"tpr_mean_{RATE}"] for of in quality.values()]
    names = [f"tpr_synthetic_{RATE}", "auc_synthetic", *(f"tpr_without_{s}_{RATE}" for s in signals)]
    return {n: round(float(spearmanr(labelled, [of[n] for of in quality.values()]).statistic), 4) for n in names}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", type=Path)
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "label_free.json")
    options = parser.parse_args()
    record = {
        "commit": commit_of(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("torch", "brevitas", "scipy")},
        "sample": load_sample(RunFolder.open(options.run)).provenance.get("cards"),
    } | measured(RunFolder.open(options.run))
    write_atomically(options.output, (json.dumps(record, indent=1) + "\n").encode())
    print(json.dumps(record["chosen"], indent=1))


if __name__ == "__main__":
    main()
