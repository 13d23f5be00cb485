"""What each operator does with the axis of the items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from codesign.graph.labels import Labelled, Rule
from codesign.graph.nodes import CHANNELS_LAST, CODESIGN, QONNX, STANDARD, Node
from codesign.graph.streams import CannotFold, Combine, Stream

__all__ = ("RULES",)

RULES: dict[tuple[str, str], Rule] = {}

_ELEMENTWISE = (
    "Add", "Sub", "Sum", "Mul", "Div", "Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Mod", "Pow", "Relu",
    "LeakyRelu", "PRelu", "Clip", "Max", "Min", "Identity", "Dropout", "Cast", "Where", "Equal", "Greater", "Less",
    "GreaterOrEqual", "LessOrEqual", "Not", "And", "Or", "Xor", "Quant", "IntQuant", "BipolarQuant", "Trunc",
)  # fmt: skip

#: of those the ones whose operands may all be signals, so that a constant of theirs may come from a table
_OF_SIGNALS = (
    "Add", "Sub", "Sum", "Mul", "Max", "Min", "Where", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual",
    "And", "Or", "Xor",
)  # fmt: skip


def _rule(*names: str, domain: str = STANDARD) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        RULES.update({(domain, name): function for name in names})
        return function

    return register


def _whole(labelled: Labelled, node: Node, index: int, attribute: str) -> list[int]:
    """Whole numbers that are an attribute, or an input."""
    if index < len(node.inputs) and node.inputs[index] in labelled.constants:
        return [int(v) for v in np.atleast_1d(labelled.constants[node.inputs[index]])]
    found = node.attributes.get(attribute, ())
    return [int(v) for v in np.atleast_1d(np.asarray(found))]


@_rule(*_ELEMENTWISE)
@_rule("Quant", "IntQuant", "BipolarQuant", "Trunc", domain=QONNX)
@_rule("FixedPoint", domain=CODESIGN)
def _elementwise(labelled: Labelled, node: Node) -> None:
    stream = labelled.common(node)
    rank = len(labelled.full[node.outputs[0]]) + 1
    own = [n for n in node.inputs if n in labelled.constants and labelled.differs(n, stream, rank)]
    if own and (labelled.interval == 1 or node.op not in _OF_SIGNALS):  # all items are there anyway, or must be
        _once_an_event(labelled, node)
        return
    inputs = []
    for name in node.inputs:
        if name in own:
            inputs.append(labelled.table(node, name, stream, rank))
        elif name in labelled.constants:
            inputs.append(labelled.cut_constant(node, name, stream, rank))
        elif name and labelled.stream_of(name) is None:
            inputs.append(_beside(labelled, node, name, stream))
        else:
            inputs.append(name)
    labelled.item(replace(node, inputs=tuple(inputs)), stream)


def _once_an_event(labelled: Labelled, node: Node) -> None:
    """What is not the same for each item, such as a quantiser with scales of their own, is done when all are there."""
    labelled.event(replace(node, inputs=tuple(n if not n else labelled.whole(n) for n in node.inputs)))


def _beside(labelled: Labelled, node: Node, name: str, stream: Stream) -> str:
    """An event's value beside items: the same for all of them, or turned into a stream."""
    length = labelled.full[name][stream.axis - 1]
    if length == 1:
        return name
    if length != stream.items * stream.size:
        raise CannotFold(node.name, f"'{name}' has {length} elements where there are {stream.items} items")
    return labelled.turn(name, stream)


@_rule("Table", domain=CODESIGN)
def _table(labelled: Labelled, node: Node) -> None:
    stream = labelled.common(node)
    # the last axis of the values is that of the entries
    rank = len(labelled.full[node.outputs[0]]) + 2
    if labelled.differs(node.inputs[1], stream, rank):
        _once_an_event(labelled, node)
        return
    values = labelled.cut_constant(node, node.inputs[1], stream, rank)
    labelled.item(replace(node, inputs=(node.inputs[0], values)), stream)


@_rule("BatchNormalization")
@_rule("MultiThreshold", domain=QONNX)
def _of_channels(labelled: Labelled, node: Node) -> None:
    stream = labelled.common(node)
    if stream.axis == 1:
        _once_an_event(labelled, node)
        return
    labelled.item(node, stream)


