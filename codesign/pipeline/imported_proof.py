"""A trial of an imported model: synthesised, and its RTL simulated against the design and against the source.

What the source gives was stored when the model was imported (``source.npz``), so that no library of its makers is
needed here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core import plugins, store
from codesign.core.design import Design
from codesign.core.errors import CodesignError, InputError, ToolError
from codesign.core.reading.npz import member_arrays
from codesign.core.records import TrialStatus, Verified
from codesign.core.runfolder import TrialFolder
from codesign.core.targets import load_target
from codesign.flows.base import Flow
from codesign.flows.reopening import reopen_firmware, seal_firmware, seal_verdict, verdict_of
from codesign.flows.settings import flow_settings
from codesign.graph.reference import EXACT_ARITHMETIC
from codesign.importing.import_report import ImportReport
from codesign.importing.source_agreement import exact_codes
from codesign.pipeline.proof import is_measured, open_firmware, save_golden
from codesign.pipeline.stages import Stages, add_figures, add_seconds, costs_only_itself, note, say
from codesign.pipeline.trial import design_of, synthesisers, threshold_of
from codesign.rtl.firmware import Firmware
from codesign.rtl.provenance import count
from codesign.study.imported_run import REPORT, ImportedRun
from codesign.tools.verilator import WaveFormat

__all__ = ("SOURCE", "prove_imported", "source_rows")

#: rows on which a source was compared, with what it and the design gave
SOURCE = "source.npz"

Codes = NDArray[np.int64]


def prove_imported(
    made: ImportedRun, folder: TrialFolder, again: bool, waves: WaveFormat | None, output: Path | None
) -> Verified:
    """Prove a trial of imported models, as :func:`codesign.pipeline.proof.prove` does of one that was searched."""
    design, flow = design_of(folder), plugins.load(Flow, made.flow.name)
    target, stages = load_target(made.target), Stages(lambda _: None)
    if output is not None:
        elsewhere = TrialFolder(output)
        firmware = reopen_firmware(folder, flow, design, target)
        _simulate(made, folder, design, flow, firmware, waves, elsewhere)
        return _verdict(elsewhere)
    firmware = open_firmware(folder, flow, design, target, again)
    if not (folder.path / "layers.json").is_file():
        with stages("layers"), costs_only_itself(folder, "cost of each layer"):
            if (costs := flow.layers(firmware)) is not None:
                folder.write("layers.json", costs)
    for name, measure in synthesisers(flow, firmware, made.verification.placement).items():
        if not is_measured(folder, name, firmware):
            with stages(name), costs_only_itself(folder, name):
                add_figures(folder, measure(folder.path / name))
    if again or waves is not None or verdict_of(folder, firmware) is None:
        if not again and waves is None:
            (folder.path / "verify.json").unlink(missing_ok=True)  # of nobody knows whom, or of other firmware
        with stages("simulation"):
            try:
                _simulate(made, folder, design, flow, firmware, waves, folder)
            except CodesignError as error:
                note(folder, "simulation", error)
                raise
            note(folder, "simulation", None)
    for text in store.put_aside():
        say(folder, text)
    add_seconds(folder, stages.seconds)
    return _verdict(folder)


def _verdict(folder: TrialFolder) -> Verified:
    verdict = folder.read("verify.json", Verified)
    if verdict is None:
        status = folder.read("status.json", TrialStatus)
        raise ToolError(f"{folder.path} could not be simulated: {status.notes[-1] if status and status.notes else ''}")
    return verdict


def source_rows(folder: TrialFolder, design: Design, rows: int) -> tuple[Codes, Codes, bool]:
    """Input codes of at least ``rows`` rows where there are so many, given events first; what the source gave of them;
    and whether that is what the design gives, everywhere.

    InputError where the record is not of this design.
    """
    names = ("inputs", "outputs", "same", "events")
    try:
        stored = member_arrays(folder.path, SOURCE, names)
        inputs, outputs, same, events = (np.asarray(stored[name]) for name in names)
        given = int(events)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder.path / SOURCE}: lacks {error}: import the model again") from None
    low, high = design.inputs.bounds
    whole = (
        inputs.ndim == outputs.ndim == 2
        and inputs.dtype.kind in "iu"
        and outputs.dtype.kind in "iu"
        and inputs.shape[1] == design.inputs.size
        and outputs.shape == (len(inputs), design.outputs.size)
        and same.shape == (len(inputs),)
        and len(inputs) > 0
        and not (inputs < low).any()
        and not (inputs > high).any()
    )
    if not whole:
        raise InputError(f"{folder.path / SOURCE}: holds no rows of this design: import the model again")
    first = min(given, rows)
    rest = np.arange(given, len(inputs))
    wanted = max(0, min(rows - first, len(rest)))
    chosen = np.concatenate([np.arange(first), rest[np.linspace(0, len(rest) - 1, wanted).astype(int)]])
    place = chosen.astype(np.int64) if wanted else np.arange(first)
    equal = bool(same.astype(bool)[place].all())
    return inputs[place].astype(np.int64), outputs[place].astype(np.int64), equal


def _simulate(
    made: ImportedRun,
    folder: TrialFolder,
    design: Design,
    flow: Flow,
    firmware: Firmware,
    waves: WaveFormat | None,
    output: TrialFolder,
) -> None:
    """Run the firmware against the design's graph, its flow's model, and what the source gave."""
    codes, source, equal = source_rows(folder, design, made.verification.rtl_events)
    truth = exact_codes(design, codes)
    references = {EXACT_ARITHMETIC: truth, flow.model: flow.predict(firmware, codes)}
    report = folder.read(REPORT, ImportReport)
    if equal and report is not None:
        if not np.array_equal(source, truth):
            raise InputError(f"{folder.path / SOURCE}: is not what the design gives: import the model again")
        references |= {agreement.runner: source for agreement in report.agreement}
    verdict = flow.verify(firmware, codes, references, output.path / "simulation", waves, threshold_of(folder, design))
    save_golden(output, codes, truth)
    add_figures(output, count(verdict, firmware))
    output.write("verify.json", verdict)
    if output.path == folder.path:  # a co-simulation wrote there
        seal_firmware(flow, firmware, flow_settings(flow, folder.read_json("config.json") or {}))
    seal_verdict(output, firmware)
