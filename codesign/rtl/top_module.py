"""A top module with the design's own ports around a core whose ports hold only the bits that it uses."""

from __future__ import annotations

from collections.abc import Sequence

from codesign.core.design import Design
from codesign.core.errors import ToolError, UnsupportedError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.rtl.bit_parts import Bits, Part, Replicated, Zeros, verilog_of
from codesign.rtl.packing import bit_range, offsets

__all__ = (
    "connections",
    "input_bits",
    "output_bits",
    "top_module",
)


def input_bits(port: Port, core: Sequence[FixedPoint]) -> list[Part]:
    """What the core's input consists of, lowest first."""
    parts: list[Part] = []
    for low, outer, inner in zip(offsets(port), port.types, core, strict=True):
        if inner.width == 0:
            continue
        start = low + outer.fraction_bits - inner.fraction_bits
        if start < low or start + inner.width > low + outer.width:
            raise ToolError(f"the circuit reads {inner} from an input of type {outer}: its bits are not all there")
        parts.append(Bits("model_inp", start + inner.width - 1, start))
    return parts


def output_bits(port: Port, core: Sequence[FixedPoint]) -> list[Part]:
    """What the output port consists of, lowest first: each element shifted to its grid and sign extended."""
    parts: list[Part] = []
    position = 0
    for outer, inner in zip(port.types, core, strict=True):
        taken, position = position, position + inner.width
        if outer.width == 0:
            continue
        zeros = outer.fraction_bits - inner.fraction_bits if inner.width else outer.width
        if zeros < 0:
            raise ToolError(f"the circuit makes {inner}, finer than the output type {outer}")
        zeros = min(zeros, outer.width)
        if zeros:
            parts.append(Zeros(zeros))
        kept = min(inner.width, outer.width - zeros)
        if kept:
            parts.append(Bits("core_out", taken + kept - 1, taken))
        missing = outer.width - zeros - kept
        if missing:
            signed = inner.signed and inner.width
            parts.append(Replicated("core_out" if signed else None, taken + inner.width - 1, missing))
    return parts


def _join(parts: list[Part]) -> str:
    return "{" + ",\n        ".join(map(verilog_of, reversed(parts))) + "}"


def _compare(outputs: Port, trigger: int, joined: str) -> tuple[list[str], list[str]]:
    """Ports and body of the comparison with a threshold, result and trigger bit in one register."""
    width = outputs.types[trigger].width
    return [f"    input wire [{width - 1}:0] threshold,", "    output wire trigger,"], comparison(
        outputs, trigger, joined
    )


def comparison(outputs: Port, trigger: int, found: str) -> list[str]:
    """The comparison of the packed outputs ``found`` with ``threshold``: result and trigger bit in one register."""
    high, low = bit_range(outputs, trigger)
    kind = outputs.types[trigger]
    sign = "signed " if kind.signed else ""
    return [
        f"    wire [{outputs.width - 1}:0] found = {found};",
        f"    wire {sign}[{kind.width - 1}:0] compared = found[{high}:{low}];",
        f"    wire {sign}[{kind.width - 1}:0] least = threshold;",
        f"    reg [{outputs.width - 1}:0] kept;",
        "    reg fired;",
        "    always @(posedge clk) begin",
        "        kept <= found;",
        "        fired <= compared >= least;",
        "    end",
        "    assign model_out = kept;",
        "    assign trigger = fired;",
    ]


def connections(design: Design, word: str, result: str, width: int | None = None) -> str:
    """Port connections of a firmware's top module, but for the clock.

    Vector ``word`` holds the packed inputs, and above them the threshold of a design that triggers; ``result`` the
    packed outputs, and above them the trigger bit. ``width``: of the inputs, where they are those of a beat.
    """
    wide, out = width or design.inputs.width, design.outputs.width
    made = f".model_inp({word}[{wide - 1}:0]), .model_out({result}[{out - 1}:0])"
    if design.threshold is not None:
        above = f"{word}[{wide + design.threshold.width - 1}:{wide}]"
        made += f", .threshold({above}), .trigger({result}[{out}])"
    return made


def top_module(
    name: str,
    core: str,
    inputs: Port,
    outputs: Port,
    core_inputs: Sequence[FixedPoint],
    core_outputs: Sequence[FixedPoint],
    trigger: int | None = None,
) -> str:
    """Verilog of a module ``name`` with ports ``clk``, ``model_inp``, ``model_out`` packed by the design's types.

    ``core`` is the module inside; ``core_inputs`` and ``core_outputs`` are the types of its ports' elements, of width 0
    where it has none. With ``trigger``, the place of an output, there are ports ``threshold`` and ``trigger`` too, and
    one more register at the output: ``trigger`` says of the event whose result is at ``model_out`` whether that output
    was at least the ``threshold`` of the clock before.
    """
    width_in, width_out = sum(t.width for t in core_inputs), sum(t.width for t in core_outputs)
    if not width_in or not width_out:
        raise UnsupportedError("the circuit is constant: its outputs do not depend on its inputs, there is no hardware")
    joined = _join(output_bits(outputs, core_outputs))
    ports: list[str] = []
    result = [f"    assign model_out = {joined};"]
    if trigger is not None:
        if outputs.types[trigger].width == 0:
            raise ToolError(f"output '{outputs.labels[trigger]}' is always 0: there is nothing to trigger on")
        ports, result = _compare(outputs, trigger, joined)
    lines = [
        "`timescale 1 ns / 1 ps",
        "",
        f"module {name} (",
        "    input wire clk,",
        "    // verilator lint_off UNUSEDSIGNAL",
        f"    input wire [{inputs.width - 1}:0] model_inp,",
        "    // verilator lint_on UNUSEDSIGNAL",
        *ports,
        f"    output wire [{outputs.width - 1}:0] model_out",
        ");",
        "    // verilator lint_off UNUSEDSIGNAL",
        f"    wire [{width_out - 1}:0] core_out;",
        "    // verilator lint_on UNUSEDSIGNAL",
        f"    {core} core (.clk(clk), .model_inp({_join(input_bits(inputs, core_inputs))}), .model_out(core_out));",
        *result,
        "endmodule",
        "",
    ]
    return "\n".join(lines)
