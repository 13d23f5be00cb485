"""A bitstream for a real board, with open tools only: the firmware between a serial receiver and a serial sender.

The board top holds the firmware in its AXI4-Stream wrapper, the serial line's receiver and sender
(``targets/boards/uart.v``), and a PLL that makes the target's clock from the board's oscillator. The host's side, and
how it sets the threshold of a design that triggers, is :mod:`codesign.rtl.uart`. The FPGA is loaded with, for
instance, ``openFPGALoader --board ulx3s``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codesign.core import resources
from codesign.core.design import Design
from codesign.core.errors import InputError, ToolError
from codesign.core.process import run_tool
from codesign.core.runfolder import write_atomically
from codesign.rtl.axi import axi_stream
from codesign.rtl.firmware import Firmware
from codesign.rtl.packing import pack
from codesign.rtl.uart import BAUD, WINDOW, event_bytes
from codesign.tools.nextpnr import route
from codesign.tools.nextpnr_family import family_of
from codesign.tools.nextpnr_synth import write_netlist
from codesign.tools.yosys import used_sources

__all__ = (
    "BOARD_TOP",
    "Bitstream",
    "Board",
    "BoardTop",
    "MissedClock",
    "Pll",
    "bitstream",
    "board_top",
    "divisor",
    "pll",
    "starting_threshold",
)

BOARD_TOP = "codesign_board"
_UART = "uart.v"


@dataclass(frozen=True)
class Bitstream:
    """A bitstream, nextpnr's timing report, and the frequency that the design in it reaches."""

    path: Path
    report: Path
    fmax_mhz: float


class MissedClock(ToolError):
    """The placed design does not reach its target's clock; ``fmax_mhz`` is what it reaches."""

    def __init__(self, words: str, fmax_mhz: float) -> None:
        super().__init__(words)
        self.fmax_mhz = fmax_mhz


@dataclass(frozen=True)
class Board:
    """A board: its oscillator (MHz), its constraint file in ``targets/boards``, and the ports of its top module.

    ``ports``: Verilog of the ports; ``wires``: what connects them to ``oscillator``, ``pressed`` (the reset button),
    ``rx``, ``tx`` and ``lights`` (three of them). ``has_pll``: whether another clock than the oscillator's is made.
    """

    oscillator_mhz: float
    constraints: str
    ports: str
    wires: str
    has_pll: bool


_BOARDS = {
    "ulx3s": Board(
        oscillator_mhz=25,
        constraints="ulx3s.lpf",
        ports="""\
    input wire clk_25mhz,
    input wire btn_reset,
    input wire ftdi_txd,
    output wire ftdi_rxd,
    output wire [7:0] led,
    output wire wifi_gpio0""",
        wires="""\
    wire oscillator = clk_25mhz;
    wire pressed = btn_reset;
    wire rx = ftdi_txd;
    assign ftdi_rxd = tx;
    assign led = {5'd0, lights};
    assign wifi_gpio0 = 1'b1;""",
        has_pll=True,
    ),
    # its LEDs light at 0
    "crosslink-nx-evn": Board(
        oscillator_mhz=12,
        constraints="crosslink-nx-evn.pdc",
        ports="""\
    input wire clk_12mhz,
    input wire btn_reset_n,
    input wire uart_rx,
    output wire uart_tx,
    output wire [2:0] led_n""",
        wires="""\
    wire oscillator = clk_12mhz;
    wire pressed = ~btn_reset_n;
    wire rx = uart_rx;
    assign uart_tx = tx;
    assign led_n = ~lights;""",
        has_pll=False,
    ),
}


@dataclass(frozen=True)
class Pll:
    """Dividers of an EHXPLLL: output = input / reference * feedback; the oscillator runs ``output`` times faster."""

    reference: int
    feedback: int
    output: int


def pll(source_mhz: float, clock_mhz: float) -> Pll:
    """Dividers that make ``clock_mhz`` of ``source_mhz`` exactly; InputError where there are none.

    Limits by Lattice FPGA-DS-02012, sysCLOCK PLL timing: phase detector 3.125 to 400 MHz, oscillator 400 to 800 MHz,
    dividers 1 to 128. Of several, the one whose oscillator is nearest to the middle of its range.
    """
    found = [
        (abs(clock_mhz * output - 600), reference, feedback, output)
        for reference in range(1, 129)
        for feedback in range(1, 129)
        if abs(source_mhz / reference * feedback - clock_mhz) < 1e-9 * clock_mhz
        and 3.125 <= source_mhz / reference <= 400
        for output in range(1, 129)
        if 400 <= clock_mhz * output <= 800
    ]
    if not found:
        raise InputError(f"the ECP5's PLL makes no {clock_mhz:g} MHz of {source_mhz:g} MHz: choose another clock")
    return Pll(*min(found)[1:])


