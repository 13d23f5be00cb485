"""A candidate of the search: trained, exported, compiled, proven exact on thousands of events, and scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from codesign import __version__, plugins, store
from codesign.candidate.kept import compiled, keep_training, trained, training_key
from codesign.candidate.shared import shared_training
from codesign.candidate.stages import StageReport, Stages, provenance
from codesign.candidate.trial import load_network
from codesign.design import Design
from codesign.errors import CodesignError
from codesign.figures import Fidelity, Figure
from codesign.graph.cost import graph_cost
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.hardware.base import Flow
from codesign.physics.sample import Part
from codesign.records import Figures, Metric, Metrics
from codesign.runfolder import RunFolder, TrialFolder, write_atomically
from codesign.study import Study
from codesign.targets import Target, load_target
from codesign.tasks.base import working_points
from codesign.trust.firmware import refuse_links

if TYPE_CHECKING:
    from codesign.models.network import Network

__all__ = ("CandidateResult", "evaluate")


@dataclass(frozen=True)
class CandidateResult:
    """What the search learns of a candidate that came through."""

    metrics: dict[str, Metric]
    figures: list[Figure]
    seconds: dict[str, float]
    design_hash: str
    notes: list[str] = field(default_factory=list)


def evaluate(
    study: Study,
    config: BaseModel,
    folder: TrialFolder,
    seed: int,
    train: Part,
    validation: Part,
    stage: StageReport,
    settings: BaseModel | None = None,
) -> CandidateResult:
    """Train, export and compile a candidate, prove it exact on thousands of events, and score it on validation.

    Writes ``model.onnx``, ``design.json``, ``weights.safetensors``, ``firmware/``, ``metrics.json`` and
    ``figures.json`` into ``folder``. ``settings`` are the flow's (default: its own). CodesignError says why a candidate
    failed; it then has no score. What the process's store (:mod:`codesign.store`) holds is not made again.
    """
    import torch

    from codesign import export
    from codesign.training import train as fit

    if folder.path.is_dir():
        refuse_links(folder.path)
    stages = Stages(stage)
    task, family = plugins.load("tasks", study.task), plugins.load("families", study.family)
    flow, target = plugins.load("flows", study.flow.name), load_target(study.target)
    facts = RunFolder(folder.path.parent.parent).read_json("sample.json") or {}
    outputs = tuple(facts.get("outputs") or facts["class_names"])  # runs of old have one output per class

    with stages("bound"):
        _must_fit(study, flow, target, family.ebops(config, len(facts["feature_names"]), len(outputs)))
    trigger = task.trigger if flow.triggers else None
    shared = family.shared(config)
    if shared is not None:  # all candidates of one training have its seed
        seed = int(store.digest({"seed": study.seed, "training": shared.model_dump(mode="json")})[:8], 16) >> 1
    key, notes = training_key(study, config, seed, facts, task, family, trigger), []

    def reopened(_: dict[str, Any]) -> tuple[Design, Network]:
        design = Design.load(folder.path)
        read_graph(design.onnx).run(design.inputs.values(np.zeros((1, len(facts["feature_names"])), np.int64)), Exact())
        return design, load_network(study, folder, design, config)

    with stages("training"):
        kept = trained(key, folder, reopened)
        if kept is None:
            names, units = tuple(facts["feature_names"]), tuple(facts["units"])
            quantisation = task.input_quantisation(train.x, names, units, family.input_bits(config))
            x = [quantisation.port.values(quantisation.codes(part.x)) for part in (train, validation)]
            sizes, how = (quantisation.port.size, len(outputs)), study.training.model_dump()
            torch.manual_seed(seed)
            if shared is None:
                network = family.build(config, *sizes)
                sparsity = family.sparsity(config)
                fit(network, x[0], task.target(train), task.loss, **how, sparsity=sparsity, seed=seed)
            else:
                targets = task.target(train), task.target(validation)
                name = training_key(study, shared, seed, facts, task, family, None) or store.digest(shared.model_dump())
                files, there = shared_training(
                    RunFolder(folder.path.parent.parent),
                    name,
                    lambda: family.front(shared, (x[0], x[1]), targets, task.loss, outputs=sizes[1], seed=seed, **how),
                )
                network = family.pick(config, files, *sizes)
                notes.append(f"one of several networks of a training (seed {seed}){', made before' * there}")
            quantisation = network.input_quantisation(quantisation)  # where it was learned
    with stages("export"):
        if kept is None:
            design = export.export(network, quantisation, outputs, trigger)
            design.save(folder.path)
            _save_weights(network, folder)
            keep_training(key, folder, {})
        else:
            design, network = kept
            notes.append("trained weights from the store")
    with stages("compile"):
        gate = design.input_quantisation.codes(_enough(validation, train, study.verification.gate_events))
        firmware, taken = compiled(flow, design, target, folder.firmware, settings, gate)
        if taken:
            notes.append("firmware from the store")
        figures = [Figure.of("ebops", graph_cost(design).bit_operations, Fidelity.ANALYTIC, "codesign", __version__)]
        figures += provenance(flow.figures(firmware), firmware)
    with stages("gate"):
        runs = {
            "Brevitas": partial(export.brevitas_codes, network, design),
            "QONNX": partial(export.qonnx_codes, design),
            f"the {flow.model} of {flow.name}": partial(flow.predict, firmware),
        }
        proven = _proven(runs, gate, _extremes(design))
    with stages("judging"):
        known = proven[: len(validation)]  # the gate begins with the events of validation
        more = design.input_quantisation.codes(validation.x[len(known) :])
        scores = design.outputs.values(np.concatenate([known, flow.predict(firmware, more)]) if len(more) else known)
        points = working_points(task, scores, validation)
        metrics = task.judge(scores, validation, points)
    notes += store.put_aside()
    folder.write("metrics.json", Metrics(split="validation", events=len(validation), metrics=metrics, points=points))
    folder.write("figures.json", Figures(figures=figures))
    return CandidateResult(metrics, figures, stages.seconds, design.hash, [*firmware.notes, *notes])


def _must_fit(study: Study, flow: Flow, target: Target, cost: float) -> None:
    """Refuse, before it is trained, a candidate that by the flow's own bound cannot fit the budget of LUTs."""
    if (least := flow.least_lut(cost)) is None:
        return
    limits = [c.max for c in study.constraints if c.name == "lut" and c.max is not None]
    most = min([*limits, float(target.resources.lut)])
    if least.value > most:
        raise CodesignError(
            f"cannot fit: some {cost:.0f} effective bit operations need at least {least.value:.0f} LUT in the flow "
            f"{flow.name}, and {most:.0f} are allowed"
        )


def _save_weights(network: Network, folder: TrialFolder) -> None:
    from safetensors.torch import save

    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    write_atomically(folder.path / "weights.safetensors", save(state))


def _enough(first: Part, more: Part, events: int) -> NDArray[np.float32]:
    """Events for the gate: the validation split, topped up from the training split where it is too small."""
    return np.concatenate([first.x, more.x])[:events]


def _extremes(design: Design) -> NDArray[np.int64]:
    from codesign.hardware.alkaid import probe_codes

    return probe_codes(design.inputs)


def _proven(
    runs: Mapping[str, Callable[[NDArray[np.int64]], NDArray[np.int64]]],
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
