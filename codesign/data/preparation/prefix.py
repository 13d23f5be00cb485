"""The prefix of a design that prepares its inputs: expressions as nodes of a graph, put in front of a network's.

A network behind a preparation has an input quantisation of its own, of the prepared numbers: whole numbers are taken
off and the rest is shifted. It is part of the firmware as well, so that a design begins at raw codes and its network
sees in training the very integers that the firmware makes. It travels in the graph's metadata, by which the network
alone can be had again.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.fixedpoint import INPUT_INTEGER_BITS, FixedPoint, InputQuantisation
from codesign.core.layout import FEATURES, Layout
from codesign.core.reading.json import json_of
from codesign.core.reading.onnx import onnx_model
from codesign.core.validation import validate
from codesign.data.column_expressions import ColumnExpression
from codesign.data.preparation.fixed_numbers import PREFIX, FixedNumber, PrefixWriter
from codesign.data.preparation.raw_codes import (
    InputsSection,
    PreparedInput,
    RawCode,
    prepared_inputs,
    raw_codes,
    raw_quantisation,
)
from codesign.graph.exact import Exact
from codesign.graph.nodes import CODESIGN
from codesign.graph.reader import Graph, read_graph

__all__ = ("Preparation", "network_codes", "network_of")

#: of a graph's metadata: the quantisation of the network behind a preparation
_METADATA = "codesign.prepared"
#: the raw codes, all prepared numbers, and what hands them to the network
_RAW, _JOINED, _BRIDGE = f"{PREFIX}raw", f"{PREFIX}joined", f"{PREFIX}network"
#: functions that rise or fall everywhere, by their names in expressions
_MONOTONE: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    name: getattr(np, name)
    for name in ("sqrt", "exp", "log", "log2", "log10", "log1p", "expm1", "sinh", "tanh", "arctan", "arcsin", "arccos")
}
#: others, of exact numbers only
_OTHERS: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    name: getattr(np, name) for name in ("sin", "cos", "cosh", "tan")
}
_COMPARISONS: Mapping[type[ast.cmpop], tuple[str, str]] = {
    ast.Gt: ("Greater", "Less"), ast.Lt: ("Less", "Greater"), ast.GtE: ("GreaterOrEqual", "LessOrEqual"),
    ast.LtE: ("LessOrEqual", "GreaterOrEqual"), ast.Eq: ("Equal", "Equal"),
}  # fmt: skip
#: what the expression of a pattern calls its feature
_OWN = "x"
#: of two numbers
_ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
#: share of the training events that do not saturate
_WITHIN = 0.9999


class _Expression:
    """One prepared input's expression over raw codes."""

    def __init__(self, writer: PrefixWriter, columns: dict[str, FixedNumber], of: PreparedInput) -> None:
        self._writer, self._columns, self._of = writer, columns, of

    def number(self, node: ast.expr) -> FixedNumber:
        """What the expression is; a number alone is refused."""
        found = self._any(node)
        if not isinstance(found, FixedNumber):
            raise self._writer.refusal("it is of no raw feature")
        return found

    def _any(self, node: ast.expr) -> FixedNumber | float:
        write = self._writer
        match node:
            case ast.Constant(value=int() | float() as value):
                return float(value)
            case ast.Name() | ast.Attribute():
                return self._columns[_name_of(node, self._columns)]
            case ast.UnaryOp(op=ast.UAdd(), operand=one):
                return self._any(one)
            case ast.UnaryOp(op=ast.USub(), operand=one):
                found = self._any(one)
                return write.scale(found, -1.0) if isinstance(found, FixedNumber) else -found
            case ast.UnaryOp(op=ast.Not(), operand=one):
                return write.logic("Not", self.number(one))
            case ast.BoolOp(op=op, values=values):
                found = self.number(values[0])
                for each in values[1:]:
                    found = write.logic("And" if isinstance(op, ast.And) else "Or", found, self.number(each))
                return found
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._comparisons([left, *others], ops)
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self._any(left), self._any(right))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments)
        raise write.refusal(f"'{ast.unparse(node)[:60]}' is not computed in the firmware")

    def _binary(self, op: ast.operator, a: FixedNumber | float, b: FixedNumber | float) -> FixedNumber | float:
        write = self._writer
        if (
            isinstance(a, float)
            and isinstance(b, float)
            and type(op) in _ARITHMETIC
            and (b or not isinstance(op, ast.Div))
        ):
            return _ARITHMETIC[type(op)](a, b)
        match op, a, b:
            case ast.Add(), FixedNumber(), FixedNumber():
                return write.add(a, b)
            case ast.Sub(), FixedNumber(), FixedNumber():
                return write.add(a, b, minus=True)
            case ast.Add(), FixedNumber(), float():
                return write.add_constant(a, b)
            case ast.Add(), float(), FixedNumber():
                return write.add_constant(b, a)
            case ast.Sub(), FixedNumber(), float():
                return write.add_constant(a, -b)
            case ast.Sub(), float(), FixedNumber():
                return write.add_constant(write.scale(b, -1.0), a)
            case ast.Mult(), FixedNumber(), FixedNumber():
                return write.multiply(a, b)
            case ast.Mult(), FixedNumber(), float():
                return write.scale(a, b)
            case ast.Mult(), float(), FixedNumber():
                return write.scale(b, a)
            case ast.Div(), FixedNumber(), float() if b:
                return write.scale(a, 1 / b)
            case ast.Div(), FixedNumber(), FixedNumber():
                if self._of.bits is None:
                    raise write.refusal("a ratio needs 'bits', where it saturates")
                most = ((1 << self._of.bits) - 1) * 2.0**-self._of.fraction
                return write.ratio(a, b, self._of.fraction, most)
            case ast.Pow(), FixedNumber(), 2.0:
                return write.multiply(a, a)
        raise write.refusal(
            f"{type(op).__name__} of these two is not computed in the firmware: +, -, * , / and ** 2 are, of raw "
            "features, and with a number"
        )

    def _comparisons(self, operands: list[ast.expr], ops: list[ast.cmpop]) -> FixedNumber:
        write, found = self._writer, None
        for op, left, right in zip(ops, operands, operands[1:], strict=False):
            known = _COMPARISONS.get(type(op))
            a, b = self._any(left), self._any(right)
            if known is None:
                raise write.refusal(f"{type(op).__name__} is not computed in the firmware: write 'not' and '=='")
            if isinstance(a, FixedNumber) and isinstance(b, FixedNumber):
                one = write.compare(known[0], a, b)
            elif isinstance(a, FixedNumber) and not isinstance(b, FixedNumber):
                one = write.compare_constant(known[0], a, b)
            elif isinstance(b, FixedNumber) and not isinstance(a, FixedNumber):
                one = write.compare_constant(known[1], b, a)
            else:
                raise write.refusal("two numbers are compared")
            found = one if found is None else write.logic("And", found, one)
        assert found is not None
        return found

    def _call(self, name: str, arguments: list[ast.expr]) -> FixedNumber:
        write, fraction = self._writer, self._of.fraction
        operands = [self._any(each) for each in arguments]
        numbers = [x for x in operands if isinstance(x, FixedNumber)]
        if not numbers:
            raise write.refusal(f"'{name}' is of no raw feature")
        if name in _MONOTONE:
            return write.apply(numbers[0], _MONOTONE[name], fraction)
        if name in _OTHERS:
            if numbers[0].error:
                raise write.refusal(f"'{name}' is of a number that is rounded: take it of a raw one")
            return write.apply(numbers[0], _OTHERS[name], fraction)
        match name, operands:
            case "abs", [FixedNumber() as x]:
                return write.absolute(x)
            case (("minimum" | "maximum"), [a, b]):
                if len(numbers) == 2:
                    return write.larger(numbers[0], numbers[1], smaller=name == "minimum")
                (bound,) = (float(x) for x in operands if not isinstance(x, FixedNumber))
                x = numbers[0]
                ends = (x.low * x.size, bound) if name == "minimum" else (bound, x.high * x.size)
                return write.bounded(x, min(ends[0], bound), max(ends[1], bound))
            case "clip", [FixedNumber() as x, float() as low, float() as high]:
                return write.bounded(x, low, high)
            case "where", [FixedNumber() as choice, a, b] if len(numbers) > 1:
                a, b = (x if isinstance(x, FixedNumber) else write.constant_beside(x, numbers[1]) for x in (a, b))
                return write.choose(choice, a, b)
            case "where", [FixedNumber() as choice, float() as a, float() as b] if a != b:
                return write.choose_constant(choice, a, b)
            case "delta_phi", [FixedNumber() as a, FixedNumber() as b]:
                found = write.add(a, b, minus=True)
                turn = 2 * np.pi / found.size
                if abs(turn - round(turn)) > 1e-6 or found.error:
                    raise write.refusal(f"'delta_phi' is of azimuths, {turn:g} of whose codes would be a full turn")
                return write.wrapped(found, round(turn))
        raise write.refusal(f"'{name}' is not computed in the firmware of these")


