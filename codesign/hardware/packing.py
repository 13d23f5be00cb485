"""A top module with the design's own ports around a core whose ports hold only the bits that it uses."""

from __future__ import annotations

from collections.abc import Sequence

from codesign.errors import ToolError
from codesign.fixedpoint import FixedPoint, Port

__all__ = ("bit_range", "top_module")


def offsets(port: Port) -> list[int]:
    """Lowest bit of each element when a port is packed from bit 0 upwards."""
    lowest = [0]
    for kind in port.types:
        lowest.append(lowest[-1] + kind.width)
    return lowest[:-1]


def bit_range(port: Port, index: int) -> tuple[int, int]:
    """Highest and lowest bit of an element; (-1, 0)-like pairs mean that it takes none."""
    low = offsets(port)[index]
    return low + port.types[index].width - 1, low


def _input_bits(port: Port, core: Sequence[FixedPoint]) -> list[str]:
    """What the core's input consists of, lowest first."""
    parts = []
    for low, outer, inner in zip(offsets(port), port.types, core, strict=True):
        if inner.width == 0:
            continue
        start = low + outer.fraction_bits - inner.fraction_bits
        if start < low or start + inner.width > low + outer.width:
            raise ToolError(f"the circuit reads {inner} from an input of type {outer}: its bits are not all there")
        parts.append(f"model_inp[{start + inner.width - 1}:{start}]")
    return parts


def _output_bits(port: Port, core: Sequence[FixedPoint]) -> list[str]:
    """What the output port consists of, lowest first: each element shifted to its grid and sign extended."""
    parts: list[str] = []
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
            parts.append(f"{zeros}'b0")
        kept = min(inner.width, outer.width - zeros)
        if kept:
            parts.append(f"core_out[{taken + kept - 1}:{taken}]")
        missing = outer.width - zeros - kept
        if missing:
            extension = f"core_out[{taken + inner.width - 1}]" if inner.signed and inner.width else "1'b0"
            parts.append(f"{{{missing}{{{extension}}}}}")
    return parts


def _joined(parts: list[str]) -> str:
    return "{" + ",\n        ".join(reversed(parts)) + "}"


def top_module(
    name: str,
    core: str,
    inputs: Port,
    outputs: Port,
    core_inputs: Sequence[FixedPoint],
    core_outputs: Sequence[FixedPoint],
) -> str:
    """Verilog of a module ``name`` with ports ``clk``, ``model_inp``, ``model_out`` packed by the design's types.

    ``core`` is the module inside; ``core_inputs`` and ``core_outputs`` are the types of its ports' elements, of width 0
    where it has none.
    """
    width_in, width_out = sum(t.width for t in core_inputs), sum(t.width for t in core_outputs)
    if not width_in or not width_out:
        raise ToolError("the circuit is constant: its outputs do not depend on its inputs")
    lines = [
        "`timescale 1 ns / 1 ps",
        "",
        f"module {name} (",
        "    input wire clk,",
        "    // verilator lint_off UNUSEDSIGNAL",
        f"    input wire [{inputs.width - 1}:0] model_inp,",
        "    // verilator lint_on UNUSEDSIGNAL",
        f"    output wire [{outputs.width - 1}:0] model_out",
        ");",
        "    // verilator lint_off UNUSEDSIGNAL",
        f"    wire [{width_out - 1}:0] core_out;",
        "    // verilator lint_on UNUSEDSIGNAL",
        f"    {core} core (.clk(clk), .model_inp({_joined(_input_bits(inputs, core_inputs))}), .model_out(core_out));",
        f"    assign model_out = {_joined(_output_bits(outputs, core_outputs))};",
        "endmodule",
        "",
    ]
    return "\n".join(lines)
