"""Weights of what no output depends on are 0, and whole channels that are always the same or never used are gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.graph.domain import Array
from codesign.graph.nodes import QONNX, STANDARD
from codesign.graph.passes.base import GraphPass
from codesign.graph.passes.needs import ELEMENTWISE, needs
from codesign.graph.passes.open_graph import OpenGraph, domain_of

__all__ = ("Channels", "DeadWeights")


def _product(graph: OpenGraph, node: onnx.NodeProto) -> Array | None:
    """The matrix (inputs, outputs) with which a node multiplies a signal; None of any other node."""
    if node.op_type != "MatMul" or domain_of(node) != STANDARD or node.input[0] not in graph.signals:
        return None
    weights = graph.constants.get(node.input[1])
    return weights if weights is not None and weights.ndim == 2 else None


class DeadWeights(GraphPass):
    """A weight is 0 where what it multiplies is always 0, or what it makes is used by nothing."""

    name: ClassVar[str] = "dead weights"

    def change(self, graph: OpenGraph) -> Iterator[str]:
        """Set them to 0."""
        needed = needs(graph)
        for node in graph.working():
            weights = _product(graph, node)
            if weights is None or _type(graph, node.input[1]):
                continue
            x = graph.signals[node.input[0]]
            axes = tuple(range(len(x.shape) - 1))
            dead: NDArray[np.bool_] = np.asarray(((x.low == 0) & (x.high == 0)).all(axis=axes))
            used: NDArray[np.bool_] = np.asarray(needed[node.output[0]].any(axis=axes))
            kept = np.where(dead[:, None] | ~used[None, :], 0.0, weights)
            gone = int(np.count_nonzero(weights) - np.count_nonzero(kept))
            if gone:
                node.input[1] = graph.constant(kept, "weights")
                yield f"{node.name}: {gone} of {np.count_nonzero(weights)} weights multiply 0, or nothing uses them"


def _type(graph: OpenGraph, name: str) -> bool:
    """Whether a constant is behind a quantiser that stays, which says its type."""
    maker = graph.maker(name)
    return maker is not None and maker.op_type != "Constant"


@dataclass
class _Group:
    """Signals (events, channels) of the same channels: made by products, changed by element, taken by products."""

    makers: list[onnx.NodeProto]
    between: list[onnx.NodeProto]
    takers: list[onnx.NodeProto]


class Channels(GraphPass):
    """Between two products, a channel is left out that nothing uses, or that is always the same number."""

    name: ClassVar[str] = "channels"

    def change(self, graph: OpenGraph) -> Iterator[str]:
        """Leave out, between one pair of products at a time."""
        needed = needs(graph)
        for node in graph.working():
            if _product(graph, node) is None or (group := _group(graph, node)) is None:
                continue
            ends = {taker.input[0] for taker in group.takers}
            gone = np.ones(graph.signals[node.output[0]].shape[-1], dtype=bool)
            for name in ends:
                x = graph.signals[name]
                gone &= (~needed[name] | (x.low == x.high))[0]
            if gone.all():
                gone[0] = False
            if not gone.any():
                continue
            number = len(gone)
            try:
                _leave_out(graph, group, ~gone)
            except UnsupportedError:
                continue
            yield f"{node.name}: {int(gone.sum())} of {number} channels are always the same, or used by nothing"
            return  # what is known of the graph is no longer so


def _group(graph: OpenGraph, maker: onnx.NodeProto) -> _Group | None:
    """What is between a product and the next ones; None where anything else takes part."""
    found, waiting = _Group([maker], [], []), [maker.output[0]]
    while waiting:
        name = waiting.pop()
        if name in graph.outputs or len(graph.signals[name].shape) != 2:
            return None
        for user in graph.users(name):
            if _product(graph, user) is not None and user.input[0] == name:
                found.takers.append(user)
            elif user.op_type in ELEMENTWISE.get(domain_of(user), ()) and graph.signal_of(user) == name:
                if graph.signals[user.output[0]].shape != graph.signals[name].shape or len(user.output) != 1:
                    return None
                found.between.append(user)
                waiting.append(user.output[0])
            else:
                return None
    return found if found.takers else None


def _leave_out(graph: OpenGraph, group: _Group, kept: NDArray[np.bool_]) -> None:
    """Cut the columns of what makes the channels, the parameters, and the rows of what takes them.

    UnsupportedError, with nothing changed, where a constant is not held by float32.
    """
    number = len(kept)
    cut: list[tuple[onnx.NodeProto, int, str]] = []
    for node in group.makers:
        cut.append((node, 1, _cut(graph, node.input[1], kept, 1)))
    for node in group.between:
        for place, name in enumerate(node.input):
            if name in graph.constants:
                axis = _axis(graph, node, place, number)
                if axis is not None:
                    cut.append((node, place, _cut(graph, name, kept, axis)))
    added: list[tuple[onnx.NodeProto, str]] = []
    for node in group.takers:
        cut.append((node, 1, _cut(graph, node.input[1], kept, 0)))
        x = graph.signals[node.input[0]]
        always = np.where(x.low == x.high, x.low, 0.0)[0]
        offset = np.where(kept, 0.0, always) @ graph.constants[node.input[1]]
        if offset.any():
            added.append((node, graph.constant(offset[None], "offset")))
    for node, place, name in cut:
        node.input[place] = name
    for node, offset_name in added:
        graph.follow(node, "Add", offset_name)


def _axis(graph: OpenGraph, node: onnx.NodeProto, place: int, number: int) -> int | None:
    """The axis of a parameter that is along the channels; None where it is the same for all."""
    shape = graph.constants[node.input[place]].shape
    if node.op_type == "MultiThreshold" and domain_of(node) == QONNX:
        return 0 if shape[0] == number and number > 1 else None
    last = 2 if node.op_type == "Table" else 1
    if node.op_type in ("QuantizeLinear", "DequantizeLinear", "BatchNormalization"):
        return 0 if len(shape) == 1 and shape[0] == number else None
    if len(shape) < last or shape[-last] != number or number == 1:
        return None
    return len(shape) - last


def _cut(graph: OpenGraph, name: str, kept: NDArray[np.bool_], axis: int) -> str:
    """A constant without some of its rows, behind the quantiser that says its type where there is one."""
    maker = graph.maker(name)
    if maker is not None and maker.op_type in ("Quant", "IntQuant", "BipolarQuant", "DequantizeLinear"):
        rank = graph.constants[name].ndim
        inputs = []
        for given in maker.input:
            shape = graph.constants[given].shape
            own = axis - (rank - len(shape))
            along = own >= 0 and shape[own] == len(kept) and len(kept) > 1
            inputs.append(_slice(graph, given, kept, own) if along else given)
        if maker.op_type == "DequantizeLinear":
            raise UnsupportedError("its parameters are along an axis of its own")
        return graph.like(maker, inputs)
    return _slice(graph, name, kept, axis)


def _slice(graph: OpenGraph, name: str, kept: NDArray[np.bool_], axis: int) -> str:
    values = np.compress(kept, graph.constants[name], axis=axis)
    whole = name in graph.given and graph.given[name].data_type == onnx.TensorProto.INT64
    return graph.constant(values.astype(np.int64) if whole else values, "kept")
