"""Random networks over items, of the kinds that fold: weights of 4 bits half of them zero, activations of 5."""

from __future__ import annotations

from collections.abc import Callable
from math import log2

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from codesign.core.design import Design
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, QuantisedBlock
from codesign.graph.exact import Exact
from codesign.graph.ports import design_of_graph
from codesign.graph.reader import Graph
from codesign.testing.graphs import CODESIGN, QONNX, GraphBuilder, kind_of

__all__ = ("KINDS", "Network", "network")


class Network(GraphBuilder):
    """A graph of several blocks, whose quantisers are set by what comes of random events."""

    def __init__(self, seed: int, width: int, outputs: int) -> None:
        super().__init__(0)
        self.rng, self.width, self.classes = np.random.default_rng(seed), width, outputs
        self.blocks: dict[str, tuple[int, ...]] = {}
        self.kinds: dict[str, tuple[FixedPoint, ...]] = {}
        self.grid: dict[str, float] = {}

    def block(self, name: str, *shape: int, valid: bool = False) -> str:
        """An input of 6 bits, quantised; with ``valid`` its last field is one bit."""
        kinds = [kind_of(6, True)] * shape[-1]
        if valid:
            kinds[-1] = kind_of(1, False)
        self.blocks[name], self.kinds[name] = shape, tuple(kinds)
        return name if valid else self.quant(name, 1.0, 6)

    def weights(self, *shape: int) -> NDArray[np.float64]:
        found = self.rng.integers(-7, 8, shape) * (self.rng.random(shape) < 0.5)
        return found.astype(np.float64)

    def integers(self, values: list[int]) -> str:
        return self.constant(values, np.int64)

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        return self.layer(x, self.weights(inputs, outputs), self.bias(x, outputs))

    def bias(self, x: str, outputs: int) -> NDArray[np.float64]:
        """A bias on the grid of a product with ``x``."""
        return self.rng.integers(-40, 41, outputs) * self.grid.get(x, 1.0)

    def fitted(self, x: str, bits: int, signed: int = 0) -> str:
        """Quantised so that few events of random ones saturate."""
        rng = np.random.default_rng(7)
        blocks = {}
        for name, shape in self.blocks.items():
            ends = [[k.minimum for k in self.kinds[name]], [k.maximum + 1 for k in self.kinds[name]]]
            blocks[name] = rng.integers(*ends, (32, *shape)).astype(float).reshape(32, -1)
        model = onnx_of(self, x, ())
        found = Graph(model).signals(np.concatenate(list(blocks.values()), axis=1), Exact())[x]
        largest = max(float(np.quantile(np.abs(found), 0.98)), 1.0)
        scale = 2.0 ** round(log2(largest / 2 ** (bits - signed)))
        made = self.quant(x, scale, bits, signed)
        self.grid[made] = scale
        return made

    def active(self, x: str, bits: int = 5) -> str:
        """Rectified and quantised."""
        return self.fitted(self.node("Relu", x), bits)

    def reduce(self, op: str, x: str, axis: int = 1, keepdims: int = 0) -> str:
        return self.node(op, x, self.integers([axis]), keepdims=keepdims)

    def head(self, x: str, number: int) -> str:
        """Two layers that work once an event."""
        x = self.fitted(x, 7, signed=1)
        x = self.active(self.dense(x, number, self.width))
        return self.dense(x, self.width, self.classes)

    def design(self, output: str) -> Design:
        """A design whose one head is ``output``."""
        blocks = tuple(
            QuantisedBlock(
                name=name, shape=shape, fields=tuple(f"f{i}" for i in range(shape[-1])), types=self.kinds[name],
                offset=(0.0,) * shape[-1], step=(1.0,) * shape[-1],
            )
            for name, shape in self.blocks.items()
        )  # fmt: skip
        labels = tuple(f"y{i}" for i in range(self.classes))
        content = onnx_of(self, output, (self.classes,)).SerializeToString()
        return design_of_graph(content, InputQuantisation(blocks=blocks), labels)


