"""A design run by QONNX' own executor: what the graph means by the word of those who defined its operators."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.reading.onnx import onnx_model
from codesign.graph.exact import Exact
from codesign.graph.nodes import ALIASES, CHANNELS_LAST, QONNX, STANDARD
from codesign.graph.reader import read_graph

__all__ = ("EXACT_ARITHMETIC", "QONNX_EXECUTOR", "qonnx_codes", "reference_name")

#: who computed integers: QONNX' own executor, or the exact domain here, where that executor lacks an operator
QONNX_EXECUTOR, EXACT_ARITHMETIC = "qonnx", "exact arithmetic"


def reference_name(design: Design) -> str:
    """What :func:`qonnx_codes` runs of this design: a verdict names it so."""
    return QONNX_EXECUTOR if _is_qonnx(onnx_model(design.onnx)) else EXACT_ARITHMETIC


def _is_qonnx(model: onnx.ModelProto) -> bool:
    """Whether each operator is one of ONNX or QONNX: it runs neither trees nor those of codesign's own domain."""
    domains = {ALIASES.get(node.domain, node.domain) for node in model.graph.node}
    return domains <= {STANDARD, QONNX, CHANNELS_LAST}


def qonnx_codes(design: Design, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Run the design with QONNX' own executor on input codes (events, n); output codes (events, m).

    A graph with trees or operators of codesign's own domain, which that executor does not run, is computed exactly
    instead (:func:`reference_name` says which it was).
    """
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model = ModelWrapper(onnx_model(design.onnx))
    graph = read_graph(design.onnx)
    if not _is_qonnx(model.model):
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
