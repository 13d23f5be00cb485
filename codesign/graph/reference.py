"""A design run by QONNX' own executor: what the graph means by the word of those who defined its operators."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.reading.onnx import onnx_model
from codesign.graph.ensemble import ML
from codesign.graph.exact import Exact
from codesign.graph.nodes import CHANNELS_LAST, QONNX, STANDARD
from codesign.graph.reader import Graph, read_graph

__all__ = ("EXACT_ARITHMETIC", "ONNXRUNTIME", "QONNX_EXECUTOR", "qonnx_codes", "reference_name")

#: who computed integers: QONNX' own executor, onnxruntime (of trees), or the exact domain here, where neither can
QONNX_EXECUTOR, ONNXRUNTIME, EXACT_ARITHMETIC = "qonnx", "onnxruntime", "exact arithmetic"


def reference_name(design: Design) -> str:
    """What :func:`qonnx_codes` runs of this design: a verdict names it so."""
    return _runner(read_graph(design.onnx))


def _runner(graph: Graph) -> str:
    domains = {node.domain for node in graph.nodes}
    if domains <= {STANDARD, QONNX, CHANNELS_LAST}:
        return QONNX_EXECUTOR
    return ONNXRUNTIME if domains <= {STANDARD, ML} else EXACT_ARITHMETIC


def qonnx_codes(design: Design, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Run the design with QONNX' own executor on input codes (events, n); output codes (events, m).

    That executor hands nodes of ONNX to onnxruntime one by one, and loses the version of those of trees: a graph of
    these and standard ones is run by onnxruntime as a whole. What has operators of codesign's own domain, or trees
    beside quantisers, is computed exactly instead (:func:`reference_name` says which it was).
    """
    graph = read_graph(design.onnx)
    runner = _runner(graph)
    if runner == EXACT_ARITHMETIC:
        return design.outputs.codes(graph.run(design.inputs.values(codes), Exact()))
    values = design.inputs.values(codes).astype(np.float32)
    shapes = {b.name: b.shape if b.size >= 0 else (design.inputs.size,) for b in graph.inputs}
    given, start = {}, 0
    for name, shape in shapes.items():
        size = prod(shape)
        given[name] = values[:, start : start + size].reshape(len(codes), *shape)
        start += size
    found = (_by_onnxruntime if runner == ONNXRUNTIME else _by_qonnx)(design.onnx, given)
    heads = [found[head].astype(np.float64).reshape(len(codes), -1) for head in graph.outputs]
    return design.outputs.codes(np.concatenate(heads, axis=1))


def _by_qonnx(content: bytes, given: Mapping[str, NDArray[np.float32]]) -> Mapping[str, NDArray[np.float32]]:
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model = ModelWrapper(onnx_model(content))
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
