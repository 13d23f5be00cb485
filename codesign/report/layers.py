"""The layers of a front point, and the geometry of the small drawing of them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.fixedpoint import Port

__all__ = ("Bar", "Drawing", "Layer", "Link", "count_weights", "draw", "layers")


@dataclass(frozen=True)
class Layer:
    """One layer with weights. Bit widths are None where the configuration does not say."""

    name: str
    inputs: int
    outputs: int
    weight_bits: int | None
    activation_bits: int | None
    #: weights other than zero, counted in the exported graph; None where there is no graph to count in
    nonzero: int | None

    @property
    def weights(self) -> int:
        """Number of weights, those that pruning set to zero included."""
        return self.inputs * self.outputs


@dataclass(frozen=True)
class Bar:
    """One column of the drawing: the signals between two layers."""

    x: float
    top: float
    height: float
    label: str
    bits: str


@dataclass(frozen=True)
class Link:
    """One layer's weights, drawn as the band between two bars; darker is more bits."""

    polygon: str
    middle: float
    label: str
    opacity: float


@dataclass(frozen=True)
class Drawing:
    """A drawing, its size, and what it shows in words."""

    width: float
    height: float
    bars: list[Bar]
    links: list[Link]
    words: str


def count_weights(onnx: bytes, inputs: Port) -> list[tuple[int, int, int]]:
    """(inputs, outputs, weights other than zero) of each matrix product in a QONNX graph, in order of execution."""
    from codesign.graph.exact import Exact
    from codesign.graph.reader import read_graph

    found: list[tuple[int, int, int]] = []

    class Counting(Exact):
        def matmul(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
            if b.ndim == 2:
                found.append((b.shape[0], b.shape[1], int(np.count_nonzero(b))))
            return super().matmul(a, b)

    read_graph(onnx).run(np.zeros((1, inputs.size)), Counting())
    return found


def layers(
    config: dict[str, Any], inputs: int | None, outputs: int | None, weights: list[tuple[int, int, int]]
) -> list[Layer]:
    """Layers with weights: those of the exported graph, with what the configuration says of their bits.

    ``config``: ``widths`` are the hidden layers' widths; a bit width is one number for all layers or a list with one
    each. ``weights``: what :func:`count_weights` found. Without either, no layers.
    """
    widths = config.get("widths")
    sizes: list[tuple[int, int]] = [(n, m) for n, m, _ in weights]
    if isinstance(widths, list) and all(isinstance(w, int) and w > 0 for w in widths) and inputs and outputs:
        ends = [inputs, *widths, outputs]
        configured = list(itertools.pairwise(ends))
        if sizes and sizes != configured:  # another family's: its bits cannot be told apart by position
            config = {}
        sizes = sizes or configured
    else:
        config = {}
    last = len(sizes) - 1
    return [
        Layer(
            name="output" if i == last else f"layer {i + 1}",
            inputs=n,
            outputs=m,
            weight_bits=_nth(config.get("weight_bits"), i),
            activation_bits=_nth(config.get("activation_bits"), i) if i < last else None,
            nonzero=weights[i][2] if weights else None,
        )
        for i, (n, m) in enumerate(sizes)
    ]


def _nth(bits: Any, i: int) -> int | None:
    if isinstance(bits, list):
        return bits[i] if i < len(bits) and isinstance(bits[i], int) else None
    return bits if isinstance(bits, int) else None


def draw(found: list[Layer], input_bits: str, output_bits: str) -> Drawing | None:
    """Lay the layers out from left to right; bar height grows with the square root of the number of signals."""
    if not found or any(a.outputs != b.inputs for a, b in itertools.pairwise(found)):
        return None  # not a chain: the table says what there is to say
    pitch, thick, tall, margin = 118.0, 26.0, 96.0, 30.0
    sizes = [found[0].inputs, *(layer.outputs for layer in found)]
    largest = math.sqrt(max(sizes))
    bits = [input_bits, *(f"{x.activation_bits} bit" if x.activation_bits else "" for x in found[:-1]), output_bits]
    bars, links = [], []
    for i, n in enumerate(sizes):
        height = max(16.0, tall * math.sqrt(n) / largest)
        label = f"{n} in" if i == 0 else f"{n} out" if i == len(sizes) - 1 else str(n)
        bars.append(Bar(margin + i * pitch, 28 + (tall - height) / 2, height, label, bits[i]))
    for layer, left, right in zip(found, bars, bars[1:], strict=False):
        corners = [
            (left.x + thick, left.top), (right.x, right.top),
            (right.x, right.top + right.height), (left.x + thick, left.top + left.height),
        ]  # fmt: skip
        links.append(
            Link(
                polygon=" ".join(f"{x:.1f},{y:.1f}" for x, y in corners),
                middle=(left.x + thick + right.x) / 2,
                label=f"{layer.weight_bits} bit" if layer.weight_bits else "",
                opacity=round(0.10 + 0.06 * min(layer.weight_bits or 0, 8), 2),
            )
        )
    words = f"{sizes[0]} inputs" + "".join(
        f", then {x.name} with {x.outputs} outputs"
        + (f", {x.weight_bits}-bit weights" if x.weight_bits else "")
        + (f", {x.activation_bits}-bit activations" if x.activation_bits else "")
        for x in found
    )
    return Drawing(2 * margin + pitch * len(found) + thick, 160.0, bars, links, words)
