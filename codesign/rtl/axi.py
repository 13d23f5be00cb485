"""An AXI4-Stream wrapper around any firmware: one event a beat, back-pressure, packets kept.

``s_axis_tdata`` is the firmware's ``model_inp`` and ``m_axis_tdata`` its ``model_out``, each filled up to whole bytes
(the bits above are ignored at the input and 0 at the output), as AXI4-Stream wants it (Arm IHI 0051). ``tlast`` comes
out with the event it went in with. ``aresetn`` is synchronous and active low: it forgets every event under way. An
event leaves the wrapper of a pipeline two clocks later than the firmware alone (three where it takes one every k
clocks), and one event each clock passes where nobody stalls. How it is done is said in ``targets/boards/axi_stream.v``.

RTL that takes an event every k clocks is fed every k clocks, in beats if that is how it takes it, and RTL that has
handshakes itself gets ``tlast`` and the
same ports: whoever uses a wrapper need not know which flow made what is inside.

A design that triggers has one more input, ``threshold``, which may change at any time (it holds for the events whose
result is computed in that clock), and its trigger bit is the bit of ``m_axis_tdata`` above ``model_out``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codesign.core import resources
from codesign.core.runfolder import write_atomically
from codesign.rtl.beats import beat_bits, beat_port
from codesign.rtl.bits import concatenate
from codesign.rtl.firmware import Firmware
from codesign.rtl.packing import packed_widths, port_width
from codesign.rtl.top_module import connections
from codesign.rtl.transport import Beats

__all__ = ("AXI_TOP", "AxiStream", "axi_stream", "bytes_of")

AXI_TOP = "codesign_axi"
_CONTROL = "axi_stream.v"
#: events that RTL with handshakes may hold at once
_INSIDE = 256


@dataclass(frozen=True)
class AxiStream:
    """The wrapper of one firmware.

    Attributes
    ----------
    sources: wrapper and firmware, whole paths; ``top`` is the name of the module to instantiate.
    input_bytes, output_bytes: widths of ``s_axis_tdata`` and ``m_axis_tdata``.
    depth: events that the wrapper holds at most, those in the pipeline included.
    data: memory files that the sources read, whole paths.
    """

    top: str
    sources: tuple[Path, ...]
    input_bytes: int
    output_bytes: int
    depth: int
    data: tuple[Path, ...] = ()


def bytes_of(bits: int) -> int:
    """Bytes that hold so many bits."""
    return -(-bits // 8)


def axi_stream(firmware: Firmware, folder: Path, depth: int = 0) -> AxiStream:
    """Write the wrapper of ``firmware`` into ``folder`` and return what a simulation or a synthesis needs of it.

    ``depth``, in events, is raised to the next power of two that lets one event each clock pass.
    """
    wide = port_width(firmware.design.inputs)
    port_width(firmware.design.outputs)  # refuses a port without bits
    every, out = packed_widths(firmware.design)
    rtl = firmware.rtl
    if rtl is not None and rtl.protocol == "axi-stream":
        body, address = _around_handshakes(firmware, depth)
        out = firmware.design.outputs.width
    else:
        body, address = _around_pipeline(firmware, wide, every, out, depth)
    threshold = f"    input wire [{every - wide - 1}:0] threshold,\n" if every > wide else ""
    text = f"""\
