"""Vivado out of context: one block through synthesis, placement and routing, its reports as figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from codesign.core import quoting
from codesign.core.errors import ToolError, UnsupportedError
from codesign.core.figures import Figure
from codesign.core.process import run_tool
from codesign.core.targets import Target
from codesign.rtl.firmware import Firmware
from codesign.tools.vendor import reports
from codesign.tools.vendor.find import vivado
from codesign.tools.yosys import used_sources

__all__ = ("out_of_context", "reaches", "synthesise")

_SCRIPT = Path(__file__).resolve().parent / "tcl" / "ooc.tcl"
#: report -> its reader; a report that Vivado did not write costs its own figures only, but for the first
_REPORTS: dict[str, Callable[[str], list[Figure]]] = {
    "utilization_routed.rpt": reports.utilisation,
    "timing_routed.rpt": reports.timing,
    "power_routed.rpt": reports.power,
}


def reaches(firmware: Firmware) -> bool:
    """Whether Vivado is here and this firmware is something for it: pipelined RTL for a part of AMD."""
    rtl = firmware.rtl
    return (
        rtl is not None
        and rtl.protocol == "pipelined"
        and firmware.target.part.lower().startswith("xc")
        and vivado().available
    )


def synthesise(firmware: Firmware, work: Path, timeout: float) -> list[Figure]:
    """Figures, fidelity vendor, of pipelined firmware, from Vivado in folder ``work``, within ``timeout`` seconds."""
    rtl = firmware.rtl
    if rtl is None or rtl.protocol != "pipelined":
        raise UnsupportedError("Vivado out of context: only pipelined RTL is set up")
    sources = used_sources(firmware.source_paths, rtl.top)
    return out_of_context([*sources, *firmware.data_paths], rtl.top, "clk", firmware.target, work, timeout)


def out_of_context(
    sources: Sequence[Path], top: str, clock: str, target: Target, work: Path, timeout: float
) -> list[Figure]:
    """Run ``sources`` through Vivado for ``target``'s part at its clock; lut, ff, carry, dsp, bram, fmax and power.

    ToolError where Vivado is missing, fails, runs out of time, or writes no utilisation report.
    """
    here = vivado()
    if not here.available:
        raise ToolError(f"Vivado: {here.reason}")
    work.mkdir(parents=True, exist_ok=True)
    for name in _REPORTS:
        (work / name).unlink(missing_ok=True)  # of an earlier run: must not be taken for this one's
    command: list[str | Path] = [here.reason, "-mode", "batch", "-nojournal", "-nolog", "-notrace", "-source", _SCRIPT]
    command += ["-tclargs", quoting.verilog_identifier(top), quoting.plain(target.part, "part")]
    command += [f"{target.clock_ns:.4f}", quoting.verilog_identifier(clock), *(s.resolve() for s in sources)]
    run_tool(command, work, timeout, log=work / "vivado.log", name="Vivado")
    figures: list[Figure] = []
    for name, read in _REPORTS.items():
        path = work / name
        if path.is_file():
            try:
                figures += read(path.read_text(encoding="utf-8", errors="replace"))
            except ToolError:
                if not figures:
                    raise
        elif not figures:
            raise ToolError(f"Vivado: wrote no {name} (see {work}/vivado.log): not measured")
    return figures
