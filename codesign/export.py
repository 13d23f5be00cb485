"""From a trained Brevitas network to a :class:`~codesign.design.Design`, and the reference executions of it."""

from __future__ import annotations

import logging
import warnings
from itertools import accumulate, pairwise
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.design import Design
from codesign.errors import UnsupportedError
from codesign.fixedpoint import Block, FixedPoint, InputQuantisation, Port
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.reader import read_graph
from codesign.layout import FEATURES
from codesign.models.network import Network
from codesign.reading.onnx import onnx_model

__all__ = ("brevitas_codes", "export", "qonnx_codes")


def export(
    network: Network, input_quantisation: InputQuantisation, outputs: tuple[str, ...], trigger: str | None = None
) -> Design:
    """Export a folded network to QONNX and derive the types of its outputs by interval arithmetic.

    ``trigger`` names the output that the firmware compares with a programmable threshold.
    UnsupportedError where the graph is not exact (a scale that is no power of two, an accumulator beyond float32), or
    the network takes other blocks or gives other outputs.
    """
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # deprecations inside torch.onnx and Brevitas, which the user cannot act on
        from brevitas.export.onnx.qonnx.manager import QONNXManager

        from codesign.graph.clean import cleaned

        # onnxoptimizer cannot read this IR, does nothing and says so; QONNX' own clean-up does what is needed
        manager: Any = type("Manager", (QONNXManager,), {"run_onnx_passes": False})
        inputs, given = _inputs_of(network, input_quantisation.port)
        heads = _heads_of(network, given, outputs)
        exported = manager.export(
            network,
            args=given if len(given) > 1 else given[0],
            dynamo=False,  # the TorchScript exporter is ten times faster
            input_names=inputs,
            output_names=list(heads),
            dynamic_axes={name: {0: "events"} for name in (*inputs, *heads)},
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
    return Design(content, input_quantisation, _port_of(heads, types), trigger)


def _inputs_of(network: Network, port: Port) -> tuple[list[str], tuple[torch.Tensor, ...]]:
    """Names of the graph's inputs, one for each block, and what the network is given of one event."""
    shapes = tuple(block.shape for block in port.blocks)
    flat = ((port.size,),)
    if (network.shapes or flat) != shapes:
        raise UnsupportedError(
            f"the network {type(network).__name__} takes blocks of shape {_shown(network.shapes or flat)}, and is to "
            f"see {', '.join(b.name for b in port.blocks)} of shape {_shown(shapes)}: choose another view or family"
        )
    names = [FEATURES] if port.is_flat else [block.name for block in port.blocks]
    return names, tuple(torch.zeros(1, *shape) for shape in shapes)


def _heads_of(
    network: Network, given: tuple[torch.Tensor, ...], outputs: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """By the name of each head of the network, the names of its outputs."""
    with torch.no_grad():
        found = network(*given)
    sizes = [part.shape[1] for part in found] if isinstance(found, tuple) else [found.shape[1]]
    if sum(sizes) != len(outputs):
        raise UnsupportedError(
            f"the network {type(network).__name__} has {sum(sizes)} outputs, and {len(outputs)} are to be learned: "
            f"{', '.join(outputs[:20])}"
        )
    if len(sizes) == 1:
        return {"scores": outputs}
    ends = list(accumulate(sizes, initial=0))
    return {f"scores_{i}": outputs[low:high] for i, (low, high) in enumerate(pairwise(ends))}


def _port_of(heads: dict[str, tuple[str, ...]], types: tuple[FixedPoint, ...]) -> Port:
    if len(heads) == 1:
        return Port(name="scores", types=types, labels=heads["scores"])
    ends = accumulate(map(len, heads.values()), initial=0)
    blocks = tuple(
        Block(name=name, shape=(len(labels),), fields=labels, types=types[start : start + len(labels)])
        for (name, labels), start in zip(heads.items(), ends, strict=False)
    )
    return Port(name="scores", blocks=blocks)


def _shown(shapes: tuple[tuple[int, ...], ...]) -> str:
    return ", ".join("(" + ", ".join(map(str, shape)) + ")" for shape in shapes)


def brevitas_codes(network: Network, design: Design, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Run the Brevitas network on input codes (events, n); output codes (events, m)."""
    with torch.no_grad():
        values = network.of_flat(torch.as_tensor(design.inputs.values(codes), dtype=torch.float32))
    return design.outputs.codes(values.numpy().astype(np.float64))


def qonnx_codes(design: Design, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Run the design with QONNX' own executor on input codes (events, n); output codes (events, m)."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model = ModelWrapper(onnx_model(design.onnx))
    graph = read_graph(design.onnx)
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
