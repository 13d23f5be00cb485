"""The layers of a front point, and the geometry of the small drawing of them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.fixedpoint import Port

if TYPE_CHECKING:
    from codesign.graph.reader import Graph

__all__ = ("Bar", "Counted", "Drawing", "LayerRow", "Link", "bits", "count_layers", "draw", "layers")


Range = tuple[int, int]


@dataclass(frozen=True)
class Counted:
    """What the exported graph says of one layer. Bits are (fewest, most) of weights other than zero, and of signals.

    ``ebops`` as :mod:`codesign.graph.cost` counts them.
    """

    inputs: int
    outputs: int
    nonzero: int
    weight_bits: Range
    signal_bits: Range
    ebops: float
    #: how many items or places go through it, each by itself
    times: int = 1
    #: layers that come before it, one after another, it included; 0 where that is not known
    level: int = 0


@dataclass(frozen=True)
class LayerRow:
    """One layer with weights. Bits are one number, or a range (fewest, most); None where nothing says them."""

    name: str
    inputs: int
    outputs: int
    weight_bits: Range | None
    activation_bits: Range | None
    #: weights other than zero, and bit operations, counted in the exported graph; None where there is none to count in
    nonzero: int | None
    ebops: float | None
    #: how many items or places go through it, each by itself
    times: int = 1
    #: layers that come before it, one after another, it included; 0 where that is not known
    level: int = 0

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


def count_layers(onnx: bytes, inputs: Port) -> list[Counted]:
    """Every product with a constant matrix in a QONNX graph, in order of execution; of a convolution, of its window."""
    from codesign.graph.cost import cost_of, signal_bits
    from codesign.graph.interval import FLOAT64_EXACT, Interval, Intervals, grid
    from codesign.graph.reader import read_graph

    graph = read_graph(onnx)
    signals = graph.signals(Interval.of_port(inputs), Intervals(FLOAT64_EXACT))
    costs = {node.node: node.bit_operations for node in cost_of(graph, inputs).nodes}
    levels = _levels(graph)
    found: list[Counted] = []
    for layer in graph.layers:
        weights = layer.weights
        widths = signal_bits(signals[layer.signal]).ravel()
        kept = weights[weights != 0]
        # a layer's weights share a grid, the finest that any of them needs; one bit more where there are signs
        step, signed = (grid(kept).min(), int((kept < 0).any())) if kept.size else (1.0, 0)
        bits = np.frexp(np.abs(kept) / step)[1] + signed
        found.append(
            Counted(
                inputs=weights.shape[0],
                outputs=weights.shape[1],
                nonzero=kept.size,
                weight_bits=_range(bits),
                signal_bits=_range(widths),
                ebops=costs.get(layer.node, 0.0),
                times=math.prod(signals[layer.output].shape[1:]) // weights.shape[1],
                level=levels[layer.output],
            )
        )
    return found


def _levels(graph: Graph) -> dict[str, int]:
    """Of each signal, how many layers come before it, one after another."""
    ends, found = {layer.output for layer in graph.layers}, dict.fromkeys(graph.constants, 0)
    for node in graph.nodes:
        before = max((found.get(name, 0) for name in node.inputs), default=0)
        found |= {name: before + (name in ends) for name in node.outputs}
    return found


def _chain(rows: list[LayerRow]) -> list[LayerRow]:
    """The rows one after another; of those beside each other, the one of the most outputs. Empty where they are no
    chain."""
    if rows and all(row.level for row in rows):
        by_level = itertools.groupby(sorted(rows, key=lambda row: row.level), key=lambda row: row.level)
        return [max(beside, key=lambda row: (row.times, row.outputs)) for _, beside in by_level]
    return [] if any(a.outputs != b.inputs for a, b in itertools.pairwise(rows)) else rows


def _range(values: NDArray[Any]) -> Range:
    return (int(values.min()), int(values.max())) if values.size else (0, 0)


def bits(span: Range | None) -> str:
    """``4``, ``2–6``, or nothing."""
    if span is None:
        return ""
    return str(span[1]) if span[0] == span[1] else f"{span[0]}–{span[1]}"


def layers(config: dict[str, Any], inputs: int | None, outputs: int | None, counted: list[Counted]) -> list[LayerRow]:
    """Layers with weights: those of the exported graph, with the bits that the configuration gives them, or else those
    that they use.

    ``config``: ``widths`` are the hidden layers' widths; a bit width is one number for all layers or a list with one
    each. ``counted``: what :func:`count_layers` found. Without either, no layers.
    """
    widths = config.get("widths")
    sizes: list[tuple[int, int]] = [(c.inputs, c.outputs) for c in counted]
    if isinstance(widths, list) and all(isinstance(w, int) and w > 0 for w in widths) and inputs and outputs:
        ends = [inputs, *widths, outputs]
        configured = list(itertools.pairwise(ends))
        if sizes and sizes != configured:  # another family's: its bits cannot be told apart by position
            config = {}
        sizes = sizes or configured
    else:
        config = {}
    last = len(sizes) - 1
    made = []
    for i, (n, m) in enumerate(sizes):
        here, after = (counted[i] if counted else None), (counted[i + 1] if i < last and counted else None)
        made.append(
            LayerRow(
                name="output" if i == last else f"layer {i + 1}",
                inputs=n,
                outputs=m,
                weight_bits=_nth(config.get("weight_bits"), i) or (here.weight_bits if here else None),
                activation_bits=None
                if i == last
                else _nth(config.get("activation_bits"), i) or (after.signal_bits if after else None),
                nonzero=here.nonzero if here else None,
                ebops=here.ebops if here else None,
                times=here.times if here else 1,
                level=here.level if here else 0,
            )
        )
    return made


def _nth(bits: Any, i: int) -> Range | None:
    if isinstance(bits, list):
        bits = bits[i] if i < len(bits) else None
    return (bits, bits) if isinstance(bits, int) else None


def draw(found: list[LayerRow], input_bits: str, output_bits: str) -> Drawing | None:
    """Lay the layers out from left to right; bar height grows with the square root of the number of signals."""
    found = _chain(found)
    if not found:
        return None  # the table says what there is to say
    pitch, thick, tall, margin = 118.0, 26.0, 96.0, 30.0
    sizes = [found[0].inputs, *(layer.outputs for layer in found)]
    times = [found[0].times, *(layer.times for layer in found)]
    largest = math.sqrt(max(sizes))
    widths = [
        input_bits,
        *(f"{bits(x.activation_bits)} bit" if x.activation_bits else "" for x in found[:-1]),
        output_bits,
    ]
    bars, links = [], []
    for i, n in enumerate(sizes):
        height = max(16.0, tall * math.sqrt(n) / largest)
        many = f"{times[i]} × {n}" if times[i] > 1 else str(n)
        label = f"{many} in" if i == 0 else f"{many} out" if i == len(sizes) - 1 else many
        bars.append(Bar(margin + i * pitch, 28 + (tall - height) / 2, height, label, widths[i]))
    for layer, left, right in zip(found, bars, bars[1:], strict=False):
        corners = [
            (left.x + thick, left.top), (right.x, right.top),
            (right.x, right.top + right.height), (left.x + thick, left.top + left.height),
        ]  # fmt: skip
        links.append(
            Link(
                polygon=" ".join(f"{x:.1f},{y:.1f}" for x, y in corners),
                middle=(left.x + thick + right.x) / 2,
                label=f"{bits(layer.weight_bits)} bit" if layer.weight_bits else "",
                opacity=round(0.10 + 0.06 * min(layer.weight_bits[1] if layer.weight_bits else 0, 8), 2),
            )
        )
    words = f"{sizes[0]} inputs" + "".join(
        f", then {x.name} with {x.outputs} outputs"
        + (f", {bits(x.weight_bits)}-bit weights" if x.weight_bits else "")
        + (f", {bits(x.activation_bits)}-bit activations" if x.activation_bits else "")
        for x in found
    )
    return Drawing(2 * margin + pitch * len(found) + thick, 160.0, bars, links, words)
