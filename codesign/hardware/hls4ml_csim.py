"""hls4ml's C simulation of a design, compiled with g++: another tool's reading of the same QONNX graph.

hls4ml 1.3 does not read the exported graph as it is (a Gemm with one scale per output channel), so each constant is
folded to its exact values first; and its default precisions overflow, so every type is set wide enough.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from codesign.design import Design
from codesign.errors import ToolError, UnsupportedError
from codesign.graph.interval import grid
from codesign.graph.reader import read_graph

__all__ = ("CSimulation", "folded_for_hls4ml")

_QONNX = "qonnx.custom_op.general"


class CSimulation:
    """hls4ml's C simulation of one design; ToolError where hls4ml or g++ fails."""

    def __init__(self, design: Design, folder: Path) -> None:
        try:
            import hls4ml
        except ImportError as error:
            raise ToolError(f"hls4ml is not usable ({error}): pip install hls4ml==1.3.0") from None
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.util.cleanup import cleanup_model

        self._design = design
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            model = cleanup_model(ModelWrapper(folded_for_hls4ml(design)))
            # 48 bits hold any accumulator that float32 tools could have checked (24 bits), wherever its point is
            config = hls4ml.utils.config_from_onnx_model(
                model, granularity="name", backend="Vitis", default_precision="fixed<48,24>"
            )
            self._model = hls4ml.converters.convert_from_onnx_model(
                model, hls_config=config, output_dir=str(folder), backend="Vitis", io_type="io_parallel"
            )
            self._model.compile()

    def predict(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Input codes (events, n) to output codes (events, m)."""
        values = np.ascontiguousarray(self._design.inputs.values(codes).astype(np.float32))
        out = np.asarray(self._model.predict(values), dtype=np.float64)
        return self._design.outputs.codes(out.reshape(len(codes), -1))


def folded_for_hls4ml(design: Design) -> onnx.ModelProto:
    """Rewrite a graph of Quant, Gemm, MatMul and Relu nodes so that hls4ml reads it: the same function, exactly."""
    constants = read_graph(design.onnx).constants
    source = onnx.load_from_string(design.onnx).graph
    nodes: list[Any] = []
    fixed: list[Any] = []

    def constant(name: str, value: NDArray[np.float64]) -> str:
        fixed.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def quantised(name: str, value: NDArray[np.float64]) -> str:
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
            nodes.append(helper.make_node("MatMul", [node.input[0], quantised(f"weight{index}", weight)], [product]))
            if len(node.input) > 2:
                bias = constants[node.input[2]] * float(attributes.get("beta", 1.0))
                nodes.append(helper.make_node("Add", [product, quantised(f"bias{index}", bias)], [node.output[0]]))
        elif node.op_type in ("Quant", "Relu"):
            for name in node.input[1:]:
                constant(f"{name}_{index}", constants[name])
            inputs = [node.input[0], *(f"{name}_{index}" for name in node.input[1:])]
            copy = helper.make_node(node.op_type, inputs, list(node.output), domain=node.domain)
            copy.attribute.extend(node.attribute)
            nodes.append(copy)
        else:
            raise UnsupportedError(f"{node.op_type}: hls4ml's C simulation is set up for Quant, Gemm, MatMul and Relu")
    inputs, outputs = list(source.input), list(source.output)
    for value in (*inputs, *outputs):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    graph = helper.make_graph(nodes, "codesign", inputs, outputs, fixed)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid(_QONNX, 2)])
    model.ir_version = 10
    return model
