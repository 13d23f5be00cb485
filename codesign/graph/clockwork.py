"""A schedule's own interpreter: what every word is in every clock, from integers; and the same without clocks.

Nothing here knows the graph's order of execution: a phase takes what is at its input in a clock, right or not, as the
registers of the hardware do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.graph.domain import Array
from codesign.graph.exact import Exact
from codesign.graph.items import joined, run_step, used
from codesign.graph.schedule import FoldedGraph, FoldPhase, Schedule, tree_clocks
from codesign.graph.streams import Combine, Kind, Stream, split

__all__ = ("Compute", "compute", "evaluate", "play")

#: what a module gives of its inputs, by name, each (rows, ...)
Compute: TypeAlias = Callable[[FoldPhase, Mapping[str, Array]], Mapping[str, Array]]

_COMBINE: dict[Combine, Callable[[Any, Any], Any]] = {
    Combine.SUM: np.add, Combine.MAX: np.maximum, Combine.MIN: np.minimum,
}  # fmt: skip
_OVER: dict[Combine, Callable[..., Any]] = {Combine.SUM: np.sum, Combine.MAX: np.max, Combine.MIN: np.min}


def compute(folded: FoldedGraph, phase: FoldPhase, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A module's outputs by the exact domain."""
    values, domain = dict(inputs), Exact()
    for step in phase.steps:
        values.update(zip(step.outputs, run_step(step, values, folded.constants, domain), strict=True))
    return {name: values[name] for name in phase.outputs}


def _stream(folded: FoldedGraph, name: str) -> Stream:
    stream = folded.values[name].stream
    assert stream is not None
    return stream


def _blocks(folded: FoldedGraph, values: Array) -> dict[str, Array]:
    """Input blocks of flat values (events, n): an event's (events, ...), a stream's (events, items, ...)."""
    found, low = {}, 0
    for name in folded.inputs:
        stream, shape = folded.values[name].stream, folded.given[name]
        high = low + int(np.prod(shape))
        block = values[:, low:high].reshape(len(values), *shape)
        found[name], low = block if stream is None else split(used(block, stream), stream), high
    return found


# ------------------------------------------------------------------------------------------------------ without clocks
def evaluate(folded: FoldedGraph, values: Array, module: Compute | None = None) -> Array:
    """Outputs (events, m) of values (events, n), phase by phase; ``module`` computes in place of the exact domain."""
    run: Compute = module or (lambda phase, inputs: compute(folded, phase, inputs))
    found, events = _blocks(folded, values), len(values)
    found |= {name: np.repeat(table[None], events, axis=0) for name, table in folded.tables.items()}
    for phase in folded.phases:
        x = found[phase.inputs[0]]
        if phase.is_module:
            rows = {n: _rows(folded, phase, n, found[n], phase.items) for n in phase.inputs}
            for name, out in run(phase, rows).items():
                items = (events, phase.items) if phase.kind is Kind.ITEM else (events,)
                found[name] = out.reshape(*items, *folded.values[name].shape)
        elif phase.kind is Kind.REDUCE:
            assert phase.combine is not None
            found[phase.outputs[0]] = _OVER[phase.combine](x, axis=1)
        elif phase.kind is Kind.COLLECT:
            found[phase.outputs[0]] = joined(x, _stream(folded, phase.inputs[0]))
        elif phase.kind is Kind.TURN:
            found[phase.outputs[0]] = split(x, _stream(folded, phase.outputs[0]))
        else:
            axis = _stream(folded, phase.inputs[0]).axis
            places = phase.stride * np.arange(phase.items)[:, None] + np.array(phase.offsets)
            inside = (places >= 0) & (places < x.shape[1])
            seen = x[:, np.clip(places, 0, x.shape[1] - 1)]  # (events, items, window, ...)
            seen = np.where(inside.reshape(1, *inside.shape, *[1] * (seen.ndim - 3)), seen, 0.0)
            found[phase.outputs[0]] = np.concatenate(list(np.moveaxis(seen, 2, 0)), axis=axis + 1)
    return np.concatenate([found[o].reshape(events, -1) for o in folded.outputs], axis=1)