def _name_of(node: ast.expr, known: Mapping[str, object]) -> str:
    text = node.id if isinstance(node, ast.Name) and node.id in known else ast.unparse(node)
    return text if text in known else text.replace(".", "_")


@dataclass(frozen=True)
class Preparation:
    """The prepared inputs of a study, of a sample's features.

    ``codes``: what the firmware is given. All that it computes follows from the two.
    """

    section: InputsSection
    codes: tuple[RawCode, ...]
    units: tuple[str, ...]

    @classmethod
    def of(cls, section: InputsSection, layouts: tuple[Layout, ...]) -> Preparation:
        """Of the blocks that a network would see; InputError where an expression cannot be computed of them."""
        if len(layouts) != 1 or layouts[0].name != FEATURES:
            raise InputError("inputs.prepare is of features alone: leave out 'view', or 'inputs'")
        (features,) = layouts
        made = cls(section, raw_codes(section, features.fields), features.units or ("",) * len(features.fields))
        made._written  # noqa: B018  # refused here, before anything is trained
        return made

    @cached_property
    def quantisation(self) -> InputQuantisation:
        """How features become raw codes."""
        return raw_quantisation(self.codes, self.units)

    @cached_property
    def inputs(self) -> dict[str, tuple[PreparedInput, str | None]]:
        """The prepared inputs, and for one of a pattern its feature."""
        return prepared_inputs(self.section, tuple(code.name for code in self.codes))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the prepared inputs."""
        return tuple(self.inputs)

    @property
    def layout(self) -> Layout:
        """The prepared inputs, as the features of a network."""
        return Layout.of_features(self.names, ("",) * len(self.names))

    @cached_property
    def _written(self) -> tuple[PrefixWriter, tuple[FixedNumber, ...]]:
        writer = PrefixWriter(_RAW)
        known = [code.name for code in self.codes]
        columns: dict[str, FixedNumber] = {}
        found = []
        for name, (of, feature) in self.inputs.items():
            writer.where = f"'{name}'"
            own = {} if feature is None else {_OWN: feature}
            expression = ColumnExpression.of(of.of, [*known, *own], f"inputs.prepare, '{name}'")
            seen = {column: own.get(column, column) for column in expression.columns}
            for column in seen.values():
                if column not in columns:
                    place = known.index(column)
                    code = self.codes[place]
                    columns[column] = writer.column(place, code.kind.minimum, code.kind.maximum, code.size)
            given = {column: columns[place] for column, place in seen.items()}
            number = writer.whole(_Expression(writer, given, of).number(expression.tree))
            found.append(number if of.bits is None else writer.saturated(number, of.bits))
        return writer, tuple(found)

    @property
    def numbers(self) -> tuple[FixedNumber, ...]:
        """Range, worth of a code and largest error of each prepared input."""
        return self._written[1]

    def note(self) -> str:
        """How far what the firmware computes may be from float64, in words."""
        rounded = sum(number.error > 0 for number in self.numbers)
        worst = max(self.numbers, key=lambda number: number.error / number.size)
        name = self.names[self.numbers.index(worst)]
        return (
            f"{len(self.names)} inputs are prepared in the firmware, {len(self.names) - rounded} of them exactly; "
            f"furthest from float64, by its codes of {worst.size:g}, is '{name}': at most {worst.error:.3g}, where it "
            "does not saturate"
        )

    @cached_property
    def graph(self) -> Graph:
        """Raw codes (events, n) to prepared codes (events, m)."""
        writer, numbers = self._written
        nodes = [*writer.nodes, _concat(numbers, _JOINED)]
        return read_graph(_model(nodes, writer.constants, _JOINED, len(numbers), len(self.codes)))

    def prepared(self, raw: NDArray[np.int64]) -> NDArray[np.float64]:
        """Prepared codes (events, m) of raw codes (events, n): whole numbers."""
        return np.asarray(self.graph.run(self.quantisation.port.values(raw), Exact()))

    def of_features(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Prepared codes (events, m) of a sample's features (events, n)."""
        return self.prepared(self.quantisation.codes(x))

    def reference(self, raw: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """What the expressions are in float64 for raw codes (events, n), by name, (events,) each."""
        columns = {code.name: raw[:, i] * code.size for i, code in enumerate(self.codes)}
        found = {}
        for name, (of, feature) in self.inputs.items():
            seen = columns if feature is None else columns | {_OWN: columns[feature]}
            found[name] = np.asarray(ColumnExpression.of(of.of, tuple(seen)).values(seen), dtype=np.float64)
        return found

    def input_quantisation(self, prepared: NDArray[np.float64], bits: int) -> InputQuantisation:
        """How prepared codes (events, m) of the training split become integers of ``bits`` bits: less a whole number of
        steps, and shifted, a step the least power of two with which all but one event in 10,000 are in range."""
        offsets, steps, types = [], [], []
        for values, (of, _) in zip(prepared.T, self.inputs.values(), strict=True):
            less = min(of.less, bits - 2)
            kind = FixedPoint(
                signed=True, integer_bits=INPUT_INTEGER_BITS - less, fraction_bits=bits - 1 - INPUT_INTEGER_BITS
            )
            middle = float(values.mean())
            top = float(np.quantile(np.abs(values - middle), _WITHIN))
            step = 2.0 ** max(0, int(np.ceil(np.log2(max(top, 1.0) / max(1, kind.maximum)))))
            offsets.append(step * float(np.floor(middle / step)))
            steps.append(step)
            types.append(kind)
        return InputQuantisation(
            features=self.names, units=("",) * len(steps), offset=tuple(offsets), step=tuple(steps),
            types=tuple(types),
        )  # fmt: skip

    def before(self, network: Design) -> Design:
        """The design that begins at raw codes, of a network's whose inputs are the prepared ones."""
        from onnx import helper

        q = network.input_quantisation
        if q.features != self.names:
            raise InputError("the network's inputs are not the prepared ones")
        writer, numbers = self._written
        own = onnx_model(network.onnx)
        (entry,) = own.graph.input
        after = PrefixWriter(_RAW)
        after.where, after.constants, after.nodes = "the network", list(writer.constants), list(writer.nodes)
        after.nodes.append(_concat(numbers, _JOINED))
        lsb = np.array([kind.lsb for kind in q.types])
        taken = after.node("Sub", _JOINED, after.constant([q.offset]))
        shifted = after.node("Mul", taken, after.constant([lsb / np.array(q.step)]))
        bits = [[float(t.signed) for t in q.types]], [[t.integer_bits for t in q.types]]
        operands = (after.constant(v) for v in (*bits, [[t.fraction_bits for t in q.types]]))
        entered = after.node("FixedPoint", shifted, *operands, overflow="SAT", rounding_mode="RND")
        after.nodes.append(helper.make_node("Identity", [entered], [entry.name], name=_BRIDGE))
        model = _composed(own, after, len(self.codes), q)
        return Design(model, self.quantisation, network.outputs, network.trigger)


def _concat(numbers: tuple[FixedNumber, ...], name: str) -> Any:
    from onnx import helper

    return helper.make_node("Concat", [n.tensor for n in numbers], [name], name=name, axis=1)


def _model(nodes: list[Any], constants: list[Any], output: str, outputs: int, inputs: int) -> bytes:
    """A preparation alone."""
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        nodes,
        "prepare",
        [helper.make_tensor_value_info(_RAW, TensorProto.FLOAT, ["events", inputs])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["events", outputs])],
        constants,
    )
    versions = {"": 20, CODESIGN: 1}
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(d, v) for d, v in versions.items()])
    model.ir_version = 10
    content: bytes = model.SerializeToString()
    return content


