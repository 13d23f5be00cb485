"""Firmware of an imported design, in the target's free interval where its items repeat and that saves LUTs."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from codesign.core.design import Design
from codesign.core.errors import CodesignError
from codesign.core.figures import Fidelity, find
from codesign.core.targets import Target
from codesign.flows.base import Flow
from codesign.flows.reopening import seal_firmware
from codesign.graph.passes.improvement import Measure
from codesign.graph.reader import read_graph
from codesign.importing.import_report import ImportReport, Improvement
from codesign.rtl.firmware import Firmware

__all__ = ("Compiled", "compile_import", "luts_of", "predict_all")

_AT_ONCE = 5000


@dataclass(frozen=True)
class Compiled:
    """Sealed firmware, the settings other than the flow's own that it has, and the report with what folding did."""

    firmware: Firmware
    settings: BaseModel | None
    report: ImportReport


def luts_of(flow: Flow, target: Target, settings: BaseModel | None = None) -> Measure:
    """What a flow's compiler counts of a design; None where it does not compile."""

    def measure(design: Design) -> float | None:
        with tempfile.TemporaryDirectory(prefix="codesign-improve-") as scratch:
            try:
                return _lut(flow, flow.compile(design, target, Path(scratch) / "firmware", settings))
            except CodesignError:
                return None

    return measure


def compile_import(
    flow: Flow,
    design: Design,
    target: Target,
    folder: Path,
    probe: NDArray[np.int64],
    truth: NDArray[np.int64],
    report: ImportReport,
    fold: bool,
) -> Compiled:
    """Compile a design, sealed, and compare the flow's model with ``truth`` on all of ``probe``.

    With ``fold`` the target's free interval is tried too: so many clocks an event cost none. It is kept where the
    compiler counts fewer look-up tables of it; else ``report`` says why not. CodesignError where a row differs.
    """
    firmware = flow.compile(design, target, folder, probe=probe)
    _require_equal(flow, firmware, probe, truth)
    interval = target.free_interval
    if fold and "interval" in flow.settings.model_fields:
        settings = flow.settings.model_validate({"interval": interval})
        why = f"{target.name} gives an event one clock"
        if interval > 1:
            why, counted = _folded(flow, design, target, settings, probe, truth)
            before = _lut(flow, firmware)
            if counted is not None and before is not None and counted < before:
                firmware = flow.compile(design, target, folder, settings, probe)
                seal_firmware(flow, firmware, settings)
                return Compiled(firmware, settings, _said(report, design, interval, (before, counted), len(probe)))
            if counted is not None:
                why = f"it takes {counted:,.0f} look-up tables for {before or 0:,.0f}"
        report = report.model_copy(update={"put_back": (*report.put_back, f"folding: {why}")})
    seal_firmware(flow, firmware)
    return Compiled(firmware, None, report)


def _folded(
    flow: Flow, design: Design, target: Target, settings: BaseModel, probe: NDArray[np.int64], truth: NDArray[np.int64]
) -> tuple[str, float | None]:
    """Why it does not fold, or the look-up tables that it takes folded."""
    with tempfile.TemporaryDirectory(prefix="codesign-folded-") as scratch:
        try:
            firmware = flow.compile(design, target, Path(scratch) / "firmware", settings, probe)
            _require_equal(flow, firmware, probe, truth)
        except CodesignError as error:
            return " ".join(str(error).split()), None
        return "", _lut(flow, firmware)


def _said(report: ImportReport, design: Design, interval: int, luts: tuple[float, float], checked: int) -> ImportReport:
    nodes = len(read_graph(design.onnx).nodes)
    step = Improvement(
        step="folded",
        done=(f"{interval} clocks an event, which cost none at this target: its items share what is the same for all",),
        operations=(nodes, nodes),
        luts=luts,
        checked=checked,
        whole=False,
    )
    return report.model_copy(update={"improvements": (*report.improvements, step)})


def predict_all(flow: Flow, firmware: Firmware, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """What the flow's model gives of input codes (events, n), some thousand at a time."""
    pieces = [flow.predict(firmware, codes[i : i + _AT_ONCE]) for i in range(0, len(codes), _AT_ONCE)]
    return np.concatenate(pieces)


def _require_equal(flow: Flow, firmware: Firmware, codes: NDArray[np.int64], truth: NDArray[np.int64]) -> None:
    found: Any = predict_all(flow, firmware, codes)
    if not np.array_equal(found, truth):
        wrong = int((found != truth).any(axis=1).sum())
        raise CodesignError(f"not exact: the {flow.model} of {flow.name} differs on {wrong} of {len(truth)} rows")


def _lut(flow: Flow, firmware: Firmware) -> float | None:
    figure = find(flow.figures(firmware), "lut", Fidelity.COMPILED)
    return None if figure is None else figure.value
