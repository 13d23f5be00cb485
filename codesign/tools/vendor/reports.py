"""Vivado's reports as figures of fidelity ``vendor``. What a report does not say is absent; nothing is filled in.

Formats as in AMD UG906 (timing, utilisation) and UG907 (power), and as seen in public reports: utilisation of Vivado
2022.1 in github.com/vic9112/PQC_Falcon (Compute_pk_IP/utilization.rpt), timing of 2021.2 in
github.com/gussmith23/lakeroad-evaluation (runs/2022-07-06-1704-full/vivado-eval).
"""

from __future__ import annotations

import re

from codesign.core.errors import ToolError
from codesign.core.figures import Fidelity, Figure, Quantity
from codesign.tools.vendor.report_tables import number, tables, tool_version

__all__ = ("power", "timing", "utilisation")

#: name of a row of report_utilization -> quantity; 7 series say Slice where UltraScale says CLB
_SITES: dict[str, Quantity] = {
    "CLB LUTs": "lut",
    "Slice LUTs": "lut",
    "CLB Registers": "ff",
    "Slice Registers": "ff",
    "CARRY8": "carry",
    "CARRY4": "carry",
    "DSPs": "dsp",
    "Block RAM Tile": "bram",
}


def utilisation(text: str) -> list[Figure]:
    """Figures of a ``report_utilization``: lut, ff, carry, dsp, bram, as far as the report has them.

    ``lut`` are look-up tables as the chip packs them. ToolError if the report has no LUTs: then it is another report.
    """
    version = tool_version(text)
    found: dict[Quantity, float] = {}
    for table in tables(text):
        if "Used" not in table.heading:
            continue
        used = table.heading.index("Used")
        for row in table.rows:
            # an asterisk marks a footnote: "The final LUT count, after physical optimizations, is typically lower"
            quantity = _SITES.get(row[0].rstrip("*"))
            if quantity is not None and quantity not in found and len(row) > used:
                found[quantity] = number(row[used], f"the number of {row[0]}")
    if "lut" not in found:
        raise ToolError("Vivado: the utilisation report has no row of LUTs: not measured")
    return [Figure.of(quantity, value, Fidelity.VENDOR, "Vivado", version) for quantity, value in found.items()]


def timing(text: str) -> list[Figure]:
    """Fmax of a ``report_timing_summary``: 1 / (period - worst setup slack) of the design's one clock.

    ToolError where no path is constrained or there is not exactly one clock.
    """
    version = tool_version(text)
    slack = _below(text, "WNS(ns)")
    if slack is None:
        raise ToolError("Vivado: the timing report has no Design Timing Summary: not measured")
    worst = number(slack[0], "the worst negative slack (a design without timed paths has none)")
    clocks = re.findall(r"^(\S+)\s+\{[^}]*\}\s+([\d.]+)\s+[\d.]+\s*$", text, re.MULTILINE)
    if len(clocks) != 1:
        raise ToolError(f"Vivado: the timing report has {len(clocks)} clocks, expected one: Fmax not measured")
    period = float(clocks[0][1])
    return [Figure.of("fmax", round(1e3 / (period - worst), 3), Fidelity.VENDOR, "Vivado", version)]


def _below(text: str, heading: str) -> list[str] | None:
    """The words of the first line of numbers below a heading that is underlined with dashes."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.strip().startswith(heading):
            rest = (line.split() for line in lines)
            return next((words for words in rest if words and not words[0].startswith("---")), None)
    return None


def power(text: str) -> list[Figure]:
    """Total on-chip power of a ``report_power``; vectorless unless the design was simulated for it."""
    version = tool_version(text)
    found = re.search(r"^\|\s*Total On-Chip Power \(W\)\s*\|\s*(\S+)\s*\|", text, re.MULTILINE)
    if found is None:
        raise ToolError("Vivado: the power report has no total: not measured")
    return [Figure.of("power", number(found[1], "the total power"), Fidelity.VENDOR, "Vivado", version)]
