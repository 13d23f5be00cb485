"""The Brevitas network of the family ``jedi-linear``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from codesign.families.items.item_config import ItemConfig
from codesign.families.items.item_network import ItemNetwork
from codesign.families.items.item_view import ItemView
from codesign.training.quantised_layers import ActivationLayer, Dense, GridSignal, Layer, Matrix, mean, selection

__all__ = ("QuantJediLinear",)


class _Mixed(Layer):
    """``x_i W + m W'`` and an activation; m is the quantised mean of all items."""

    def __init__(self, inputs: int, outputs: int, bits: tuple[int, int], mean_bits: int, signed: bool) -> None:
        super().__init__()
        self.each = Dense(inputs, outputs, *bits)
        self.average = ActivationLayer(inputs, mean_bits, signed=signed)
        self.of_average = Matrix(inputs, outputs, bits[0])

    def forward(self, x: GridSignal, valid: Tensor | None) -> GridSignal:
        """(events, items, inputs) to (events, items, outputs)."""
        average = self.average(mean(x, 1, keep=True))
        return selection(self.each(x, self.of_average(average)), valid)


class QuantJediLinear(ItemNetwork):
    """Layers in which every item sees itself and the mean of all (Que et al., arXiv:2508.15468), then their sum."""

    def __init__(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> None:
        super().__init__(config, view, outputs)
        sizes = (view.fields, *config.each_widths)
        bits = zip(sizes[:-1], sizes[1:], config.weight_bits, config.activation_bits, strict=False)
        self.each: Any = nn.ModuleList(
            _Mixed(n, m, (weight, active), config.pooled_bits, signed=i == 0)
            for i, (n, m, weight, active) in enumerate(bits)
        )

    def summary(self, items: GridSignal, valid: Tensor | None) -> GridSignal:
        """(events, items, fields) to (events, width of the last shared layer)."""
        for layer in self.each:
            items = layer(items, valid)
        return self.reduced(items, None)
