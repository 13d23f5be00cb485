"""A design run by QONNX' own executor: what the graph means by the word of those who defined its operators."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.reading.onnx import onnx_model
from codesign.graph.ensemble import ML
from codesign.graph.exact import Exact
from codesign.graph.nodes import CODESIGN
from codesign.graph.reader import read_graph

__all__ = ("qonnx_codes",)


def qonnx_codes(design: Design, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Run the design with QONNX' own executor on input codes (events, n); output codes (events, m).

    A graph with operators of codesign's own domain, which that executor does not know, is computed exactly instead. It
    hands nodes of ONNX to onnxruntime one by one, and loses the version of those of ai.onnx.ml: a graph of these and
    standard ones alone is run by onnxruntime as a whole.
    """
    graph, model = read_graph(design.onnx), onnx_model(design.onnx)
    domains = {node.domain for node in model.graph.node}
    if CODESIGN in domains or (ML in domains and domains - {"", ML}):
        return design.outputs.codes(graph.run(design.inputs.values(codes), Exact()))
    values = design.inputs.values(codes).astype(np.float32)
    shapes = {b.name: b.shape if b.size >= 0 else (design.inputs.size,) for b in graph.inputs}
    given, start = {}, 0
    for name, shape in shapes.items():
        size = prod(shape)
        given[name] = values[:, start : start + size].reshape(len(codes), *shape)
        start += size
    found = _by_onnxruntime(design.onnx, given) if ML in domains else _by_qonnx(model, given)
    heads = [found[head.name].astype(np.float64).reshape(len(codes), -1) for head in model.graph.output]
    return design.outputs.codes(np.concatenate(heads, axis=1))


def _by_qonnx(proto: onnx.ModelProto, given: Mapping[str, NDArray[np.float32]]) -> Mapping[str, NDArray[np.float32]]:
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model = ModelWrapper(proto)
    for name, values in given.items():
        model.set_tensor_shape(name, list(values.shape))
    events = len(next(iter(given.values())))
    for head in model.graph.output:
        lengths = [d.dim_value for d in head.type.tensor_type.shape.dim[1:]]
        model.set_tensor_shape(head.name, [events, *lengths])
    # a graph of its own, in order already: neither copied nor cleaned up
    model = model.transform(InferShapes(), make_deepcopy=False, cleanup=False)
    found: Mapping[str, NDArray[np.float32]] = execute_onnx(model, given)
    return found


def _by_onnxruntime(content: bytes, given: Mapping[str, NDArray[np.float32]]) -> Mapping[str, NDArray[np.float32]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, dict(given)), strict=True))
