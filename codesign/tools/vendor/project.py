"""Everything that Vivado needs for a firmware's part of AMD, in one folder: ``vivado -mode batch -source build.tcl``.

``build.tcl`` takes the network alone through synthesis, placement and routing (:file:`ooc.tcl`): the way for a part
that others build a design around, a trigger board's or an accelerator card's. For a board with a Zynq there is
``board.tcl`` too: processors, DMA and the network behind AXI4-Stream, to the bitstream. The scripts were run against
stubs of Vivado's commands and the Verilog through Verilator's lint; no Vivado was at hand when they were written.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codesign.core import quoting
from codesign.core.errors import UnsupportedError
from codesign.core.quoting import markdown, tcl, tcl_list
from codesign.core.runfolder import write_atomically
from codesign.rtl.axi import AXI_TOP, axi_stream, bytes_of
from codesign.rtl.firmware import Firmware
from codesign.rtl.packing import packed_widths
from codesign.tools.yosys import used_sources

__all__ = ("VivadoProject", "write_vivado_project")

_TCL = Path(__file__).resolve().parent / "tcl"
STREAM_TOP = "codesign_stream"
#: widest stream that AXI DMA has, in bytes (AMD PG021)
_WIDEST = 128


@dataclass(frozen=True)
class _Board:
    """A board with a Zynq: its name, the pattern of its board part, what it sits on, and its kind of processors."""

    name: str
    pattern: str
    connections: str
    processors: str


#: part -> the board that carries it
_BOARDS = {
    "xc7z020clg400-1": _Board("PYNQ-Z2", "*:pynq-z2:*", "", "zynq7"),
    "xck26-sfvc784-2lv-c": _Board(
        "Kria KV260",
        "*:kv260_som:*",
        "som240_1_connector xilinx.com:kv260_carrier:som240_1_connector:1.3",
        "zynqmp",
    ),
    "xczu9eg-ffvb1156-2-e": _Board("ZCU102", "*:zcu102:*", "", "zynqmp"),
}


@dataclass(frozen=True)
class VivadoProject:
    """What was written.

    Attributes
    ----------
    build: the script for the network alone.
    board: the script for the board's bitstream; None where the part's board is not known.
    sources: Verilog that the scripts read, relative to the folder.
    """

    build: Path
    board: Path | None
    sources: tuple[str, ...]


def write_vivado_project(firmware: Firmware, folder: Path, firmware_at: str | None = None) -> VivadoProject:
    """Write constraints and scripts for ``firmware`` into ``folder``.

    ``firmware_at`` says where, seen from ``folder``, the firmware's folder will stand; by default its sources are
    copied into ``src``. UnsupportedError for a part that is not AMD's, and for RTL that is not pipelined.
    """
    target = firmware.target
    if not target.part.lower().startswith("xc"):
        raise UnsupportedError(f"target {target.name}: Vivado builds parts of AMD, not {target.part}")
    if firmware.rtl is None or firmware.rtl.protocol != "pipelined":
        raise UnsupportedError("Vivado's scripts are written for pipelined RTL; another flow brings its own build")
    folder.mkdir(parents=True, exist_ok=True)
    sources = _sources(firmware, folder, firmware_at)
    shutil.copyfile(_TCL / "ooc.tcl", folder / "ooc.tcl")
    build = folder / "build.tcl"
    _write(build, _build(firmware, sources))
    board = _board(firmware, folder, sources)
    _write(folder / "README.md", _readme(firmware, board is not None))
    return VivadoProject(build, board, sources)


def _sources(firmware: Firmware, folder: Path, firmware_at: str | None) -> tuple[str, ...]:
    """The Verilog that is instantiated, relative to ``folder``; copied where it is not there yet."""
    found = used_sources(firmware.source_paths, firmware.top)
    inside = [path.relative_to(firmware.folder.resolve()).as_posix() for path in found]
    if firmware_at is not None:
        return tuple(f"{firmware_at}/{path}" for path in inside)
    for path, name in zip(found, inside, strict=True):
        copy = folder / "src" / Path(name).name
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, copy)
    return tuple(f"src/{Path(name).name}" for name in inside)


def _build(firmware: Firmware, sources: Sequence[str]) -> str:
    target, top = firmware.target, quoting.verilog_identifier(firmware.top)
    return f"""\
