"""A design as standard ONNX: from codes to codes, and from physical features to scores, integers equal in both."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from codesign.design import Design
from codesign.errors import InputError, ToolError, UnsupportedError
from codesign.graph.interval import FLOAT64_EXACT, Interval, Intervals
from codesign.graph.reader import read_graph
from codesign.graph.standard import OPSET, StandardOperators, Wire
from codesign.quoting import line
from codesign.reading.limits import MODEL_BYTES
from codesign.reading.onnx import standard_model
from codesign.reading.plain import given_bytes

__all__ = ("Session", "codes_model", "features_model", "number_kind")

#: the newest that every onnxruntime since 1.14 reads
_IR_VERSION = 8


def codes_model(design: Design) -> bytes:
    """Serialised standard ONNX: ``input_codes`` (events, n) int32 to ``output_codes`` (events, m) int32.

    The same integers as the firmware, ``==``. Computed in float32 where that is exact, else in float64;
    UnsupportedError where that is not either.
    """
    writer = StandardOperators(kind=number_kind(design))
    values = _values_of_codes(writer, Wire("input_codes", (1, design.inputs.size)), design)
    scores = _network(writer, values, design)
    _as_codes(writer, scores, design, "output_codes")
    return _model(
        writer,
        "codes",
        [("input_codes", TensorProto.INT32, design.inputs.size)],
        [("output_codes", TensorProto.INT32, design.outputs.size)],
        design,
    )


def features_model(design: Design) -> bytes:
    """Serialised standard ONNX: ``features`` (events, n) float32 in physical units to ``scores`` (events, m) float32,
    and ``output_codes`` (events, m) int32.

    The features are quantised inside, ``clip(floor((x - offset) / step + 1/2), low, high)`` in float64, exactly as
    :meth:`codesign.fixedpoint.InputQuantisation.codes` does it.
    """
    writer, q = StandardOperators(kind=number_kind(design)), design.input_quantisation
    size = design.inputs.size

    def constant(value: Any) -> Wire:
        array = np.asarray(value, dtype=np.float64)
        return Wire(writer.constant(array), array.shape)

    low, high = design.inputs.bounds
    wide = writer.emit("Cast", (Wire("features", (1, size)),), (1, size), to=TensorProto.DOUBLE)
    scaled = writer.emit(
        "Div", (writer.emit("Sub", (wide, constant(q.offset)), (1, size)), constant(q.step)), (1, size)
    )
    code = writer.emit("Floor", (writer.add(scaled, constant(0.5)),), (1, size))
    code = writer.emit("Min", (writer.emit("Max", (code, constant(low)), (1, size)), constant(high)), (1, size))
    values = _values_of_codes(writer, code, design)
    scores = _network(writer, values, design)
    _as_codes(writer, scores, design, "output_codes")
    if writer.kind is np.float32:
        _named(writer, "Identity", scores, "scores")
    else:
        _named(writer, "Cast", scores, "scores", to=TensorProto.FLOAT)
    return _model(
        writer,
        "features",
        [("features", TensorProto.FLOAT, size)],
        [
            ("scores", TensorProto.FLOAT, design.outputs.size),
            ("output_codes", TensorProto.INT32, design.outputs.size),
        ],
        design,
    )


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


def _as_codes(writer: StandardOperators, scores: Wire, design: Design, name: str) -> None:
    whole = writer.multiply(scores, 1 / design.outputs.lsbs)
    _named(writer, "Cast", whole, name, to=TensorProto.INT32)


def _named(writer: StandardOperators, operator: str, x: Wire, name: str, **attributes: object) -> None:
    writer.nodes.append(helper.make_node(operator, [x.name], [name], f"n{len(writer.nodes)}", **attributes))


def _model(
    writer: StandardOperators,
    name: str,
    inputs: list[tuple[str, int, int]],
    outputs: list[tuple[str, int, int]],
    design: Design,
) -> bytes:
    def tensor(entry: tuple[str, int, int]) -> onnx.ValueInfoProto:
        label, kind, size = entry
        return helper.make_tensor_value_info(label, kind, ["events", size])

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
        if len(inputs) != 1 or len(inputs[0].shape) != 2 or not isinstance(inputs[0].shape[1], int):
            raise InputError(f"{where}: takes other inputs than one of (events, features): not a network of a bundle")
        self.input, self.size = inputs[0].name, inputs[0].shape[1]
        self.outputs = tuple(o.name for o in self._session.get_outputs())

    def run(self, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Run (events, n); the arrays (events, m) of every output by name. InputError for another shape."""
        if x.ndim != 2 or x.shape[1] != self.size:
            raise InputError(f"input of shape {x.shape}: the network takes (events, {self.size})")
        try:
            found = self._session.run(None, {self.input: x})
        except Exception as error:
            raise ToolError(f"onnxruntime failed: {_first_line(error)}") from None
        return dict(zip(self.outputs, found, strict=True))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
