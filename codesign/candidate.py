"""One candidate's way: trained, exported, compiled, gated; on the front judged on test, synthesised, simulated."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from codesign import __version__, plugins
from codesign.design import Design
from codesign.dse.baseline import judge_baselines, read_scores
from codesign.dse.parts import load_sample, splits_of
from codesign.errors import CodesignError, InputError, ToolError
from codesign.figures import Fidelity, Figure
from codesign.fixedpoint import InputQuantisation
from codesign.hardware.base import Firmware
from codesign.physics.sample import Part, Sample
from codesign.records import Figures, Metric, Metrics, Plots, State, TrialStatus, Verified
from codesign.runfolder import RunFolder, TrialFolder, write_atomically
from codesign.study import Study, parse_study
from codesign.targets import Target, load_target
from codesign.tasks.judging import drawn, fixed, judged

#: no compiled network needed fewer LUTs per effective bit operation: 0.15 to 0.27 over 16-8 at 3 bits to 64-32-32 at 8
LEAST_LUT_PER_EBOP = 0.05

__all__ = (
    "CandidateResult",
    "bitstream_of_trial",
    "evaluate",
    "firmware_for",
    "load_network",
    "prove",
    "prove_trial",
    "synthesise_trial",
)

StageReport = Callable[[str], None]

#: Yosys' share of a front; a design that needs more is too large for the front of a laptop's search
SYNTHESIS_TIMEOUT = 1800.0


@dataclass(frozen=True)
class CandidateResult:
    """What the search learns of a candidate that came through."""

    metrics: dict[str, Metric]
    figures: list[Figure]
    seconds: dict[str, float]
    design_hash: str
    notes: list[str] = field(default_factory=list)


class _Stages:
    """Names the running stage to the outside and keeps its wall-clock time."""

    def __init__(self, report: StageReport) -> None:
        self._report = report
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self._report(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 4)


def evaluate(
    study: Study,
    config: BaseModel,
    folder: TrialFolder,
    seed: int,
    train: Part,
    validation: Part,
    stage: StageReport,
) -> CandidateResult:
    """Train, export and compile a candidate, prove it exact on thousands of events, and score it on validation.

    Writes ``model.onnx``, ``design.json``, ``weights.safetensors``, ``firmware/``, ``metrics.json`` and
    ``figures.json`` into ``folder``. CodesignError says why a candidate failed; it then has no score.
    """
    import torch

    from codesign import export
    from codesign.training import train as fit

    stages = _Stages(stage)
    task, family = plugins.load("tasks", study.task), plugins.load("families", study.family)
    flow, target = plugins.load("flows", study.flow), load_target(study.target)
    facts = RunFolder(folder.path.parent.parent).read_json("sample.json") or {}
    outputs = tuple(facts.get("outputs") or facts["class_names"])  # runs of old have one output per class

    with stages("bound"):
        ebops = family.ebops(config, len(facts["feature_names"]), len(outputs))
        _must_fit(study, target, ebops)
    with stages("training"):
        quantisation = InputQuantisation.fit(
            train.x, tuple(facts["feature_names"]), tuple(facts["units"]), family.input_bits(config)
        )
        torch.manual_seed(seed)
        network = family.build(config, quantisation.port.size, len(outputs))
        fit(
            network,
            quantisation.port.values(quantisation.codes(train.x)),
            task.target(train),
            task.loss,
            epochs=study.training.epochs,
            batch=study.training.batch,
            learning_rate=study.training.learning_rate,
            sparsity=getattr(config, "sparsity", 0.0),
            seed=seed,
        )
        if hasattr(network, "input_quantisation"):  # the inputs' precision, too, was learned
            quantisation, ebops = network.input_quantisation(quantisation), network.ebops()
    with stages("export"):
        design = export.export(network, quantisation, outputs)
        design.save(folder.path)
        _save_weights(network, folder)
    with stages("compile"):
        gate = quantisation.codes(_enough(validation, train, study.verification.gate_events))
        firmware = flow.compile(design, target, folder.firmware, probe=gate)
        figures = [Figure.of("ebops", round(ebops, 1), Fidelity.ANALYTIC, "codesign", __version__)]
        figures += flow.figures(firmware)
    with stages("gate"):
        extremes = _extremes(design)
        for codes, what in ((gate, "real events"), (extremes, "extreme inputs")):
            _must_agree(
                {
                    "Brevitas": export.brevitas_codes(network, design, codes),
                    "QONNX": export.qonnx_codes(design, codes),
                    f"the interpreter of {flow.name}": flow.predict(firmware, codes),
                },
                what,
            )
    with stages("judging"):
        scores = design.outputs.values(flow.predict(firmware, quantisation.codes(validation.x)))
        points = fixed(task, scores, validation)
        metrics = judged(task, scores, validation, points)
    folder.write("metrics.json", Metrics(split="validation", events=len(validation), metrics=metrics, points=points))
    folder.write("figures.json", Figures(figures=figures))
    return CandidateResult(metrics, figures, stages.seconds, design.hash, list(firmware.notes))


def prove(study: Study, folder: TrialFolder, sample: Sample, seed: int, stage: StageReport) -> None:
    """Judge a trial on the test split, synthesise it, and simulate its RTL. A trial already proven is left as it is.

    A synthesis or simulation that fails costs that figure only; the trial's status says why it is absent.
    """
    stages = _Stages(stage)
    part = sample.part("test", splits_of(study))
    design = Design.load(folder.path)
    task, flow = plugins.load("tasks", study.task), plugins.load("flows", study.flow)
    target = load_target(study.target)
    firmware = flow.load(design, target, folder.firmware)
    codes = design.input_quantisation.codes(part.x)

    if not (folder.path / "plots.json").is_file():
        with stages("test"):
            scores = design.outputs.values(flow.predict(firmware, codes))
            searched = folder.read("metrics.json", Metrics)
            points = searched.points if searched else {}
            metrics = judged(task, scores, part, points)
            folder.write("test.json", Metrics(split="test", events=len(part), metrics=metrics, points=points))
            baselines = _baseline_scores(study, folder, sample)
            folder.write("plots.json", Plots(plots=drawn(task, scores, part, points, baselines)))
    if not _has(folder, Fidelity.SYNTHESISED):
        with stages("synthesis"), _costs_only_itself(folder, "synthesis"):
            from codesign.hardware.yosys import synthesise

            _add_figures(folder, synthesise(firmware, folder.path / "synthesis", SYNTHESIS_TIMEOUT))
    if folder.read("verify.json", Verified) is None:
        with stages("simulation"), _costs_only_itself(folder, "simulation"):
            _simulate(study, folder, design, flow, firmware, codes[: study.verification.rtl_events], seed)
    _add_seconds(folder, stages.seconds)


def prove_trial(run: RunFolder, number: int, again: bool = False) -> Verified:
    """Prove one trial of a finished run (``codesign verify``); with ``again`` the simulation is repeated."""
    study, folder = _trial_of(run, number)
    if again:
        (folder.path / "verify.json").unlink(missing_ok=True)
    status = folder.read("status.json", TrialStatus)
    prove(study, folder, load_sample(run), status.seed if status else study.seed, lambda _: None)
    verdict = folder.read("verify.json", Verified)
    if verdict is None:
        reasons = (
            folder.read("status.json", TrialStatus) or TrialStatus(trial=number, state=State.FAILED, seed=0)
        ).notes
        raise ToolError(f"trial {number} could not be simulated: {reasons[-1] if reasons else 'see its log.txt'}")
    return verdict


def synthesise_trial(run: RunFolder, number: int, target_name: str | None = None) -> list[Figure]:
    """Synthesise one trial for a target (default: the study's); figures for the study's own target are recorded."""
    from codesign.hardware.yosys import synthesise

    folder, firmware = firmware_for(run, number, target_name)
    figures: list[Figure] = synthesise(firmware, folder.path / f"synthesis-{firmware.target.name}", SYNTHESIS_TIMEOUT)
    if firmware.folder == folder.firmware:
        _add_figures(folder, figures)
    return figures


def bitstream_of_trial(run: RunFolder, number: int, target_name: str, output: Path | None = None) -> Path:
    """Compile one trial for a board, place and route it, and write its bitstream (``codesign bitstream``).

    The bitstream, the logs and the timing report land in ``trials/NNNN/bitstream-TARGET``; ``output`` gets a copy.
    """
    from codesign.hardware.bitstream import bitstream

    folder, firmware = firmware_for(run, number, target_name)
    made: Path = bitstream(firmware, folder.path / f"bitstream-{firmware.target.name}")
    if output is not None:
        write_atomically(output, made.read_bytes())
    return output or made


def firmware_for(run: RunFolder, number: int, target_name: str | None) -> tuple[TrialFolder, Firmware]:
    """A trial's firmware for a target (default: the study's), compiled where it is not there yet."""
    study, folder = _trial_of(run, number)
    design, flow = Design.load(folder.path), plugins.load("flows", study.flow)
    own, target = load_target(study.target), load_target(target_name or study.target)
    if target.name == own.name:
        return folder, flow.load(design, target, folder.firmware)
    return folder, flow.compile(design, target, folder.path / f"firmware-{target.name}")


def load_network(study: Study, folder: TrialFolder, design: Design) -> Any:
    """Rebuild the trained, folded Brevitas network from ``config.json`` and ``weights.safetensors``."""
    from safetensors.torch import load_file

    family = plugins.load("families", study.family)
    config = family.config.model_validate(folder.read_json("config.json"))
    network = family.build(config, design.inputs.size, design.outputs.size)
    network.load_state_dict(load_file(folder.path / "weights.safetensors"))
    network.folded = True
    return network.eval()


def _trial_of(run: RunFolder, number: int) -> tuple[Study, TrialFolder]:
    path = run.path / "study.yaml"
    folder = run.trial(number)
    if not (folder.path / "design.json").is_file():
        known = ", ".join(str(t.number) for t in run.trials() if (t.path / "design.json").is_file()) or "none"
        raise InputError(f"trial {number} of {run.path} has no compiled design; trials that have one: {known}")
    return parse_study(path.read_text(encoding="utf-8"), str(path)), folder


def _must_fit(study: Study, target: Target, ebops: float) -> None:
    """Refuse, before it is trained, a candidate that cannot fit the budget of LUTs."""
    limits = [c.max for c in study.constraints if c.name == "lut" and c.max is not None]
    most = min([*limits, float(target.resources.lut)])
    if LEAST_LUT_PER_EBOP * ebops > most:
        raise CodesignError(
            f"cannot fit: {ebops:.0f} effective bit operations need at least {LEAST_LUT_PER_EBOP * ebops:.0f} LUT, "
            f"and {most:.0f} are allowed"
        )


def _save_weights(network: Any, folder: TrialFolder) -> None:
    from safetensors.torch import save

    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    write_atomically(folder.path / "weights.safetensors", save(state))


def _enough(first: Part, more: Part, events: int) -> NDArray[np.float32]:
    """Events for the gate: the validation split, topped up from the training split where it is too small."""
    return np.concatenate([first.x, more.x])[:events]


def _extremes(design: Design) -> NDArray[np.int64]:
    from codesign.hardware.alkaid import probe_codes

    return probe_codes(design.inputs)


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


def _simulate(
    study: Study, folder: TrialFolder, design: Design, flow: Any, firmware: Any, codes: NDArray[np.int64], seed: int
) -> None:
    from codesign import export
    from codesign.verify.rtl import verify

    if len(codes) < study.verification.rtl_events:
        raise InputError(
            f"the test split has {len(codes)} events, but the study wants {study.verification.rtl_events} simulated: "
            "make the sample larger or verification.rtl_events smaller"
        )
    network = load_network(study, folder, design)
    references = {
        "brevitas": export.brevitas_codes(network, design, codes),
        "qonnx": export.qonnx_codes(design, codes),
        "interpreter": flow.predict(firmware, codes),
    }
    verdict = verify(firmware, codes, references, folder.path / "simulation")
    _save_golden(folder, codes, references["qonnx"])
    if verdict.exact and verdict.latency_cycles is not None and verdict.initiation_interval is not None:
        cycles, simulated = verdict.latency_cycles, Fidelity.SIMULATED
        measured = [
            Figure.of("latency_cycles", cycles, simulated, verdict.tool, verdict.version),
            Figure.of(
                "latency_ns", round(cycles * firmware.target.clock_ns, 4), simulated, verdict.tool, verdict.version
            ),
            Figure.of("initiation_interval", verdict.initiation_interval, simulated, verdict.tool, verdict.version),
        ]
        _add_figures(folder, measured)
    folder.write("verify.json", verdict)


def _save_golden(folder: TrialFolder, inputs: NDArray[np.int64], outputs: NDArray[np.int64]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, inputs=inputs, outputs=outputs)
    write_atomically(folder.path / "golden.npz", buffer.getvalue())


def _baseline_scores(study: Study, folder: TrialFolder, sample: Sample) -> Mapping[str, NDArray[np.float64]]:
    """Scores of the baselines on the test split, (events, outputs) each; fitted once per run."""
    path = folder.path.parent.parent / "parts" / "baselines-test.npz"
    if not path.is_file():
        _, content = judge_baselines(study, sample, splits_of(study))
        write_atomically(path, content)
    return read_scores(path)


def _has(folder: TrialFolder, fidelity: Fidelity) -> bool:
    record = folder.read("figures.json", Figures)
    return record is not None and any(f.fidelity == fidelity for f in record.figures)


def _add_figures(folder: TrialFolder, new: list[Figure]) -> None:
    """Add figures, replacing earlier ones of the same quantity and fidelity."""
    record = folder.read("figures.json", Figures) or Figures(figures=[])
    replaced = {(f.quantity, f.fidelity) for f in new}
    kept = [f for f in record.figures if (f.quantity, f.fidelity) not in replaced]
    folder.write("figures.json", Figures(figures=kept + new))


@contextmanager
def _costs_only_itself(folder: TrialFolder, what: str) -> Iterator[None]:
    try:
        yield
    except CodesignError as error:
        status = folder.read("status.json", TrialStatus)
        if status is not None:
            note = f"{what} not measured: {error}"
            notes = [n for n in status.notes if not n.startswith(f"{what} not measured")]
            folder.write("status.json", status.model_copy(update={"notes": [*notes, note]}))


def _add_seconds(folder: TrialFolder, seconds: dict[str, float]) -> None:
    status = folder.read("status.json", TrialStatus)
    if status is not None:
        folder.write("status.json", status.model_copy(update={"seconds": status.seconds | seconds}))
