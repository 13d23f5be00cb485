"""Simulate an entity by its pins: words at its inputs, one set a clock, and what its outputs are after every edge.

In GHDL as it is, or as Verilog that GHDL wrote of it in Verilator, where the network inside may be Verilog.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from codesign.core import resources
from codesign.core.errors import ToolError
from codesign.core.process import run_tool
from codesign.rtl.signatures import HARNESS, Signature
from codesign.tools import ghdl, verilator

__all__ = ("Clocks", "pin_simulator", "play_in_ghdl", "play_in_verilator", "without_black_boxes")

#: values of inputs by name, one mapping for each clock
Clocks = Sequence[Mapping[str, int]]
Recorded = list[dict[str, int | None]]
_SECONDS = 3600.0
_TOP = "pins_harness"
_MODULE = re.compile(r"^\s*module\s+(\w+)", re.MULTILINE)


def pin_simulator(name: str) -> str:
    """What simulates, with versions: of ``ghdl`` or ``verilator``."""
    own = f"GHDL {ghdl.ghdl_version()}"
    return f"{own}, cocotb {version('cocotb')}" if name == ghdl.GHDL else f"{own}, {verilator.tool_version()}"


def play_in_ghdl(signature: Signature, sources: Sequence[Path], clocks: Clocks, work: Path) -> Recorded:
    """Play in GHDL; ``sources`` are VHDL in the order of their analysis. ToolError where it fails."""
    work = _prepare(signature, clocks, work)
    ghdl.analyse([*(s.resolve() for s in sources), work / "harness.vhd"], work)
    bench = resources.folder("sim") / "pins_bench.py"
    environment = verilator.simulate_environment(bench.resolve(), HARNESS, work / "results.xml")
    said = ghdl.run_bench(HARNESS, bench, {**environment, "CODESIGN_PINS": str(work)}, work)
    return _recorded(signature, clocks, work, said)


def play_in_verilator(
    signature: Signature, sources: Sequence[Path], verilog: Sequence[Path], clocks: Clocks, work: Path
) -> Recorded:
    """Play as Verilog in Verilator: the VHDL ``sources`` as GHDL translates them, beside modules in Verilog."""
    work = _prepare(signature, clocks, work)
    translated = ghdl.to_verilog([*(s.resolve() for s in sources), work / "harness.vhd"], HARNESS, work)
    (work / "translated.v").write_text(without_black_boxes(translated, verilog), encoding="utf-8")
    ours, bench = (resources.folder("sim").resolve() / name for name in ("pins_harness.sv", "pins_bench.py"))
    widths = {"CODESIGN_D_WIDTH": str(signature.width("in")), "CODESIGN_Q_WIDTH": str(signature.width("out"))}
    program = verilator.build([ours, work / "translated.v", *(v.resolve() for v in verilog)], _TOP, widths, work)
    environment = verilator.simulate_environment(bench, _TOP, work / "results.xml")
    arguments: list[str | Path] = [program, "+verilator+rand+reset+2", "+verilator+seed+1"]
    own = {**environment, "CODESIGN_PINS": str(work)}
    said = run_tool(arguments, work, _SECONDS, own, work / "simulation.log", name="simulation").output
    return _recorded(signature, clocks, work, said)


def _prepare(signature: Signature, clocks: Clocks, work: Path) -> Path:
    work.mkdir(parents=True, exist_ok=True)
    work = work.resolve()
    (work / "response.txt").unlink(missing_ok=True)
    (work / "stimulus.hex").write_text("".join(f"{signature.drive(c):x}\n" for c in clocks), encoding="ascii")
    (work / "harness.vhd").write_text(signature.vhdl_harness(), encoding="ascii")
    return work


def _recorded(signature: Signature, clocks: Clocks, work: Path, said: str) -> Recorded:
    path = work / "response.txt"
    lines = path.read_text(encoding="ascii").split() if path.is_file() else []
    if len(lines) != len(clocks):
        errors = [line.strip() for line in said.splitlines() if "rror" in line] or ["no error was printed"]
        raise ToolError(f"simulation of {signature.entity}: {len(lines)} of {len(clocks)} clocks; {errors[-1][:300]}")
    return [signature.read(line) for line in lines]


def without_black_boxes(translated: str, verilog: Sequence[Path]) -> str:
    """What GHDL wrote, without its empty modules for those that a file in Verilog has."""
    known = {name for path in verilog for name in _MODULE.findall(path.read_text(encoding="utf-8"))}
    blocks = translated.split("endmodule\n")
    kept = [b for b in blocks if not any(b.lstrip().startswith(f"module {name}\n") for name in known)]
    return "endmodule\n".join(kept)
