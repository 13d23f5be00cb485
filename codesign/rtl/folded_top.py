"""The top module of folded firmware: control, transport, phases, and the design's own ports.

Of an interval of 1, an event comes every clock, and there are the ports of any pipelined firmware. Else
``first`` is high in the clock in which an event is (Parallel), or its first beat is (Beats), at ``model_inp``. The
result is at ``model_out`` while ``valid`` is high. An event that comes closer to the last than the interval is not
taken, and ``error`` stays high until ``rst``, which forgets all that is under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from codesign.core.design import Design
from codesign.core.errors import InputError, ToolError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.graph.schedule import Schedule
from codesign.graph.streams import Stream
from codesign.rtl.bits import concatenate, convert, element, offsets_of, total_width
from codesign.rtl.folded_phases import PhaseWriter
from codesign.rtl.top_module import comparison
from codesign.rtl.transport import Beats, Parallel, Transport

__all__ = ("FoldedTop", "folded_top", "transport_of")

#: a shift register without reset, which Yosys and the vendors put into look-up tables
_DELAY = """\
module codesign_delay #(
    parameter WIDTH = 1,
    parameter CLOCKS = 2
) (
    input wire clk,
    input wire [WIDTH-1:0] d,
    output wire [WIDTH-1:0] q
);
  reg [WIDTH*CLOCKS-1:0] line;
  always @(posedge clk) line <= {line[WIDTH*(CLOCKS-1)-1:0], d};
  assign q = line[WIDTH*CLOCKS-1:WIDTH*(CLOCKS-1)];
endmodule
"""


@dataclass(frozen=True)
class FoldedTop:
    """Its Verilog, the clocks from an event's first to its result, bits of registers, shift registers and gates, and
    how many copies there are of each module."""

    text: str
    latency: int
    flip_flops: int
    shifts: int
    gates: int
    copies: Mapping[str, int]


def transport_of(schedule: Schedule, kind: str, items: int | None = None) -> Transport:
    """How events come: ``parallel``, or in beats of ``items``; without, of as many as the schedule takes at once.

    ToolError where several blocks of items would come in different numbers of beats, InputError where so few items a
    beat take longer than the items that the schedule takes in a clock.
    """
    if kind == "parallel":
        return Parallel(schedule.interval)
    streams = {s.layout: s for s in (schedule.folded.values[n].stream for n in schedule.folded.inputs) if s}
    if len(streams) != 1:
        raise ToolError("a stream needs one number of items; use the transport parallel")
    if any(len(schedule.folded.given[n]) == 1 for n in schedule.folded.inputs if schedule.folded.values[n].stream):
        raise ToolError("an input of one axis does not say what its items are; use the transport parallel")
    (stream,) = streams.values()
    items = min(items or stream.lanes, stream.items)
    if items < stream.lanes:
        raise InputError(
            f"{stream.items} items, {items} a beat, take {-(-stream.items // items)} clocks, and the interval is "
            f"{schedule.interval}: give a beat at least {stream.lanes} items, or a longer interval"
        )
    return Beats(items, -(-stream.items // items), schedule.interval)


def folded_top(
    name: str, design: Design, schedule: Schedule, modules: Mapping[str, str], transport: Transport
) -> FoldedTop:
    """Verilog of the module ``name``; ``modules`` says the module of each phase that is compiled."""
    writer = PhaseWriter(schedule, dict(modules))
    width = _inputs(writer, design.inputs, transport)
    for phase in schedule.folded.phases:
        writer.write(phase)
    found = _outputs(writer, design.outputs)
    clocks = schedule.latency
    ports: list[str] = []
    result = [f"    assign model_out = {found};"]
    if design.trigger_index is not None:
        clocks += 1
        ports, result = _compare(design.outputs, design.trigger_index, found)
    kept = max(clocks, schedule.interval - 1)
    told, ends, control = _control(schedule.interval, kept)
    if schedule.interval > 1:
        result.append(f"    assign valid = at[{clocks}];")
    text = f"""\
