"""Open place and route with nextpnr, for Lattice ECP5 and Nexus: figures at fidelity ``placed``.

The packed ports of a firmware have more bits than a package has pins. Place and route therefore sees it in a harness of
three pins: a shift register feeds ``model_inp``, and ``model_out`` goes through a register into a chain of exclusive
ors, one look-up table a bit, that ends at a pin. No control signal of the harness fans out, and no path in it has more
than one look-up table, so that it does not decide the clock frequency. What it takes (one flip-flop per input bit, two
and one LUT per output bit) is taken off again. What nextpnr itself adds stays: LUTs that feed carries, and
one or two that are constants.

What is counted, after packing (:mod:`codesign.tools.nextpnr_family` says which cells):

- ``lut``: the chip's look-up tables in use, also as half of a carry cell. ``carry``: carry cells of two bits in use.
- ``ff``, ``dsp`` (18 x 18 bits), ``bram``: an 18 kbit block, as half a block of 36 kbit.
- ``fmax``: from nextpnr's static timing analysis at the part's speed grade, clock to clock, with the delays of its data
  base (slow corner); the way from and to the pins of the harness does not count.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesign.core.availability import Availability
from codesign.core.errors import InputError, ToolError
from codesign.core.figures import Fidelity, Figure
from codesign.core.process import run_tool
from codesign.rtl.beats import beat_port
from codesign.rtl.firmware import Firmware, Rtl
from codesign.rtl.packing import packed_widths
from codesign.rtl.top_module import connections
from codesign.rtl.transport import Beats
from codesign.tools.nextpnr_family import FAMILIES, DeviceFamily, family_of
from codesign.tools.nextpnr_synth import write_netlist
from codesign.tools.yosys import used_sources

__all__ = ("Routed", "available", "harness", "place_and_route", "reaches", "route")

_HARNESS = "codesign_harness"
_INSTANCE = "firmware"


def available(family: str = "ecp5") -> Availability:
    """Whether place and route and the bitstream packer of a family can run here."""
    return FAMILIES[family].available()


def reaches(firmware: Firmware) -> bool:
    """Whether a placement of this firmware can be had here: pipelined RTL for a family whose nextpnr is installed."""
    family, rtl = FAMILIES.get(firmware.target.family), firmware.rtl
    return rtl is not None and _is_placed(rtl) and family is not None and family.available().available


@dataclass(frozen=True)
class Routed:
    """A placed and routed netlist.

    Attributes
    ----------
    config: the chip's configuration as text, for the bitstream packer; ``report``: utilisation and timing, as JSON.
    fmax_mhz: highest frequency of every clock that drives a register.
    used: cells of each type in use; ``carry``: carry cells of two bits.
    slowest: first and last cell of the critical path from clock to clock.
    seconds: wall-clock time of place and route.
    """

    config: Path
    report: Path
    fmax_mhz: dict[str, float]
    used: dict[str, int]
    slowest: tuple[str, str]
    version: str
    seconds: float


def route(
    netlist: Path,
    family: DeviceFamily,
    part: str,
    clock_mhz: float,
    timeout: float,
    seed: int = 1,
    constraints: Path | None = None,
) -> Routed:
    """Place and route a JSON ``netlist`` in its folder for a clock of ``clock_mhz``, within ``timeout`` seconds.

    ``part`` is the vendor's ordering code. Without ``constraints`` the pins go anywhere that the family allows. A clock
    that is missed is no error: look at ``fmax_mhz``. InputError for a part that is not known; ToolError, with nextpnr's
    reason, where the design does not fit or route, or the time runs out.
    """
    work = netlist.resolve().parent
    option, suffix = family.config
    report, config, log = (work / f"{netlist.stem}.{end}" for end in ("report.json", suffix, "nextpnr.log"))
    for old in (report, config, log):
        old.unlink(missing_ok=True)
    arguments: list[str | Path] = [*family.command(family.tool), *family.device(part), "--json", netlist.name]
    arguments += [option, config.name, "--report", report.name]
    arguments += ["--freq", f"{clock_mhz:g}", "--seed", str(seed), "--timing-allow-fail", *family.options]
    if constraints is None:
        arguments += family.unconstrained
    else:
        if constraints.resolve().parent != work:
            shutil.copyfile(constraints, work / constraints.name)
        arguments += [family.constraints[0], constraints.name]
    done = run_tool(arguments, work, timeout, None, log, name=family.tool)
    return _read(family, report, config, done.seconds)


def _read(family: DeviceFamily, report: Path, config: Path, seconds: float) -> Routed:
    """What nextpnr reports; ToolError where a part of it is missing or not of the known form."""
    tool = family.tool
    try:
        data: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        fmax = {str(name): float(clock["achieved"]) for name, clock in data["fmax"].items()}
        used = {str(name): int(cell["used"]) for name, cell in data["utilization"].items()}
        inside = [p["path"] for p in data["critical_paths"] if p["from"] == p["to"] != "<async>" and p["path"]]
        slowest = max(inside, key=lambda path: sum(step["delay"] for step in path), default=None)
        ends = (str(slowest[0]["from"]["cell"]), str(slowest[-1]["to"]["cell"])) if slowest else ("", "")
        text = config.read_text(encoding="utf-8")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolError(f"{tool}: its report cannot be read ({type(error).__name__}: {error}); see {report}") from None
    if not fmax or min(fmax.values()) <= 0:
        raise ToolError(f"{tool}: no path from register to register, so no clock frequency was measured")
    if not used.keys() >= set(family.needed):
        raise ToolError(f"{tool}: its report names no {' or '.join(family.needed)}: resources not measured")
    # each half of a carry cell states its mode
    used["carry"] = len(re.findall(family.carry, text, re.MULTILINE)) // 2
    return Routed(config, report, fmax, used, ends, _release(family), seconds)


def _release(family: DeviceFamily) -> str:
    """Version of the tool, as installed."""
    state = family.available()
    if state.version is not None:
        return state.version
    printed = run_tool([*family.command(family.tool), "--version"], Path.cwd(), 60, name=family.tool).output
    match = re.search(r"Version (?:nextpnr-)?([^\s)]+)", printed)
    return match[1] if match else "unknown"


def _is_placed(rtl: Rtl) -> bool:
    """Whether RTL of this protocol has the ports that the harness connects."""
    return rtl.protocol in ("pipelined", "started")


def harness(firmware: Firmware) -> str:
    """Verilog of the module that place and route sees: ``clk``, ``serial_in``, ``serial_out`` and the firmware."""
    wide, out = packed_widths(firmware.design)
    inputs, way = firmware.design.inputs.width, firmware.rtl.transport if firmware.rtl is not None else None
    if isinstance(way, Beats):
        above = wide - inputs
        inputs = beat_port(firmware.design.inputs, way.items).width
        wide = inputs + above
    vector, started = wide, firmware.rtl is not None and firmware.rtl.protocol == "started"
    ports = connections(firmware.design, "word", "result", inputs)
    if started:  # its reset and its start come from the line too
        vector = wide + 2
        ports += f", .rst(word[{wide}]), .first(word[{wide + 1}]), .valid(), .error()"
    return f"""\