def divisor(clock_mhz: float, baud: int) -> int:
    """Clocks per bit of the serial line; InputError where it would be off by more than 2 %, or below 4.

    A frame has ten bits, and its last is sampled in its middle: 5 % would be the limit for one side without noise.
    """
    clocks = round(clock_mhz * 1e6 / baud)
    if clocks < 4 or abs(clock_mhz * 1e6 / clocks / baud - 1) > 0.02:
        raise InputError(f"{baud} baud cannot be made of a clock of {clock_mhz:g} MHz within 2 %")
    return clocks


@dataclass(frozen=True)
class BoardTop:
    """The board's top module with all its sources (whole paths), the clocks per bit and the constraint file."""

    top: str
    sources: tuple[Path, ...]
    divisor: int
    constraints: Path


def board_top(firmware: Firmware, folder: Path, baud: int = BAUD, threshold: int | None = None) -> BoardTop:
    """Write the board's top module around ``firmware`` into ``folder``.

    A design that triggers has ``threshold``, a code of the output that is compared, after a reset and until the host
    sets another; one outside its type's range becomes the nearest in it. By default it is the largest: only a score at
    the end of its range triggers.

    InputError where the firmware's target is no board that is known here, or clock and ``baud`` (bits per second)
    cannot be made of its oscillator.
    """
    target = firmware.target
    if target.board not in _BOARDS:
        raise InputError(
            f"target '{target.name}' names no board that a bitstream can be made for; known: {', '.join(_BOARDS)}"
        )
    board = _BOARDS[target.board]
    stream = axi_stream(firmware, folder, depth=WINDOW)
    clocks = divisor(target.clock_mhz, baud)
    text = _TOP.format(
        name=BOARD_TOP,
        ports=board.ports,
        wires=board.wires,
        clock=_clock(board, target.clock_mhz),
        inputs=stream.input_bytes,
        outputs=stream.output_bytes,
        input_high=8 * stream.input_bytes - 1,
        output_high=8 * stream.output_bytes - 1,
        divisor=clocks,
        axi=stream.top,
        **_threshold(firmware.design, threshold),
    )
    write_atomically(folder / f"{BOARD_TOP}.v", text.encode())
    shipped = resources.folder("targets") / "boards"
    write_atomically(folder / _UART, (shipped / _UART).read_bytes())
    own = tuple((folder / name).resolve() for name in (f"{BOARD_TOP}.v", _UART))
    return BoardTop(BOARD_TOP, (*own, *stream.sources), clocks, shipped / board.constraints)


def bitstream(
    firmware: Firmware,
    work: Path,
    timeout: float = 1800,
    seed: int = 1,
    baud: int = BAUD,
    threshold: int | None = None,
) -> Bitstream:
    """Make the bitstream of ``firmware`` for its target's board in ``work``; ``threshold`` as in :func:`board_top`.

    Every tool has ``timeout`` seconds. ToolError where a tool is missing or fails, MissedClock where the placed design
    does not reach the target's clock: no bitstream is made that might compute wrongly. InputError as in
    :func:`board_top`.
    """
    work.mkdir(parents=True, exist_ok=True)
    work = work.resolve()
    result = work / f"{BOARD_TOP}.bit"
    result.unlink(missing_ok=True)
    top = board_top(firmware, work, baud, threshold)
    target = firmware.target
    family = family_of(target.name, target.family)
    packer = family.command(family.packer)  # before minutes go into synthesis
    sources = used_sources(top.sources, top.top)
    netlist = write_netlist(sources, top.top, family.name, work / f"{BOARD_TOP}.json", timeout)
    clock = target.clock_mhz
    routed = route(netlist.path, family, target.part, clock, timeout, seed, top.constraints)
    fmax = min(routed.fmax_mhz.values())
    if fmax < clock:
        raise MissedClock(
            f"{family.tool}: the board's design reaches {fmax:.1f} MHz, not the {clock:g} MHz of its "
            f"clock, from {routed.slowest[0]} to {routed.slowest[1]}: lower the target's stage_delay or its clock, or "
            "try another seed",
            fmax,
        )
    log = work / f"{family.packer}.log"
    log.unlink(missing_ok=True)
    arguments = family.pack(routed.config.name, result.name)
    run_tool([*packer, *arguments], work, timeout, None, log, name=family.packer)
    if not result.is_file() or not result.stat().st_size:
        raise ToolError(f"{family.packer}: wrote no bitstream (see {log})")
    return Bitstream(result, routed.report, fmax)


def starting_threshold(design: Design, code: int | None) -> int | None:
    """The threshold after a reset, as :func:`board_top` says; None for a design that triggers on nothing."""
    if design.threshold is None:
        return None
    (kind,) = design.threshold.types
    return kind.maximum if code is None else min(max(code, kind.minimum), kind.maximum)


