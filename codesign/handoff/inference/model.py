"""A design as standard ONNX: from codes to codes, and from physical features to scores, integers equal in both."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from codesign.core.design import Design
from codesign.core.errors import InputError, ToolError, UnsupportedError
from codesign.core.fixedpoint import Port, QuantisedBlock
from codesign.core.quoting import line
from codesign.core.reading.limits import MODEL_BYTES
from codesign.core.reading.onnx import standard_model
from codesign.core.reading.plain import given_bytes
from codesign.graph.interval import FLOAT64_EXACT, Interval, Intervals
from codesign.graph.reader import read_graph
from codesign.graph.standard import OPSET, StandardOperators, Wire

__all__ = ("Session", "codes_model", "features_model", "heads_of", "number_kind")

#: the newest that every onnxruntime since 1.14 reads
_IR_VERSION = 8


def codes_model(design: Design) -> bytes:
    """Serialised standard ONNX: ``input_codes`` (events, n) int32 to ``output_codes`` (events, m) int32.

    Of a port that is not flat, one input ``<block>_codes`` (events, ...) for each block, and one output for each head.
    The same integers as the firmware, ``==``. Computed in float32 where that is exact, else in float64;
    UnsupportedError where that is not either.
    """
    writer = StandardOperators(kind=number_kind(design))
    given = _give(design.inputs, "input_codes", "{}_codes")
    values = _values_of_codes(writer, _join(writer, given), design)
    scores = _network(writer, values, design)
    codes = _heads(design.outputs, "output_codes", "{}_codes")
    _as_codes(writer, scores, design, codes)
    return _model(
        writer,
        "codes",
        [(wire, TensorProto.INT32) for wire in given],
        [(wire, TensorProto.INT32) for wire, _ in codes],
        design,
    )


def features_model(design: Design) -> bytes:
    """Serialised standard ONNX: ``features`` (events, n) float32 in physical units to ``scores`` (events, m) float32,
    and ``output_codes`` (events, m) int32.

    Of a port that is not flat, one input for each block, of its name and shape, and one ``<head>`` and
    ``<head>_codes`` for each head. The features are quantised inside,
    ``clip(floor((x - offset) / step + 1/2), low, high)`` in float64, exactly as
    :meth:`codesign.core.fixedpoint.InputQuantisation.codes` does it.
    """
    writer = StandardOperators(kind=number_kind(design))
    given = _give(design.inputs, "features", "{}")
    pieces = [
        _codes_of(writer, wire, block) for wire, block in zip(given, design.input_quantisation.blocks, strict=True)
    ]
    code = pieces[0] if len(pieces) == 1 else writer.concat(pieces, 1)
    values = _values_of_codes(writer, code, design)
    scores = _network(writer, values, design)
    named, codes = (_heads(design.outputs, *names) for names in (("scores", "{}"), ("output_codes", "{}_codes")))
    _as_codes(writer, scores, design, codes)
    for wire, place in named:
        if writer.kind is np.float32:
            _name(writer, "Identity", _piece(writer, scores, place), wire.name)
        else:
            _name(writer, "Cast", _piece(writer, scores, place), wire.name, to=TensorProto.FLOAT)
    ordered = [entry for pair in zip(named, codes, strict=True) for entry in pair]
    kinds = (TensorProto.FLOAT, TensorProto.INT32)
    return _model(
        writer,
        "features",
        [(wire, TensorProto.FLOAT) for wire in given],
        [(wire, kinds[i % 2]) for i, (wire, _) in enumerate(ordered)],
        design,
    )


def _codes_of(writer: StandardOperators, given: Wire, block: QuantisedBlock) -> Wire:
    """Codes of a block's physical numbers, flat, as :meth:`codesign.core.fixedpoint.QuantisedBlock.codes` makes
    them."""
    flat = (1, block.size)
    rows = given.shape if len(block.shape) == 1 else (1, block.items, block.shape[-1])

    def constant(value: Any) -> Wire:
        array = np.asarray(value, dtype=np.float64)
        return Wire(writer.constant(array), array.shape)

    low, high = (np.array([getattr(t, end) for t in block.types]) for end in ("minimum", "maximum"))
    x = given if rows == given.shape else writer.reshape(given, rows[1:])
    wide = writer.emit("Cast", (x,), rows, to=TensorProto.DOUBLE)
    scaled = writer.emit("Div", (writer.emit("Sub", (wide, constant(block.offset)), rows), constant(block.step)), rows)
    code = writer.emit("Floor", (writer.add(scaled, constant(0.5)),), rows)
    code = writer.emit("Min", (writer.emit("Max", (code, constant(low)), rows), constant(high)), rows)
    if block.absent is not None:
        field = None if block.validity is None else np.array([block.fields.index(block.validity)])
        seen = wide if field is None else writer.take(code, field, 2)
        size = writer.emit("Abs", (seen,), seen.shape)
        if field is None:
            size = writer.emit("ReduceMax", (size,), (1, block.items, 1), axes=[2], keepdims=1)
        there = writer.emit("Greater", (size, constant(0.0)), (1, block.items, 1))
        code = writer.emit("Where", (there, code, constant(0.0)), rows)
    return code if rows == flat else writer.reshape(code, flat[1:])


def heads_of(port: Port) -> list[tuple[str, str]]:
    """Names of the outputs of :func:`features_model`: of each head, its values' and its codes'."""
    return [("scores", "output_codes")] if port.is_flat else [(b.name, f"{b.name}_codes") for b in port.blocks]


def _give(port: Port, flat: str, named: str) -> list[Wire]:
    """The graph's inputs: one, ``flat``, of a flat port, else one for each block."""
    if port.is_flat:
        return [Wire(flat, (1, port.size))]
    return [Wire(named.format(block.name), (1, *block.shape)) for block in port.blocks]


