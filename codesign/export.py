"""From a trained Brevitas network to a :class:`~codesign.design.Design`, and the reference executions of it."""

from __future__ import annotations

import logging
import warnings
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.design import Design
from codesign.fixedpoint import InputQuantisation, Port
from codesign.graph.exact import Exact
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.nodes import CODESIGN
from codesign.graph.reader import read_graph
from codesign.models.network import Network
from codesign.reading.onnx import onnx_model

__all__ = ("brevitas_codes", "export", "qonnx_codes")


def export(
    network: Network, input_quantisation: InputQuantisation, outputs: tuple[str, ...], trigger: str | None = None
) -> Design:
    """Export a folded network to QONNX and derive the types of its outputs by interval arithmetic.

    ``trigger`` names the output that the firmware compares with a programmable threshold.
    UnsupportedError where the graph is not exact (a scale that is no power of two, an accumulator beyond float32).
    """
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # deprecations inside torch.onnx and Brevitas, which the user cannot act on
        from brevitas.export.onnx.qonnx.manager import QONNXManager

        from codesign.graph.clean import cleaned

        # onnxoptimizer cannot read this IR, does nothing and says so; QONNX' own clean-up does what is needed
        manager: Any = type("Manager", (QONNXManager,), {"run_onnx_passes": False})
        exported = manager.export(
            network,
            args=torch.zeros(1, input_quantisation.port.size),
            dynamo=False,  # the TorchScript exporter is ten times faster
            input_names=["features"],
            output_names=["scores"],
            dynamic_axes={"features": {0: "events"}, "scores": {0: "events"}},
        )
        model = cleaned(exported)
    model.graph.name = "codesign"
    model.producer_name, model.producer_version, model.doc_string = "codesign", "", ""
    content = model.SerializeToString(deterministic=True)
    ports = read_graph(content).run(Interval.of_port(input_quantisation.port), Intervals())
    types = tuple(
        tightest_type(float(low), float(high), float(step))
        for low, high, step in zip(ports.low[0], ports.high[0], ports.step[0], strict=True)
    )
    return Design(content, input_quantisation, Port(name="scores", types=types, labels=outputs), trigger)


def brevitas_codes(network: Network, design: Design, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Run the Brevitas network on input codes (events, n); output codes (events, m)."""
    with torch.no_grad():
        values = network(torch.as_tensor(design.inputs.values(codes), dtype=torch.float32))
    return design.outputs.codes(values.numpy().astype(np.float64))


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


class _quiet:
    """Silence the exporters' own logging for the time of an export."""

    def __enter__(self) -> None:
        self._level = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self._level)
