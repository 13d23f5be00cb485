"""The Brevitas network of the family ``attention``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from codesign.families.attention.config import AttentionConfig
from codesign.families.items.item_network import ItemNetwork
from codesign.families.items.item_view import ItemView
from codesign.training.quantised_layers import (
    ActivationLayer,
    Dense,
    GridSignal,
    Matrix,
    product,
    selection,
    sum_of,
    total,
)
from codesign.training.table_activations import TableActivation

__all__ = ("QuantAttention",)


class QuantAttention(ItemNetwork):
    """Attention (Vaswani et al., arXiv:1706.03762): tables give the exponential of a score, relative to the top of its
    range, and the reciprocal of their sum over all items."""

    def __init__(self, config: AttentionConfig, view: ItemView, outputs: Sequence[int]) -> None:
        super().__init__(config, view, outputs)
        sizes, bits = (view.fields, *config.each_widths), config.product_bits
        layers = zip(sizes[:-1], sizes[1:], config.weight_bits, config.activation_bits, strict=False)
        self.each: Any = nn.ModuleList(Dense(*layer) for layer in layers)
        width, last = config.each_widths[-1], len(config.each_widths) - 1
        weight, active = config.weight_bits[last], config.activation_bits[last]
        self.query, self.asking = (
            Matrix(width, config.latent, weight),
            ActivationLayer(config.latent, bits, signed=True),
        )
        self.key, self.keyed = Matrix(width, config.latent, weight), ActivationLayer(config.latent, bits, signed=True)
        self.value, self.valued = Matrix(width, width, weight), ActivationLayer(width, bits, signed=True)
        self.score = TableActivation("exp", 1, bits, bits)
        self.inverse = TableActivation("reciprocal", 1, bits, bits)
        self.seen = ActivationLayer(width, bits, signed=True)
        self.own = Matrix(width, width, weight)
        self.attended = ActivationLayer(width, active)

    def summary(self, items: GridSignal, valid: Tensor | None) -> GridSignal:
        """(events, items, fields) to (events, width of the last shared layer)."""
        for layer in self.each:
            items = layer(items)
        query, key = self.asking(self.query(items)), self.keyed(self.key(items))
        value = self.valued(self.value(items))
        pairs = product(_beside(query, 2), _beside(key, 1))  # (events, asking, asked, latent)
        chance = self.score(_one_channel(total(pairs, 3)))  # (events, asking, asked, 1)
        chance = selection(chance, None if valid is None else valid.unsqueeze(1))
        divisor = self.inverse(total(chance, 2))  # (events, asking, 1)
        seen = self.seen(total(product(chance, _beside(value, 1)), 2))  # (events, asking, width)
        return self.reduced(self.attended(sum_of(self.own(items), product(seen, divisor))), valid)


def _beside(x: GridSignal, axis: int) -> GridSignal:
    """One axis more, over which it is repeated."""
    return GridSignal(x.values.unsqueeze(axis), x.grid)


def _one_channel(x: GridSignal) -> GridSignal:
    """An axis of one channel behind all others."""
    return GridSignal(x.values.unsqueeze(-1), x.grid)