def _heads(port: Port, flat: str, named: str) -> list[tuple[Wire, slice | None]]:
    """The graph's outputs, and of several which part of the scores each is."""
    if port.is_flat:
        return [(Wire(flat, (1, port.size)), None)]
    return [(Wire(named.format(block.name), (1, block.size)), place) for block, place in port.places]


def _join(writer: StandardOperators, given: list[Wire]) -> Wire:
    """Blocks as one flat wire."""
    flat = [x if len(x.shape) == 2 else writer.reshape(x, (prod(x.shape[1:]),)) for x in given]
    return flat[0] if len(flat) == 1 else writer.concat(flat, 1)


def _piece(writer: StandardOperators, x: Wire, place: slice | None) -> Wire:
    return x if place is None else writer.take(x, np.arange(place.start, place.stop), 1)


def number_kind(design: Design) -> type[np.floating[Any]]:
    """The narrower of float32 and float64 that computes a design exactly; UnsupportedError where neither does."""
    graph, ports = read_graph(design.onnx), Interval.of_port(design.inputs)
    try:
        graph.run(ports, Intervals())
    except UnsupportedError:
        graph.run(ports, Intervals(FLOAT64_EXACT))
        return np.float64
    return np.float32


def _values_of_codes(writer: StandardOperators, codes: Wire, design: Design) -> Wire:
    kind = TensorProto.FLOAT if writer.kind is np.float32 else TensorProto.DOUBLE
    values = writer.emit("Cast", (codes,), codes.shape, to=kind)
    return writer.multiply(values, design.inputs.lsbs)


def _network(writer: StandardOperators, values: Wire, design: Design) -> Wire:
    scores: Wire = read_graph(design.onnx).run(values, writer)
    return scores


def _as_codes(writer: StandardOperators, scores: Wire, design: Design, heads: list[tuple[Wire, slice | None]]) -> None:
    whole = writer.multiply(scores, 1 / design.outputs.lsbs)
    for wire, place in heads:
        _name(writer, "Cast", _piece(writer, whole, place), wire.name, to=TensorProto.INT32)


def _name(writer: StandardOperators, operator: str, x: Wire, name: str, **attributes: object) -> None:
    writer.nodes.append(helper.make_node(operator, [x.name], [name], f"n{len(writer.nodes)}", **attributes))


def _model(
    writer: StandardOperators,
    name: str,
    inputs: list[tuple[Wire, int]],
    outputs: list[tuple[Wire, int]],
    design: Design,
) -> bytes:
    def tensor(entry: tuple[Wire, int]) -> onnx.ValueInfoProto:
        wire, kind = entry
        return helper.make_tensor_value_info(wire.name, kind, ["events", *wire.shape[1:]])

    own = [wire.name for wire, _ in (*inputs, *outputs)]
    taken = {t.name for t in writer.constants} | {o for n in writer.nodes for o in n.output} - {
        w.name for w, _ in outputs
    }
    if len(set(own)) < len(own) or taken & set(own):
        raise UnsupportedError(f"blocks of the names {', '.join(own)} cannot be told apart in one ONNX: rename them")
    graph = helper.make_graph(
        writer.nodes, name, [tensor(i) for i in inputs], [tensor(o) for o in outputs], writer.constants
    )
    model = helper.make_model(
        graph, producer_name="codesign", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION
    )
    helper.set_model_props(
        model,
        {
            "design": design.hash,
            "inputs": _lines(design.inputs.labels),
            "units": _lines(design.input_quantisation.units),
            "outputs": _lines(design.outputs.labels),
        },
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _lines(names: Iterable[str]) -> str:
    """Names, each on a line of its own, whatever is in it."""
    return "\n".join(map(line, names))


class Session:
    """A standard ONNX file in onnxruntime, on the CPU; what a stranger sent is parsed by nothing else.

    ``threads``: 0 for all cores. InputError if the file is no such model.
    """

    def __init__(self, model: Path | bytes, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        where = "the ONNX model" if isinstance(model, bytes) else str(model)
        content = standard_model(model if isinstance(model, bytes) else given_bytes(model, MODEL_BYTES), where)
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own classes derive from Exception only
            raise InputError(f"{where}: onnxruntime cannot load it ({_first_line(error)})") from None
        inputs = self._session.get_inputs()
        if not inputs or any(len(i.shape) < 2 or not all(isinstance(n, int) for n in i.shape[1:]) for i in inputs):
            raise InputError(f"{where}: takes other inputs than of (events, features): not a network of a bundle")
        self.blocks: dict[str, tuple[int, ...]] = {i.name: tuple(i.shape[1:]) for i in inputs}
        self.size = sum(map(prod, self.blocks.values()))
        self.outputs = tuple(o.name for o in self._session.get_outputs())

    def run(self, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Run the flat (events, n), the inputs one after another; the arrays (events, m) of every output by name.

        InputError for another shape.
        """
        if x.ndim != 2 or x.shape[1] != self.size:
            raise InputError(f"input of shape {x.shape}: the network takes (events, {self.size})")
        given, start = {}, 0
        for name, shape in self.blocks.items():
            given[name] = x[:, start : start + prod(shape)].reshape(len(x), *shape)
            start += prod(shape)
        try:
            found = self._session.run(None, given)
        except Exception as error:
            raise ToolError(f"onnxruntime failed: {_first_line(error)}") from None
        return dict(zip(self.outputs, found, strict=True))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
