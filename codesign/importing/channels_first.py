"""QONNX' channels-last operators written as ONNX' own between two transpositions, as QONNX defines them.

Its executor infers no shape behind them, and ONNX' reference does not know them: so whoever runs a file gets it so.
"""

from __future__ import annotations

import onnx
from onnx import helper

from codesign.graph.nodes import CHANNELS_LAST, STANDARD

__all__ = ("channels_first",)


def channels_first(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model without operators of that domain; one whose number of axes is not known stays as it is."""
    if not any(node.domain == CHANNELS_LAST for node in model.graph.node):
        return model
    axes = {t.name: len(t.dims) for t in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        if value.type.tensor_type.HasField("shape"):
            axes[value.name] = len(value.type.tensor_type.shape.dim)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    for index, node in enumerate(model.graph.node):
        if node.domain != CHANNELS_LAST or (rank := _rank(node, axes)) is None:
            copy.graph.node.append(node)
            continue
        there, back = [0, rank - 1, *range(1, rank - 1)], [0, *range(2, rank), 1]
        inner = onnx.NodeProto()
        inner.CopyFrom(node)
        inner.domain = STANDARD
        turned = 2 if node.op_type == "Conv" else 1  # its weights lie the same way
        for place in range(turned):
            inner.input[place] = f"channels_first_{index}_{place}"
            copy.graph.node.append(helper.make_node("Transpose", [node.input[place]], [inner.input[place]], perm=there))
        inner.output[0] = f"channels_first_{index}"
        copy.graph.node.append(inner)
        copy.graph.node.append(helper.make_node("Transpose", [inner.output[0]], [node.output[0]], perm=back))
    return copy


def _rank(node: onnx.NodeProto, axes: dict[str, int]) -> int | None:
    kernel = next((len(a.ints) for a in node.attribute if a.name == "kernel_shape"), 0)
    if kernel:
        return kernel + 2
    return next((axes[name] for name in (*node.input[:2], *node.output) if axes.get(name, 0) > 2), None)
