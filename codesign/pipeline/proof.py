"""A trial of the front: judged once on the test split, synthesised, and its RTL simulated."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core import plugins, store
from codesign.core.design import Design
from codesign.core.errors import CodesignError, InputError, ToolError
from codesign.core.figures import Fidelity
from codesign.core.records import Baselines, BesideOther, Comparisons, Figures, Metric, Metrics, Plots, SampleFacts
from codesign.core.runfolder import RunFolder, TrialFolder, write_atomically
from codesign.core.targets import Target, load_target
from codesign.data.sample import Part, Sample
from codesign.flows.base import Flow
from codesign.flows.reopening import firmware_in, identity, reopen_firmware, seal_firmware, seal_verdict, verdict_of
from codesign.flows.settings import flow_settings
from codesign.graph import reference
from codesign.pipeline.baseline_scores import judge_baselines, read_replicas, read_scores
from codesign.pipeline.explain import explain
from codesign.pipeline.importance import input_importance
from codesign.pipeline.parts import seeing, splits_of
from codesign.pipeline.stages import (
    MEASUREMENTS,
    StageReport,
    Stages,
    add_figures,
    add_seconds,
    costs_only_itself,
    has_figure,
    measured_by,
    note,
    say,
)
from codesign.pipeline.systematics import differences_with_systematics, judge_varied, judged_rows
from codesign.pipeline.trial import design_of, load_trained, synthesisers, threshold_of
from codesign.pipeline.trial_comparison import scores_of
from codesign.rtl.firmware import Firmware
from codesign.rtl.provenance import count, provenance
from codesign.statistics.comparison import differences
from codesign.statistics.replicas import WorkingPoints
from codesign.study.definition import Study
from codesign.study.opened_problem import open_problem
from codesign.tasks.problem import Problem, working_points
from codesign.tasks.weighting import effective_events
from codesign.tools.verilator import WaveFormat

__all__ = ("is_measured", "judge_on_test", "measure", "open_firmware", "prove", "save_golden", "simulate")

#: replicas of a design that are kept, for its comparison with others: an error from so many is right to 7 %
_KEPT = 100
#: what a proof finds out of a trial's firmware
_MEASURED = (
    "test.json",
    "comparisons.json",
    "plots.json",
    "inputs.json",
    "explained.json",
    "layers.json",
    "verify.json",
)


def prove(
    study: Study,
    folder: TrialFolder,
    sample: Sample,
    seed: int,
    stage: StageReport,
    waves: WaveFormat | None = None,
    again: bool = False,
) -> bool:
    """Judge a trial on the test split, synthesise it, and simulate its RTL. A trial already proven is left as it is.

    Where its firmware was not made by this user it is made again (:mod:`codesign.flows.reopening`), and so is all that
    was measured of it. ``again`` makes the firmware anew in any case. Returns whether it was simulated.

    A synthesis or simulation that fails costs that figure only; the trial's status says why it is absent.
    With ``waves`` a simulation keeps its traces in ``simulation/``, in that form.
    """
    stages = Stages(stage)
    sample = seeing(sample, study.view)
    part = sample.part("test", splits_of(study))
    design = design_of(folder)
    problem = open_problem(study)
    flow = plugins.load(Flow, study.flow.name)
    target = load_target(study.target)
    firmware = open_firmware(folder, flow, design, target, again)
    codes = design.input_quantisation.codes(part.x)

    @cache
    def points() -> Mapping[str, float]:
        return _points(study, problem, folder, sample, design)

    if not (folder.path / "plots.json").is_file():
        with stages("test"):
            scores = design.outputs.values(flow.predict(firmware, codes))
            usual = problem.judge(scores, part, points())
            folder.write("test.json", _judged(study, problem, design, part, usual, points(), sample))
            baselines = _baseline_scores(study, folder, sample)
            folder.write("plots.json", Plots(plots=problem.plots(scores, part, baselines, points())))
    if not (folder.path / "comparisons.json").is_file():
        with stages("comparison"), costs_only_itself(folder, "comparison with the baselines"):
            folder.write("comparisons.json", _beside_baselines(study, problem, folder, part, design, points(), sample))
    if not (folder.path / "inputs.json").is_file():
        with stages("inputs"), costs_only_itself(folder, "importance of the inputs"):
            searched = folder.read("metrics.json", Metrics)
            importance = input_importance(study, problem, design, part, searched.points if searched else {}, seed)
            if importance is not None:
                folder.write("inputs.json", importance)
    if not (folder.path / "explained.json").is_file():
        with stages("explanations"), costs_only_itself(folder, "explanation of single events"):
            searched = folder.read("metrics.json", Metrics)
            threshold = searched.points.get("threshold") if searched else None
            explained = explain(design, part, threshold, seed)
            if explained is not None:
                folder.write("explained.json", explained)
    if not (folder.path / "layers.json").is_file():
        with stages("layers"), costs_only_itself(folder, "cost of each layer"):
            if (costs := flow.layers(firmware)) is not None:
                folder.write("layers.json", costs)
    for name, measure in synthesisers(flow, firmware, study.verification.placement).items():
        if not is_measured(folder, name, firmware):
            with stages(name), costs_only_itself(folder, name):
                add_figures(folder, measure(folder.path / name))
    simulated = verdict_of(folder, firmware) is None
    if simulated:
        (folder.path / "verify.json").unlink(missing_ok=True)  # of nobody knows whom, or of other firmware
        with stages("simulation"), costs_only_itself(folder, "simulation"):
            simulate(study, folder, design, flow, firmware, codes[: study.verification.rtl_events], waves, folder)
    for text in store.put_aside():
        say(folder, text)
    add_seconds(folder, stages.seconds)
    return simulated


def judge_on_test(study: Study, folder: TrialFolder, sample: Sample, stage: StageReport) -> None:
    """Judge a candidate on the test split by its exact graph, and write its ``test.json``."""
    sample, design = seeing(sample, study.view), design_of(folder)
    part = sample.part("test", splits_of(study))
    problem = open_problem(study)
    with Stages(stage)("test"):
        points, scored = _points(study, problem, folder, sample, design), partial(scores_of, design)
        usual = problem.judge(scored(part), part, points)
        folder.write("test.json", _judged(study, problem, design, part, usual, points, sample))


def _judged(
    study: Study, problem: Problem, design: Design, part: Part, usual: Mapping[str, Metric],
    points: Mapping[str, float], sample: Sample,
) -> Metrics:  # fmt: skip
    """``test.json``: the metrics as they are, with what the study's variations do to them."""
    scored, outputs = partial(scores_of, design), design.outputs.labels
    varied = judge_varied(study, problem, scored, part, usual, points, sample.layouts, outputs)
    return Metrics(
        split="test", events=len(part), metrics=varied.metrics, points=dict(points),
        effective=effective_events(part), variations=varied.under,
    )  # fmt: skip


