"""The top module around FINN's layers: one event a beat outside, FINN's folded streams inside.

FINN stitches its layers with Vivado; here they are stitched in Verilog. ``s_axis_tdata`` packs the design's inputs and
``m_axis_tdata`` its outputs, both as every firmware does, filled up to whole bytes: one beat is one event, as in
:mod:`codesign.rtl.axi`. In front of the first layer an event is brought to the layer's own integers and given out
in beats of ``parallel`` elements; behind the last one the beats are collected, and the constant and the shift that are
left at the head (:class:`~codesign.flows.finn.finn_layers.FinalLayer`) are applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from codesign.core.design import Design
from codesign.core.quoting import verilog_identifier
from codesign.flows.finn.finn_layers import FinnLayers
from codesign.rtl.axi import bytes_of

__all__ = ("TOP", "top_module")

TOP = "codesign_top"


def top_module(design: Design, layers: FinnLayers, made: Mapping[str, Any]) -> str:
    """Verilog of the top module; ``made`` is what the worker said of the layers' modules, input and output."""
    modules = [m for m in made["modules"] if m["kind"] != "library"]
    wide, out = design.inputs.width, design.outputs.width
    first, last = made["input"], made["output"]
    beats = design.inputs.size // first["parallel"]
    collected = design.outputs.size // last["parallel"]
    taken, given = first["parallel"] * first["bits"], last["parallel"] * last["bits"]
    lines = [
        f"module {TOP} (",
        "    input wire aclk,",
        "    input wire aresetn,",
        "    // verilator lint_off UNUSEDSIGNAL",
        f"    input wire [{8 * bytes_of(wide) - 1}:0] s_axis_tdata,",
        "    // verilator lint_on UNUSEDSIGNAL",
        "    input wire s_axis_tvalid,",
        "    output wire s_axis_tready,",
        f"    output wire [{8 * bytes_of(out) - 1}:0] m_axis_tdata,",
        "    output wire m_axis_tvalid,",
        "    input wire m_axis_tready",
        ");",
        f"    wire [{design.inputs.size * first['bits'] - 1}:0] integers;",
        *_inputs(design, layers, first["bits"]),
        f"    wire [{taken - 1}:0] beat;",
        "    wire beat_valid, beat_ready;",
        f"    codesign_to_beats #(.BEATS({beats}), .BITS({taken})) to_beats (",
        "        .clk(aclk), .resetn(aresetn), .s_data(integers), .s_valid(s_axis_tvalid), .s_ready(s_axis_tready),",
        "        .m_data(beat), .m_valid(beat_valid), .m_ready(beat_ready)",
        "    );",
        *_chain(modules, taken),
        f"    wire [{design.outputs.size * last['bits'] - 1}:0] sums;",
        f"    codesign_from_beats #(.BEATS({collected}), .BITS({given})) from_beats (",
        f"        .clk(aclk), .resetn(aresetn), .s_data(data{len(modules)}[{given - 1}:0]),",
        f"        .s_valid(valid{len(modules)}), .s_ready(ready{len(modules)}),",
        "        .m_data(sums), .m_valid(m_axis_tvalid), .m_ready(m_axis_tready)",
        "    );",
        *_outputs(design, layers, last["bits"], last["signed"]),
        "endmodule",
        "",
        _BEATS,
    ]
    return "\n".join(lines)


def _extend(name: str, high: int, low: int, signed: bool, bits: int) -> str:
    """Bits ``high`` to ``low`` of a vector as a signed number of more than so many bits."""
    width = high - low + 1
    top = f"{name}[{high}]" if signed else "1'b0"
    return f"{{{{{bits - width}{{{top}}}}}, {name}[{high}:{low}]}}" if bits > width else f"{name}[{high}:{low}]"


