"""Hold a flow against its contract with one design. What it breaks is said in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from codesign.core.design import Design
from codesign.core.errors import CodesignError, ToolError, UnsupportedError
from codesign.core.figures import Fidelity, find
from codesign.core.probes import probe_codes
from codesign.core.records import Verified
from codesign.core.targets import Target
from codesign.flows.base import Flow
from codesign.flows.settings import record_settings
from codesign.graph.cost import graph_cost
from codesign.graph.exact import Exact
from codesign.graph.model_kind import kind_of_model
from codesign.graph.reader import read_graph
from codesign.rtl.firmware import Firmware
from codesign.testing.cases import Case
from codesign.testing.nonconformity import Nonconformity

__all__ = ("Conformity", "conforms")

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Conformity:
    """What became of a case: either ``refused``, the flow's reason, or firmware, and the verdict on its RTL."""

    refused: str | None = None
    firmware: Firmware | None = None
    verified: Verified | None = None


#: LUTs that every FPGA has
_REFUSES_NOTHING = 100.0


def conforms(
    flow: Flow,
    case: Case | Design,
    target: Target,
    folder: Path,
    settings: BaseModel | None = None,
    simulate: bool = True,
    events: int = 200,
) -> Conformity:
    """Try ``flow`` with one case, or a design of your own, in ``folder``; Nonconformity says what it breaks.

    With ``simulate`` the firmware is verified on ``events`` events: its RTL, or what the flow has in its place.
    """
    design = case.make() if isinstance(case, Case) else case
    case = case if isinstance(case, Case) else Case("design", lambda: design, core=True)
    try:
        firmware = flow.compile(design, target, folder / "firmware", settings)
    except UnsupportedError as error:
        return _refusal(flow, case, error)
    if not case.exact:
        raise Nonconformity(f"{flow.name}, {case}: has no exact hardware, but was compiled")
    codes = probe_codes(design.inputs)
    truth = design.outputs.codes(read_graph(design.onnx).run(design.inputs.values(codes), Exact()))
    _predicts(flow, case, firmware, codes, truth)
    _opens_again(flow, case, firmware, settings, codes[:20], truth[:20])
    _figures(flow, case, firmware)
    verdict = _verify(flow, case, firmware, codes[-events:], truth[-events:], folder) if simulate else None
    return Conformity(firmware=firmware, verified=verdict)


def _refusal(flow: Flow, case: Case, error: CodesignError) -> Conformity:
    words = str(error)
    if case.core:
        raise Nonconformity(f"{flow.name}, {case}: every flow must compile it, but it was refused: {words}") from error
    if not words or "\n" in words:
        raise Nonconformity(f"{flow.name}, {case}: the refusal must be one line for the user, not {words!r}") from error
    return Conformity(refused=words)


def _predicts(flow: Flow, case: Case, firmware: Firmware, codes: Codes, truth: Codes) -> None:
    for given, expected in ((codes, truth), (codes[:1], truth[:1]), (codes[:0], truth[:0])):
        found = flow.predict(firmware, given)
        if found.shape != expected.shape or found.dtype != np.int64:
            raise Nonconformity(
                f"{flow.name}, {case}: {len(given)} events gave {found.dtype} of shape {found.shape}, expected int64 "
                f"of shape {expected.shape}"
            )
        wrong = np.argwhere(found != expected)
        if len(wrong):
            event, i = wrong[0]
            raise Nonconformity(
                f"{flow.name}, {case}: {len(np.unique(wrong[:, 0]))} of {len(given)} events differ, first event "
                f"{event} {given[event].tolist()}: output {i} is {found[event, i]}, exactly {expected[event, i]}"
            )


