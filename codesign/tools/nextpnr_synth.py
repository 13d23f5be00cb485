"""A netlist of the target's cells, written by Yosys: JSON for place and route, Verilog for gate-level simulation.

Yosys runs in a process of its own (``python -m codesign.tools.nextpnr_synth``), as for the figures of
:mod:`codesign.tools.yosys`, so that a crash or a long run cannot take the caller with it. An instance with the
attribute ``keep_hierarchy`` is synthesised by itself and only then dissolved: its cells' names start with its own, and
nothing is optimised across its border, so that what it takes can be told from what surrounds it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codesign.core import quoting
from codesign.core.errors import ToolError
from codesign.core.process import run_tool
from codesign.tools.pyosys import Yosys

__all__ = ("Netlist", "write_netlist")

_FAMILIES = ("xc7", "xcu", "xcup", "ecp5", "nexus")


@dataclass(frozen=True)
class Netlist:
    """A mapped netlist.

    Attributes
    ----------
    path: the file, JSON or Verilog by its suffix.
    cells: number of cells of each type, whole design.
    version: of Yosys.
    """

    path: Path
    cells: dict[str, int]
    version: str


def write_netlist(sources: Sequence[Path], top: str, family: str, path: Path, timeout: float) -> Netlist:
    """Synthesise Verilog ``sources`` with top module ``top`` for Yosys' ``family`` into ``path`` (.json or .v).

    The process is given ``timeout`` seconds; its log lies beside the netlist. ToolError where Yosys fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.resolve()
    result, log = path.with_suffix(".cells"), path.with_suffix(".yosys.log")
    for old in (path, result, log):
        old.unlink(missing_ok=True)
    arguments: list[str | Path] = [sys.executable, "-P", "-m", "codesign.tools.nextpnr_synth"]
    arguments += ["--family", family, "--top", top, "--netlist", path, "--result", result]
    arguments += [s.resolve() for s in sources]
    package = str(Path(__file__).resolve().parents[2])  # so that this very package runs, wherever it was imported from
    run_tool(arguments, path.parent, timeout, {"PYTHONPATH": package}, log, name="yosys")
    try:
        answer = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ToolError(f"yosys: gave no netlist (see {log})") from None
    result.unlink()
    return Netlist(path=path, cells=answer["cells"], version=answer["version"])


def _synthesise(family: str, top: str, sources: Sequence[Path], netlist: Path, result: Path) -> None:
    yosys = Yosys()
    for source in sources:
        yosys.read(source)
    if family in ("ecp5", "nexus"):
        # pads only where nextpnr places the ports: a netlist that is simulated, or a part of a larger one, has none
        pads = ["-noiopad"] if family == "nexus" and netlist.suffix != ".json" else []
        yosys.run(f"synth_{family}", "-top", top, *pads)
    else:
        yosys.run("synth_xilinx", "-family", family, "-top", top, "-flatten", "-noiopad", "-noclkbuf")
    yosys.run("setattr", "-mod", "-unset", "keep_hierarchy")
    yosys.run("setattr", "-unset", "keep_hierarchy")
    yosys.run("flatten")
    yosys.run("opt_clean", "-purge")
    cells = yosys.cells(result)
    yosys.run(*(["write_json"] if netlist.suffix == ".json" else ["write_verilog", "-noattr"]), yosys.at(netlist))
    if family == "nexus" and netlist.suffix == ".json":
        _free_first_carries(netlist)
    result.write_text(json.dumps({"cells": cells, "version": yosys.version}), encoding="utf-8")


def _free_first_carries(netlist: Path) -> None:
    """Leave the carry input open where a chain begins: nextpnr-nexus takes no constant there.

    Yosys 0.70 connects an open input to its constant 0. What feeds a carry into a chain is a cell of its own whose
    outcome does not depend on that input (Yosys' ``lattice/arith_map_nexus.v``), so the function stays the same.
    """
    data = json.loads(netlist.read_text(encoding="utf-8"))
    for module in data["modules"].values():
        cells = module.get("cells", {}).values()
        low = {"0", *(bit for cell in cells if cell["type"] == "VLO" for bit in cell["connections"]["Z"])}
        for cell in cells:
            feeds = cell["parameters"].get("INIT0") == "0xFFFF" and cell["parameters"].get("INIT1") == "0x00AA"
            if cell["type"] == "CCU2" and feeds and set(cell["connections"].get("CIN", [])) <= low:
                cell["connections"].pop("CIN", None)
                cell["port_directions"].pop("CIN", None)
    netlist.write_text(json.dumps(data), encoding="utf-8")


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--family", choices=_FAMILIES, required=True)
    parser.add_argument("--top", type=quoting.verilog_identifier, required=True)
    parser.add_argument("--netlist", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("sources", type=Path, nargs="+")
    options = parser.parse_args()
    _synthesise(options.family, options.top, options.sources, options.netlist, options.result)


if __name__ == "__main__":
    _main()