def _rows(folded: FoldedGraph, phase: FoldPhase, name: str, x: Array, number: int) -> Array:
    """A module's input, one row for each item or event; an event's value beside items as often as there are."""
    if phase.kind is Kind.EVENT:
        return x
    shape = folded.values[name].shape
    if folded.values[name].stream is None:
        x = np.repeat(x[:, None], number, axis=1)
    return x.reshape(-1, *shape)


# --------------------------------------------------------------------------------------------------------- with clocks
class _Trace:
    """Every value in every clock: a stream's (clocks, lanes, ...), an event's (clocks, ...)."""

    def __init__(self, schedule: Schedule, arrivals: NDArray[np.int64]) -> None:
        self.schedule, self.folded = schedule, schedule.folded
        self.clocks = int(arrivals.max()) + schedule.latency + 2 * schedule.interval
        self.first = np.zeros(self.clocks, dtype=bool)
        self.first[arrivals] = True
        self.values: dict[str, Array] = {}

    def first_at(self, clock: int) -> NDArray[np.bool_]:
        """Whether a clock is so many after an event's first."""
        return np.concatenate([np.zeros(clock, dtype=bool), self.first])[: self.clocks]

    def held(self, x: Array, loads: Sequence[int]) -> Array:
        """``x`` through registers that take it so many clocks after an event's first."""
        for load in loads:
            taken = np.where(self.first_at(load), np.arange(self.clocks), 0)
            x = np.roll(x[np.maximum.accumulate(taken)], 1, axis=0)
        return x

    def input(self, phase: FoldPhase, name: str) -> Array:
        """What is at a phase's input in each clock."""
        start = self.schedule.starts[phase.name]
        if name in self.folded.tables:
            return self.read(name, start)
        x = self.values[name]
        if self.folded.values[name].stream is not None:
            return np.roll(x, start - self.schedule.clocks[name], axis=0)
        words = phase.words if phase.kind is Kind.ITEM else 1
        return self.held(x, self.schedule.holds(name, start, words))

    def read(self, name: str, start: int) -> Array:
        """A table's words, one in each clock from ``start`` after an event's first on; zeros where there is none."""
        items, stream = self.folded.tables[name], _stream(self.folded, name)
        slots = np.zeros((stream.words * stream.lanes - stream.items, *items.shape[1:]))
        words = np.concatenate([items, slots]).reshape(stream.words, stream.lanes, *items.shape[1:])
        x = np.zeros((self.clocks, *words.shape[1:]))
        for number, word in enumerate(words):
            x[self.first_at(start + number)] = word
        return x

    def module(self, phase: FoldPhase) -> None:
        rows = {n: _rows(self.folded, phase, n, self.input(phase, n), phase.lanes) for n in phase.inputs}
        for name, out in compute(self.folded, phase, rows).items():
            lanes = (phase.lanes,) if phase.kind is Kind.ITEM else ()
            shaped = out.reshape(self.clocks, *lanes, *self.folded.values[name].shape)
            delay = self.schedule.clocks[name] - self.schedule.starts[phase.name]
            self.values[name] = np.roll(shaped, delay, axis=0)

    def reduce(self, phase: FoldPhase) -> Array:
        """A tree over the lanes, whose slots without an item are left out, and a register that begins anew."""
        assert phase.combine is not None
        combine, over = _COMBINE[phase.combine], _OVER[phase.combine]
        start = self.schedule.starts[phase.name]
        x, last = self.input(phase, phase.inputs[0]), self.first_at(start + phase.words - 1)
        words: Array = np.where(
            last.reshape(-1, *[1] * (x.ndim - 2)), over(x[:, : phase.rest], axis=1), over(x, axis=1)
        )
        tree = tree_clocks(phase.together, self.schedule.tree)
        words, begins = np.roll(words, tree, axis=0), self.first_at(start + tree)
        if phase.words == 1:
            return np.asarray(words)
        kept: Array = np.zeros_like(words)
        for clock in range(self.clocks - 1):
            kept[clock + 1] = words[clock] if begins[clock] else combine(kept[clock], words[clock])
        return kept

    def window(self, phase: FoldPhase) -> Array:
        """An item's neighbours in this word and others; zero where none is."""
        start, name = self.schedule.starts[phase.name], phase.inputs[0]
        x, stream = self.input(phase, name), _stream(self.folded, name)
        beside = []
        for offset in phase.offsets:
            lanes = []
            for lane in range(phase.lanes):
                at = phase.stride * lane + offset
                word, place = divmod(at, stream.lanes)
                there = np.zeros(self.clocks, dtype=bool)
                for number in range(phase.words):
                    if 0 <= number * stream.lanes + at < stream.items:
                        there |= self.first_at(start + phase.right + number)
                seen = np.roll(x[:, place], phase.right - word, axis=0)
                lanes.append(np.where(there.reshape(-1, *[1] * (seen.ndim - 1)), seen, 0.0))
            beside.append(np.stack(lanes, axis=1))
        return np.concatenate(beside, axis=stream.axis + 1)

    def collect(self, phase: FoldPhase) -> Array:
        stream = _stream(self.folded, phase.inputs[0])
        x = self.input(phase, phase.inputs[0])
        words = [np.roll(x, phase.words - 1 - w, axis=0) for w in range(phase.words)]
        return joined(np.concatenate(words, axis=1)[:, : phase.items], stream)

    def turn(self, phase: FoldPhase) -> Array:
        """The first word as it comes, the others from a register that took them then, by the number of each clock."""
        stream, start = _stream(self.folded, phase.outputs[0]), self.schedule.starts[phase.name]
        items = split(self.input(phase, phase.inputs[0]), stream)
        slots = np.zeros((self.clocks, phase.words * phase.lanes - phase.items, *items.shape[2:]))
        words = np.concatenate([items, slots], axis=1).reshape(self.clocks, phase.words, phase.lanes, *items.shape[2:])
        found = words[:, 0]
        kept = self.held(words, [start])
        for number in range(1, phase.words):
            now = self.first_at(start + number)
            found[now] = kept[now, number]
        return np.roll(found, 1, axis=0)


