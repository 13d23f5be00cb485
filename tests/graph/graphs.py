"""Small QONNX graphs made by hand, for the tests of everything that reads them."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from codesign.core.fixedpoint import FixedPoint
from codesign.testing.graphs import QONNX, GraphBuilder, design_of

__all__ = ("QONNX", "GraphBuilder", "all_codes", "design_of", "qonnx_values")


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
