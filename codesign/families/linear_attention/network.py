"""The Brevitas network of the family ``linear-attention``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from codesign.families.items.item_network import ItemNetwork
from codesign.families.items.item_view import ItemView
from codesign.families.linear_attention.config import LinearAttentionConfig
from codesign.training.quantised_layers import ActivationLayer, Dense, GridSignal, Matrix, product, selection, total

__all__ = ("QuantLinearAttention",)


class QuantLinearAttention(ItemNetwork):
    """Attention without a softmax: products of keys and values are summed once (Katharopoulos, arXiv:2006.16236)."""

    def __init__(self, config: LinearAttentionConfig, view: ItemView, outputs: Sequence[int]) -> None:
        super().__init__(config, view, outputs)
        sizes, bits = (view.fields, *config.each_widths), config.product_bits
        layers = zip(sizes[:-1], sizes[1:], config.weight_bits, config.activation_bits, strict=False)
        self.each: Any = nn.ModuleList(Dense(*layer) for layer in layers)
        width, last = config.each_widths[-1], len(config.each_widths) - 1
        weight, active = config.weight_bits[last], config.activation_bits[last]
        self.query = Dense(width, config.latent, weight, bits)
        self.key = Dense(width, config.latent, weight, bits)
        self.value, self.valued = Matrix(width, width, weight), ActivationLayer(width, bits, signed=True)
        self.summed = ActivationLayer(width, bits, signed=True)
        self.attended = ActivationLayer(width, active)

    def summary(self, items: GridSignal, valid: Tensor | None) -> GridSignal:
        """(events, items, fields) to (events, width of the last shared layer)."""
        for layer in self.each:
            items = layer(items)
        query, key = self.query(items), selection(self.key(items), valid)
        value = self.valued(self.value(items))
        pairs = product(
            GridSignal(key.values.unsqueeze(3), key.grid), GridSignal(value.values.unsqueeze(2), value.grid)
        )  # fmt: skip
        seen = self.summed(total(pairs, 1))  # (events, latent, width)
        asked = product(
            GridSignal(query.values.unsqueeze(3), query.grid), GridSignal(seen.values.unsqueeze(1), seen.grid)
        )  # fmt: skip
        return self.reduced(self.attended(total(asked, 2)), valid)
