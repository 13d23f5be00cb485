"""A trial of a run, opened again from what lies in its folder: its firmware, its network, other targets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.errors import CodesignError, InputError
from codesign.core.figures import Figure
from codesign.core.reading.limits import MODEL_BYTES
from codesign.core.reading.npz import member_arrays
from codesign.core.records import Metrics, TrialStatus
from codesign.core.runfolder import RunFolder, TrialFolder
from codesign.core.targets import load_target
from codesign.data.preparation.prefix import network_of
from codesign.families.base import Candidate, Family
from codesign.families.prepared import PreparedModel
from codesign.families.trained import Trained
from codesign.flows.base import Flow
from codesign.flows.reopening import refuse_links, reopen_firmware
from codesign.flows.settings import family_config, flow_settings
from codesign.pipeline.kept import synthesised
from codesign.pipeline.stages import add_figures, note
from codesign.rtl.firmware import Firmware
from codesign.rtl.provenance import provenance
from codesign.study.definition import Study
from codesign.study.imported_run import Origin, made_of, origin_of

__all__ = (
    "design_of",
    "firmware_for",
    "flow_of",
    "load_trained",
    "synthesise_trial",
    "synthesisers",
    "threshold_of",
    "trial_of",
)

#: Yosys' share of a front, s; a design that needs more is too large for the front of a laptop's search
SYNTHESIS_TIMEOUT = 1800.0


def synthesise_trial(run: RunFolder, number: int, target_name: str | None = None) -> list[Figure]:
    """Synthesise one trial for a target (default: the study's); figures for the study's own target are recorded."""
    folder, firmware = firmware_for(run, number, target_name)
    own = firmware.folder == folder.firmware
    figures: list[Figure] = []
    errors: list[CodesignError] = []
    for name, measure in synthesisers(flow_of(run, number), firmware).items():
        try:
            found = measure(folder.path / f"{name}-{firmware.target.name}")
        except CodesignError as error:  # costs its own figures only
            errors.append(error)
            continue
        figures += found
        if own:
            add_figures(folder, found)
    if not figures and errors:
        raise errors[0]
    if own and errors:
        note(folder, "synthesis", errors[0])
    return figures


def synthesisers(flow: Flow, firmware: Firmware, placed: bool = True) -> dict[str, Callable[[Path], list[Figure]]]:
    """By name, what measures this firmware in a folder: the flow's synthesis or Yosys', nextpnr (where it shall be
    placed) and Vivado if here."""
    from codesign.tools import nextpnr
    from codesign.tools.vendor import vivado

    def bound(measure: Callable[[Firmware, Path, float], list[Figure]]) -> Callable[[Path], list[Figure]]:
        return lambda work: provenance(measure(firmware, work, SYNTHESIS_TIMEOUT), firmware)

    def keep(what: str, measure: Callable[[Firmware, Path, float], list[Figure]]) -> Callable[[Path], list[Figure]]:
        return bound(lambda f, work, timeout: synthesised(f, timeout, lambda: measure(f, work, timeout), what))

    found = {"synthesis": keep("synthesis", flow.synthesise)}
    if placed and nextpnr.reaches(firmware):
        found["placement"] = keep("placement", nextpnr.place_and_route)
    if vivado.reaches(firmware):
        found["vivado"] = bound(vivado.synthesise)  # every time: which Vivado is here is known once it has run
    return found


def threshold_of(folder: TrialFolder, design: Design) -> int | None:
    """The code of the threshold that was fixed on the validation split; None where the task fixes none."""
    searched = folder.read("metrics.json", Metrics)
    value = searched.points.get("threshold") if searched else None
    if design.threshold is None or value is None:
        return None
    return design.threshold_code(value)


def firmware_for(run: RunFolder, number: int, target_name: str | None) -> tuple[TrialFolder, Firmware]:
    """A trial's firmware for a target (default: the study's), compiled where it is not there yet."""
    study, folder = trial_of(run, number)
    design, flow = design_of(folder), plugins.load(Flow, study.flow.name)
    own, target = load_target(study.target), load_target(target_name or study.target)
    if target.name == own.name:
        return folder, reopen_firmware(folder, flow, design, target)
    settings = flow_settings(flow, folder.read_json("config.json") or {})
    return folder, flow.compile(design, target, folder.path / f"firmware-{target.name}", settings)


def load_trained(study: Study, folder: TrialFolder, design: Design, candidate: Candidate | None = None) -> Trained:
    """Open a trial's trained model from its family's files and its candidate, by default that of ``config.json``."""
    family = plugins.load(Family, study.family)
    if candidate is None:
        source = str(folder.path / "config.json")
        candidate = family.read(family_config(folder.read_json("config.json") or {}), source)
    files = {name: folder.read_bytes(name, MODEL_BYTES) for name in family.files}
    try:
        if study.inputs is None:
            return family.load(files, candidate, design)
        return PreparedModel(family.load(files, candidate, network_of(design)), design)
    except InputError as error:  # begins with the name of a file
        raise InputError(f"{folder.path}/{error}") from None


def design_of(folder: TrialFolder) -> Design:
    """A trial's design; InputError where it is damaged, or no longer the one that its status names."""
    design = Design.load(folder.path)
    status = folder.read("status.json", TrialStatus)
    if status is not None and status.design not in (None, design.hash):
        raise InputError(
            f"{folder.path}: model.onnx or design.json is not what the trial made (status.json has another hash): "
            "restore both"
        )
    return design


def golden_codes(folder: TrialFolder, design: Design) -> NDArray[np.int64] | None:
    """Input codes (events, inputs) of the events of the test split that a trial was proven on; None before that."""
    if not folder.has("golden.npz"):
        return None
    inputs = member_arrays(folder.path, "golden.npz", ["inputs"]).get("inputs")
    low, high = design.inputs.bounds
    whole = inputs is not None and inputs.ndim == 2 and inputs.dtype.kind in "iu" and inputs.shape[1] == len(low)
    if inputs is None or not whole or not len(inputs) or (inputs < low).any() or (inputs > high).any():
        raise InputError(
            f"{folder.path / 'golden.npz'}: holds no input codes of this design: verify the trial once more, --again"
        )
    return np.asarray(inputs, dtype=np.int64)


def flow_of(run: RunFolder, number: int) -> Flow:
    """The flow with which a trial was compiled."""
    return plugins.load(Flow, trial_of(run, number)[0].flow.name)


def trial_of(run: RunFolder, number: int) -> tuple[Origin, TrialFolder]:
    """What a run was made of, and the folder of a trial that has a design; InputError names those that have one."""
    folder = run.trial(number)
    if not (folder.path / "design.json").is_file():
        known = ", ".join(str(t.number) for t in run.trials() if (t.path / "design.json").is_file()) or "none"
        raise InputError(f"trial {number} of {run.path} has no compiled design; trials that have one: {known}")
    refuse_links(folder.path)
    return made_of(origin_of(run), folder), folder