def open_firmware(folder: TrialFolder, flow: Flow, design: Design, target: Target, again: bool) -> Firmware:
    """A trial's firmware; of other firmware than this user had there, nothing that was measured is kept."""
    settings = flow_settings(flow, folder.read_json("config.json") or {})
    mine = firmware_in(folder.firmware, flow, design, target, settings)
    known = None if mine is None else identity(mine)
    firmware = mine if mine is not None and not again else reopen_firmware(folder, flow, design, target, again)
    if known != identity(firmware):
        for name in _MEASURED:
            (folder.path / name).unlink(missing_ok=True)
        record = folder.read("figures.json", Figures)
        kept = [f for f in record.figures if f.fidelity == Fidelity.ANALYTIC] if record else []
        folder.write("figures.json", Figures(figures=kept + provenance(flow.figures(firmware), firmware)))
    return firmware


def measure(study: Study, folder: TrialFolder, fidelity: Fidelity, stage: StageReport) -> None:
    """Synthesise, or place and route, a trial of the search on the study's target; one that was is left as it is.

    ToolError says why it could not be: its status keeps the reason, and it has no figure of this fidelity.
    """
    stages, name = Stages(stage), MEASUREMENTS[fidelity]
    flow = plugins.load(Flow, study.flow.name)
    firmware = reopen_firmware(folder, flow, Design.load(folder.path), load_target(study.target))
    if is_measured(folder, name, firmware):
        return
    with stages(name):
        try:
            if name not in (known := synthesisers(flow, firmware)):
                raise ToolError(f"{firmware.target.name} has no {name} of this firmware here")
            add_figures(folder, known[name](folder.path / name))
        except CodesignError as error:
            note(folder, name, error)
            raise
        note(folder, name, None)
    add_seconds(folder, stages.seconds)


def is_measured(folder: TrialFolder, name: str, firmware: Firmware) -> bool:
    """Whether a trial has the figures of the measurement of this name."""
    if name == "vivado" or firmware.rtl is None:  # an HLS project's Verilog goes there too
        return measured_by(folder, "Vivado")
    return has_figure(folder, Fidelity.PLACED if name == "placement" else Fidelity.SYNTHESISED)