def _inputs(design: Design, layers: FinnLayers, bits: int) -> list[str]:
    """One integer of the first layer for each input: extended, and shifted to the common grid."""
    lines, start = [], 0
    for i, (kind, shift) in enumerate(zip(design.inputs.types, layers.input_shift.tolist(), strict=True)):
        place = f"    assign integers[{(i + 1) * bits - 1}:{i * bits}] = "
        if kind.width == 0:
            lines.append(place + f"{bits}'d0;")
            continue
        zeros = f", {shift}'d0" if shift else ""
        value = _extend("s_axis_tdata", start + kind.width - 1, start, kind.signed, bits - shift)
        lines.append(place + f"{{{value}{zeros}}};")
        start += kind.width
    return lines


def _outputs(design: Design, layers: FinnLayers, bits: int, signed: bool) -> list[str]:
    """One field of ``m_axis_tdata`` for each output: the last layer's integer, plus the constant, shifted."""
    lines, start = [], 0
    head = layers.head
    for i, kind in enumerate(design.outputs.types):
        up, bias, down = int(head.up[i]), int(head.bias[i]), int(head.down[i])
        if kind.width == 0:
            continue
        wide = max(bits + 1 + up, abs(bias).bit_length() + 1, kind.width + down) + 1
        value = _extend("sums", (i + 1) * bits - 1, i * bits, signed, wide - up)
        zeros = f", {up}'d0" if up else ""
        constant = f"{'-' if bias < 0 else ''}{wide}'sd{abs(bias)}"
        lines.append(f"    wire signed [{wide - 1}:0] total{i} = $signed({{{value}{zeros}}}) + {constant};")
        lines.append(
            f"    assign m_axis_tdata[{start + kind.width - 1}:{start}] = total{i}[{down + kind.width - 1}:{down}];"
        )
        start += kind.width
    padded = 8 * bytes_of(start)
    if padded > start:
        lines.append(f"    assign m_axis_tdata[{padded - 1}:{start}] = {padded - start}'d0;")
    return lines


def _chain(modules: Sequence[Mapping[str, Any]], bits: int) -> list[str]:
    """FINN's layers, width converters and FIFOs, each one's stream into the next; the weights' streams beside them."""
    # what goes from one to the next is as wide as the wider of the two say: the bits above are padding
    first = modules[0]["input_bits"]
    lines = [
        f"    wire [{first - 1}:0] data0 = {_extend('beat', bits - 1, 0, False, first)};",
        "    wire valid0 = beat_valid;",
        "    wire ready0;",
        "    assign beat_ready = ready0;",
    ]
    for i, module in enumerate(modules):
        lines += [
            f"    wire [{module['output_bits'] - 1}:0] data{i + 1};",
            f"    wire valid{i + 1}, ready{i + 1};",
        ]
        ports = [
            ".ap_clk(aclk), .ap_rst_n(aresetn)",
            f".in0_V_TDATA(data{i}), .in0_V_TVALID(valid{i}), .in0_V_TREADY(ready{i})",
            f".out0_V_TDATA(data{i + 1}), .out0_V_TVALID(valid{i + 1}), .out0_V_TREADY(ready{i + 1})",
        ]
        if module["kind"] == "MVAU":
            lines += [
                f"    wire [{module['weight_stream_bits'] - 1}:0] weights{i};",
                f"    wire weights{i}_valid, weights{i}_ready;",
                f"    {verilog_identifier(module['memory'])} memory{i} (",
                "        .ap_clk(aclk), .ap_clk2x(aclk), .ap_rst_n(aresetn),",
                f"        {_UNUSED_BUS},",
                "        .s_axis_0_tready(), .s_axis_0_tvalid(1'b0), .s_axis_0_tdata(1'b0),",
                f"        .m_axis_0_tdata(weights{i}), .m_axis_0_tvalid(weights{i}_valid),",
                f"        .m_axis_0_tready(weights{i}_ready)",
                "    );",
            ]
            ports += [
                ".ap_clk2x(aclk)",
                f".in1_V_TDATA(weights{i}), .in1_V_TVALID(weights{i}_valid), .in1_V_TREADY(weights{i}_ready)",
            ]
        if module["kind"] == "Thresholding":
            ports += [_UNUSED_BUS.replace(".s_axilite_AWPROT(3'b0), ", "").replace(".s_axilite_ARPROT(3'b0), ", "")]
            ports += [".in1_V_TREADY(), .in1_V_TVALID(1'b0), .in1_V_TDATA(8'b0)"]
        if module["kind"] == "StreamingFIFO":
            ports += [".count(), .maxcount()"]
        lines += [
            f"    {verilog_identifier(module['module'])} layer{i} (",
            *(f"        {p}," for p in ports[:-1]),
            f"        {ports[-1]}",
            "    );",
        ]
    return lines