def onnx_of(made: Network, output: str, shape: tuple[int, ...]) -> onnx.ModelProto:
    def tensor(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["events", *shape])

    blocks = [tensor(n, s) for n, s in made.blocks.items()]
    graph = helper.make_graph(made.nodes, "items", blocks, [tensor(output, shape)], made.constants)
    opsets = [helper.make_opsetid(d, v) for d, v in {"": 20, QONNX: 2, CODESIGN: 1}.items()]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 10
    return model


def _deep_set(n: Network, items: int, fields: int, pool: str, valid: bool = False) -> str:
    x = n.block("items", items, fields + valid, valid=valid)
    there = None
    if valid:
        there = n.node("Slice", x, *(n.integers([v]) for v in (fields, fields + 1, 2)))
        x = n.node("Slice", x, *(n.integers([v]) for v in (0, fields, 2)))
    h = n.active(n.dense(x, fields, n.width))
    h = n.active(n.dense(h, n.width, n.width))
    return n.head(n.reduce(pool, h if there is None else n.node("Mul", h, there)), n.width)


def _jedi(n: Network, items: int, fields: int, layers: int = 1, pool: str = "ReduceSum") -> str:
    """x_i W + (mean of x) W', so many times; then the sum."""
    x, inputs = n.block("items", items, fields), fields
    for _ in range(layers):
        mean = n.fitted(n.reduce(pool, x, keepdims=1), 6, signed=1)
        x = n.active(n.node("Add", n.dense(x, inputs, n.width), n.dense(mean, inputs, n.width)))
        inputs = n.width
    return n.head(n.reduce("ReduceSum", x), n.width)


def _conv(n: Network, items: int, fields: int, kernel: int = 3, layers: int = 2, pool: str = "ReduceSum") -> str:
    x = n.node("Transpose", n.block("items", items, fields), perm=[0, 2, 1])
    channels = fields
    for _ in range(layers):
        weight = n.constant(n.weights(n.width, channels, kernel))
        bias = n.constant(n.bias(x, n.width))
        before = kernel // 2
        x = n.active(n.node("Conv", x, weight, bias, kernel_shape=[kernel], pads=[before, kernel - 1 - before]))
        channels = n.width
    return n.head(n.reduce(pool, x, axis=2), n.width)


def _strided(n: Network, items: int, fields: int) -> str:
    """Every second place of a convolution, the larger of two neighbours, another convolution."""
    x = n.node("Transpose", n.block("items", items, fields), perm=[0, 2, 1])
    weight, bias = n.constant(n.weights(n.width, fields, 3)), n.constant(n.bias(x, n.width))
    x = n.active(n.node("Conv", x, weight, bias, kernel_shape=[3], pads=[1, 1], strides=[2]))
    if items > 2:
        x = n.node("MaxPool", x, kernel_shape=[2], strides=[1])
    weight, bias = n.constant(n.weights(n.width, n.width, 3)), n.constant(n.bias(x, n.width))
    x = n.active(n.node("Conv", x, weight, bias, kernel_shape=[3], pads=[1, 1]))
    return n.head(n.reduce("ReduceSum", x, axis=2), n.width)


