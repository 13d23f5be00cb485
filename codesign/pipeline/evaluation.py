"""A candidate of the search: trained, exported, compiled, proven exact on thousands of events, and scored."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from codesign import __version__
from codesign.core import plugins, store
from codesign.core.design import Design
from codesign.core.errors import CodesignError, RefusedError
from codesign.core.figures import Fidelity, Figure
from codesign.core.records import Figures, Metrics
from codesign.core.runfolder import RunFolder, TrialFolder, write_atomically
from codesign.core.targets import Target, load_target
from codesign.data.preparation.prefix import Preparation
from codesign.data.sample import Part
from codesign.families.base import Candidate, Family
from codesign.families.prepared import PreparedModel
from codesign.families.teaching import lesson_of, must_be_able, outputs_of, subject_of
from codesign.families.trained import Reference, Trained
from codesign.flows.base import Flow
from codesign.flows.reopening import refuse_links
from codesign.graph import reference
from codesign.graph.cost import graph_cost
from codesign.graph.exact import Exact
from codesign.graph.model_kind import ModelKind
from codesign.graph.reader import read_graph
from codesign.pipeline.base import CandidateResult
from codesign.pipeline.kept import compiled, keep_training, kept_model, training_key
from codesign.pipeline.parts import sample_facts, seeing
from codesign.pipeline.shared import shared_training
from codesign.pipeline.stages import StageReport, Stages
from codesign.pipeline.systematics import judge_varied
from codesign.pipeline.trial import load_trained
from codesign.rtl.provenance import provenance
from codesign.study.definition import Study
from codesign.study.opened_problem import open_problem
from codesign.tasks.problem import working_points
from codesign.tasks.weighting import effective_events

__all__ = ("evaluate",)


def evaluate(
    study: Study,
    candidate: Candidate,
    folder: TrialFolder,
    seed: int,
    train: Part,
    validation: Part,
    stage: StageReport,
    settings: BaseModel | None = None,
) -> CandidateResult:
    """Train, export and compile a candidate, prove it exact on thousands of events, and score it on validation.

    Writes ``model.onnx``, ``design.json``, the family's own files, ``firmware/``, ``metrics.json`` and
    ``figures.json`` into ``folder``. ``settings`` are the flow's (default: its own). CodesignError says why a candidate
    failed; it then has no score. What the process's store (:mod:`codesign.core.store`) holds is not made again.
    """
    if folder.path.is_dir():
        refuse_links(folder.path)
    stages = Stages(stage)
    problem = open_problem(study)
    family = plugins.load(Family, study.family)
    flow, target = plugins.load(Flow, study.flow.name), load_target(study.target)
    run = RunFolder(folder.path.parent.parent)
    facts = sample_facts(run).model_copy(update={"view": study.view})
    train, validation = seeing(train, study.view), seeing(validation, study.view)

    numbers = sum(block.size for block in facts.seen)

    trigger = problem.trigger if flow.triggers else None
    taught = study.training.teaching()
    preparation = None if study.inputs is None else Preparation.of(study.inputs, facts.seen)
    subject = subject_of(problem, facts, trigger, preparation, taught=taught)
    must_be_able(family, subject)
    with stages("bound"):
        _must_fit(study, flow, target, candidate.cost_of(subject) / flow.uses(settings), candidate.kind)
    if (training := candidate.training()) is not candidate:  # all candidates of one training have its seed
        seed = int(store.digest({"seed": study.seed, "training": training.record()})[:8], 16) >> 1
    key, notes = training_key(study, candidate, seed, facts, problem, family, trigger), []

    def reopen() -> Trained:
        design = Design.load(folder.path)
        read_graph(design.onnx).run(design.inputs.values(np.zeros((1, numbers), np.int64)), Exact())
        return load_trained(study, folder, design, candidate)

    with stages("training"):
        kept = kept_model(key, folder, family, reopen)
        if kept is None:
            width = candidate.input_width()
            lesson = lesson_of(problem, facts, width, train, validation, trigger, preparation, taught)
            must_be_able(family, lesson.subject)
            fit = partial(family.fit, training, lesson, study.training.budget(), seed, study.training.device)
            if training is candidate:
                files = fit()
            else:
                name = training_key(study, training, seed, facts, problem, family, None)
                files, there = shared_training(run, name or store.digest(training.record()), fit)
                notes.append(f"one of several networks of a training (seed {seed}){', made before' * there}")
            trained = family.pick(files, candidate, lesson)
            if preparation is not None:
                trained = PreparedModel(trained, preparation.before(trained.design()))
    with stages("export"):
        if kept is None:
            design = trained.design()
            design.save(folder.path)
            _save(trained, family, folder)
            keep_training(key, folder, family)
        else:
            trained = kept
            design = trained.design()
            notes.append("trained weights from the store")
    if preparation is not None:
        notes.append(preparation.note())
    with stages("compile"):
        gate = design.input_quantisation.codes(_enough(validation, train, study.verification.gate_events))
        firmware, taken = compiled(flow, design, target, folder.firmware, settings, gate)
        if taken:
            notes.append("firmware from the store")
        figures = [Figure.of("ebops", graph_cost(design).bit_operations, Fidelity.ANALYTIC, "codesign", __version__)]
        figures += provenance(flow.figures(firmware), firmware)
    with stages("gate"):
        runs: dict[str, Reference] = {
            **trained.references(),
            reference.reference_name(design): partial(reference.qonnx_codes, design),
            f"the {flow.model} of {flow.name}": partial(flow.predict, firmware),
        }
        proven = _proven(runs, gate, _extremes(design))
    with stages("judging"):
        known = proven[: len(validation)]  # the gate begins with the events of validation
        more = design.input_quantisation.codes(validation.x[len(known) :])
        scores = design.outputs.values(np.concatenate([known, flow.predict(firmware, more)]) if len(more) else known)
        points = working_points(problem, scores, validation)
        usual = problem.judge(scores, validation, points)

        def scored(part: Part) -> NDArray[np.float64]:
            return design.outputs.values(flow.predict(firmware, design.input_quantisation.codes(part.x)))

        varied = judge_varied(study, problem, scored, validation, usual, points, facts.layouts, outputs_of(facts))
        metrics = varied.metrics
    notes += store.put_aside()
    judged = Metrics(
        split="validation",
        events=len(validation),
        metrics=metrics,
        points=dict(points),
        effective=effective_events(validation),
        variations=varied.under,
    )
    folder.write("metrics.json", judged)
    folder.write("figures.json", Figures(figures=figures))
    return CandidateResult(metrics, figures, stages.seconds, design.hash, [*firmware.notes, *notes])


def _must_fit(study: Study, flow: Flow, target: Target, cost: float, kind: ModelKind = "network") -> None:
    """Refuse, before it is trained, a candidate that by the flow's own bound cannot fit the budget of LUTs."""
    if (least := flow.least_lut(cost, kind)) is None:
        return
    limits = [c.most(target) for c in study.constraints if c.name == "lut"]
    most = min([*(m for m in limits if m is not None), float(target.resources.lut)])
    if least.value > most:
        raise RefusedError(
            f"cannot fit: some {cost:.0f} effective bit operations need at least {least.value:.0f} LUT in the flow "
            f"{flow.name}, and {most:.0f} are allowed",
            excess=(least.value - most) / most,
        )