def play(
    schedule: Schedule, values: Array, arrivals: Sequence[int], garbage: np.random.Generator, check: bool = True
) -> Array:
    """Outputs (events, m), each in the clock in which it must be there, of values (events, n).

    ``arrivals``: clock of each event's first word. Whatever is no event's is ``garbage``: idle clocks, slots without an
    item, an event's values when they are not taken. InputError for events closer than the interval, where ``check``.
    """
    when, folded = np.asarray(arrivals, dtype=np.int64), schedule.folded
    if check and (np.diff(when) < schedule.interval).any():
        raise InputError(f"events come closer than the schedule's interval of {schedule.interval} clocks")
    trace = _Trace(schedule, when)
    for name, block in _blocks(folded, values).items():
        trace.values[name] = _arriving(folded, name, block, when, trace.clocks, garbage)
    boundaries = {Kind.REDUCE: trace.reduce, Kind.WINDOW: trace.window, Kind.COLLECT: trace.collect,
                  Kind.TURN: trace.turn}  # fmt: skip
    for phase in folded.phases:
        if phase.is_module:
            trace.module(phase)
        else:
            trace.values[phase.outputs[0]] = boundaries[phase.kind](phase)
    outputs = []
    for name in folded.outputs:
        loads = schedule.holds(name, schedule.latency, 1)
        outputs.append(trace.held(trace.values[name], loads)[when + schedule.latency].reshape(len(when), -1))
    return np.concatenate(outputs, axis=1)


def _arriving(
    folded: FoldedGraph, name: str, block: Array, when: NDArray[np.int64], clocks: int, garbage: np.random.Generator
) -> Array:
    stream, kinds = folded.values[name].stream, folded.types[name]
    low, high, lsb = (
        np.array([f(k) for k in kinds]) for f in (lambda k: k.minimum, lambda k: k.maximum, lambda k: k.lsb)
    )
    lanes = () if stream is None else (stream.lanes,)
    codes = garbage.integers(low, high + 1, (clocks, *lanes, len(kinds)))
    found: Array = (codes * lsb).reshape(clocks, *lanes, *folded.values[name].shape)
    if stream is None:
        found[when] = block
        return found
    for word in range(stream.words):
        items = block[:, word * stream.lanes : (word + 1) * stream.lanes]
        found[when + word, : items.shape[1]] = items
    return found
