"""``python -m tests.benchmarks.hlt_jets``: HLT jets uncorrected, corrected by factors, by trees and by a network.

The task and the splits of the shipped study ``hlt-jet-energy``, with systematic errors (energy scale by 3 %, pile-up by
10 %), on fewer events. The network is one of a few quantised ones, that of the best resolution on the validation split
among those whose closure is within the study's bound there; no firmware is made of it. All are judged on the same jets
of the test split; differences are paired, and their systematic error is what the difference itself moves by. Beside
them stands a perfect correction, which every constraint has to pass. Writes ``reports/reference/hlt_jets.json`` and
``hlt_jets.svg``. What was trained is kept in ``build/hlt_jets``: a measurement that was ended goes on from there.
"""

from __future__ import annotations

import argparse
import itertools
import json
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.records import Metric, PairedDifference, SampleFacts
from codesign.core.runfolder import write_atomically
from codesign.core.store import digest
from codesign.data.sample import Part, Sample
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.families.teaching import lesson_of
from codesign.physics.detector import load_event_card
from codesign.physics.detector.simulate import provenance_of
from codesign.pipeline.parts import record, splits_of
from codesign.pipeline.systematics import Scored, differences_with_systematics, values_under, with_systematics
from codesign.pipeline.trial_comparison import scores_of
from codesign.statistics.comparison import differences, reading, summary
from codesign.study.definition import Study, load_study, parse_study
from codesign.study.opened_problem import open_problem
from codesign.tasks.jets.jet_judging import corrected_pt
from codesign.tasks.jets.response import ETA_EDGES, PT_EDGES, bin_response
from codesign.tasks.problem import Problem, working_points
from tests.trees import ROOT, commit_of

METRICS = (
    "resolution", "resolution_raw", "closure_mean", "closure_sure", "closure_worst", "coverage_error", "balance_mean",
)  # fmt: skip
KEPT = ROOT / "build" / "hlt_jets"
SPLITS = {"train": 0.5, "validation": 0.2, "test": 0.3}
SYSTEMATICS = [
    {"name": "jet_scale", "inputs": ["log2_pt"], "shift": round(log2(1.03), 5)},
    {"name": "pile_up", "pile_up": 0.1},
]
Array = NDArray[np.float64]


#: of the networks that are tried
CONFIGS = (
    MLPConfig(widths=(16,), weight_bits=(6, 6), activation_bits=(6,), input_bits=8, sparsity=0.3),
    MLPConfig(widths=(24, 12), weight_bits=(6, 6, 6), activation_bits=(6, 6), input_bits=9, sparsity=0.3),
    MLPConfig(widths=(24,), weight_bits=(8, 8), activation_bits=(8,), input_bits=9, sparsity=0.0),
)


def study_with_systematics(cards: dict[str, int]) -> Study:
    """The shipped study with :data:`SYSTEMATICS`, on so many events of each card."""
    text = load_study("hlt-jet-energy").model_dump(mode="json", exclude_defaults=True)
    changes = {"systematics": SYSTEMATICS, "sample": {**text["sample"], "cards": cards}, "splits": SPLITS}
    return parse_study(yaml.safe_dump(text | changes), "hlt-jet-energy with systematics")


def networks(study: Study, problem: Problem, sample: Sample) -> list[Scored]:
    """Every network of :data:`CONFIGS`, trained or as it was kept."""
    splits, family, found = splits_of(study), MLP(), []
    train, validation = (sample.part(name, splits) for name in ("train", "validation"))
    facts = SampleFacts.model_validate(record(sample, splits) | {"outputs": problem.outputs(sample)})
    for config in CONFIGS:
        lesson = lesson_of(problem, facts, config.input_width(), train, validation, None)
        kept = KEPT / digest({"config": config.record(), "sample": facts.hash})[:16]
        if not (kept / "design.json").is_file():
            trained = family.pick(family.fit(config, lesson, study.training.budget(), study.seed), config, lesson)
            kept.mkdir(parents=True, exist_ok=True)
            trained.design().save(kept)
        found.append(partial(scores_of, Design.load(kept)))
    return found