def _save(trained: Trained, family: Family, folder: TrialFolder) -> None:
    """Write what a model is opened from again; CodesignError where that is not what its family says it is."""
    files = trained.files()
    if set(files) != set(family.files):
        said, found = (", ".join(sorted(names)) for names in (family.files, files))
        raise CodesignError(
            f"the family '{family.name}' says that a model's files are {said}, but this one's are {found}"
        )
    for name, content in files.items():
        write_atomically(folder.path / name, content)


def _enough(first: Part, more: Part, events: int) -> NDArray[np.float32]:
    """Events for the gate: the validation split, topped up from the training split where it is too small."""
    return np.concatenate([first.x, more.x])[:events]


def _extremes(design: Design) -> NDArray[np.int64]:
    from codesign.core.probes import probe_codes

    return probe_codes(design.inputs)


def _proven(
    runs: Mapping[str, Reference],
    real: NDArray[np.int64],
    extremes: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Output codes of the real events, on which, as on the extreme inputs, all models must agree.

    Each model runs once, on both: what QONNX' executor does before the first event takes longer than the events.
    """
    outputs = {name: run(np.concatenate([real, extremes])) for name, run in runs.items()}
    for events, what in ((slice(len(real)), "real events"), (slice(len(real), None), "extreme inputs")):
        _must_agree({name: codes[events] for name, codes in outputs.items()}, what)
    return next(iter(outputs.values()))[: len(real)]


def _must_agree(outputs: dict[str, NDArray[np.int64]], what: str) -> None:
    (first, reference), *others = outputs.items()
    for name, codes in others:
        if not np.array_equal(codes, reference):
            wrong = (codes != reference).any(axis=1)
            event = int(wrong.argmax())
            raise CodesignError(
                f"not exact on {what}: {name} differs from {first} on {int(wrong.sum())} of {len(codes)} events, first "
                f"on event {event}: {codes[event].tolist()} instead of {reference[event].tolist()}"
            )