def _composed(own: Any, before: PrefixWriter, inputs: int, q: InputQuantisation) -> bytes:
    """A network's model with the nodes of a preparation in front, and its quantisation in the metadata."""
    import onnx
    from onnx import TensorProto, helper

    model = onnx.ModelProto()
    model.CopyFrom(own)
    names = {t.name for t in own.graph.initializer} | {n for node in own.graph.node for n in node.output}
    if any(name.startswith(PREFIX) for name in names):
        raise InputError("the network has a preparation already")
    del model.graph.input[:], model.graph.node[:]
    model.graph.input.append(helper.make_tensor_value_info(_RAW, TensorProto.FLOAT, ["events", inputs]))
    model.graph.node.extend([*before.nodes, *own.graph.node])
    model.graph.initializer.extend(before.constants)
    known = {entry.domain for entry in model.opset_import}
    if CODESIGN not in known:
        model.opset_import.append(helper.make_opsetid(CODESIGN, 1))
    model.metadata_props.append(onnx.StringStringEntryProto(key=_METADATA, value=q.model_dump_json()))
    content: bytes = model.SerializeToString()
    return content


def network_of(design: Design) -> Design:
    """The network behind a design's preparation, whose inputs are the prepared numbers; InputError where it has none,
    or what its metadata say of it is not so."""
    import onnx
    from onnx import TensorProto, helper

    model = onnx.ModelProto()
    model.CopyFrom(onnx_model(design.onnx))
    q, bridge = _joint(model)
    kept = [node for node in model.graph.node if not node.name.startswith(PREFIX)]
    constants = [t for t in model.graph.initializer if not t.name.startswith(PREFIX)]
    others = [p for p in model.metadata_props if p.key != _METADATA]
    del model.graph.node[:], model.graph.initializer[:], model.graph.input[:], model.metadata_props[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(constants)
    model.metadata_props.extend(others)
    model.graph.input.append(
        helper.make_tensor_value_info(bridge.output[0], TensorProto.FLOAT, ["events", len(q.features)])
    )
    return Design(model.SerializeToString(), q, design.outputs, design.trigger)


def network_codes(design: Design) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
    """Of a design with a preparation: raw codes (events, n) to the codes of its network's inputs (events, m)."""
    model = onnx_model(design.onnx)
    q, bridge = _joint(model)
    nodes = [node for node in model.graph.node if node.name.startswith(PREFIX) and node.name != _BRIDGE]
    constants = [t for t in model.graph.initializer if t.name.startswith(PREFIX)]
    graph = read_graph(_model(nodes, constants, bridge.input[0], len(q.features), design.inputs.size))

    def run(raw: NDArray[np.int64]) -> NDArray[np.int64]:
        return q.port.codes(graph.run(design.inputs.values(raw), Exact()))

    return run


def _joint(model: Any) -> tuple[InputQuantisation, Any]:
    """The network's input quantisation and the node that hands the prepared numbers to it; InputError for neither."""
    said = [p.value for p in model.metadata_props if p.key == _METADATA]
    bridges = [node for node in model.graph.node if node.name == _BRIDGE]
    if len(said) != 1 or len(bridges) != 1 or (len(bridges[0].input), len(bridges[0].output)) != (1, 1):
        raise InputError("model.onnx: the design has no preparation in front of its network: restore it")
    return validate(InputQuantisation, json_of(said[0].encode(), "model.onnx"), "model.onnx"), bridges[0]