module {_HARNESS} (input wire clk, input wire serial_in, output wire serial_out);
    reg [{vector - 1}:0] word;
    wire [{out - 1}:0] result;
    reg [{out - 1}:0] kept, folded;
    always @(posedge clk) begin
        word <= {{word, serial_in}};
        kept <= result;
        folded <= {{folded, 1'b0}} ^ kept;
    end
    assign serial_out = folded[{out - 1}];
    (* keep_hierarchy *) {firmware.top} {_INSTANCE} (.clk(clk), {ports});
endmodule
"""


def place_and_route(firmware: Firmware, work: Path, timeout: float, seed: int = 1) -> list[Figure]:
    """Figures lut, ff, carry, dsp, bram and fmax of ``firmware``, placed and routed on its target's part.

    Synthesis and place and route each have ``timeout`` seconds; netlist, logs, report and configuration stay in
    ``work``. ``seed`` is nextpnr's: another one gives another placement, and an Fmax that differs by some percent.
    InputError for a target of a family that nextpnr does not know here; ToolError, with the reason, where a tool is
    missing, the design does not fit or route, or the time runs out.
    """
    target = firmware.target
    family = family_of(target.name, target.family)
    if firmware.rtl is not None and not _is_placed(firmware.rtl):
        raise InputError(f"{firmware.top} has the protocol {firmware.rtl.protocol}: only pipelined RTL is placed here")
    family.device(target.part)
    family.command(family.tool)  # before minutes go into synthesis
    work.mkdir(parents=True, exist_ok=True)
    top = work / f"{_HARNESS}.v"
    top.write_text(harness(firmware), encoding="utf-8")
    pins = None
    if family.harness_pins is not None:
        pins = work / f"{_HARNESS}.{family.constraints[1]}"
        pins.write_text(family.harness_pins, encoding="utf-8")
    sources = used_sources(firmware.source_paths, firmware.top)
    netlist = write_netlist([top, *sources], _HARNESS, family.name, work / "netlist.json", timeout)
    own = _harness_cells(netlist.path, family)
    routed = route(netlist.path, family, target.part, target.clock_mhz, timeout, seed, pins)
    used = routed.used
    counted: dict[str, float] = {
        quantity: sum(used.get(cell, 0) * weight for cell, weight in cells.items()) - own[quantity]
        for quantity, cells in family.counted.items()
    }
    counted["carry"] = used["carry"]
    counted["fmax"] = round(min(routed.fmax_mhz.values()), 2)
    return [
        Figure.of(name, value, Fidelity.PLACED, family.tool, routed.version)  # type: ignore[arg-type]
        for name, value in counted.items()
    ]


def _harness_cells(netlist: Path, family: DeviceFamily) -> Counter[str]:
    """What the harness itself takes, by quantity: its cells are those whose names do not start with the firmware's."""
    modules = json.loads(netlist.read_text(encoding="utf-8"))["modules"]
    cells = modules[_HARNESS]["cells"]
    types = Counter(c["type"] for name, c in cells.items() if not name.startswith(f"{_INSTANCE}."))
    strange = sorted(types.keys() - family.own.keys())
    if strange or not any(name.startswith(f"{_INSTANCE}.") for name in cells):
        raise ToolError(f"yosys: harness and firmware cannot be told apart ({', '.join(strange) or 'no firmware'})")
    own: Counter[str] = Counter()
    for cell, number in types.items():
        quantity = family.own[cell]
        if quantity is not None:
            own[quantity] += number
    return own
