"""Logic synthesis with Yosys: what the RTL takes on the chip, at fidelity ``synthesised``.

Yosys runs in a process of its own (``python -m codesign.tools.yosys``), so that a crash or a long run cannot take
the caller with it. The flow is Yosys' own ``synth_xilinx`` or ``synth_ecp5`` of the whole design, flattened, without
pads and clock buffers: the firmware is one block of a larger design. Its flip-flops at the ports are counted.

What is counted:

- ``lut``: LUT1 to LUT6 (ECP5, Nexus: LUT4; a WIDEFN9 is two of them) each once, each inverter, which Yosys calls INV
  and which takes one look-up table on the chip, and each shift register SRL16E or SRLC32E, a look-up table in another
  mode. No two are packed into one. Memories of look-up tables that fill a slice (RAM32M, RAM64M: 4; RAM32M16, RAM64M8:
  8; AMD UG474, UG574).
- ``ff``: flip-flops (ECP5: TRELLIS_FF; Nexus: FD1P3*). ``carry``: CARRY4 or CARRY8 (ECP5: CCU2C; Nexus: CCU2).
- ``dsp``: DSP48E1, DSP48E2 (ECP5: MULT18X18D; Nexus: MULT18X18). ``bram``: 36 kbit, an 18 kbit one counting half (ECP5:
  DP16KD, half; Nexus: PDP16K and DP16K, half).

A module that the firmware says to have many copies (:class:`codesign.rtl.firmware.Rtl`) is synthesised once by itself,
flattened, and counted as often as the rest of the netlist holds it, what all copies have in common once
(:mod:`codesign.tools.repeated`). Nothing else is optimised across its border, so that what the whole would share there,
registers above all, is counted in each copy: a little more than is there. The figures' tool is then ``yosys by
modules``.

A netlist is refused that has any other cell, such as a memory whose number of look-up tables is not listed here or a
cell that is not a primitive of the target, or whose memory fell to flip-flops.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from codesign.core import quoting
from codesign.core.errors import ToolError
from codesign.core.figures import Fidelity, Figure
from codesign.core.process import run_tool
from codesign.core.reading.plain import given_bytes
from codesign.core.trust.verilog import check_sources
from codesign.rtl.firmware import Firmware
from codesign.tools.pyosys import Yosys
from codesign.tools.repeated import Copied, Netlist, copied

__all__ = ("count", "count_all", "synthesise", "used_sources")

_RESULT = "yosys.json"
_FAMILIES = ("xc7", "xcu", "xcup", "ecp5", "nexus")

#: quantity -> (cells, how much of its unit each is)
_XILINX: dict[str, dict[str, float]] = {
    "lut": {
        **{f"LUT{i}": 1 for i in range(1, 7)},
        **{"LUT6_2": 1, "INV": 1, "SRL16E": 1, "SRLC32E": 1},
        **{"RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8},
    },
    "ff": dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1"), 1),
    "carry": {"CARRY4": 1, "CARRY8": 1},
    "dsp": {"DSP48E1": 1, "DSP48E2": 1},
    "bram": {"RAMB36E1": 1, "RAMB36E2": 1, "RAMB18E1": 0.5, "RAMB18E2": 0.5},
}
_ECP5: dict[str, dict[str, float]] = {
    "lut": {"LUT4": 1},
    "ff": {"TRELLIS_FF": 1},
    "carry": {"CCU2C": 1},
    "dsp": {"MULT18X18D": 1},
    "bram": {"DP16KD": 0.5},
}
_NEXUS: dict[str, dict[str, float]] = {
    "lut": {"LUT4": 1, "INV": 1, "WIDEFN9": 2},
    "ff": dict.fromkeys(("FD1P3BX", "FD1P3DX", "FD1P3IX", "FD1P3JX"), 1),
    "carry": {"CCU2": 1},
    "dsp": {"MULT18X18": 1},
    "bram": dict.fromkeys(("DP16K_MODE", "PDP16K_MODE", "PDPSC16K_MODE"), 0.5),
}
_TABLES = {"ecp5": _ECP5, "nexus": _NEXUS}
#: cells that take nothing of what is counted: wide multiplexers between LUTs, constants, notes on the hierarchy
_FREE = {"MUXF7", "MUXF8", "MUXF9", "PFUMX", "L6MUX21", "GND", "VCC", "VLO", "VHI", "GSR", "$scopeinfo"}


def synthesise(firmware: Firmware, work: Path, timeout: float, elaborated: Path | None = None) -> list[Figure]:
    """Synthesise ``firmware`` for its target's family in folder ``work``, within ``timeout`` seconds.

    ``elaborated`` is RTLIL of the whole design, in place of the firmware's sources.
    Returns lut, ff, carry, dsp and bram, all counted. ToolError where Yosys is missing, fails or runs out of time, and
    where the netlist holds a cell that is not counted here or a memory fell to flip-flops: then nothing was measured.
    """
    family = firmware.target.family
    work.mkdir(parents=True, exist_ok=True)
    result = work.resolve() / _RESULT
    result.unlink(missing_ok=True)
    sources = [elaborated.resolve()] if elaborated is not None else used_sources(firmware.source_paths, firmware.top)
    arguments: list[str | Path] = [sys.executable, "-P", "-m", "codesign.tools.yosys"]
    apart = firmware.rtl.repeated if firmware.rtl is not None and elaborated is None else ()
    arguments += ["--family", family, "--top", firmware.top, "--result", result, *(f"--apart={m}" for m in apart)]
    arguments += sources
    package = str(Path(__file__).resolve().parents[2])  # so that this very package runs, wherever it was imported from
    run_tool(arguments, work, timeout, {"PYTHONPATH": package}, work / "yosys.log", name="yosys")
    try:
        answer = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ToolError(f"yosys: gave no result (see {work}/yosys.log)") from None
    if answer["memories_to_logic"]:
        raise ToolError(f"yosys: {answer['memories_to_logic']} memories fell to flip-flops: resources not measured")
    modules = {name: Copied(**own) for name, own in answer["apart"].items()}
    counts = count_all(answer["cells"], modules, family)
    tool = "yosys by modules" if modules else "yosys"
    return [
        Figure.of(name, value, Fidelity.SYNTHESISED, tool, answer["version"])  # type: ignore[arg-type]
        for name, value in counts.items()
    ]


def count_all(cells: Mapping[str, int], apart: Mapping[str, Copied], family: str) -> dict[str, float]:
    """Resources of a netlist whose ``cells`` may be copies of modules that were mapped ``apart``.

    ToolError as of :func:`count`, and where the netlist holds none of one of them.
    """
    absent = sorted(name for name, module in apart.items() if not module.copies)
    if absent:
        raise ToolError(f"yosys: the netlist holds no {', '.join(absent)}; nothing measured")
    total = count({cell: n for cell, n in cells.items() if cell not in apart}, family)
    for module in apart.values():
        each, once = count(module.each, family), count(module.once, family)
        total = {quantity: value + module.copies * each[quantity] + once[quantity] for quantity, value in total.items()}
    return total


def count(cells: Mapping[str, int], family: str) -> dict[str, float]:
    """Resources (quantity -> number) of a mapped netlist's ``cells`` (type -> number).

    ToolError that names every cell which is not a primitive counted here.
    """
    table = _TABLES.get(family, _XILINX)
    known = {cell for group in table.values() for cell in group} | _FREE
    strange = sorted(f"{cell} ({number})" for cell, number in cells.items() if number and cell not in known)
    if strange:
        raise ToolError(f"yosys: the netlist holds cells that are not counted: {', '.join(strange)}; nothing measured")
    return {
        quantity: sum(cells.get(cell, 0) * weight for cell, weight in group.items())
        for quantity, group in table.items()
    }


_MODULE = re.compile(r"^\s*module\s+(\w+)", re.MULTILINE)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def used_sources(sources: Sequence[Path], top: str) -> list[Path]:
    """The files among ``sources`` that ``top`` needs, in their order; ToolError if no file holds ``top``.

    ToolError, too, where one holds what :mod:`codesign.core.trust.verilog` refuses.

    A compiler's library may hold files that do not parse by themselves, so what is not instantiated is left out. A file
    counts as needed where a module's name appears as a word; that keeps a file too many rather than one too few.
    """
    # what is needed and no text is refused below, by its name
    texts = {path: _COMMENT.sub(" ", given_bytes(path).decode(errors="replace")) for path in sources}
    defined = {name: path for path, text in texts.items() for name in _MODULE.findall(text)}
    if top not in defined:
        raise ToolError(f"yosys: no source defines the top module '{top}'")
    needed: set[Path] = set()
    waiting = [defined[top]]
    while waiting:
        path = waiting.pop()
        if path not in needed:
            needed.add(path)
            words = set(re.findall(r"\w+", texts[path]))
            waiting += [defined[name] for name in defined.keys() & words]
    found = [path for path in sources if path in needed]
    check_sources(found)
    return found


def _measure(family: str, top: str, sources: Sequence[Path], result: Path, apart: Sequence[str]) -> None:
    """Synthesise the top module without what is ``apart``, and each of that by itself."""
    version, cells, to_logic, around = _netlist(family, top, sources, result, apart)
    modules = {}
    for name in apart:
        _, _, more, own = _netlist(family, name, sources, result, (), keep=True)
        modules[name] = asdict(copied(own, around, name))
        to_logic += more
    answer = {"version": version, "cells": cells, "apart": modules, "memories_to_logic": to_logic}
    result.write_text(json.dumps(answer), encoding="utf-8")


def _netlist(
    family: str, top: str, sources: Sequence[Path], result: Path, closed: Sequence[str], keep: bool = False
) -> tuple[str, dict[str, int], int, Netlist]:
    """Yosys' version, cells of each type, ``closed`` modules among them, memories that fell to logic, and where there
    are such modules, or ``keep`` asks for it, the netlist."""
    yosys = Yosys()
    scratch = result.with_suffix(".stat")
    for source in sources:
        yosys.read(source)
    for name in closed:
        yosys.run("blackbox", name)
    if family in _TABLES:
        synthesis = [f"synth_{family}", "-top", top, *(["-noiopad"] if family == "nexus" else [])]
        first, memory, after = "begin:map_ram", "map_ram:map_ffram", "map_ffram:"
    else:
        synthesis = ["synth_xilinx", "-family", family, "-top", top, "-flatten", "-noiopad", "-noclkbuf"]
        first, memory, after = "begin:map_memory", "map_memory:map_ffram", "map_ffram:"
    yosys.run(*synthesis, "-run", first)
    # reading the memory library takes seconds, and most networks have no memory at all
    if any(cell.startswith("$mem") for cell in yosys.cells(scratch)):
        yosys.run(*synthesis, "-run", memory)
    # what is left becomes logic: right for a table that is only read, and for an array that is written in more than two
    # places each clock (a shift register), which no memory can be; not for any other memory that is written
    chosen = ("t:$mem*", "r:WR_PORTS>0", "%i", "r:WR_PORTS<3", "%i")
    yosys.run("tee", "-q", "-o", yosys.at(scratch), "select", "-list", *chosen)
    to_logic = len(scratch.read_text(encoding="utf-8").split())
    yosys.run(*synthesis, "-run", after)
    cells, netlist = yosys.cells(scratch), {}
    if closed or keep:
        yosys.run("write_json", yosys.at(scratch))
        netlist = json.loads(scratch.read_text(encoding="utf-8"))["modules"][top]
    scratch.unlink()
    return yosys.version, cells, to_logic, netlist


def _whole(path: str) -> Path:
    """A path that stays right when the working directory changes."""
    return Path(path).absolute()


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--family", choices=_FAMILIES, required=True)
    parser.add_argument("--top", type=quoting.verilog_identifier, required=True)
    parser.add_argument("--result", type=_whole, required=True)
    parser.add_argument("--apart", type=quoting.verilog_identifier, action="append", default=[])
    parser.add_argument("sources", type=_whole, nargs="+")
    options = parser.parse_args()
    _measure(options.family, options.top, options.sources, options.result, options.apart)


if __name__ == "__main__":
    _main()
