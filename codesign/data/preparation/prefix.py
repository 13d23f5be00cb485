"""The prefix of a design that prepares its inputs: expressions as nodes of a graph, put in front of a network's.

A network behind a preparation has an input quantisation of its own, of the prepared numbers: whole numbers are taken
off and the rest is shifted. It is part of the firmware as well, so that a design begins at raw codes and its network
sees in training the very integers that the firmware makes. It travels in the graph's metadata, by which the network
alone can be had again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
from codesign.data.preparation.firmware_expression import FirmwareExpression
from codesign.data.preparation.fixed_numbers import PREFIX, FixedNumber, PrefixWriter
from codesign.data.preparation.raw_codes import (
    InputsSection,
    PreparedInput,
    RawCode,
    prepared_inputs,
    raw_codes,
    raw_quantisation,
)
from codesign.data.preparation.sorting import SortedItems, sorted_items
from codesign.graph.exact import Exact
from codesign.graph.nodes import CODESIGN
from codesign.graph.reader import Graph, read_graph

__all__ = ("Preparation", "network_codes", "network_of")

#: of a graph's metadata: the quantisation of the network behind a preparation
_METADATA = "codesign.prepared"
#: the raw codes, all prepared numbers, and what hands them to the network
_RAW, _JOINED, _BRIDGE = f"{PREFIX}raw", f"{PREFIX}joined", f"{PREFIX}network"
#: what the expression of a pattern calls its feature
_OWN = "x"
#: share of the training events that do not saturate
_WITHIN = 0.9999


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
        return prepared_inputs(self.section, self._seen)

    @cached_property
    def sorts(self) -> tuple[SortedItems, ...]:
        """Of items, before anything is prepared of them."""
        return sorted_items(self.section, tuple(code.name for code in self.codes))

    @cached_property
    def _seen(self) -> tuple[str, ...]:
        """Features that expressions see."""
        dropped = frozenset[str]().union(*(sort.dropped for sort in self.sorts))
        return tuple(code.name for code in self.codes if code.name not in dropped)

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

        def must_have(names: Iterable[str]) -> None:
            for column in names:
                if column not in columns:
                    place = known.index(column)
                    code = self.codes[place]
                    columns[column] = writer.column(place, code.kind.minimum, code.kind.maximum, code.size)

        for sort in self.sorts:
            must_have(name for field in sort.fields for name in field)
            columns |= sort.write(writer, columns)
        found = []
        for name, (of, feature) in self.inputs.items():
            writer.where = f"'{name}'"
            own = {} if feature is None else {_OWN: feature}
            expression = ColumnExpression.of(of.of, [*self._seen, *own], f"inputs.prepare, '{name}'")
            seen = {column: own.get(column, column) for column in expression.columns}
            must_have(seen.values())
            given = {column: columns[place] for column, place in seen.items()}
            number = writer.whole(FirmwareExpression(writer, given, of).number(expression.tree))
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
        for sort in self.sorts:
            columns |= sort.reference(columns)
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
