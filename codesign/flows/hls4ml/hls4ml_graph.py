"""A design's graph as hls4ml 1.3 reads it, and the precision of everything in it.

hls4ml does not read the exported graph as it is (a Gemm with one scale per output channel), so each constant is folded
to its exact values first. hls4ml's default precisions overflow; here every type is set: the input's from the design,
weights' and biases' from their values, accumulators' and results' from interval arithmetic. An accumulator wraps, so
that it needs the range of the result only, whatever the partial sums are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.reading.onnx import onnx_model
from codesign.graph.flat_chain import flat_chain
from codesign.graph.interval import Interval, Intervals, grid, tightest_type
from codesign.graph.joined import join_heads
from codesign.graph.reader import read_graph

__all__ = ("DenseLayer", "Folded", "fold")

_QONNX = "qonnx.custom_op.general"
#: rounding modes of hls4ml's Quant
_ROUNDING = ("ROUND", "FLOOR")


@dataclass(frozen=True)
class DenseLayer:
    """One matrix: its shape, and the type that holds its result, the bias included."""

    inputs: int
    outputs: int
    result: FixedPoint


@dataclass(frozen=True)
class Folded:
    """A graph for hls4ml: ``model``, the one type of all inputs, and its matrices in the graph's order."""

    model: onnx.ModelProto
    input: FixedPoint
    dense: tuple[DenseLayer, ...]


def fold(design: Design) -> Folded:
    """Rewrite a design's graph for hls4ml. UnsupportedError names what hls4ml cannot do exactly."""
    model = _rewritten(design)
    signals = read_graph(model.SerializeToString()).signals(Interval.of_port(design.inputs), Intervals())
    nodes = model.graph.node
    after = {name: node for node in nodes for name in node.input}
    dense = []
    for node in nodes:
        if node.op_type == "MatMul":
            follower = after.get(node.output[0])
            name = follower.output[0] if follower is not None and follower.op_type == "Add" else node.output[0]
            inputs, outputs = np.shape(signals[node.input[1]])
            dense.append(DenseLayer(inputs, outputs, _common(_types(signals[name]))))
    if not dense:
        raise UnsupportedError("flow hls4ml: the design has no matrix: nothing to make a project of")
    return Folded(model, _common(list(design.inputs.types)), tuple(dense))


def _types(signal: Interval) -> list[FixedPoint]:
    ends = zip(signal.low.ravel(), signal.high.ravel(), signal.step.ravel(), strict=True)
    return [tightest_type(float(low), float(high), float(step)) for low, high, step in ends]


def _common(types: list[FixedPoint]) -> FixedPoint:
    """The type that holds every value of all ``types``: a layer of hls4ml has one."""
    used = [t for t in types if t.width]
    if not used:
        return FixedPoint(signed=False, integer_bits=1, fraction_bits=0)
    return reduce(
        lambda a, b: FixedPoint(
            signed=a.signed or b.signed,
            integer_bits=max(a.integer_bits, b.integer_bits),
            fraction_bits=max(a.fraction_bits, b.fraction_bits),
        ),
        used,
    )


def _refuse_quant(node: Any, constants: dict[str, NDArray[np.float64]]) -> None:
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    mode = attributes.get("rounding_mode", b"ROUND").decode().upper()
    signed, bits = attributes.get("signed", 1), constants[node.input[3]]
    if mode not in _ROUNDING:
        raise UnsupportedError(
            f"flow hls4ml: rounding mode '{mode}' is not supported; supported: {', '.join(_ROUNDING)}"
        )
    if attributes.get("narrow", 0) and not signed:
        raise UnsupportedError("flow hls4ml: an unsigned narrow quantiser is not supported")
    if signed and (bits == 1).any():
        raise UnsupportedError("flow hls4ml: bipolar activations (one signed bit) are not supported")
    if np.unique(bits).size > 1:
        raise UnsupportedError("flow hls4ml: bit widths that differ within one quantiser are not supported")


def _rewritten(design: Design) -> onnx.ModelProto:
    """Rewrite a graph of Quant, Gemm, MatMul, Add and Relu nodes so that hls4ml reads it: the same function, exactly.

    UnsupportedError names what hls4ml cannot do exactly.
    """
    content = flat_chain(join_heads(design.onnx), design.inputs.size, "hls4ml")
    constants = read_graph(content).constants
    source = onnx_model(content).graph
    nodes: list[Any] = []
    fixed: list[Any] = []

    def constant(name: str, value: NDArray[np.float64]) -> str:
        fixed.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def quantise(name: str, value: NDArray[np.float64]) -> str:
        """A constant behind a Quant node that is the identity on it: hls4ml takes the type from there."""
        steps = grid(value)
        lsb = steps[steps > 0].min() if (steps > 0).any() else 1.0
        bits = int(np.abs(value / lsb).max()).bit_length() + 1
        nodes.append(
            helper.make_node(
                "Quant",
                [
                    constant(f"{name}_values", value),
                    constant(f"{name}_scale", np.array(lsb)),
                    constant(f"{name}_zero", np.array(0.0)),
                    constant(f"{name}_bits", np.array(float(max(2, bits)))),
                ],
                [name],
                domain=_QONNX,
                signed=1,
                narrow=0,
                rounding_mode="ROUND",
            )
        )
        return name

    for index, node in enumerate(source.node):
        if node.output[0] in constants:
            continue
        if node.op_type in ("Gemm", "MatMul"):
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            weight = constants[node.input[1]] * float(attributes.get("alpha", 1.0))
            weight = weight.T if attributes.get("transB", 0) else weight
            product = f"product{index}" if len(node.input) > 2 else node.output[0]
            nodes.append(helper.make_node("MatMul", [node.input[0], quantise(f"weight{index}", weight)], [product]))
            if len(node.input) > 2:
                bias = constants[node.input[2]] * float(attributes.get("beta", 1.0))
                nodes.append(helper.make_node("Add", [product, quantise(f"bias{index}", bias)], [node.output[0]]))
        elif node.op_type == "Add" and any(name in constants for name in node.input):
            signal, given = node.input if node.input[1] in constants else reversed(node.input)
            nodes.append(
                helper.make_node("Add", [signal, quantise(f"bias{index}", constants[given])], [node.output[0]])
            )
        elif node.op_type in ("Quant", "Relu"):
            if node.op_type == "Quant":
                _refuse_quant(node, constants)
            for name in node.input[1:]:
                constant(f"{name}_{index}", constants[name])
            inputs = [node.input[0], *(f"{name}_{index}" for name in node.input[1:])]
            copy = helper.make_node(node.op_type, inputs, list(node.output), domain=node.domain)
            copy.attribute.extend(node.attribute)
            nodes.append(copy)
        else:
            raise UnsupportedError(
                f"flow hls4ml: operator '{node.op_type}' is not supported; supported: Add of a constant, Gemm, "
                "MatMul by a constant, Quant, Relu"
            )
    inputs, outputs = list(source.input), list(source.output)
    for value in (*inputs, *outputs):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    graph = helper.make_graph(nodes, "codesign", inputs, outputs, fixed)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid(_QONNX, 2)])
    model.ir_version = 10
    return model