def _numbers(metric: Metric) -> list[float | None]:
    ends = (metric.value, metric.error, metric.systematic)
    return [None if value is None else round(value, 5) for value in ends]


def _said(gap: PairedDifference) -> dict[str, Any]:
    return {
        "value": round(gap.value, 5), "error": round(gap.error, 5),
        "systematic": None if gap.systematic is None else round(gap.systematic, 5),
        "better": round(gap.better, 4), "reading": reading(gap),
    }  # fmt: skip


def measured(study: Study) -> tuple[dict[str, Any], dict[str, Array], Part]:
    """The record, the corrected pT of each method, and the jets."""
    problem = open_problem(study)
    sample, splits = problem.sample, splits_of(study)
    train, validation, test = (sample.part(name, splits) for name in ("train", "validation", "test"))
    bound = next(c.max for c in study.constraints if c.name == "closure_sure")
    tried = networks(study, problem, sample)
    values = [problem.values(scored(validation), validation, {}) for scored in tried]
    allowed = [k for k, of in enumerate(values) if bound is None or of["closure_sure"] <= bound] or range(len(tried))
    place = min(allowed, key=lambda k: values[k]["resolution"])
    network = f"network (mlp {'-'.join(map(str, CONFIGS[place].widths))})"
    methods: dict[str, Scored] = {network: tried[place]}
    for base in problem.baselines(train, study.seed):
        methods[base.name] = lambda part, b=base: np.asarray(b(part), dtype=np.float64)  # type: ignore[misc]
    scores = {name: scored(test) for name, scored in methods.items()}
    points = {name: working_points(problem, scored(validation), validation) for name, scored in methods.items()}
    rows = {n: problem.replicate(scores[n], test, points[n], problem.replicas(test)) for n in methods}
    under = {
        name: values_under(study.systematics, problem, scored, test, points[name], sample.layouts)
        for name, scored in methods.items()
    }
    judged = {n: with_systematics(summary(rows[n]), study.systematics, under[n]) for n in methods}
    pairs = []
    for one, other in itertools.combinations(rows, 2):
        gaps = differences(rows[one], rows[other], problem.metrics)
        gaps = differences_with_systematics(gaps, study.systematics, under[one], under[other])
        pairs.append({"one": one, "other": other, "difference": {n: _said(gaps[n]) for n in METRICS if n in gaps}})
    assert test.targets is not None
    right = test.targets[:, 0].astype(np.float64)
    perfect = summary(problem.replicate(np.column_stack([right, right - 1e-3, right + 1e-3]), test, {},
                                        problem.replicas(test)))  # fmt: skip
    cards: dict[str, int] = dict(study.sample)["cards"]  # type: ignore[assignment]
    facts = {
        "events": cards,
        "generation": {card: provenance_of(load_event_card(card)) for card in cards},
        "jets": {"train": len(train), "validation": len(validation), "test": len(test)},
        "systematics": SYSTEMATICS,
        "columns": ["value", "error", "systematic"],
        "methods": {
            name: {metric: _numbers(found[metric]) for metric in METRICS if metric in found}
            for name, found in judged.items()
        },
        "network": {"tried": len(tried), "chosen": CONFIGS[place].record()},
        "perfect correction": {name: _numbers(perfect[name]) for name in METRICS if name in perfect},
        "the study's bound on closure_sure": bound,
        "paired": pairs,
    }
    return facts, {name: corrected_pt(values, test) for name, values in scores.items()}, test


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
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dijets", type=int, default=8000, help="events of the card qcd-dijets")
    parser.add_argument("--ttbar", type=int, default=2500, help="events of the card ttbar")
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "hlt_jets.json")
    options = parser.parse_args()
    found, corrected, part = measured(study_with_systematics({"qcd-dijets": options.dijets, "ttbar": options.ttbar}))
    record = {
        "commit": commit_of(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("torch", "brevitas", "scikit-learn")},
    } | found
    write_atomically(options.output, (json.dumps(record, indent=1) + "\n").encode())
    draw(corrected, part, options.output.with_suffix(".svg"))
    print(json.dumps({name: found[name] for name in ("methods", "perfect correction", "network")}, indent=1))


if __name__ == "__main__":
    main()
