"""Gate-level simulation: the synthesised netlist, with the cell models that Yosys ships, as firmware of its own.

What :func:`gate_level` returns is a :class:`Firmware` like any other: :func:`codesign.verify.rtl.verify` simulates it
and compares it with the same references as the RTL, at the same latency. It says that synthesis kept the function; it
says nothing of timing, since the models have no delays.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

from codesign.core.errors import ToolError
from codesign.core.runfolder import write_atomically
from codesign.rtl.firmware import Firmware, Rtl
from codesign.tools.nextpnr_synth import write_netlist
from codesign.tools.yosys import used_sources

__all__ = ("cell_models", "gate_level")

_NETLIST = "gates.v"
_MODELS = "cells.v"
#: where each family's models are, in Yosys' folder ``share``
_SHARED = {"ecp5": "ecp5", "nexus": "nexus", "xc7": "xilinx", "xcu": "xilinx", "xcup": "xilinx"}


def gate_level(firmware: Firmware, work: Path, timeout: float) -> Firmware:
    """The netlist of ``firmware`` for its target's family, and models of the cells in it, written into ``work``.

    Yosys has ``timeout`` seconds. The result has the same top module, ports and latency. ToolError where Yosys fails,
    or ships no model of a cell that the netlist uses.
    """
    family = firmware.target.family
    sources = used_sources(firmware.source_paths, firmware.top)
    netlist = write_netlist(sources, firmware.top, family, work / _NETLIST, timeout)
    used = {name for name, number in netlist.cells.items() if number and name != "$scopeinfo"}
    if not used:
        raise ToolError("yosys: the netlist has no cells: the design is wiring only, nothing to simulate")
    write_atomically(work / _MODELS, cell_models(family, used).encode())
    return replace(
        firmware,
        folder=work,
        rtl=Rtl((Path(_NETLIST), Path(_MODELS)), firmware.top, firmware.latency_cycles),
        notes=(*firmware.notes, f"gate level: Yosys {netlist.version}, {sum(netlist.cells.values())} cells"),
    )


def cell_models(family: str, cells: set[str]) -> str:
    """Verilog models of ``cells`` and of what they instantiate; ToolError that names those without a model.

    Taken one by one, since a simulator need not accept the models of cells that nobody uses.
    """
    modules = _modules(family)
    missing = sorted(cells - modules.keys())
    if missing:
        raise ToolError(f"yosys ships no simulation model of {', '.join(missing)} for family {family}")
    needed: set[str] = set()
    waiting = sorted(cells)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += sorted((modules.keys() & set(re.findall(r"\w+", modules[name]))) - needed)
    return "\n".join(["`timescale 1 ps / 1 ps", *(modules[name] for name in sorted(needed)), ""])


_BLACK_BOX = re.compile(r"\(\*[^)]*\bblackbox\b[^)]*\*\)\s*module\s+(\w+)")
_MODULE = re.compile(r"\bmodule\s+(\w+)\b.*?\bendmodule\b", re.DOTALL)


def _modules(family: str) -> dict[str, str]:
    """Every module of a family's simulation models, by name; what has ports but no behaviour is none."""
    spec = importlib.util.find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise ToolError("pyosys is missing: python -m pip install pyosys")
    share = Path(spec.origin).parent / "share"
    text = (share / _SHARED[family] / "cells_sim.v").read_text(encoding="utf-8")
    if family == "ecp5":
        for name in ("cells_ff.vh", "cells_io.vh", "ccu2c_sim.vh", "common_sim.vh"):
            path = share / "ecp5" / name
            text += "\n" + (path.read_text(encoding="utf-8") if path.is_file() else "")
    text = re.sub(
        r'`include "(\w+\.vh)"',
        lambda match: (share / _SHARED[family] / match[1]).read_text(encoding="utf-8") if family == "nexus" else "",
        text,
    )
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"\bspecify\b.*?\bendspecify\b", " ", text, flags=re.DOTALL)  # paths and checks of timing
    empty = set(_BLACK_BOX.findall(text))
    return {match[1]: match[0] for match in _MODULE.finditer(text) if match[1] not in empty}
