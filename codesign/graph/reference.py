"""A design run by QONNX' own executor: what the graph means by the word of those who defined its operators."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.reading.onnx import onnx_model
from codesign.graph.exact import Exact
from codesign.graph.nodes import CODESIGN
from codesign.graph.reader import read_graph

__all__ = ("qonnx_codes",)


def qonnx_codes(design: Design, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Run the design with QONNX' own executor on input codes (events, n); output codes (events, m).

    A graph with operators of codesign's own domain, which that executor does not know, is computed exactly instead.
    """
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model = ModelWrapper(onnx_model(design.onnx))
    graph = read_graph(design.onnx)
    if any(node.domain == CODESIGN for node in model.graph.node):
        return design.outputs.codes(graph.run(design.inputs.values(codes), Exact()))
    values = design.inputs.values(codes).astype(np.float32)
    given, start = {}, 0
    for block in graph.inputs:
        shape = block.shape if block.size >= 0 else (design.inputs.size,)
        size = prod(shape)
        given[block.name] = values[:, start : start + size].reshape(len(codes), *shape)
        model.set_tensor_shape(block.name, [len(codes), *shape])
        start += size
    for head in model.graph.output:
        lengths = [d.dim_value for d in head.type.tensor_type.shape.dim[1:]]
        model.set_tensor_shape(head.name, [len(codes), *lengths])
    # a graph of its own, in order already: neither copied nor cleaned up
    model = model.transform(InferShapes(), make_deepcopy=False, cleanup=False)
    found = execute_onnx(model, given)
    heads = [found[head.name].astype(np.float64).reshape(len(codes), -1) for head in model.graph.output]
    return design.outputs.codes(np.concatenate(heads, axis=1))
