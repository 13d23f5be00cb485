"""Folding: from a graph alone to phases of hardware that work on a word of items at a clock, and when each does.

A node does the same to each item, works once an event, or stands behind a *boundary* that needs more than one item (a
reduction, a window, a turn). A value's *level* is the number of boundaries before it. What is of one level and kind is
one segment, compiled as one module (of items: ``lanes`` copies), or as two where items take what is made of the event
behind products that do not need it; boundaries are written as registers. Every phase has hardware of its own and takes
the next event ``interval`` clocks after the last, however many levels there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from codesign.core.fixedpoint import FixedPoint, Port
from codesign.graph.domain import Array
from codesign.graph.items import identities, intervals_of, types_of
from codesign.graph.label_rules import RULES
from codesign.graph.labels import Labelled
from codesign.graph.levels import Levels
from codesign.graph.reader import Graph
from codesign.graph.streams import Combine, Kind, Step, UnevenWord, Value

__all__ = ("FoldPhase", "FoldedGraph", "Schedule", "fold")

#: items of a word that strides ask for at most
_MOST_TOGETHER = 64
#: nodes that only say where an element stands
_WIRES = ("Reshape", "Transpose", "Identity")


@dataclass(frozen=True)
class FoldPhase:
    """One piece of hardware.

    Attributes
    ----------
    inputs, outputs: values by name.
    items, lanes, words: of its stream (a turn's: of the one it makes); 1 each where it works once an event.
    steps: what a module computes, in order; of a boundary its one step.
    wires: whether the module moves elements only: no clock passes.
    front: of a module of items behind another, the other one's name, whose values are made when this one needs them.
    direct: whether all that comes in is there in registers, so that this module needs none of its own for it.
    """

    kind: Kind
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    items: int
    lanes: int
    words: int
    steps: tuple[Step, ...]
    wires: bool = False
    front: str = ""
    direct: bool = False

    @property
    def is_module(self) -> bool:
        """Whether it is compiled."""
        return self.kind in (Kind.ITEM, Kind.EVENT)

    @property
    def rest(self) -> int:
        """Items in the last word."""
        return self.items - (self.words - 1) * self.lanes

    @property
    def together(self) -> int:
        """Items that are at it in a clock at most."""
        return self.lanes if self.words > 1 else self.items

    @property
    def combine(self) -> Combine | None:
        """Of a reduction."""
        return self.steps[0].combine

    @property
    def offsets(self) -> tuple[int, ...]:
        """Of a window."""
        return self.steps[0].offsets

    @property
    def stride(self) -> int:
        """Of a window, items of the words that come in from one of its middles to the next one's."""
        return self.steps[0].stride

    @property
    def right(self) -> int:
        """Words that a window waits for."""
        return max(0, self.stride * (self.lanes - 1) + max(self.offsets)) // (self.stride * self.lanes)

    @property
    def left(self) -> int:
        """Words that a window keeps."""
        return -(min(0, *self.offsets) // (self.stride * self.lanes)) if self.offsets else 0


@dataclass(frozen=True)
class FoldedGraph:
    """Phases in order, without their clocks, which the compiled modules say.

    Attributes
    ----------
    interval: clocks from one event's first word to the next event's, at least.
    values, types: of each value by name, its stream and shape, and the type of each of its elements.
    inputs, outputs: names of the graph's blocks and heads.
    given: shape of each block as it comes; where its stream has fewer items, the others are not used.
    tables: constants of each item (items, ...) by name, of a stream that is there whenever a phase takes its words.
    """

    interval: int
    phases: tuple[FoldPhase, ...]
    values: Mapping[str, Value]
    types: Mapping[str, tuple[FixedPoint, ...]]
    constants: Mapping[str, Array]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    given: Mapping[str, tuple[int, ...]]
    tables: Mapping[str, Array]

    def timed(self, latency: Mapping[str, int], tree: int = 2) -> Schedule:
        """When everything happens: ``latency`` in clocks of each module by name, ``tree`` lanes added in one clock.

        A module's clocks are those from its input to its output, both registered: one more than the latency of a whole
        firmware, which counts from the edge that samples.
        """
        clocks: dict[str, int] = dict.fromkeys(self.inputs, 0)
        starts: dict[str, int] = {}
        made: dict[str, tuple[str, ...]] = {}
        for phase in self.phases:
            streams = [clocks[n] for n in phase.inputs if self.values[n].stream is not None and n not in self.tables]
            events = [clocks[n] for n in phase.inputs if self.values[n].stream is None]
            held = [c + (phase.words > 1) for c in events] if phase.kind is Kind.ITEM else events
            start = starts[phase.name] = max(streams + held)
            if phase.front:
                starts[phase.front] = start - latency[phase.front]
                clocks.update(dict.fromkeys(made[phase.front], start))
            made[phase.name] = phase.outputs
            match phase.kind:
                case Kind.REDUCE:
                    takes = tree_clocks(phase.together, tree) + (phase.words if phase.words > 1 else 0)
                case Kind.WINDOW:
                    takes = phase.right
                case Kind.COLLECT:
                    takes = phase.words - 1
                case Kind.TURN:
                    takes = 1
                case _:
                    takes = 0 if phase.wires else latency[phase.name]
            clocks.update(dict.fromkeys(phase.outputs, start + takes))
        return Schedule(self, clocks, starts, max(clocks[o] for o in self.outputs), tree)


@dataclass(frozen=True)
class Schedule:
    """Phases with their clocks, counted from the one in which an event's first word is at the input.

    Attributes
    ----------
    clocks: of each value, when its first word is there; an event's value is there in that clock alone.
    starts: of each phase, when it takes its first word.
    latency: clock in which all outputs are there.
    tree: lanes that are added in one clock.
    """

    folded: FoldedGraph
    clocks: Mapping[str, int]
    starts: Mapping[str, int]
    latency: int
    tree: int

    @property
    def interval(self) -> int:
        """Clocks between two events, at least."""
        return self.folded.interval

    def holds(self, name: str, start: int, words: int) -> tuple[int, ...]:
        """Clocks in which registers, one after another, take an event's value to have it from ``start`` for ``words``.

        None where it is there by itself. A register keeps its value until the next event comes to it, ``interval``
        clocks later: what is needed for longer goes through several.
        """
        if self.clocks[name] == start and words == 1:
            return ()
        loads = [self.clocks[name]]
        while loads[-1] + self.interval < start + words - 1:
            loads.append(min(loads[-1] + self.interval, start - 1))
        return tuple(loads)


def tree_clocks(lanes: int, tree: int) -> int:
    """Registers of a tree over so many lanes, ``tree`` of them taken in a clock."""
    clocks = 0
    while lanes > 1:
        lanes, clocks = -(-lanes // tree), clocks + 1
    return clocks


def fold(graph: Graph, port: Port, interval: int) -> FoldedGraph:
    """Fold a graph for inputs of these types, to take an event every ``interval`` clocks or more often.

    CannotFold names the first node that does not treat all items alike.
    """
    labelled = _labelled(graph, port, interval)
    found = intervals_of(labelled, graph, port)
    identities(labelled, found)
    types = {name: types_of(x) for name, x in found.items()}
    phases = _phases(labelled, types)
    return FoldedGraph(
        interval=max((p.words for p in phases), default=1),
        phases=phases,
        values=labelled.values,
        types=types,
        constants=labelled.constants,
        inputs=labelled.inputs,
        outputs=labelled.outputs,
        given=labelled.given,
        tables=labelled.tables,
    )


def _labelled(graph: Graph, port: Port, interval: int) -> Labelled:
    """Labels of a graph, with words of as many items as its strides go into."""
    multiple = 1
    while True:
        try:
            return Labelled(graph, port.size, interval, RULES, multiple)
        except UnevenWord as uneven:
            multiple *= uneven.times
            if multiple > _MOST_TOGETHER:
                raise


def _phases(labelled: Labelled, types: Mapping[str, tuple[FixedPoint, ...]]) -> tuple[FoldPhase, ...]:
    bits = {name: sum(t.width for t in kinds) for name, kinds in types.items()}
    levels = Levels(labelled, bits)
    users: dict[str, set[tuple[int, ...]]] = defaultdict(set)
    groups: dict[tuple[int, ...], list[Step]] = defaultdict(list)
    for place, step in enumerate(labelled.steps):
        groups[levels.group(place)].append(step)
        for name in step.inputs:
            users[name].add(levels.group(place))
    phases: list[FoldPhase] = []
    for number, key in enumerate(sorted(groups)):
        steps = groups[key]
        made = [o for s in steps for o in s.outputs]
        inputs = dict.fromkeys(i for s in steps for i in s.inputs if i not in made)
        outputs = [o for o in made if users[o] - {key} or o in labelled.outputs]
        kind = steps[0].kind
        streams = [labelled.values[n].stream for n in (*inputs, *made)]
        stream = next((s for s in streams if s is not None), None)
        if kind is Kind.WINDOW:  # as many words as come in; items of what comes out
            stream = labelled.values[made[0]].stream
        if kind is Kind.EVENT:
            stream = None
        layout = (stream.items, stream.lanes, stream.words) if stream else (1, 1, 1)
        wires = all(s.node is not None and s.node.op in _WIRES for s in steps)
        name = f"{kind.value}{number}"
        phase = FoldPhase(kind, name, tuple(inputs), tuple(outputs), *layout, tuple(steps), wires)
        if kind is Kind.ITEM and key[-1] and not wires:
            phase = _behind(phase, phases, labelled)
        phases.append(phase)
    return tuple(p for p in phases if p.outputs)


def _behind(phase: FoldPhase, before: list[FoldPhase], labelled: Labelled) -> FoldPhase:
    """A phase of items with what is in front of it; what it waits for of the event takes its sums as they are, too."""
    streams = {n for n in phase.inputs if labelled.values[n].stream is not None}
    front = before[-1]
    if not streams & set(front.outputs):
        return phase
    summed = {o for p in before if p.kind is Kind.REDUCE and p.items > 1 for o in p.outputs}
    for place, other in enumerate(before):
        if other.kind is Kind.EVENT and set(other.outputs) & set(phase.inputs) and not other.wires:
            before[place] = replace(other, direct=len(other.inputs) == 1 and other.inputs[0] in summed)
    return replace(phase, front=front.name, direct=streams <= set(front.outputs))
