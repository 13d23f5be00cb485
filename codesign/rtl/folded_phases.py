"""Verilog of what folding puts between compiled modules: delays, holds, trees and accumulators, windows, turns.

Everything is reset by the control alone, a shift register of an event's first clock: ``at[c]`` is 1 so many clocks
after it. What a register holds at other times is of no event, and nothing waits for it to be anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from codesign.core.fixedpoint import FixedPoint
from codesign.graph.exact import Exact
from codesign.graph.items import joined, run_step
from codesign.graph.schedule import FoldPhase, Schedule
from codesign.graph.streams import Combine, Kind, Stream, split
from codesign.rtl.bits import concatenate, convert, element, offsets_of, total_width
from codesign.rtl.folded_constants import neutral, selected, table_gates, table_words
from codesign.rtl.folded_turns import chosen, chosen_gates, number_bits, number_of_word

__all__ = ("PhaseWriter",)


@dataclass
class PhaseWriter:
    """Writes phases one after another.

    Attributes
    ----------
    modules: of each compiled phase, the name of its module.
    lines: declarations and bodies so far.
    flip_flops, shifts, gates: bits of registers, of shift registers in look-up tables, and of adders and gates.
    parts: modules of its own, as text; ``copies``: how many instances there are of each module.
    """

    schedule: Schedule
    modules: dict[str, str]
    lines: list[str] = field(default_factory=list)
    flip_flops: int = 0
    shifts: int = 0
    gates: int = 0
    parts: list[str] = field(default_factory=list)
    copies: Counter[str] = field(default_factory=Counter)
    _trees: dict[tuple[FixedPoint, FixedPoint, Combine | None, int], tuple[str, int, int]] = field(default_factory=dict)
    _wires: dict[str, str] = field(default_factory=dict)
    _number: int = 0

    # ------------------------------------------------------------------------------------------------- small things
    def types(self, name: str) -> tuple[FixedPoint, ...]:
        """Type of each element of a value, of one item."""
        return self.schedule.folded.types[name]

    def bits(self, name: str) -> int:
        """Width of a value, of one item."""
        return total_width(self.types(name))

    def stream(self, name: str) -> Stream | None:
        """The stream of a value."""
        return self.schedule.folded.values[name].stream

    def _stream(self, name: str) -> Stream:
        stream = self.stream(name)
        assert stream is not None
        return stream

    def lanes(self, name: str) -> int:
        """Items of a word; 1 of an event's value."""
        stream = self.stream(name)
        return 1 if stream is None else stream.lanes

    def fresh(self, what: str) -> str:
        """A name that nothing has."""
        self._number += 1
        return f"{what}{self._number}"

    def wire(self, name: str, parts: Sequence[str]) -> str:
        """The bus of a value, from parts, lowest first."""
        width = self.bits(name) * self.lanes(name)
        bus = self._wires[name] = self.fresh("v")
        self.lines.append(f"    // verilator lint_off UNUSEDSIGNAL\n    wire [{max(width, 1) - 1}:0] {bus};")
        self.lines.append("    // verilator lint_on UNUSEDSIGNAL")
        if parts:
            self.lines.append(f"    assign {bus} = {concatenate(parts)};")
        elif not width:
            self.lines.append(f"    assign {bus} = 1'b0;")
        return bus

    def register(self, width: int, next_: str, when: str = "") -> str:
        """The name of a register of so many bits, which takes ``next_`` in every clock, or ``when`` told."""
        name = self.fresh("r")
        condition = f"if ({when}) " if when else ""
        self.lines.append(f"    reg [{width - 1}:0] {name};")
        self.lines.append(f"    always @(posedge clk) {condition}{name} <= {next_};")
        self.flip_flops += width
        return name

    def delay(self, bus: str, width: int, clocks: int) -> str:
        """A bus so many clocks later: a shift register."""
        if clocks < 1 or not width:
            return bus
        if clocks == 1:
            return self.register(width, bus)
        name = self.fresh("d")
        self.lines.append(f"    wire [{width - 1}:0] {name};")
        self.lines.append(
            f"    codesign_delay #(.WIDTH({width}), .CLOCKS({clocks})) delay_{name} (.clk(clk), .d({bus}), .q({name}));"
        )
        if clocks > 2:
            self.shifts += width * -(-clocks // 32)
        else:
            self.flip_flops += width * clocks
        return name

    def hold_values(self, name: str, start: int, words: int) -> str:
        """An event's value from a clock on."""
        bus, width = self._wires[name], self.bits(name)
        if self.schedule.interval == 1:
            return self.delay(bus, width, start - self.schedule.clocks[name])
        for load in self.schedule.holds(name, start, words):
            bus = self.register(width, bus, f"at[{load}]") if width else bus
        return bus

    def arriving(self, phase: FoldPhase, name: str) -> str:
        """A phase's input when it takes its first word."""
        start = self.schedule.starts[phase.name]
        if (table := self.schedule.folded.tables.get(name)) is not None:
            words, bus = table_words(table, self.types(name), self.lanes(name)), self.fresh("c")
            self.lines.append(f"    wire [{len(words[0]) - 1}:0] {bus} = {selected(words, start)};")
            self.gates += table_gates(words)
            return bus
        if self.stream(name) is None:
            return self.hold_values(name, start, phase.words if phase.kind is Kind.ITEM else 1)
        return self.delay(self._wires[name], self.bits(name) * self.lanes(name), start - self.schedule.clocks[name])

    # ------------------------------------------------------------------------------------------------------- phases
    def write(self, phase: FoldPhase) -> None:
        """Write one phase, and the buses of what it makes."""
        self.lines.append(f"    // {phase.name}")
        match phase.kind:
            case Kind.REDUCE:
                self._reduce(phase)
            case Kind.WINDOW:
                self._window(phase)
            case Kind.COLLECT:
                self._collect(phase)
            case Kind.TURN:
                self._turn(phase)
            case _:
                self._module(phase)

    def _module(self, phase: FoldPhase) -> None:
        copies, module = phase.lanes if phase.kind is Kind.ITEM else 1, self.modules.get(phase.name, "")
        if phase.wires or copies == 1:
            inputs = {n: self.arriving(phase, n) for n in phase.inputs}
        else:
            own = {n for n in phase.inputs if self.stream(n) and n in self._wires}
            inputs = {n: self._wires[n] if n in own else self.arriving(phase, n) for n in phase.inputs}
            module = self._lane(phase, module)
        if phase.wires:
            self._rewire(phase, inputs)
            return
        self.copies[module] += copies
        width = sum(self.bits(o) for o in phase.outputs)
        made = [self.fresh("m") for _ in range(copies)]
        for lane, out in enumerate(made):
            parts = [element(inputs[n], (lane if self.stream(n) else 0) * self.bits(n), self.bits(n)) for n in inputs]
            self.lines.append(f"    wire [{width - 1}:0] {out};")
            self.lines.append(
                f"    {module} {phase.name}_{lane} (.clk(clk), .model_inp({concatenate(parts)}), .model_out({out}));"
            )
        low = 0
        for name in phase.outputs:
            self.wire(name, [element(out, low, self.bits(name)) for out in made])
            low += self.bits(name)

    @contextmanager
    def _part(self, name: str, inputs: int, outputs: int, copies: int) -> Iterator[None]:
        """What is written within becomes a module with ports of so many bits, and counts for so many copies."""
        lines, before = self.lines, (self.flip_flops, self.shifts, self.gates)
        self.lines = []
        yield
        body, self.lines = "\n".join(self.lines), lines
        self.flip_flops, self.shifts, self.gates = (
            old + copies * (new - old)
            for old, new in zip(before, (self.flip_flops, self.shifts, self.gates), strict=True)
        )
        self.parts.append(f"""\
module {name} (
    input wire clk,
    // verilator lint_off UNUSEDSIGNAL
    input wire [{inputs - 1}:0] model_inp,
    // verilator lint_on UNUSEDSIGNAL
    output wire [{outputs - 1}:0] model_out
);
{body}
endmodule
""")

    def _lane(self, phase: FoldPhase, module: str) -> str:
        """The module of one item with its delays in front, where there are any."""
        start, low, parts = self.schedule.starts[phase.name], 0, []
        delays = {n: start - self.schedule.clocks.get(n, start) if self.stream(n) else 0 for n in phase.inputs}
        if not any(delays.values()):
            return module
        name, outputs = f"{module}_lane", sum(self.bits(o) for o in phase.outputs)
        with self._part(name, sum(self.bits(n) for n in phase.inputs), outputs, phase.lanes):
            for value, clocks in delays.items():
                width = self.bits(value)
                parts.append(self.delay(element("model_inp", low, width), width, clocks))
                low += width
            self.lines.append(f"    {module} own (.clk(clk), .model_inp({concatenate(parts)}), .model_out(model_out));")
        return name

    def _rewire(self, phase: FoldPhase, inputs: dict[str, str]) -> None:
        """Elements that only stand elsewhere."""
        folded, start = self.schedule.folded, 0
        places: list[tuple[str, int]] = []
        numbered: dict[str, NDArray[np.float64]] = {}
        for name in phase.inputs:
            value = folded.values[name]
            numbered[name] = np.arange(start, start + value.size, dtype=np.float64).reshape(1, *value.shape)
            places += [(name, i) for i in range(value.size)]
            start += value.size
        domain = Exact()
        for step in phase.steps:
            numbered.update(zip(step.outputs, run_step(step, numbered, folded.constants, domain), strict=True))
        for out in phase.outputs:
            parts = []
            for lane in range(self.lanes(out)):
                for kind, place in zip(self.types(out), numbered[out].ravel().astype(int), strict=True):
                    name, index = places[place]
                    low = (lane if self.stream(name) else 0) * self.bits(name) + offsets_of(self.types(name))[index]
                    parts += convert(inputs[name], low, self.types(name)[index], kind)
            self.wire(out, parts)

    def _reduce(self, phase: FoldPhase) -> None:
        """Lanes without an item are left out of the last word; a tree; an accumulator that begins anew."""
        (name,), (out,), start = phase.inputs, phase.outputs, self.schedule.starts[phase.name]
        x, parts, results = self.arriving(phase, name), self.types(name), []
        for index, (low, kind, total) in enumerate(zip(offsets_of(parts), parts, self.types(out), strict=True)):
            if not total.width:
                continue
            if not kind.width:
                results.append(f"{total.width}'b0")
                continue
            if phase.words == 1:
                places = [lane * self.bits(name) + low for lane in range(phase.together)]
                results.append(self._tree(phase, x, places, kind, total))
                continue
            lanes = []
            for lane in range(phase.lanes):
                bits = element(x, lane * self.bits(name) + low, kind.width)
                if lane >= phase.rest:
                    none = neutral(phase.combine, kind)
                    bits = f"(at[{start + phase.words - 1}] ? {kind.width}'d{none} : {bits})"
                lanes.append(self._extend(bits, kind, total, f"{phase.name}_{index}_{lane}"))
            results.append(self._accumulate(phase, lanes, total, start))
        self.wire(out, results)

    def _tree(self, phase: FoldPhase, x: str, places: Sequence[int], kind: FixedPoint, total: FixedPoint) -> str:
        """All items of an event at once: a module, one for all elements that are alike."""
        key, width = (kind, total, phase.combine, len(places)), kind.width
        if key not in self._trees:
            name = f"codesign_tree{len(self._trees)}"
            before = self.flip_flops, self.gates
            with self._part(name, width * len(places), total.width, 1):
                lanes = [
                    self._extend(element("model_inp", lane * width, width), kind, total, "")
                    for lane in range(len(places))
                ]
                self.lines.append(f"    assign model_out = {self._accumulate(phase, lanes, total, 0)};")
            self._trees[key] = name, self.flip_flops - before[0], self.gates - before[1]
            self.flip_flops, self.gates = before
        name, flip_flops, gates = self._trees[key]
        self.copies[name] += 1
        self.flip_flops, self.gates = self.flip_flops + flip_flops, self.gates + gates
        out = self.fresh("a")
        self.lines.append(f"    wire [{total.width - 1}:0] {out};")
        given = concatenate([element(x, place, width) for place in places])
        self.lines.append(f"    {name} tree_{out} (.clk(clk), .model_inp({given}), .model_out({out}));")
        return out

    def _extend(self, bits: str, kind: FixedPoint, total: FixedPoint, name: str) -> str:
        """Bits of one type as a wire of another."""
        given, wire = self.fresh("e"), self.fresh("e")
        self.lines.append(f"    wire [{kind.width - 1}:0] {given} = {bits};")
        self.lines.append(f"    wire [{total.width - 1}:0] {wire} = {concatenate(convert(given, 0, kind, total))};")
        return wire

    def _accumulate(self, phase: FoldPhase, lanes: list[str], total: FixedPoint, start: int) -> str:
        width, tree = total.width, self.schedule.tree
        while len(lanes) > 1:
            start += 1
            groups = [lanes[i : i + tree] for i in range(0, len(lanes), tree)]
            lanes = [self.register(width, self._combine(phase, group, total)) for group in groups]
        (word,) = lanes
        if phase.words == 1:
            return word
        name = self.fresh("a")
        self.lines.append(f"    reg [{width - 1}:0] {name};")
        if phase.combine is Combine.SUM:
            following = f"{word} + (at[{start}] ? {width}'d0 : {name})"
        else:
            following = f"at[{start}] ? {word} : {self._combine(phase, [word, name], total)}"
        self.lines.append(f"    always @(posedge clk) {name} <= {following};")
        self.flip_flops += width
        self.gates += width
        return name

    def _combine(self, phase: FoldPhase, lanes: list[str], total: FixedPoint) -> str:
        self.gates += (len(lanes) - 1) * total.width
        if phase.combine is Combine.SUM:
            return " + ".join(lanes)
        found, *others = lanes
        sign = "<" if phase.combine is Combine.MIN else ">"
        for other in others:
            wire = self.fresh("e")
            ends = (f"$signed({found}) {sign} $signed({other})", f"{found} {sign} {other}")
            compared = ends[0] if total.signed else ends[1]
            self.lines.append(f"    wire [{total.width - 1}:0] {wire} = {compared} ? {found} : {other};")
            self.gates += total.width
            found = wire
        return found

    def _window(self, phase: FoldPhase) -> None:
        """Words in a row of registers; zero where a neighbour would be beyond a border."""
        (name,), (out,), start = phase.inputs, phase.outputs, self.schedule.starts[phase.name]
        stream, width = self._stream(name), self.bits(name) * self.lanes(name)
        words = [self.arriving(phase, name)]
        for _ in range(phase.right + phase.left):
            words.append(self.register(width, words[-1]))
        value = self.schedule.folded.values[name]
        places = np.arange(value.size).reshape(value.shape)
        offsets = np.arange(len(phase.offsets)) * value.size
        order = np.concatenate([places + o for o in offsets], axis=stream.axis - 1).ravel()
        lows, kinds, parts = offsets_of(self.types(name)), self.types(name), []
        for lane in range(phase.lanes):
            seen = []
            for offset in phase.offsets:
                at = phase.stride * lane + offset
                word, place = divmod(at, stream.lanes)
                positions = [n * stream.lanes + at for n in range(phase.words)]
                outside = [
                    f"at[{start + phase.right + n}]" for n, p in enumerate(positions) if not 0 <= p < stream.items
                ]
                bus = words[phase.right - word]
                one = element(bus, place * self.bits(name), self.bits(name))
                if outside and one:
                    wire = self.fresh("n")
                    masked = f"({' | '.join(outside)}) ? {self.bits(name)}'d0 : {one}"
                    self.lines.append(f"    wire [{self.bits(name) - 1}:0] {wire} = {masked};")
                    self.gates += self.bits(name)
                    seen.append((wire, 0))
                else:
                    seen.append((bus, place * self.bits(name)))
            for kind, number in zip(self.types(out), order, strict=True):
                (bus, base), index = seen[number // value.size], number % value.size
                parts += convert(bus, base + lows[index], kinds[index], kind)
        self.wire(out, parts)

    def _collect(self, phase: FoldPhase) -> None:
        """The words of before in registers, beside the last one."""
        (name,), (out,) = phase.inputs, phase.outputs
        stream, width = self._stream(name), self.bits(name) * self.lanes(name)
        words = [self.arriving(phase, name)]
        for _ in range(phase.words - 1):
            words.insert(0, self.register(width, words[0]) if width else words[0])
        value = self.schedule.folded.values[name]
        places = np.arange(stream.items * value.size).reshape(1, stream.items, *value.shape)
        parts, lows = [], offsets_of(self.types(name))
        for kind, number in zip(self.types(out), joined(places, stream).ravel(), strict=True):
            item, index = divmod(int(number), value.size)
            word, lane = divmod(item, stream.lanes)
            parts += convert(words[word], lane * self.bits(name) + lows[index], self.types(name)[index], kind)
        self.wire(out, parts)

    def _turn(self, phase: FoldPhase) -> None:
        """All words but the first in a register; the one of each clock is chosen by its number."""
        (name,), (out,), start = phase.inputs, phase.outputs, self.schedule.starts[phase.name]
        stream, x = self._stream(out), self.arriving(phase, name)
        value, width = self.schedule.folded.values[name], self.bits(out) * stream.lanes
        order = split(np.arange(value.size).reshape(1, *value.shape), stream)[0].reshape(stream.items, -1)
        lows, kinds, whole = offsets_of(self.types(name)), self.types(name), self.fresh("t")
        places = [(kind, int(index)) for row in order for kind, index in zip(self.types(out), row, strict=True)]
        parts = [part for kind, index in places for part in convert(x, lows[index], kinds[index], kind)]
        if missing := (stream.words * stream.lanes - stream.items) * self.bits(out):
            parts.append(f"{missing}'b0")
        self.lines.append(f"    wire [{width * stream.words - 1}:0] {whole} = {concatenate(parts)};")
        words = [element(whole, 0, width)]
        if (others := stream.words - 1) > 0:
            number = self.register(number_bits(stream.words), number_of_word(stream.words, start))
            kept = self.register(width * others, element(whole, width, width * others), f"at[{start}]")
            words = [chosen([*words, *(element(kept, width * n, width) for n in range(others))], number)]
            self.gates += width * chosen_gates(stream.words)
        self.wire(out, [element(self.register(width, words[0]), 0, width)])
