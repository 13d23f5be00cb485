"""What a manifest says of a design, computed from the design: written by who packs, computed again by who checks."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from typing import Any

from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.core.layout import Layout
from codesign.flows.base import Flow
from codesign.handoff.cmssw.arbitrary_precision import headers
from codesign.handoff.manifest import Component, InputSignal, OutputSignal, Trigger

__all__ = ("components_of", "input_blocks", "input_signals", "output_signals", "tools_of", "trigger_of")

#: flow -> (folder in the firmware with the flow's own modules, the package they come from)
_STATIC = {"alkaid": ("src/static", "alkaid")}


def input_signals(design: Design) -> list[InputSignal]:
    """Inputs of a design, with their place in the packed port and how features become codes."""
    q = design.input_quantisation
    return [
        InputSignal(**signal, unit=unit, offset=offset, step=step, minimum=kind.minimum, maximum=kind.maximum)
        for signal, unit, offset, step, kind in zip(
            _signals(design.inputs), q.units, q.offset, q.step, q.types, strict=True
        )
    ]


def input_blocks(design: Design) -> list[Layout]:
    """Blocks of a design's inputs; empty where they are features alone."""
    blocks = () if design.input_quantisation.is_flat else design.input_quantisation.blocks
    return [Layout(**{key: getattr(block, key) for key in Layout.model_fields}) for block in blocks]


def output_signals(design: Design) -> list[OutputSignal]:
    """Outputs of a design, with their place in the packed port."""
    return [OutputSignal(**signal) for signal in _signals(design.outputs)]


def trigger_of(design: Design, threshold: float | None) -> Trigger | None:
    """The output that is compared, and the code of its threshold; None for a design that does not trigger."""
    if design.trigger is None:
        return None
    code = None if threshold is None else design.threshold_code(threshold)
    return Trigger(output=design.trigger, threshold=threshold, threshold_code=code)


def components_of(flow: str, folder: Path, cmssw: bool, destination: str | None = None) -> list[Component]:
    """Files of others, under their own licence: the flow's, in its firmware's ``folder``, headers of ``cmssw/``, and
    the flow's in a ``destination``."""
    types = [Component(files="cmssw/include/ap_types", origin="ap_types of Xilinx", licence="Apache-2.0")]
    found = _modules(flow, folder)
    again = [c.model_copy(update={"files": f"{destination}/network"}) for c in found] if destination else []
    return found + (types if cmssw else []) + again


def _modules(flow: str, folder: Path) -> list[Component]:
    if flow not in _STATIC or not (folder / _STATIC[flow][0]).is_dir():
        return []
    files, package = _STATIC[flow]
    try:
        licence = metadata(package)["License-Expression"] or "see its own distribution"
    except PackageNotFoundError:
        licence = "see its own distribution"
    return [Component(files=f"firmware/{files}", origin=package, licence=licence)]


def tools_of(flow: str, cmssw: bool, record: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Versions of what shapes a bundle's bytes beside codesign: the flow's, where it has one here, ONNX', and, of a
    bundle with ``cmssw/``, that of the package whose headers are in it.

    ``record`` is the firmware's own (:attr:`codesign.rtl.firmware.Firmware.extra`): it names the version of the
    flow that wrote it.
    """
    found = {"onnx": version("onnx")}
    if cmssw:
        package, release, _ = headers()
        found[package] = release
    try:
        here = plugins.load(Flow, flow).available().version
    except InputError:  # a flow that is not installed
        here = None
    if made := (record or {}).get(flow, here):
        found[flow] = str(made)
    return found


def _signals(port: Port) -> list[dict[str, Any]]:
    """What inputs and outputs have in common; elements are packed from bit 0 upwards, without padding."""
    signals, low = [], 0
    for label, kind in zip(port.labels, port.types, strict=True):
        signals.append({"name": label, **_type(kind), **_range(low, kind.width)})
        low += kind.width
    return signals


def _type(kind: FixedPoint) -> dict[str, Any]:
    return {"type": str(kind), "signed": kind.signed, "width": kind.width, "fraction_bits": kind.fraction_bits}


def _range(low: int, width: int) -> dict[str, int | None]:
    return {"high_bit": low + width - 1 if width else None, "low_bit": low if width else None}