`timescale 1 ns / 1 ps

{_DELAY}
{"".join(f"{part}{chr(10)}" for part in writer.parts)}module {name} (
    input wire clk,
{told}    // verilator lint_off UNUSEDSIGNAL
    input wire [{width - 1}:0] model_inp,
    // verilator lint_on UNUSEDSIGNAL
{"".join(f"    {p}{chr(10)}" for p in ports)}    output wire [{design.outputs.width - 1}:0] model_out{ends}
);
{control}{chr(10).join(writer.lines)}
{chr(10).join(result)}
endmodule
"""
    own = kept + 1 if schedule.interval > 1 else 0
    return FoldedTop(text, clocks, writer.flip_flops + own, writer.shifts, writer.gates, dict(writer.copies))


def _control(interval: int, kept: int) -> tuple[str, str, str]:
    """Ports before and behind the others, and the control; of an event every clock nothing needs to be told."""
    if interval == 1:
        always = f"""\
    // verilator lint_off UNUSEDSIGNAL
    wire [{kept}:0] at = {{{kept + 1}{{1'b1}}}};
    // verilator lint_on UNUSEDSIGNAL
"""
        return "", "", always
    control = f"""\
    // at[c]: c clocks after an event's first; too close: less than the interval after the last one's
    // verilator lint_off UNUSEDSIGNAL
    reg [{kept}:1] after;
    // verilator lint_on UNUSEDSIGNAL
    wire close = |after[{interval - 1}:1];
    wire start = first & ~close & ~rst;
    wire [{kept}:0] at = {{after, start}};
    always @(posedge clk) begin
        after <= rst ? {kept}'d0 : at[{kept - 1}:0];
        error <= rst ? 1'b0 : error | (first & close);
    end
"""
    ports = "    input wire rst,\n    input wire first,\n"
    return ports, ",\n    output wire valid,\n    output reg error", control


def _inputs(writer: PhaseWriter, port: Port, transport: Transport) -> int:
    """Buses of the input blocks; the width of ``model_inp``."""
    low, kinds = 0, list(port.types)
    for name in writer.schedule.folded.inputs:
        stream, types = writer.schedule.folded.values[name].stream, writer.types(name)
        number = prod(writer.schedule.folded.given[name])
        own, kinds = kinds[:number], kinds[number:]
        if stream is None:
            bus = _all(own, types, low)
            writer.wire(name, bus)
            low += total_width(own)
        elif isinstance(transport, Parallel):
            _select(writer, name, stream, own, low)
            low += total_width(own)
        else:
            _gather(writer, name, stream, transport.items, low)
            low += total_width(types) * transport.items
    return low


def _all(own: Sequence[FixedPoint], types: Sequence[FixedPoint], low: int) -> list[str]:
    """An event's block: types as in the design."""
    parts: list[str] = []
    for place, outer, inner in zip(offsets_of(own), own, types, strict=True):
        parts += convert("model_inp", low + place, outer, inner)
    return parts


def _select(writer: PhaseWriter, name: str, stream: Stream, own: Sequence[FixedPoint], low: int) -> None:
    """The word of each clock, of items that all are at the input: the first while no other is due."""
    types, value = writer.types(name), writer.schedule.folded.values[name]
    places = offsets_of(own)
    words = []
    for word in range(stream.words):
        parts: list[str] = []
        for item in range(word * stream.lanes, min((word + 1) * stream.lanes, stream.items)):
            for index, kind in enumerate(types):
                at = item * value.size + index
                parts += convert("model_inp", low + places[at], own[at], kind)
        words.append(parts)
    _wire_words(writer, name, stream, words)


def _gather(writer: PhaseWriter, name: str, stream: Stream, items: int, low: int) -> None:
    """The word of each clock, of beats of so many items, at least as many as a word has: what it needs has come."""
    one = writer.bits(name)
    if items == stream.lanes or not one:
        writer.wire(name, [element("model_inp", low, one * stream.lanes)])
        return
    beats = -(-stream.items // items)
    kept, firsts = [], []
    for beat in range(beats):  # what a later clock takes stays until the next event's beat comes
        first = max(beat * items, min((beat + 1) * stream.lanes, (beat + 1) * items))
        last = min((beat + 1) * items, stream.items)
        firsts.append(first)
        given = element("model_inp", low + (first - beat * items) * one, (last - first) * one)
        kept.append(writer.register((last - first) * one, given, _at(beat)) if last > first else "")
    words: list[list[str]] = [[] for _ in range(stream.words)]
    for item in range(stream.items):
        beat, place = divmod(item, items)
        part = element("model_inp", low + place * one, one)
        if item >= firsts[beat]:
            part = element(kept[beat], (item - firsts[beat]) * one, one)
        words[item // stream.lanes].append(part)
    _wire_words(writer, name, stream, words)


def _at(clock: int) -> str:
    return "start" if not clock else f"after[{clock}]"


def _wire_words(writer: PhaseWriter, name: str, stream: Stream, words: Sequence[Sequence[str]]) -> None:
    """One word in each clock."""
    width = writer.bits(name) * stream.lanes
    if stream.words == 1:
        writer.wire(name, words[0])
        return
    terms = [f"({{{width}{{{_at(w)}}}}} & {concatenate(p)})" for w, p in enumerate(words)]
    selected = writer.fresh("s")
    writer.lines.append(f"    wire [{width - 1}:0] {selected} = " + "\n        | ".join(terms) + ";")
    writer.wire(name, [selected])
    writer.gates += width * -(-2 * stream.words // 5)


def _outputs(writer: PhaseWriter, port: Port) -> str:
    parts, kinds = [], list(port.types)
    for name in writer.schedule.folded.outputs:
        bus = writer.hold_values(name, writer.schedule.latency, 1)
        types = writer.types(name)
        own, kinds = kinds[: len(types)], kinds[len(types) :]
        for low, inner, outer in zip(offsets_of(types), types, own, strict=True):
            parts += convert(bus, low, inner, outer)
    return concatenate(parts)


def _compare(outputs: Port, trigger: int, found: str) -> tuple[list[str], list[str]]:
    """Ports and body of the comparison with a threshold, as of a top module that is not folded."""
    kind = outputs.types[trigger]
    if not kind.width:
        raise ToolError(f"output '{outputs.labels[trigger]}' is always 0: there is nothing to trigger on")
    ports = [f"input wire [{kind.width - 1}:0] threshold,", "output wire trigger,"]
    return ports, comparison(outputs, trigger, found)