@_rule("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _reshape(labelled: Labelled, node: Node) -> None:
    """Items stay together where as many elements are in front of them as before."""
    stream = labelled.common(node)
    old, new = labelled.full[node.inputs[0]], labelled.full[node.outputs[0]]
    before = prod(old[: stream.axis - 1])
    for axis in range(1, len(new) + 1):
        length = new[axis - 1]
        if prod(new[: axis - 1]) == before and length % stream.items == 0 and length > 1:
            labelled.reshaped(node, replace(stream, axis=axis, size=length // stream.items))
            return
    labelled.reshaped(replace(node, inputs=(labelled.collect(node.inputs[0]), *node.inputs[1:])), None)


@_rule("Transpose")
def _transpose(labelled: Labelled, node: Node) -> None:
    stream = labelled.common(node)
    rank = len(labelled.full[node.inputs[0]]) + 1
    order = [int(v) for v in node.attributes.get("perm", range(rank)[::-1])]
    labelled.item(node, replace(stream, axis=order.index(stream.axis)))


@_rule("Concat")
def _concat(labelled: Labelled, node: Node) -> None:
    stream = labelled.common(node)
    rank = len(labelled.full[node.outputs[0]]) + 1
    axis = int(node.attributes.get("axis", 0)) % rank
    if axis == stream.axis:
        if rank == 2:  # items flattened, and something else behind them
            labelled.event(replace(node, inputs=tuple(map(labelled.whole, node.inputs))))
            return
        raise CannotFold(node.name, "items are put behind items")
    inputs = [
        labelled.cut_constant(node, name, stream, rank)
        if name in labelled.constants
        else _beside(labelled, node, name, stream)
        if labelled.stream_of(name) is None
        else name
        for name in node.inputs
    ]
    labelled.item(replace(node, inputs=tuple(inputs)), stream)


@_rule("Expand", "Tile")
def _expand(labelled: Labelled, node: Node) -> None:
    """An event's value that is repeated becomes a stream: each item has the same."""
    name, out = node.inputs[0], node.outputs[0]
    old, new = labelled.full[name], labelled.full[out]
    stream = labelled.stream_of(name)
    grown = [i for i, (a, b) in enumerate(zip(old, new, strict=True), 1) if a != b]
    if stream is None:
        items = {s.items for s in (v.stream for v in labelled.values.values()) if s is not None}
        along = [i for i in grown if old[i - 1] == 1 and new[i - 1] in items]
        if not along:
            labelled.event(node)
            return
        stream = labelled.stream(along[0], new[along[0] - 1], 1)
    elif stream.axis in grown:
        raise CannotFold(node.name, "repeats items")
    values = labelled.constants[node.inputs[1]].copy()
    place = stream.axis - (len(new) + 1 - len(values))
    if place >= 0:
        values[place] = 1
    by = labelled.constant(f"{out}#repeats", values)
    labelled.item(replace(node, inputs=(name, by)), stream)


@_rule("Gather")
def _gather(labelled: Labelled, node: Node) -> None:
    stream, axis = _axis_apart(labelled, node)
    shift = labelled.constants[node.inputs[1]].ndim - 1 if axis < stream.axis else 0
    labelled.item(node, replace(stream, axis=stream.axis + shift))


@_rule("Split")
def _split(labelled: Labelled, node: Node) -> None:
    stream, _ = _axis_apart(labelled, node)
    labelled.item(node, stream)


def _axis_apart(labelled: Labelled, node: Node) -> tuple[Stream, int]:
    stream = labelled.common(node)
    axis = int(node.attributes.get("axis", 0)) % (len(labelled.full[node.inputs[0]]) + 1)
    if axis == stream.axis:
        raise CannotFold(node.name, f"{node.op} takes some of the items")
    return stream, axis


@_rule("Slice", "Pad")
def _keep(labelled: Labelled, node: Node) -> None:
    """Only other axes may get another length."""
    stream = labelled.common(node)
    if labelled.full[node.inputs[0]][stream.axis - 1] != labelled.full[node.outputs[0]][stream.axis - 1]:
        raise CannotFold(node.name, f"{node.op} takes or adds items")
    if node.op == "Slice" and len(node.inputs) > 3:
        axes = [a % (len(labelled.full[node.inputs[0]]) + 1) for a in _whole(labelled, node, 3, "axes")]
        steps = _whole(labelled, node, 4, "steps") if len(node.inputs) > 4 else [1] * len(axes)
        if stream.axis in axes and steps[axes.index(stream.axis)] < 0:
            raise CannotFold(node.name, "turns the order of the items round")
    elif node.op == "Slice":
        raise CannotFold(node.name, "Slice without axes")
    labelled.item(node, stream)


# ------------------------------------------------------------------------------------------------------------- products
@_rule("MatMul")
def _matmul(labelled: Labelled, node: Node) -> None:
    a, b = node.inputs[:2]
    if b in labelled.constants:
        _matmul_constant(labelled, node, a, contracted=len(labelled.full[a]))
    elif a in labelled.constants:
        if labelled.constants[a].ndim != 2:
            raise CannotFold(node.name, "a constant that is no matrix, on the left")
        _matmul_constant(labelled, node, b, contracted=len(labelled.full[b]) - 1)
    else:
        _matmul_signals(labelled, node, a, b)


def _matmul_constant(labelled: Labelled, node: Node, x: str, contracted: int) -> None:
    stream = labelled.common(node)
    if stream.axis == contracted:
        shape = labelled.full[x]
        others = [i for i in range(1, len(shape) + 1) if i != contracted and shape[i - 1] > 1]
        if stream.size > 1 or not others:
            whole = {x: labelled.collect(x)}
            labelled.event(replace(node, inputs=tuple(whole.get(i, i) for i in node.inputs)))
            return
        axis = max(others, key=lambda i: shape[i - 1])
        turned = {x: labelled.turned(x, axis)}
        x, stream = turned[x], replace(stream, axis=axis)
        node = replace(node, inputs=tuple(turned.get(i, i) for i in node.inputs))
    inputs = list(node.inputs)
    for place, name in enumerate(inputs):
        if name in labelled.constants and labelled.constants[name].ndim > 2:
            inputs[place] = labelled.cut_constant(node, name, stream, len(labelled.full[x]) + 1)
    labelled.item(replace(node, inputs=tuple(inputs)), labelled.stream_of(x) or stream)


def _matmul_signals(labelled: Labelled, node: Node, a: str, b: str) -> None:
    """(..., n, k) times (..., k, m): along n, m or in front of them as they are; over k a reduction."""
    last = len(labelled.full[a])
    first, second = labelled.stream_of(a), labelled.stream_of(b)
    if first is not None and second is not None:
        if first.layout != second.layout or first.size != 1 or second.size != 1:
            raise CannotFold(node.name, "items of different numbers meet")
        if first.axis == last and second.axis == last - 1:
            labelled.reduce(node, Combine.SUM)
            return
        if first.axis != second.axis or first.axis >= last - 1:
            raise CannotFold(node.name, "pairs of items")
        labelled.item(node, first)
        return
    stream, contracted = (first, last) if first is not None else (second, last - 1)
    assert stream is not None
    if stream.axis == contracted or stream.axis < last - 1:
        raise CannotFold(node.name, "a product of items with a value of the event that differs for each")
    labelled.item(node, stream)


@_rule("Gemm")
def _gemm(labelled: Labelled, node: Node) -> None:
    whole = labelled.whole(node.inputs[0])
    labelled.event(replace(node, inputs=(whole, *node.inputs[1:])))


def _borders(node: Node, place: int, axes: int, kernel: int, stride: int, spread: int, length: int) -> tuple[int, int]:
    """Zeros that a convolution or pooling puts before and behind an axis."""
    mode = str(node.attributes.get("auto_pad", "NOTSET"))
    pads = [int(v) for v in node.attributes.get("pads", [0] * (2 * axes))]
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        missing = max(0, (-(-length // stride) - 1) * stride + spread * (kernel - 1) + 1 - length)
        before = missing // 2 if mode == "SAME_UPPER" else missing - missing // 2
        return before, missing - before
    return (0, 0) if mode == "VALID" else (pads[place], pads[place + axes])


def _cut_window(node: Node, place: int, lengths: Sequence[int], kernel: Sequence[int], own: int) -> Node:
    """The node of one window along the item axis, the others as they were; ``own``: elements of the window."""
    axes = len(lengths)
    steps = [int(v) for v in node.attributes.get("strides", [1] * axes)]
    spread = [int(v) for v in node.attributes.get("dilations", [1] * axes)]
    borders = [_borders(node, i, axes, kernel[i], steps[i], spread[i], lengths[i]) for i in range(axes)]
    borders[place], steps[place], spread[place] = (0, 0), 1, 1
    attributes: dict[str, Any] = {
        **node.attributes, "strides": steps, "dilations": spread, "auto_pad": "NOTSET",
        "pads": [b for b, _ in borders] + [a for _, a in borders],
    }  # fmt: skip
    if "kernel_shape" in node.attributes:
        attributes["kernel_shape"] = [own if i == place else k for i, k in enumerate(kernel)]
    return replace(node, attributes=attributes)


@_rule("Conv")
@_rule("Conv", domain=CHANNELS_LAST)
def _conv(labelled: Labelled, node: Node) -> None:
    x = node.inputs[0]
    if labelled.stream_of(x) is None or node.inputs[1] not in labelled.constants:
        raise CannotFold(node.name, "its weights depend on the event")
    last = node.domain == CHANNELS_LAST
    weight, shape = labelled.constants[node.inputs[1]], labelled.full[x]
    kernel, lengths = (weight.shape[1:-1], shape[:-1]) if last else (weight.shape[2:], shape[1:])
    first = 1 if last else 2  # the first axis along which windows are
    channels = len(shape) if last else 1
    stream = labelled.common(node)
    if stream.axis == channels:
        longest = max(range(len(lengths)), key=lambda i: lengths[i])
        x = labelled.turned(x, first + longest)
        stream = labelled.common(replace(node, inputs=(x, *node.inputs[1:])))
    if stream.size > 1:
        raise CannotFold(node.name, "a convolution of flattened items")
    place = stream.axis - first
    axes = len(lengths)
    stride = int(node.attributes.get("strides", [1] * axes)[place])
    spread = int(node.attributes.get("dilations", [1] * axes)[place])
    before, _ = _borders(node, place, axes, kernel[place], stride, spread, lengths[place])
    items = labelled.full[node.outputs[0]][stream.axis - 1]
    offsets = [spread * k - before for k in range(kernel[place])]
    if offsets != [0] or items != stream.items or stride != 1:
        x = labelled.window(node, x, offsets, items, stride)
        stream = labelled.stream_of(x) or stream
    cut = _cut_window(node, place, lengths, kernel, kernel[place])
    labelled.item(replace(cut, inputs=(x, *node.inputs[1:])), stream)


# ----------------------------------------------------------------------------------------------------------- reductions
_COMBINED = {
    "ReduceSum": Combine.SUM, "ReduceMean": Combine.SUM, "ReduceL1": Combine.SUM, "ReduceSumSquare": Combine.SUM,
    "ReduceMax": Combine.MAX, "ReduceMin": Combine.MIN,
}  # fmt: skip


@_rule(*_COMBINED)
def _reduce(labelled: Labelled, node: Node) -> None:
    stream = labelled.common(node)
    rank = len(labelled.full[node.inputs[0]]) + 1
    axes = [a % rank for a in _whole(labelled, node, 1, "axes")]
    combine = _COMBINED[node.op]
    if stream.axis in axes:
        factor = 1 / stream.items if node.op == "ReduceMean" else 1.0
        if axes == [stream.axis] and stream.size == 1 and node.op not in ("ReduceL1", "ReduceSumSquare"):
            # of one item nothing is left to reduce: it only stands elsewhere
            shape = labelled.constant(f"{node.outputs[0]}#shape", np.array([0, *labelled.full[node.outputs[0]]], float))
            node = replace(node, domain=STANDARD, op="Reshape", inputs=(node.inputs[0], shape), attributes={})
        labelled.reduce(node, combine, factor)
    else:
        gone = sum(a < stream.axis for a in axes) if not node.attributes.get("keepdims", 1) else 0
        labelled.item(node, replace(stream, axis=stream.axis - gone))


@_rule("GlobalMaxPool", "GlobalAveragePool", "MaxPool", "AveragePool")
@_rule("MaxPool", domain=CHANNELS_LAST)
def _pool(labelled: Labelled, node: Node) -> None:
    stream = labelled.common(node)
    shape = labelled.full[node.inputs[0]]
    first, lengths = (1, shape[:-1]) if node.domain == CHANNELS_LAST else (2, shape[1:])
    place, axes = stream.axis - first, len(lengths)
    kernel = [int(k) for k in node.attributes.get("kernel_shape", lengths)]
    if not 0 <= place < axes:  # the channels are the items
        labelled.item(node, stream)
        return
    if kernel[place] == 1 and int(node.attributes.get("strides", [1] * axes)[place]) == 1:
        labelled.item(_cut_window(node, place, lengths, kernel, 1), stream)
        return
    left = labelled.full[node.outputs[0]][stream.axis - 1]
    stride = int(node.attributes.get("strides", [1] * axes)[place])
    spread = int(node.attributes.get("dilations", [1] * axes)[place])
    if _borders(node, place, axes, kernel[place], stride, spread, lengths[place]) != (0, 0) or stream.size != 1:
        raise CannotFold(node.name, f"pools {kernel[place]} of {stream.items} items, and what is beyond the border")
    if kernel[place] != stream.items or left != 1:
        if stride * (left - 1) + spread * (kernel[place] - 1) >= stream.items:
            raise CannotFold(node.name, f"pools {kernel[place]} of {stream.items} items, and some beyond the border")
        x = labelled.window(node, node.inputs[0], [spread * k for k in range(kernel[place])], left, stride)
        cut = _cut_window(node, place, lengths, kernel, kernel[place])
        labelled.item(replace(cut, inputs=(x, *node.inputs[1:])), labelled.stream_of(x) or stream)
        return
    cut = node if node.op.startswith("Global") else _cut_window(node, place, lengths, kernel, 1)
    mean = "Average" in node.op
    labelled.reduce(cut, Combine.SUM if mean else Combine.MAX, 1 / stream.items if mean else 1.0)
