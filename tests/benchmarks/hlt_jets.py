"""``python -m tests.benchmarks.hlt_jets``: HLT jets uncorrected, corrected by factors, by trees and by a network.

The shipped study ``hlt-jet-energy`` with systematic errors (energy scale by 3 %, pile-up by 10 %), of few trials. The
network is the front's point of the best resolution on the validation split. All are judged on the same jets of the test
split; differences are paired, and their systematic error is what the difference itself moves by. Beside them stands a
perfect correction, which every constraint has to pass. Writes ``reports/reference/hlt_jets.json`` and ``hlt_jets.svg``.
With ``--run`` the run folder is kept, and an interrupted measurement goes on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from codesign.core.records import Front, Metric, PairedDifference
from codesign.core.runfolder import RunFolder, write_atomically
from codesign.data.sample import Part
from codesign.pipeline.baseline_scores import read_replicas, read_scores
from codesign.pipeline.parts import load_sample, splits_of
from codesign.pipeline.systematics import differences_with_systematics, values_under
from codesign.pipeline.trial import design_of
from codesign.pipeline.trial_comparison import scores_of
from codesign.search.engine import run_study
from codesign.statistics.comparison import differences, reading, summary
from codesign.study.definition import Study, load_study, parse_study
from codesign.study.opened_problem import open_problem
from codesign.tasks.jets.jet_judging import corrected_pt
from codesign.tasks.jets.response import ETA_EDGES, PT_EDGES, bin_response
from codesign.tasks.problem import working_points
from tests.trees import ROOT, commit_of

METRICS = (
    "resolution", "resolution_raw", "closure_mean", "closure_sure", "closure_worst", "coverage_error", "balance_mean",
)  # fmt: skip
SYSTEMATICS = [
    {"name": "jet_scale", "inputs": ["log2_pt"], "shift": round(log2(1.03), 5)},
    {"name": "pile_up", "pile_up": 0.1},
]
Array = NDArray[np.float64]


def study_with_systematics() -> Study:
    """The shipped study and :data:`SYSTEMATICS`."""
    text = load_study("hlt-jet-energy").model_dump(mode="json", exclude_defaults=True)
    return parse_study(yaml.safe_dump(text | {"systematics": SYSTEMATICS}), "hlt-jet-energy with systematics")


def _numbers(metric: Metric) -> list[float | None]:
    ends = (metric.value, metric.error, metric.systematic)
    return [None if value is None else round(value, 5) for value in ends]


def _said(gap: PairedDifference) -> dict[str, Any]:
    return {
        "value": round(gap.value, 5), "error": round(gap.error, 5),
        "systematic": None if gap.systematic is None else round(gap.systematic, 5),
        "better": round(gap.better, 4), "reading": reading(gap),
    }  # fmt: skip


def measured(study: Study, run: RunFolder) -> tuple[dict[str, Any], dict[str, Array], Part]:
    """The record of a finished run, the corrected pT of each method, and the jets."""
    front = run.read("front.json", Front)
    assert front is not None
    point = min(front.points, key=lambda p: p.validation["resolution"].value)
    design, sample, splits = design_of(run.trial(point.trial)), load_sample(run), splits_of(study)
    problem = open_problem(study)
    validation, test = (sample.part(name, splits) for name in ("validation", "test"))
    network = f"network ({study.family}, trial {point.trial})"
    scores = {network: scores_of(design, test)} | dict(read_scores(run.path / "parts" / "baselines-test.npz"))
    points = working_points(problem, scores_of(design, validation), validation)
    rows = {network: problem.replicate(scores[network], test, points, problem.replicas(test))}
    rows |= dict(read_replicas(run.path / "parts" / "baselines-test.npz"))
    baselines = {b.name: b for b in problem.baselines(sample.part("train", splits), study.seed)}
    under = {}
    for name in rows:
        scored = baselines.get(name, lambda part: scores_of(design, part))
        at = working_points(problem, np.asarray(scored(validation)), validation)
        under[name] = values_under(study.systematics, problem, scored, test, at, sample.layouts)
    judged = {network: dict(point.metrics)}
    known = run.read_json("baseline.json") or {}
    for of in (known, *known.get("others", [])):
        judged[str(of["name"])] = {k: Metric.model_validate(v) for k, v in of["metrics"].items()}
    pairs = []
    for one, other in itertools.combinations(rows, 2):
        gaps = differences(rows[one], rows[other], problem.metrics)
        gaps = differences_with_systematics(gaps, study.systematics, under[one], under[other])
        pairs.append({"one": one, "other": other, "difference": {n: _said(gaps[n]) for n in METRICS if n in gaps}})
    assert test.targets is not None
    right = test.targets[:, 0].astype(np.float64)
    perfect = summary(problem.replicate(np.column_stack([right, right - 1e-3, right + 1e-3]), test, {},
                                        problem.replicas(test)))  # fmt: skip
    bound = next(c.max for c in study.constraints if c.name == "closure_sure")
    record = {
        "jets": {"train": len(sample.part("train", splits)), "test": len(test)},
        "systematics": SYSTEMATICS,
        "columns": ["value", "error", "systematic"],
        "methods": {
            name: {metric: _numbers(found[metric]) for metric in METRICS if metric in found}
            for name, found in judged.items()
        },
        "network": {
            "trial": point.trial,
            "trials": sum(1 for trial in run.trials() if trial.has("metrics.json")),
            "lut (synthesised)": next(
                (f.value for f in point.figures if (f.quantity, f.fidelity) == ("lut", "synthesised")), None
            ),
            "exact": bool(point.verified and point.verified.exact),
        },
        "perfect correction": {name: _numbers(perfect[name]) for name in METRICS if name in perfect},
        "the study's bound on closure_sure": bound,
        "paired": pairs,
    }
    return record, {name: corrected_pt(values, test) for name, values in scores.items()}, test


def draw(corrected: dict[str, Array], part: Part, path: Path) -> None:
    """Closure and resolution of each method along pT, in the barrel and the endcap, as SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    colours = ("#D55E00", "#0072B2", "#009E73", "0.5")
    with mpl.rc_context({"svg.hashsalt": "codesign", "font.size": 10}):
        canvas = Figure(figsize=(10, 6.4), layout="constrained")
        axes = canvas.subplots(2, 2, sharex=True, sharey="row")
        for column, eta in enumerate(itertools.pairwise(ETA_EDGES[:3])):
            for (name, pt), colour in zip(corrected.items(), colours, strict=True):
                response = pt / part.truth["reference_pt"]
                bins = bin_response(response, part.truth["reference_pt"], part.truth["eta"], PT_EDGES, eta)
                x = [b.centre for b in bins]
                for row, what in enumerate(("median", "resolution")):
                    metrics = [getattr(b, what) for b in bins]
                    axes[row, column].errorbar(
                        x, [m.value for m in metrics], [m.error for m in metrics], fmt="o-", ms=4, lw=1, capsize=2,
                        color=colour, label=name.partition(" (")[0],
                    )  # fmt: skip
            axes[0, column].axhline(1, color="0.7", lw=0.8, zorder=0)
            axes[0, column].set_title(f"{eta[0]:g} < |eta| < {eta[1]:g}")
            axes[1, column].set(xlabel="reference pT [GeV]", xscale="log")
        axes[0, 0].set_ylabel("median of corrected over reference pT")
        axes[1, 0].set_ylabel("half the 16 % to 84 % width over it")
        for ax in axes.flat:
            ax.spines[["top", "right"]].set_visible(False)
        axes[0, 1].legend(frameon=False)
        canvas.savefig(path, metadata={"Date": None})


def main() -> None:
    """Run, or go on with, the study; judge, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--run", type=Path, help="keep the run folder here")
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "hlt_jets.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder, study = options.run or Path(scratch) / "run", study_with_systematics()
        run_study(study, folder, trials=options.trials, workers=1)
        found, corrected, part = measured(study, RunFolder(folder))
        record = {
            "commit": commit_of(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {name: version(name) for name in ("torch", "brevitas", "alkaid", "scikit-learn")},
        } | found
        write_atomically(options.output, (json.dumps(record, indent=1) + "\n").encode())
        draw(corrected, part, options.output.with_suffix(".svg"))
    print(json.dumps({name: found[name] for name in ("methods", "perfect correction", "network")}, indent=1))


if __name__ == "__main__":
    main()