#: the bus on which weights could be written at run time: never used
_UNUSED_BUS = (
    ".s_axilite_AWVALID(1'b0), .s_axilite_AWREADY(), .s_axilite_AWPROT(3'b0), .s_axilite_AWADDR('0), "
    ".s_axilite_WVALID(1'b0), .s_axilite_WREADY(), .s_axilite_WDATA(32'b0), .s_axilite_WSTRB(4'b0), "
    ".s_axilite_BVALID(), .s_axilite_BREADY(1'b0), .s_axilite_BRESP(), "
    ".s_axilite_ARVALID(1'b0), .s_axilite_ARREADY(), .s_axilite_ARPROT(3'b0), .s_axilite_ARADDR('0), "
    ".s_axilite_RVALID(), .s_axilite_RREADY(1'b0), .s_axilite_RDATA(), .s_axilite_RRESP()"
)

_BEATS = """\
// An event to BEATS beats, the lowest bits first; a new event is taken with the last beat of the one before.
module codesign_to_beats #(parameter BEATS = 1, parameter BITS = 1) (
    input wire clk,
    input wire resetn,
    input wire [BEATS*BITS-1:0] s_data,
    input wire s_valid,
    output wire s_ready,
    output wire [BITS-1:0] m_data,
    output wire m_valid,
    input wire m_ready
);
    reg [BEATS*BITS-1:0] held;
    reg [$clog2(BEATS+1)-1:0] left = 0;
    wire [(BEATS+1)*BITS-1:0] filled = {{BITS{1'b0}}, held};
    assign m_data = held[BITS-1:0];
    assign m_valid = left != 0;
    assign s_ready = resetn && (left == 0 || (left == 1 && m_ready));
    always @(posedge clk) begin
        if (!resetn) left <= 0;
        else if (s_valid && s_ready) left <= BEATS;
        else if (m_valid && m_ready) left <= left - 1'b1;
        if (s_valid && s_ready) held <= s_data;
        else if (m_valid && m_ready) held <= filled[(BEATS+1)*BITS-1:BITS];
    end
endmodule

// BEATS beats to an event, which is held until it is taken; the next one is collected meanwhile, but for its last beat.
module codesign_from_beats #(parameter BEATS = 1, parameter BITS = 1) (
    input wire clk,
    input wire resetn,
    input wire [BITS-1:0] s_data,
    input wire s_valid,
    output wire s_ready,
    output reg [BEATS*BITS-1:0] m_data,
    output wire m_valid,
    input wire m_ready
);
    reg [BEATS*BITS-1:0] held;
    reg [$clog2(BEATS+1)-1:0] got = 0;
    reg full = 1'b0;
    wire last = got == BEATS - 1;
    wire [(BEATS+1)*BITS-1:0] joined = {s_data, held};
    assign m_valid = full;
    assign s_ready = resetn && (!last || !full || m_ready);
    always @(posedge clk) begin
        if (!resetn) begin
            got <= 0;
            full <= 1'b0;
        end else begin
            if (s_valid && s_ready) got <= last ? 0 : got + 1'b1;
            if (s_valid && s_ready && last) full <= 1'b1;
            else if (m_ready) full <= 1'b0;
        end
        if (s_valid && s_ready) held <= joined[(BEATS+1)*BITS-1:BITS];
        if (s_valid && s_ready && last) m_data <= joined[(BEATS+1)*BITS-1:BITS];
    end
endmodule
"""
