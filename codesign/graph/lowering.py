"""Any trained graph as one that has exact hardware: factors and functions become thresholds and tables.

A source's constants stand for the real numbers that they are, and the new graph gives the integers that real arithmetic
gives. Float32, in which the source runs, may round another way; that is neither hidden here nor copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import Port
from codesign.core.reading.onnx import onnx_model
from codesign.graph.domain import Array
from codesign.graph.expressions import Expression, Variable, affine, direction
from codesign.graph.interval import Interval, Intervals
from codesign.graph.nodes import ALIASES, CODESIGN, QONNX, STANDARD, Call, Node, Operand, result_of
from codesign.graph.obstacles import Obstacle, Obstacles
from codesign.graph.passes.folding import fold_constants
from codesign.graph.pending import Pending
from codesign.graph.reader import Graph, Operands
from codesign.graph.signals import GraphSignal, Writer, is_short

__all__ = ("Dropped", "Lowered", "Lowering", "lower")

#: operators whose constants are numbers of arithmetic
_ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Sum", "MatMul", "Gemm", "Conv")
#: what keeps the order of its inputs within an event, or depends on it alone
_ORDER = ("Softmax", "LogSoftmax", "ArgMax", "Hardmax")


@dataclass(frozen=True)
class Dropped:
    """Of an output of which only the order counts: what was left out behind it."""

    output: str
    what: str


@dataclass(frozen=True)
class Lowered:
    """The new graph, what was done node by node, and what was left out behind outputs."""

    content: bytes
    done: tuple[str, ...]
    dropped: tuple[Dropped, ...]


def lower(content: bytes, inputs: Port, *, order_only: bool = False, source: str = "the ONNX model") -> Lowered:
    """Lower a graph whose inputs are codes of these types, one block after another.

    With ``order_only`` a last Softmax or ArgMax is left out, and so is what is done to all outputs alike and keeps
    their order: a factor, an offset, a rising function. InputError: no model. Obstacles: all that has no exact form.
    """
    model = onnx_model(content, source, functions=True)
    return Lowering(model, inputs, order_only).run()


class Lowering:
    """One lowering: what it is of, and what came of it."""

    def __init__(self, model: onnx.ModelProto, inputs: Port, order_only: bool) -> None:
        self._model, self._inputs, self._order_only = model, inputs, order_only
        self._graph = Graph(model)
        names = {n for node in self._graph.nodes for n in (*node.inputs, *node.outputs)}
        self._writer = Writer(names | set(self._graph.given), self._graph.batch)
        self._domain = Pending(self._writer)
        #: constants that the source's own nodes and tensors give, in a copy of them too
        self._copied = set(self._graph.given)
        self._constant_nodes: list[onnx.NodeProto] = []
        self._dropped: list[Dropped] = []

    def run(self) -> Lowered:
        """The new graph; Obstacles: everything that is refused."""
        found = list(self._graph.refused)
        flat = Interval.of_port(self._inputs)
        blocks = self._graph.blocks(flat, Intervals())
        values = self._graph.walk(
            {name: GraphSignal(name, v) for name, v in blocks.items()}, self._graph.given, self._step, found
        )
        renamed: dict[str, str] = {}
        for name in self._graph.outputs:
            if name not in values:
                continue
            try:
                signal = values[name]
                if not isinstance(signal, GraphSignal):
                    raise UnsupportedError(f"the output '{name}' does not depend on the input")
                signal = self._output(name, signal)
                if signal.name != name:
                    if signal.name in renamed or signal.name in blocks or signal.name in values:
                        signal = self._writer.emit("Identity", signal)
                    renamed[signal.name] = name
            except UnsupportedError as error:
                found.append(Obstacle.of(name, "", error))
        if found:
            raise Obstacles(found)
        return Lowered(self._write(renamed), tuple(dict.fromkeys(self._domain.discretiser.done)), tuple(self._dropped))

    # ------------------------------------------------------------------------------------------------------- one node
    def _step(self, node: Node, operands: Operands, folding: bool) -> tuple[Any, ...]:
        if folding:
            found, plain = fold_constants(node, operands, self._graph.batch)
            if plain and all(o is None or o.name in self._copied for o in operands):
                self._copied.update(node.outputs)
                self._constant_nodes.append(_proto(node))
            return found
        self._domain.discretiser.node = node.name
        if self._order_only and node.op in _ORDER and node.domain == STANDARD and self._is_last(node):
            self._dropped.append(Dropped(node.outputs[0], node.op))
            return (operands[0].value,) if operands[0] is not None else ()
        if all(self._is_plain(node, o) for o in operands):
            kept = len(self._writer.nodes), len(self._writer.constants)
            try:
                return self._writer.copy(node, operands)
            except UnsupportedError:
                assert kept == (len(self._writer.nodes), len(self._writer.constants))
        return result_of(Call(node, operands, self._domain, batch=self._graph.batch))

    def _is_last(self, node: Node) -> bool:
        return node.outputs[0] in self._graph.outputs

    def _is_plain(self, node: Node, operand: Operand[Any] | None) -> bool:
        """Whether an operand is one of a node that may be copied as it stands."""
        if operand is None:
            return True
        if isinstance(operand.value, GraphSignal):
            return operand.value.plain
        if operand.name not in self._copied:
            return False
        return node.op not in _ARITHMETIC or is_short(operand.value)

    # ---------------------------------------------------------------------------------------------------- the outputs
    def _output(self, name: str, signal: GraphSignal) -> GraphSignal:
        if signal.forms is None or not self._order_only:
            return self._domain.plain(signal)
        forms = signal.forms.ravel()
        bare = GraphSignal(signal.name, signal.interval)
        low, high = Fraction(float(signal.interval.low.min())), Fraction(float(signal.interval.high.max()))
        if all(f == forms[0] for f in forms) and direction(forms[0], low, high) == 1 and not _is_constant(forms[0]):
            self._dropped.append(Dropped(name, f"what {signal.origin} does to all outputs alike"))
            return bare
        return self._domain.plain(signal)

    # ------------------------------------------------------------------------------------------------------- the file
    def _write(self, renamed: dict[str, str]) -> bytes:
        graph = self._model.graph
        nodes = [*self._constant_nodes, *self._writer.nodes]
        for node in nodes:
            for tensors in (node.input, node.output):
                tensors[:] = [renamed.get(name, name) for name in tensors]
        needed = {o.name for o in graph.output}
        kept: list[onnx.NodeProto] = []
        for node in reversed(nodes):
            if needed.intersection(node.output):
                kept.insert(0, node)
                needed.update(node.input)
        constants = [t for t in self._writer.constants if t.name in needed]
        own = {i.name: i for i in graph.initializer}
        for name in self._graph.given:
            if name in needed:
                constants.append(own[name] if name in own else _store(name, self._graph.given[name], self._model))
        inputs = [i for i in graph.input if i.name not in own]
        outputs = []
        for output in graph.output:
            copied = onnx.ValueInfoProto()
            copied.CopyFrom(output)
            outputs.append(copied)
        made = helper.make_graph(kept, graph.name or "lowered", inputs, outputs, constants)
        versions = {ALIASES.get(o.domain, o.domain): o.version for o in self._model.opset_import}
        used = {n.domain for n in kept}
        imports = [helper.make_opsetid(STANDARD, versions.get(STANDARD, 17))]
        defaults = {QONNX: 2, CODESIGN: 1}
        imports += [helper.make_opsetid(d, versions.get(d, defaults.get(d, 1))) for d in sorted(used - {STANDARD})]
        model = helper.make_model(made, opset_imports=imports, ir_version=min(10, self._model.ir_version or 8))
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def _is_constant(form: Expression) -> bool:
    found = affine(form)
    return not isinstance(form, Variable) and found is not None and found[0] == 0


def _proto(node: Node) -> onnx.NodeProto:
    return helper.make_node(
        node.op, list(node.inputs), list(node.outputs), name=node.name, domain=node.domain, **node.attributes
    )


def _store(name: str, values: Array, model: onnx.ModelProto) -> onnx.TensorProto:
    """A constant that a node of the source holds, in the type in which it does."""
    for node in model.graph.node:
        if node.op_type == "Constant" and node.output[0] == name:
            attribute = node.attribute[0]
            if attribute.name == "value":
                tensor = onnx.TensorProto()
                tensor.CopyFrom(attribute.t)
                tensor.name = name
                return tensor
            kind = np.int64 if attribute.name.startswith("value_int") else np.float32
            return numpy_helper.from_array(values.astype(kind), name)
    raise AssertionError(name)