`timescale 1 ns / 1 ps

module {AXI_TOP} (
    input wire aclk,
    input wire aresetn,
{threshold}    // verilator lint_off UNUSEDSIGNAL
    input wire [{8 * bytes_of(wide) - 1}:0] s_axis_tdata,
    // verilator lint_on UNUSEDSIGNAL
    input wire s_axis_tvalid,
    output wire s_axis_tready,
    input wire s_axis_tlast,
    output wire [{8 * bytes_of(out) - 1}:0] m_axis_tdata,
    output wire m_axis_tvalid,
    input wire m_axis_tready,
    output wire m_axis_tlast
);
{body}endmodule
"""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / f"{AXI_TOP}.v", text.encode())
    control = resources.folder("targets") / "boards" / _CONTROL
    write_atomically(folder / _CONTROL, control.read_bytes())
    own = (folder / f"{AXI_TOP}.v", folder / _CONTROL)
    sources = (*(p.resolve() for p in own), *firmware.source_paths)
    data = tuple(firmware.data_paths if rtl is not None else ())
    return AxiStream(AXI_TOP, sources, bytes_of(wide), bytes_of(out), 1 << address, data)


def _around_pipeline(firmware: Firmware, wide: int, every: int, out: int, depth: int) -> tuple[str, int]:
    """Verilog around a pipeline, and the bits of an address in its FIFO.

    Where it takes an event every k clocks only, an event is held at its input for k clocks, in one more register.
    """
    interval = firmware.rtl.initiation_interval if firmware.rtl is not None else 1
    latency = firmware.latency_cycles + (interval > 1)
    # an event is let in, passes the pipeline, the FIFO and its output register, and only then gives its credit back
    address = (max(depth, latency + 4) - 1).bit_length()
    above = "threshold, " if every > wide else ""
    started = firmware.rtl is not None and firmware.rtl.protocol == "started"
    way, inputs = (firmware.rtl.transport if firmware.rtl is not None else None), wide
    if interval > 1:
        bits = (interval - 1).bit_length()
        source, gate = "held", " & free"
        holding = f"""\
    reg [{wide - 1}:0] held;
    reg [{bits - 1}:0] left;
    wire free = left == 0;
    always @(posedge aclk) begin
        if (s_axis_tvalid & s_axis_tready) begin
            held <= s_axis_tdata[{wide - 1}:0];
            left <= {bits}'d{interval - 1};
        end else if (!free) left <= left - 1'b1;
        if (!aresetn) left <= 0;
    end
"""
        if isinstance(way, Beats):
            inputs = beat_port(firmware.design.inputs, way.items).width
            holding += _beats(firmware, way, inputs, bits)
            source = "beat"
    else:
        source, gate, holding = f"s_axis_tdata[{wide - 1}:0]", "", ""
    # what is told when an event comes: in the first clock in which it is held
    starts = _STARTS if started else ""
    control = ", .rst(~aresetn), .first(first), .valid(), .error()" if started else ""
    return (
        f"""\
    wire [{out - 1}:0] result;
    wire [{out - 1}:0] data;
    wire ready;
{holding}    wire [{inputs + every - wide - 1}:0] word = {{{above}{source}}};
    assign s_axis_tready = ready{gate};
{starts}    {firmware.top} firmware (.clk(aclk), {connections(firmware.design, "word", "result", inputs)}{control});
    codesign_axi_control #(.OUTPUT_BITS({out}), .LATENCY({latency}), .ADDRESS_BITS({address})) control (
        .clk(aclk), .aresetn(aresetn), .s_valid(s_axis_tvalid{gate}), .s_ready(ready), .s_last(s_axis_tlast),
        .result(result), .m_valid(m_axis_tvalid), .m_ready(m_axis_tready), .m_last(m_axis_tlast), .m_data(data)
    );
    assign m_axis_tdata = {_pad(out)};
""",
        address,
    )


def _beats(firmware: Firmware, way: Beats, width: int, bits: int) -> str:
    """The wire ``beat``: one after another of the event that is ``held``, while ``left`` counts down."""
    terms = [
        f"({{{width}{{left == {bits}'d{way.interval - 1 - beat}}}}} & {concatenate(parts)})"
        for beat, parts in enumerate(beat_bits(firmware.design.inputs, way, "held"))
    ]
    return f"    wire [{width - 1}:0] beat = " + "\n        | ".join(terms) + ";\n"


_STARTS = """\
    reg first;
    always @(posedge aclk) first <= aresetn & s_axis_tvalid & s_axis_tready;
"""


def _around_handshakes(firmware: Firmware, depth: int) -> tuple[str, int]:
    """Verilog around RTL that has the handshakes itself: it gets ``tlast``, and a bound on the events inside it."""
    address = (max(depth, _INSIDE) - 1).bit_length()
    return (
        f"""\
    wire room, ready;
    assign s_axis_tready = ready & room;
    {firmware.top} firmware (
        .aclk(aclk), .aresetn(aresetn), .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid & room),
        .s_axis_tready(ready), .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
    );
    codesign_axi_last #(.ADDRESS_BITS({address})) lasts (
        .clk(aclk), .aresetn(aresetn), .enters(s_axis_tvalid & s_axis_tready), .s_last(s_axis_tlast),
        .leaves(m_axis_tvalid & m_axis_tready), .m_last(m_axis_tlast), .room(room)
    );
""",
        address,
    )


def _pad(bits: int) -> str:
    """Verilog of ``data``, ``bits`` wide, with zeros above up to whole bytes."""
    missing = 8 * bytes_of(bits) - bits
    return f"{{{missing}'b0, data}}" if missing else "data"