def _opens_again(
    flow: Flow, case: Case, firmware: Firmware, settings: BaseModel | None, codes: Codes, truth: Codes
) -> None:
    design, folder = firmware.design, firmware.folder
    again = flow.load(design, firmware.target, folder)
    if not np.array_equal(flow.predict(again, codes), truth):
        raise Nonconformity(f"{flow.name}, {case}: opened again it gives other integers")
    if again.settings != firmware.settings:
        raise Nonconformity(f"{flow.name}, {case}: opened again it has the settings {again.settings}")
    if settings is not None and not record_settings(settings).items() <= firmware.settings.items():
        raise Nonconformity(f"{flow.name}, {case}: records the settings {firmware.settings}, given {settings!r}")
    other = Design(design.onnx + b"\x00", design.input_quantisation, design.outputs)
    for place, which in ((folder, other), (folder / "absent", design)):
        try:
            flow.load(which, firmware.target, place)
        except ToolError:
            continue
        raise Nonconformity(f"{flow.name}, {case}: opened {place} as firmware of a design that it does not hold")


def _figures(flow: Flow, case: Case, firmware: Firmware) -> None:
    figures = flow.figures(firmware)
    for figure in figures:
        if not math.isfinite(figure.value) or figure.value < 0:
            raise Nonconformity(f"{flow.name}, {case}: {figure.quantity} is {figure.value}")
        if firmware.rtl is None and figure.fidelity is not Fidelity.VENDOR:
            raise Nonconformity(f"{flow.name}, {case}: claims {figure.quantity} ({figure.fidelity}) without RTL")
    if firmware.rtl is None:
        return
    absent = set(flow.quantities) - {f.quantity for f in figures if f.fidelity is Fidelity.COMPILED}
    if absent:
        raise Nonconformity(f"{flow.name}, {case}: promises to measure {sorted(absent)}, and does not")
    cost, kind = graph_cost(firmware.design).bit_operations, kind_of_model(firmware.design)
    least = None if kind is None else flow.least_lut(cost, kind)
    lut = find(figures, "lut", Fidelity.COMPILED)
    if least is not None and (least.quantity, least.fidelity) != ("lut", Fidelity.ANALYTIC):
        raise Nonconformity(f"{flow.name}, {case}: least_lut gives {least.quantity} ({least.fidelity})")
    # wires alone take nothing, whatever they multiply, and below this a bound refuses nothing anywhere
    if least is not None and lut is not None and least.value > max(lut.value, _REFUSES_NOTHING):
        raise Nonconformity(
            f"{flow.name}, {case}: least_lut says {least.value:g}, which would refuse it before it is trained, but it "
            f"takes {lut.value:g}"
        )
    missing = [s for s in (*firmware.rtl.sources, *firmware.rtl.data) if not (firmware.folder / s).is_file()]
    if missing:
        raise Nonconformity(f"{flow.name}, {case}: its folder has no {missing[0]}")
    claimed = find(figures, "latency_cycles", Fidelity.COMPILED)
    if firmware.rtl.latency_cycles is not None and (claimed is None or claimed.value != firmware.rtl.latency_cycles):
        raise Nonconformity(f"{flow.name}, {case}: its RTL has a latency by construction that is not its figure")


def _verify(flow: Flow, case: Case, firmware: Firmware, codes: Codes, truth: Codes, folder: Path) -> Verified:
    references = {"exact": truth, flow.model: flow.predict(firmware, codes)}
    verdict = flow.verify(firmware, codes, references, folder / "simulation")
    if not verdict.exact:
        raise Nonconformity(f"{flow.name}, {case}: {verdict.proven} differs: {verdict.first_difference}")
    figures = flow.figures(firmware)
    interval, found = find(figures, "initiation_interval", Fidelity.COMPILED), verdict.initiation_interval
    if interval is not None and found is not None and found > interval.value:
        raise Nonconformity(f"{flow.name}, {case}: claims an interval of {interval.value:g} cycles, simulated {found}")
    claimed = find(figures, "latency_cycles", Fidelity.COMPILED)
    measured = verdict.latency_cycles
    if firmware.rtl is None or claimed is None or measured is None:
        return verdict
    fixed = firmware.rtl.latency_cycles is not None
    if measured > claimed.value or (fixed and measured != claimed.value):
        raise Nonconformity(f"{flow.name}, {case}: claims a latency of {claimed.value:g} cycles, simulated {measured}")
    return verdict