# {top} alone, out of context, at {target.clock_mhz:g} MHz: vivado -mode batch -source build.tcl
# Leaves utilization_routed.rpt, timing_routed.rpt and power_routed.rpt in the working directory.
set here [file dirname [file normalize [info script]]]
set argv [list {top} {tcl(target.part)} {target.clock_ns:.4f} clk]
foreach source {tcl_list(sources)} {{ lappend argv [file join $here $source] }}
source [file join $here ooc.tcl]
"""


def _board(firmware: Firmware, folder: Path, sources: Sequence[str]) -> Path | None:
    """The block design of the part's board, if it is known and its DMA is wide enough."""
    target, board = firmware.target, _BOARDS.get(firmware.target.part.lower())
    if board is None:
        return None
    stream = axi_stream(firmware, folder / "axi")
    wide, out = _power_of_two(stream.input_bytes), _power_of_two(stream.output_bytes)
    if wide > _WIDEST or out > _WIDEST:
        return None
    threshold = firmware.design.threshold.width if firmware.design.threshold is not None else 0
    _write(folder / "axi" / f"{STREAM_TOP}.v", _stream(stream.input_bytes, stream.output_bytes, wide, out, threshold))
    own = [f"axi/{name}" for name in (f"{AXI_TOP}.v", "axi_stream.v", f"{STREAM_TOP}.v")]
    shutil.copyfile(_TCL / "block_design.tcl", folder / "block_design.tcl")
    script = folder / "board.tcl"
    _write(
        script,
        f"""\
# {board.name}: processors, DMA and the network, to the bitstream: vivado -mode batch -source board.tcl
set here [file dirname [file normalize [info script]]]
set part {tcl(target.part)}
set board {tcl(board.pattern)}
set connections {tcl(board.connections)}
set ps {tcl(board.processors)}
set clock_mhz {target.clock_mhz:g}
set top {STREAM_TOP}
set input_bits {8 * wide}
set output_bits {8 * out}
set threshold_bits {threshold}
set sources {{}}
foreach source {tcl_list([*own, *sources])} {{ lappend sources [file join $here $source] }}
source [file join $here block_design.tcl]
""",
    )
    return script


def _stream(input_bytes: int, output_bytes: int, wide: int, out: int, threshold: int) -> str:
    """Verilog of the wrapper with the widths that a DMA has, and what Vivado wants to know of its ports."""
    port = f"    input wire [{threshold - 1}:0] threshold,\n" if threshold else ""
    passed = " .threshold(threshold)," if threshold else ""
    missing = 8 * (out - output_bytes)
    data = f"{{{missing}'b0, data}}" if missing else "data"
    return f"""\
`timescale 1 ns / 1 ps

module {STREAM_TOP} (
    (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 aclk CLK" *)
    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axis:m_axis, ASSOCIATED_RESET aresetn" *)
    input wire aclk,
    (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 aresetn RST" *)
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    input wire aresetn,
{port}    // verilator lint_off UNUSEDSIGNAL
    input wire [{8 * wide - 1}:0] s_axis_tdata,
    input wire [{wide - 1}:0] s_axis_tkeep,
    // verilator lint_on UNUSEDSIGNAL
    input wire s_axis_tvalid,
    output wire s_axis_tready,
    input wire s_axis_tlast,
    output wire [{8 * out - 1}:0] m_axis_tdata,
    output wire [{out - 1}:0] m_axis_tkeep,
    output wire m_axis_tvalid,
    input wire m_axis_tready,
    output wire m_axis_tlast
);
    wire [{8 * output_bytes - 1}:0] data;
    {AXI_TOP} stream (
        .aclk(aclk), .aresetn(aresetn),{passed}
        .s_axis_tdata(s_axis_tdata[{8 * input_bytes - 1}:0]), .s_axis_tvalid(s_axis_tvalid),
        .s_axis_tready(s_axis_tready), .s_axis_tlast(s_axis_tlast),
        .m_axis_tdata(data), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready), .m_axis_tlast(m_axis_tlast)
    );
    assign m_axis_tdata = {data};
    assign m_axis_tkeep = {{{out}{{1'b1}}}};
endmodule
"""


def _readme(firmware: Firmware, board: bool) -> str:
    target = firmware.target
    wide, out = bytes_of(firmware.design.inputs.width), bytes_of(packed_widths(firmware.design)[1])
    lines = [
        f"# {markdown(firmware.top)} on {markdown(target.part)}",
        "",
        "`vivado -mode batch -source build.tcl` takes the network alone to a routed design at "
        f"{target.clock_mhz:g} MHz and reports what it takes.",
    ]
    if board:
        name = _BOARDS[target.part.lower()].name
        lines += [
            "",
            f"`vivado -mode batch -source board.tcl` makes a bitstream for the {name}, with the DMA `dma` around the "
            f"network. An event is one beat of {_power_of_two(wide)} bytes in ({wide} used, from the lowest) and one "
            f"of {_power_of_two(out)} bytes out, packed as `model_inp` and `model_out` are. The board files "
            "must be installed. `codesign.bit` and `codesign.hwh` are what PYNQ's `Overlay` loads.",
        ]
    lines += [
        "",
        "These scripts were written without Vivado at hand: they were run against stubs of its commands only.",
        "",
    ]
    return "\n".join(lines)


def _power_of_two(octets: int) -> int:
    """The narrowest stream of a DMA that holds so many bytes."""
    return 1 << (octets - 1).bit_length()


def _write(path: Path, text: str) -> None:
    write_atomically(path, text.encode())
    os.chmod(path, 0o644)
