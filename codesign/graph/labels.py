"""Labels: which axis of each value of a graph holds the items, and the steps that follow from it, from the graph alone.

The items are along the first axis of an input of several axes, or of what a flat input is at once reshaped to. A node's
rule (:mod:`codesign.graph.label_rules`) says what becomes of the axis, puts boundaries in front of a node that needs
more than one item, and refuses what does not treat all items alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from codesign.graph.domain import Array
from codesign.graph.exact import Exact
from codesign.graph.nodes import STANDARD, Call, Node, Operand, result_of
from codesign.graph.reader import Graph, Operands
from codesign.graph.streams import CannotFold, Combine, Kind, Step, Stream, UnevenWord, Value, split

__all__ = ("Labelled", "Rule")


class Labelled:
    """A graph as steps over cut values, for an interval of so many clocks; CannotFold names what has no such form."""

    def __init__(
        self, graph: Graph, inputs: int, interval: int, rules: Mapping[tuple[str, str], Rule], multiple: int = 1
    ) -> None:
        self.interval, self._multiple = interval, multiple
        self.constants: dict[str, Array] = dict(graph.constants)
        #: shapes without the events' axis, of all items
        self.full: dict[str, tuple[int, ...]] = {}
        self.values: dict[str, Value] = {}
        #: constants that differ from item to item, (items, ...) each cut: streams that are there whenever they are read
        self.tables: dict[str, Array] = {}
        self.steps: list[Step] = []
        nodes = self._shapes(graph, inputs)
        self.inputs = tuple(block.name for block in graph.inputs)
        #: shapes of the inputs as they come, of which the first items alone may be used
        self.given = {name: self.full[name] for name in self.inputs}
        for name in self.inputs:
            self._leave_out(name, nodes)
        for name in self.inputs:
            self._add(name, self._stream_of_input(name, nodes))
        for node in nodes:
            signals = [i for i in node.inputs if i and i not in self.constants]
            rule = rules.get((node.domain, node.op))
            streams = [s for s in signals if self.values[s].stream is not None]
            if streams and rule is None:
                raise CannotFold(node.name, f"{node.op} is not the same for every item")
            if rule is not None and (streams or node.op in ("Expand", "Tile")):
                rule(self, node)
            else:
                self.event(node)
        self.outputs = tuple(self.whole(name) for name in graph.outputs)

    def _shapes(self, graph: Graph, inputs: int) -> list[Node]:
        """Shapes of all that depends on the input, and the nodes that make it."""
        domain, done = Exact(), []

        def step(node: Node, operands: Operands, folding: bool) -> tuple[Any, ...]:
            done.append(node)
            return result_of(Call(node, operands, domain, folding, graph.batch))

        known = dict(self.constants)
        found = graph.walk(graph.blocks(np.zeros((1, inputs)), domain), known, step)
        self.constants = known
        self.full = {n: tuple(v.shape[1:]) for n, v in found.items() if n not in known}
        return [n for n in done if any(o in self.full for o in n.outputs)]

    def _leave_out(self, name: str, nodes: Sequence[Node]) -> None:
        """Of an input whose first items alone are used, the others; what is between has as many."""
        chain = [name]
        while len(users := [n for n in nodes if chain[-1] in n.inputs]) == 1:
            (node,) = users
            old, new = self.full[chain[-1]], self.full[node.outputs[0]]
            if node.op == "Slice" and len(old) > 1 and 1 < new[0] < old[0] and new[1:] == old[1:]:
                numbered = np.broadcast_to(np.arange(old[0], dtype=np.float64).reshape(-1, *[1] * len(old[1:])), old)
                operands: Operands = tuple(
                    Operand(i, self.constants[i] if i in self.constants else numbered[None], i in self.constants)
                    for i in node.inputs
                )
                (kept,) = result_of(Call(node, operands, Exact()))
                if np.array_equal(kept[0], numbered[: new[0]]):
                    self.full |= dict.fromkeys(chain, new)
                return
            if node.op not in ("Quant", "IntQuant", "Identity") or new != old:
                return
            chain.append(node.outputs[0])

    def _stream_of_input(self, name: str, nodes: Sequence[Node]) -> Stream | None:
        shape = self.full[name]
        if len(shape) > 1:
            return self.stream(1, shape[0], 1) if shape[0] > 1 else None
        reached = {name}
        for node in nodes:
            if node.inputs[0] not in reached:
                continue
            out = self.full[node.outputs[0]]
            if len(out) == 1 and out == shape:
                reached.add(node.outputs[0])  # a quantiser in front
            elif node.op == "Reshape" and len(out) > 1 and out[0] > 1 and prod(out) == shape[0]:
                return self.stream(1, out[0], shape[0] // out[0])
        return None

    # ------------------------------------------------------------------------------------------------- what rules use
    def stream(self, axis: int, items: int, size: int) -> Stream:
        """A new stream, of as few items a word as the interval and the strides allow."""
        least = -(-items // self.interval)
        return Stream(axis, items, size, -(-least // self._multiple) * self._multiple)

    def stream_of(self, name: str) -> Stream | None:
        """The stream of a value, None where it is of the event."""
        return self.values[name].stream

    def signals(self, node: Node) -> list[str]:
        """Inputs of a node that are no constants."""
        return [i for i in node.inputs if i and i not in self.constants]

    def constant(self, name: str, values: Array) -> str:
        """A constant of one's own."""
        self.constants[name] = values
        return name

    def event(self, node: Node) -> None:
        """A node that works once an event, as it is."""
        self._emit(Kind.EVENT, node, (None,) * len(node.outputs))

    def item(self, node: Node, *streams: Stream) -> None:
        """A node that does the same to every item; a stream for each output, or one for all."""
        kept = streams if len(streams) == len(node.outputs) else streams * len(node.outputs)
        self._emit(Kind.ITEM, node, kept)

    def _emit(self, kind: Kind, node: Node, streams: Sequence[Stream | None]) -> None:
        for name, stream in zip(node.outputs, streams, strict=True):
            self._add(name, stream)
        inputs = tuple(dict.fromkeys(self.signals(node)))
        self.steps.append(Step(kind, inputs, node.outputs, node))

    def _add(self, name: str, stream: Stream | None, shape: tuple[int, ...] | None = None) -> str:
        cut = list(self.full[name] if shape is None else shape)
        if stream is not None and shape is None:
            cut[stream.axis - 1] = stream.size
        self.values[name] = Value(stream, tuple(cut))
        return name

    def reshaped(self, node: Node, stream: Stream | None) -> None:
        """``node`` moves no element of an item: its first input in the cut shape of its output."""
        shape = list(self.full[node.outputs[0]])
        if stream is not None:
            shape[stream.axis - 1] = stream.size
        self._reshape(node.name, node.inputs[0], node.outputs[0], tuple(shape), stream)

    def _reshape(self, name: str, x: str, out: str, shape: tuple[int, ...], stream: Stream | None) -> None:
        target = self.constant(f"{out}#shape", np.array([0, *shape], dtype=np.float64))
        node = Node(name, STANDARD, "Reshape", (x, target), (out,), {}, 20)
        if stream is None:
            self.event(node)
        else:
            self.item(node, stream)

    def collect(self, name: str) -> str:
        """All items of a stream at once, as a value of the event."""
        made = f"{name}#all"
        if made not in self.values:
            self.full[made] = self.full[name]
            self._add(made, None)
            self.steps.append(Step(Kind.COLLECT, (name,), (made,)))
        return made

    def whole(self, name: str) -> str:
        """A value of the event: itself, or what it is collected into."""
        return name if name in self.constants or self.stream_of(name) is None else self.collect(name)

    def turn(self, name: str, stream: Stream) -> str:
        """A value of the event as a stream."""
        made = f"{name}#along{stream.axis}"
        if made not in self.values:
            self.full[made] = self.full[name]
            self._add(made, stream)
            self.steps.append(Step(Kind.TURN, (name,), (made,)))
        return made

    def turned(self, name: str, axis: int) -> str:
        """A stream along another axis."""
        return self.turn(self.collect(name), self.stream(axis, self.full[name][axis - 1], 1))

    def window(self, node: Node, name: str, offsets: Sequence[int], items: int, stride: int = 1) -> str:
        """Each item of a stream, or each of so many, with its neighbours beside it along the axis, zeros beyond the
        borders."""
        stream = self.stream_of(name)
        assert stream is not None
        if stream.lanes % stride:
            raise UnevenWord(node.name, stream.lanes, stride)
        made = f"{name}#window{'_'.join(map(str, offsets))}by{stride}of{items}"
        out = replace(stream, items=items, lanes=stream.lanes // stride)
        if out.words > max(stream.words, 1):
            raise CannotFold(node.name, "the borders make it longer than the interval")
        if made not in self.values:
            shape = list(self.values[name].shape)
            shape[stream.axis - 1] = len(offsets)
            self._add(made, out, tuple(shape))
            self.steps.append(Step(Kind.WINDOW, (name,), (made,), offsets=tuple(offsets), stride=stride))
        return made

    def reduce(self, node: Node, combine: Combine, factor: float = 1.0) -> None:
        """``node``, which gives of one item what is to be combined over all items, and a factor behind it."""
        (out,) = node.outputs
        stream = next(s for s in map(self.stream_of, self.signals(node)) if s is not None)
        part, total = f"{out}#part", out if factor == 1.0 else f"{out}#total"
        shape = self.full[out]
        self.full[part] = shape
        self._add(part, stream, shape)
        inputs = tuple(dict.fromkeys(self.signals(node)))
        self.steps.append(Step(Kind.ITEM, inputs, (part,), replace(node, outputs=(part,))))
        self._add(total, None, shape)
        self.steps.append(Step(Kind.REDUCE, (part,), (total,), combine=combine))
        if factor != 1.0:
            by = self.constant(f"{out}#factor", np.array(factor))
            self.event(Node(node.name, STANDARD, "Mul", (total, by), (out,), {}, 20))

    def common(self, node: Node) -> Stream:
        """The stream in which all operands of a node are that are streams."""
        found = {s for s in map(self.stream_of, self.signals(node)) if s is not None}
        if len(found) > 1:
            same = len({s.layout for s in found}) == 1
            raise CannotFold(node.name, "pairs of items" if same else "items of different numbers meet")
        return found.pop()

    def differs(self, name: str, stream: Stream, rank: int) -> bool:
        """Whether a constant that broadcasts against a stream of so many axes, the events' included, is not the same
        for every item."""
        values = self.constants[name]
        axis = stream.axis - (rank - values.ndim)
        if axis < 0 or values.ndim == 0 or values.shape[axis] == 1:
            return False
        apart = np.moveaxis(values, axis, 0).reshape(stream.items, stream.size, -1)
        return not (apart == apart[0]).all()

    def cut_constant(self, node: Node, name: str, stream: Stream, rank: int) -> str:
        """A constant that broadcasts against a stream of so many axes, of one item."""
        values = self.constants[name]
        axis = stream.axis - (rank - values.ndim)
        if axis < 0 or values.ndim == 0 or values.shape[axis] == 1:
            return name
        if self.differs(name, stream, rank):
            raise CannotFold(node.name, f"constant '{name}' differs from item to item")
        return self.constant(f"{name}#{axis}of{stream.size}", np.take(values, range(stream.size), axis=axis))

    def table(self, node: Node, name: str, stream: Stream, rank: int) -> str:
        """A constant that differs from item to item as a stream of its own."""
        values = self.constants[name]
        whole = values.reshape((1,) * (rank - values.ndim) + values.shape)
        if whole.shape[0] != 1:
            raise CannotFold(node.name, f"constant '{name}' differs from event to event")
        made = f"{name}#table{stream.axis}of{stream.items}"
        self.full[made] = whole.shape[1:]
        self.tables[made] = split(whole, stream)[0]
        return self._add(made, stream)


#: labels a node one of whose operands is a stream
Rule = Callable[[Labelled, Node], None]