def _threshold(design: Design, code: int | None) -> dict[str, str]:
    """What the top module says about a threshold; nothing for a design that triggers on nothing."""
    port, start = design.threshold, starting_threshold(design, code)
    if port is None:
        return {"settings": "", "setting_wire": "", "setting": "", "threshold": ""}
    (word,) = pack(port, np.array([[start]], dtype=np.int64))
    size = event_bytes(port)
    return {
        "settings": f".SETTING_BYTES({size}), .SETTING_START({8 * size + 8}'h{word}), ",
        "setting_wire": f"    wire [{8 * size + 7}:0] setting;\n",
        "setting": ".setting(setting), ",
        "threshold": f".threshold(setting[{port.width - 1}:0]), ",
    }


def _clock(board: Board, clock_mhz: float) -> str:
    """Verilog that makes ``clk`` and ``locked``."""
    source_mhz = board.oscillator_mhz
    if clock_mhz == source_mhz:
        return "    assign clk = oscillator;\n    assign locked = 1'b1;"
    if not board.has_pll:
        raise InputError(
            f"this board's PLL is not used here: its clock is its oscillator's, {source_mhz:g}, not {clock_mhz:g} MHz"
        )
    found = pll(source_mhz, clock_mhz)
    # The analogue settings are those of Project Trellis' ecppll; the output's phase has no meaning here.
    return f"""\
    (* FREQUENCY_PIN_CLKI = "{source_mhz:g}", FREQUENCY_PIN_CLKOP = "{clock_mhz:g}" *)
    (* ICP_CURRENT = "12", LPF_RESISTOR = "8", MFG_ENABLE_FILTEROPAMP = "1", MFG_GMCREF_SEL = "2" *)
    EHXPLLL #(
        .PLLRST_ENA("DISABLED"), .INTFB_WAKE("DISABLED"), .STDBY_ENABLE("DISABLED"), .DPHASE_SOURCE("DISABLED"),
        .OUTDIVIDER_MUXA("DIVA"), .CLKOP_ENABLE("ENABLED"), .FEEDBK_PATH("CLKOP"), .CLKI_DIV({found.reference}),
        .CLKFB_DIV({found.feedback}), .CLKOP_DIV({found.output}), .CLKOP_CPHASE({max(found.output // 2 - 1, 0)}),
        .CLKOP_FPHASE(0)
    ) pll (
        .CLKI(oscillator), .CLKFB(clk), .CLKOP(clk), .LOCK(locked), .RST(1'b0), .STDBY(1'b0), .PHASESEL0(1'b0),
        .PHASESEL1(1'b0), .PHASEDIR(1'b1), .PHASESTEP(1'b1), .PHASELOADREG(1'b1), .PLLWAKESYNC(1'b0), .ENCLKOP(1'b0)
    );"""


# LEDs: 0 running, 1 the host sent too much and an event was lost, 2 changes with every event.
_TOP = """\
`timescale 1 ns / 1 ps

module {name} (
{ports}
);
    wire clk, locked, tx;
    wire [2:0] lights;
{wires}
{clock}

    // In reset for some clocks after the PLL has locked; starts at 0 with the configuration of the chip.
    reg [3:0] start = 4'd0;
    reg [2:0] button = 3'd0;
    wire reset = ~&start;
    always @(posedge clk) begin
        button <= {{button[1:0], pressed | ~locked}};
        if (button[2]) start <= 4'd0;
        else if (reset) start <= start + 4'd1;
    end

    wire forget, overrun, in_valid, in_ready, out_valid, out_ready;
    wire [{input_high}:0] in_data;
    wire [{output_high}:0] out_data;
{setting_wire}    reg enabled, blink;
    always @(posedge clk) begin
        enabled <= ~(reset | forget);
        if (reset) blink <= 1'b0;
        else if (in_valid & in_ready) blink <= ~blink;
    end

    codesign_serial #(.INPUT_BYTES({inputs}), .OUTPUT_BYTES({outputs}), {settings}.DIVISOR({divisor})) serial (
        .clk(clk), .reset(reset), .rx(rx), .tx(tx), {setting}.forget(forget), .overrun(overrun),
        .event_data(in_data), .event_valid(in_valid), .event_ready(in_ready),
        .result_data(out_data), .result_valid(out_valid), .result_ready(out_ready)
    );
    {axi} axi (
        .aclk(clk), .aresetn(enabled), {threshold}.s_axis_tdata(in_data), .s_axis_tvalid(in_valid),
        .s_axis_tready(in_ready), .s_axis_tlast(1'b0), .m_axis_tdata(out_data), .m_axis_tvalid(out_valid),
        .m_axis_tready(out_ready), .m_axis_tlast()
    );

    assign lights = {{blink, overrun, ~reset}};
endmodule
"""