def simulate(
    study: Study,
    folder: TrialFolder,
    design: Design,
    flow: Flow,
    firmware: Firmware,
    codes: NDArray[np.int64],
    waves: WaveFormat | None,
    output: TrialFolder,
) -> None:
    """Run the firmware against every model: its RTL, or what the flow has of it where there is none here.

    The verdict, its events and its figures go into ``output``.
    """
    if len(codes) < study.verification.rtl_events:
        raise InputError(
            f"the test split has {len(codes)} events, but the study wants {study.verification.rtl_events} simulated: "
            "make the sample larger or verification.rtl_events smaller"
        )
    trained, named = load_trained(study, folder, design), reference.reference_name(design)
    try:
        references = {name.lower(): run(codes) for name, run in trained.references().items()} | {
            named: reference.qonnx_codes(design, codes),
            flow.model: flow.predict(firmware, codes),
        }
    except ValueError as error:  # values that are no codes of the outputs' types
        raise InputError(
            f"{folder.path}: {', '.join(trained.files())}, model.onnx and firmware/ are not of the design in "
            f"design.json ({error}): restore them"
        ) from None
    threshold = threshold_of(folder, design)
    verdict = flow.verify(firmware, codes, references, output.path / "simulation", waves, threshold)
    save_golden(output, codes, references[named])
    add_figures(output, count(verdict, firmware))
    output.write("verify.json", verdict)
    if output.path == folder.path:  # a co-simulation wrote there
        seal_firmware(flow, firmware, flow_settings(flow, folder.read_json("config.json") or {}))
    seal_verdict(output, firmware)


def save_golden(folder: TrialFolder, inputs: NDArray[np.int64], outputs: NDArray[np.int64]) -> None:
    """Keep the codes that went into a simulation, and those that had to come out."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, inputs=inputs, outputs=outputs)
    write_atomically(folder.path / "golden.npz", buffer.getvalue())


def _points(study: Study, problem: Problem, folder: TrialFolder, sample: Sample, design: Design) -> Mapping[str, float]:
    """Working points of a trial, as they were fixed in the search, with what they are in each replica of validation."""
    searched = folder.read("metrics.json", Metrics)
    if searched is None or not searched.points:
        return {}
    validation = sample.part("validation", splits_of(study))
    found = working_points(problem, scores_of(design, validation), validation)
    return WorkingPoints(searched.points, {n: r for n, r in found.replicas.items() if n in searched.points})


def _beside_baselines(
    study: Study, problem: Problem, folder: TrialFolder, part: Part, design: Design, points: Mapping[str, float],
    sample: Sample,
) -> Comparisons:  # fmt: skip
    """A trial beside each of the baselines on the same events of the test split, and its own replicas."""
    path = _baseline_path(folder)
    baselines = read_replicas(path) if path.is_file() else {}
    scored, directions = partial(scores_of, design), study.judged(problem.metrics)
    own = judged_rows(study, problem, scored, part, points, sample.layouts, design.outputs.labels)
    gaps = {name: differences(own, rows, directions) for name, rows in baselines.items()}
    if study.systematics:
        judged = folder.read("test.json", Metrics)
        known = RunFolder(folder.path.parent.parent).read("baseline.json", Baselines)
        of_others = {b.name: b.variations for b in (known, *known.others)} if known else {}
        under = judged.variations if judged else {}
        gaps = {
            name: differences_with_systematics(found, study.systematics, under, of_others.get(name, {}))
            for name, found in gaps.items()
        }
    compared = [BesideOther(one=f"trial {folder.number}", other=name, metrics=found) for name, found in gaps.items()]
    facts = RunFolder(folder.path.parent.parent).read("sample.json", SampleFacts)
    whole = {name: rows[: 1 + _KEPT] for name, rows in own.items() if np.isfinite(rows[: 1 + _KEPT]).all()}
    return Comparisons(
        split="test", events=len(part), effective=effective_events(part), compared=compared,
        sample=facts.hash if facts else None,
        directions={name: way for name, way in directions.items() if name in whole},
        replicas={name: [float(f"{value:.7g}") for value in rows[1:]] for name, rows in whole.items()},
    )  # fmt: skip


def _baseline_scores(study: Study, folder: TrialFolder, sample: Sample) -> Mapping[str, NDArray[np.float64]]:
    """Scores of the baselines on the test split, (events, outputs) each; fitted once per run."""
    path = _baseline_path(folder)
    if not path.is_file():
        _, content = judge_baselines(study, sample, splits_of(study))
        write_atomically(path, content)
    return read_scores(path)


def _baseline_path(folder: TrialFolder) -> Path:
    return folder.path.parent.parent / "parts" / "baselines-test.npz"
