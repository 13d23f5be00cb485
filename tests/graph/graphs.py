"""Small QONNX graphs made by hand, for the tests of everything that reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codesign.design import Design
from codesign.fixedpoint import FixedPoint, InputQuantisation, Port
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.reader import read_graph

QONNX = "qonnx.custom_op.general"


class GraphBuilder:
    """Builds a graph node by node; each method returns the name of its output."""

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        domain = QONNX if op in ("Quant", "BipolarQuant", "IntQuant") else ""
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"{op}_{name}", domain=domain, **attributes))
        return name

    def quant(
        self,
        x: str,
        scale: Any,
        bits: float,
        signed: int = 1,
        narrow: int = 0,
        mode: str = "FLOOR",
        zero: float = 0.0,
    ) -> str:
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

    def finish(self, output: str, outputs: int) -> bytes:
        graph = helper.make_graph(
            self.nodes,
            "test",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["events", self.inputs])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["events", outputs])],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid(QONNX, 2)])
        model.ir_version = 10
        return model.SerializeToString()


def design_of(content: bytes, kind: FixedPoint, inputs: int) -> Design:
    """Wrap a graph as a design whose inputs all have one type."""
    quantisation = InputQuantisation(
        features=tuple(f"x{i}" for i in range(inputs)),
        units=("1",) * inputs,
        offset=(0.0,) * inputs,
        step=(kind.lsb,) * inputs,
        types=(kind,) * inputs,
    )
    found = read_graph(content).run(Interval.of_port(quantisation.port), Intervals())
    types = tuple(tightest_type(*map(float, t)) for t in zip(found.low[0], found.high[0], found.step[0], strict=True))
    return Design(content, quantisation, Port(name="y", types=types, labels=tuple(f"y{i}" for i in range(len(types)))))


def qonnx_values(content: bytes, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Run a graph with QONNX' own executor."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model = ModelWrapper(onnx.load_from_string(content))
    model.set_tensor_shape("x", list(x.shape))
    out = model.graph.output[0]
    model.set_tensor_shape(out.name, [len(x), out.type.tensor_type.shape.dim[1].dim_value])
    model = model.transform(InferShapes())
    return execute_onnx(model, {"x": x.astype(np.float32)})[out.name].astype(np.float64)


def all_codes(kind: FixedPoint) -> NDArray[np.int64]:
    """Every code of a type."""
    return np.arange(kind.minimum, kind.maximum + 1)
