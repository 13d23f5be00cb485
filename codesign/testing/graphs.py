"""Small QONNX graphs, built node by node, and designs made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.nodes import CODESIGN
from codesign.graph.reader import read_graph

__all__ = ("QONNX", "GraphBuilder", "design_of", "kind_of", "port_of_one_kind", "weights")

QONNX = "qonnx.custom_op.general"
_OF_QONNX = ("Quant", "BipolarQuant", "IntQuant", "Trunc", "MultiThreshold")
_OF_OURS = ("FixedPoint", "Table")


class GraphBuilder:
    """Builds a graph node by node; each method returns the name of its output. The input's name is ``x``."""

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """A constant tensor."""
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output."""
        from onnx import helper

        name = f"n{len(self.nodes)}"
        domain = QONNX if op in _OF_QONNX else CODESIGN if op in _OF_OURS else ""
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"{op}_{name}", domain=domain, **attributes))
        return name

    def quant(
        self,
        x: str,
        scale: Any,
        bits: Any,
        signed: int = 1,
        narrow: int = 0,
        mode: str = "FLOOR",
        zero: float = 0.0,
    ) -> str:
        """A Quant node on ``x``."""
        return self.node(
            "Quant",
            x,
            self.constant(scale),
            self.constant(zero),
            self.constant(bits),
            signed=signed,
            narrow=narrow,
            rounding_mode=mode,
        )

    def layer(self, x: str, matrix: NDArray[np.float64], bias: NDArray[np.float64] | None = None) -> str:
        """A matrix (inputs, outputs), and a constant (outputs,) added."""
        out = self.node("MatMul", x, self.constant(matrix))
        return out if bias is None else self.node("Add", out, self.constant(bias))

    def finish(self, output: str, outputs: int) -> bytes:
        """The graph as serialised ONNX, with ``outputs`` elements of the tensor ``output``."""
        from onnx import TensorProto, helper

        graph = helper.make_graph(
            self.nodes,
            "test",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["events", self.inputs])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["events", outputs])],
            self.constants,
        )
        versions = {"": 20, QONNX: 2} | ({CODESIGN: 1} if any(n.domain == CODESIGN for n in self.nodes) else {})
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(d, v) for d, v in versions.items()])
        model.ir_version = 10
        content: bytes = model.SerializeToString()
        return content


def kind_of(bits: int, signed: bool, fraction_bits: int = 0) -> FixedPoint:
    """A type of ``bits`` bits, the sign included."""
    return FixedPoint(signed=signed, integer_bits=bits - int(signed) - fraction_bits, fraction_bits=fraction_bits)


def weights(rng: np.random.Generator, shape: tuple[int, int], bits: int, scale: float = 1.0) -> NDArray[np.float64]:
    """Random weights of ``bits`` bits, sign included, times ``scale``; of one bit: a sign."""
    if bits == 1:
        return np.where(rng.random(shape) < 0.5, -scale, scale)
    largest = 2 ** (bits - 1) - 1
    return np.asarray(rng.integers(-largest, largest + 1, shape) * scale, dtype=np.float64)


def port_of_one_kind(kind: FixedPoint, inputs: int) -> InputQuantisation:
    """Inputs that all have one type, and are their own features."""
    return InputQuantisation(
        features=tuple(f"x{i}" for i in range(inputs)),
        units=("1",) * inputs,
        offset=(0.0,) * inputs,
        step=(kind.lsb,) * inputs,
        types=(kind,) * inputs,
    )


def design_of(content: bytes, kind: FixedPoint, inputs: int) -> Design:
    """Wrap a graph as a design whose inputs all have one type."""
    quantisation = port_of_one_kind(kind, inputs)
    found = read_graph(content).run(Interval.of_port(quantisation.port), Intervals())
    types = tuple(
        tightest_type(float(low), float(high), float(step))
        for low, high, step in zip(found.low[0], found.high[0], found.step[0], strict=True)
    )
    return Design(content, quantisation, Port(name="y", types=types, labels=tuple(f"y{i}" for i in range(len(types)))))
