"""Reports of Vitis HLS and Vivado HLS: C synthesis (``csynth.xml``) and co-simulation (``cosim.rpt``).

Formats as in AMD UG1399, as hls4ml 1.3 reads them, and as seen in github.com/vic9112/PQC_Falcon
(data_for_report/PE_NTT_report/NTT_cosim.rpt). Cycles are as the vendor counts them: from the start
of a transaction to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from codesign.core.errors import ToolError
from codesign.core.figures import Fidelity, Figure, Quantity

__all__ = ("CoSimulation", "c_synthesis", "co_simulation", "tool_version")

_TOOL = "Vitis HLS"
#: element of AreaEstimates/Resources -> quantity and how much of it one is; block memories are counted in halves
_RESOURCES: dict[str, tuple[Quantity, float]] = {
    "LUT": ("lut", 1.0),
    "FF": ("ff", 1.0),
    "DSP": ("dsp", 1.0),
    "DSP48E": ("dsp", 1.0),
    "BRAM_18K": ("bram", 0.5),
}


def _root(text: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - written by the tool that was just run here
    except ElementTree.ParseError as error:
        raise ToolError(f"{_TOOL}: csynth.xml is not whole ({error}): not measured") from None


def tool_version(text: str) -> str:
    """The version of the tool that wrote a ``csynth.xml``."""
    found = _root(text).findtext("ReportVersion/Version")
    if not found:
        raise ToolError(f"{_TOOL}: csynth.xml does not say which version wrote it: not measured")
    return found.strip()


def c_synthesis(text: str, clock_ns: float) -> list[Figure]:
    """Figures of a ``csynth.xml``: resources, worst-case latency, largest interval; ns at the period ``clock_ns``.

    They are estimates before logic synthesis. A latency that depends on the data ("undef") is absent.
    """
    root, version = _root(text), tool_version(text)
    found: list[tuple[Quantity, float]] = []
    resources = root.find("AreaEstimates/Resources")
    if resources is None:
        raise ToolError(f"{_TOOL}: csynth.xml has no resources: not measured")
    for element in resources:
        if element.tag in _RESOURCES and element.text:
            quantity, weight = _RESOURCES[element.tag]
            found.append((quantity, weight * float(element.text)))
    overall = root.find("PerformanceEstimates/SummaryOfOverallLatency")
    latency = _cycles(overall, "Worst-caseLatency")
    if latency is not None:
        found += [("latency_cycles", latency), ("latency_ns", round(latency * clock_ns, 4))]
    interval = _cycles(overall, "Interval-max")
    if interval is not None:
        found.append(("initiation_interval", interval))
    return [Figure.of(quantity, value, Fidelity.VENDOR, _TOOL, version) for quantity, value in found]


def _cycles(parent: ElementTree.Element | None, name: str) -> float | None:
    text = (parent.findtext(name) if parent is not None else None) or ""
    return float(text) if text.strip().isdigit() else None


@dataclass(frozen=True)
class CoSimulation:
    """What the vendor's RTL simulation counted; None where the report has "NA"."""

    latency_cycles: int | None
    initiation_interval: int | None


def co_simulation(text: str) -> CoSimulation:
    """The Verilog row of a ``cosim.rpt``: largest latency and interval. ToolError unless its status is Pass."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[0] == "Verilog" and len(cells) >= 8:
            if cells[1].lower() != "pass":
                raise ToolError(f"{_TOOL}: the co-simulation's status is '{cells[1]}': nothing measured")
            numbers = [int(cell) if cell.isdigit() else None for cell in cells[2:8]]
            return CoSimulation(numbers[2], numbers[5])
    raise ToolError(f"{_TOOL}: cosim.rpt has no row for Verilog: nothing measured")