def _image(n: Network, rows: int, channels: int, stride: int = 1, window: int = 2) -> str:
    """Two convolutions of an image of six columns, the largest of each window, the sum over all places."""
    x = n.node("Transpose", n.block("items", rows, 6, channels), perm=[0, 3, 1, 2])
    for layer in range(2):
        weight, bias = n.constant(n.weights(n.width, channels, 3, 3)), n.constant(n.bias(x, n.width)[:, None, None])
        steps = [stride, stride] if layer == 0 else [1, 1]
        x = n.node("Conv", x, weight, kernel_shape=[3, 3], pads=[1] * 4, strides=steps)
        x, channels = n.active(n.node("Add", x, bias)), n.width
    if window > 1 and -(-rows // stride) >= window:
        x = n.node("MaxPool", x, kernel_shape=[window, window], strides=[window, window])
    summed = n.node("ReduceSum", x, n.integers([2, 3]), keepdims=0)
    return n.head(summed, n.width)


def _mixer(n: Network, items: int, fields: int) -> str:
    x = n.node("Transpose", n.block("items", items, fields), perm=[0, 2, 1])
    x = n.active(n.dense(x, items, items))  # along the items: of every field the same
    x = n.node("Transpose", x, perm=[0, 2, 1])
    return n.head(n.reduce("ReduceSum", n.active(n.dense(x, fields, n.width))), n.width)


def _field_biases(n: Network, items: int, fields: int) -> str:
    """Along the items of every field, then their sum with a bias of each field: the fields are items by then."""
    x = n.node("Transpose", n.block("items", items, fields), perm=[0, 2, 1])
    x = n.reduce("ReduceSum", n.active(n.dense(x, items, items)), axis=2)
    dead = np.where(np.arange(fields) == 1, -4000.0, n.bias(x, fields))  # one that never fires
    return n.head(n.active(n.node("Add", x, n.constant(dead))), fields)


def _beside(n: Network, items: int, fields: int) -> str:
    """Event features beside the items, as an addend and as fields of each, and beside what they are pooled to."""
    x, g = n.block("items", items, fields), n.block("event", 4)
    wide = n.node("Unsqueeze", n.active(n.dense(g, 4, 3)), n.integers([1]))
    both = n.node("Concat", x, n.node("Expand", wide, n.integers([1, items, 3])), axis=2)
    added = n.node("Unsqueeze", n.dense(g, 4, n.width), n.integers([1]))
    h = n.active(n.node("Add", n.dense(both, fields + 3, n.width), added))
    return n.head(n.node("Concat", n.fitted(n.reduce("ReduceSum", h), 6), g, axis=1), n.width + 4)


def _attention(n: Network, items: int, fields: int) -> str:
    """Linear attention: queries times the sum over items of keys and values' products; of few bits."""
    x, d = n.block("items", items, fields), 3
    q, k, v = (n.active(n.dense(x, fields, d), 3) for _ in range(3))
    kv = n.fitted(n.node("MatMul", n.node("Transpose", k, perm=[0, 2, 1]), v), 4)
    return n.head(n.reduce("ReduceSum", n.fitted(n.node("MatMul", q, kv), 5)), d)


#: how a kind is built: (network, items, fields) -> name of the output
KINDS: dict[str, Callable[[Network, int, int], str]] = {
    "deep set, sum": lambda n, i, f: _deep_set(n, i, f, "ReduceSum"),
    "deep set, max": lambda n, i, f: _deep_set(n, i, f, "ReduceMax"),
    "deep set, mean": lambda n, i, f: _deep_set(n, i, f, "ReduceMean"),
    "deep set, validity bit": lambda n, i, f: _deep_set(n, i, f, "ReduceSum", valid=True),
    "JEDI-linear": _jedi,
    "JEDI-linear, two layers": lambda n, i, f: _jedi(n, i, f, 2),
    "conv1d": _conv,
    "conv1d, max": lambda n, i, f: _conv(n, i, f, 3, 1, "ReduceMax"),
    "conv1d, even kernel": lambda n, i, f: _conv(n, i, f, 4, 1),
    "conv1d, wide kernel": lambda n, i, f: _conv(n, i, f, 7, 1),
    "conv1d, strides and pools": _strided,
    "conv2d": lambda n, i, f: _image(n, i, f, 1, 1),
    "conv2d, pools": _image,
    "conv2d, strides and pools": lambda n, i, f: _image(n, i, f, 2),
    "mixer": _mixer,
    "mixer, field biases": _field_biases,
    "event beside items": _beside,
    "linear attention": _attention,
}


def network(kind: str, items: int, fields: int = 3, seed: int = 0, width: int = 16, outputs: int = 5) -> Design:
    """A random network of a kind as a design; blocks of 6 bits."""
    made = Network(seed, width, outputs)
    return made.design(KINDS[kind](made, items, fields))
