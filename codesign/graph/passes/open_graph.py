"""A graph that a pass changes: its nodes, with the range of every signal and the value of every constant."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import Port
from codesign.graph.domain import Array
from codesign.graph.exact import Exact
from codesign.graph.interval import FLOAT64_EXACT, Interval, Intervals
from codesign.graph.nodes import ALIASES, CODESIGN, QONNX, STANDARD, Call, Node, Operand, result_of
from codesign.graph.reader import Graph, read_graph

__all__ = ("OpenGraph", "domain_of")

_EXACT = Exact()


def domain_of(node: onnx.NodeProto) -> str:
    """The domain of a node's operator; Quant and its like may leave it out."""
    domain = str(ALIASES.get(node.domain, node.domain))
    if domain == STANDARD and node.op_type in ("Quant", "IntQuant", "BipolarQuant", "Trunc"):
        return QONNX
    return domain


class OpenGraph:
    """What is known is of the graph as it was opened: a pass reads it, changes nodes, and writes the new one."""

    def __init__(self, content: bytes, inputs: Port) -> None:
        self.model = onnx.load_from_string(content)
        self.graph: Graph = read_graph(content)
        #: of every tensor that does not depend on the events, its value
        self.constants: dict[str, Array] = dict(self.graph.constants)
        found = self.graph.signals(Interval.of_port(inputs), Intervals(FLOAT64_EXACT))
        #: of every other tensor, its range and grid, (1, ...)
        self.signals: dict[str, Interval] = {n: s for n, s in found.items() if isinstance(s, Interval)}
        self.outputs = set(self.graph.outputs)
        self._read = {n.outputs[0]: n for n in self.graph.nodes}
        self._nodes = [onnx.NodeProto.FromString(n.SerializeToString()) for n in self.model.graph.node]
        self._taken = set(found) | {i.name for i in self.model.graph.initializer}

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        """The nodes as they stand now, in order."""
        return list(self._nodes)

    def working(self) -> list[onnx.NodeProto]:
        """Those that depend on the events."""
        return [n for n in self.nodes if n.output[0] in self.signals]

    @cached_property
    def given(self) -> dict[str, onnx.TensorProto]:
        """The initialisers by name."""
        return {t.name: t for t in self.model.graph.initializer}

    def users(self, tensor: str) -> list[onnx.NodeProto]:
        """The nodes that take a tensor."""
        return [n for n in self._nodes if tensor in n.input]

    def maker(self, tensor: str) -> onnx.NodeProto | None:
        """The node that gives a tensor."""
        return next((n for n in self._nodes if tensor in n.output), None)

    def read(self, node: onnx.NodeProto) -> Node:
        """A node with its attributes as values."""
        return self._read[node.output[0]]

    def values(self, node: onnx.NodeProto, x: Array) -> Array:
        """What a node gives of ``x`` in place of its one signal, (events, ...), exactly."""
        operands: tuple[Operand[Array] | None, ...] = tuple(
            None if not name
            else Operand(name, self.constants[name], True, self._stored(name)) if name in self.constants
            else Operand(name, x, False)
            for name in node.input
        )  # fmt: skip
        return np.asarray(result_of(Call(self.read(node), operands, _EXACT))[0])

    def _stored(self, name: str) -> Any:
        return numpy_helper.to_array(self.given[name]).dtype if name in self.given else None

    def signal_of(self, node: onnx.NodeProto) -> str | None:
        """The one signal that enters a node; None where it is none or several."""
        found = {name for name in node.input if name in self.signals}
        return found.pop() if len(found) == 1 and sum(n in self.signals for n in node.input) == 1 else None

    # --------------------------------------------------------------------------------------------------------- changes
    def constant(self, values: Any, stem: str = "kept") -> str:
        """A new initialiser: whole numbers as int64 where they are given so, others as float32.

        UnsupportedError where float32 does not hold it.
        """
        array = np.asarray(values)
        stored = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        if not np.array_equal(stored, array):
            raise UnsupportedError("a constant of more than 24 bits")
        name = self._name(stem)
        self.model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(stored), name))
        return name

    def _name(self, stem: str) -> str:
        number = len(self._taken)
        while (name := f"{stem}_{number}") in self._taken:
            number += 1
        self._taken.add(name)
        return name

    def insert(
        self, before: onnx.NodeProto, op: str, inputs: Sequence[str | Array], domain: str = "", **attributes: Any
    ) -> str:
        """A new node in front of another; the name of what it gives."""
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        out = self._name("improved")
        made = helper.make_node(op, names, [out], f"{op}_{out}", domain=domain, **attributes)
        self._nodes.insert(next(i for i, n in enumerate(self._nodes) if n is before), made)
        if domain == CODESIGN and CODESIGN not in {o.domain for o in self.model.opset_import}:
            self.model.opset_import.append(helper.make_opsetid(CODESIGN, 1))
        return out

    def like(self, node: onnx.NodeProto, inputs: Sequence[str]) -> str:
        """A copy of a node with other inputs, in front of it; the name of what it gives."""
        made = onnx.NodeProto.FromString(node.SerializeToString())
        made.input[:] = list(inputs)
        made.output[:] = [self._name("improved")]
        made.name = f"{node.op_type}_{made.output[0]}"
        self._nodes.insert(next(i for i, n in enumerate(self._nodes) if n is node), made)
        return str(made.output[0])

    def follow(self, node: onnx.NodeProto, op: str, constant: str) -> None:
        """One more node behind another, which takes its place for all that follows."""
        name, inner = node.output[0], self._name("improved")
        node.output[0] = inner
        made = helper.make_node(op, [inner, constant], [name], f"{op}_{inner}")
        self._nodes.insert(next(i for i, n in enumerate(self._nodes) if n is node) + 1, made)

    def bypass(self, node: onnx.NodeProto, by: str) -> None:
        """Let all that takes what a node gives take ``by`` instead; the node goes. Not of an output of the graph."""
        for user in self.users(node.output[0]):
            user.input[:] = [by if name == node.output[0] else name for name in user.input]
        self._nodes = [n for n in self._nodes if n is not node]

    def drop(self, node: onnx.NodeProto) -> None:
        """Leave a node out that nothing takes anything of."""
        self._nodes = [n for n in self._nodes if n is not node]

    def give(self, node: onnx.NodeProto, last: str) -> None:
        """Let ``last``, which an inserted node gives, be what a node gave: that node goes, its name stays."""
        self._nodes = [n for n in self._nodes if n is not node]
        maker = self.maker(last)
        assert maker is not None
        maker.output[0] = node.output[0]

    def written(self) -> bytes:
        """The new graph, without what no output depends on."""
        needed = {o.name for o in self.model.graph.output}
        kept: list[onnx.NodeProto] = []
        for node in reversed(self._nodes):
            if needed.intersection(node.output):
                kept.append(node)
                needed.update(node.input)
        graph = self.model.graph
        del graph.node[:]
        graph.node.extend(reversed(kept))
        for container in (graph.initializer, graph.value_info, graph.quantization_annotation):
            name = "tensor_name" if container is graph.quantization_annotation else "name"
            left = [t for t in container if getattr(t, name) in needed]
            del container[:]
            container.extend(left)
        del graph.value_info[:]
        return bytes(self.model.SerializeToString(deterministic=True))
