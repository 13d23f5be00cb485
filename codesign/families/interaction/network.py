"""The Brevitas network of the family ``interaction``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from codesign.families.interaction.config import InteractionConfig
from codesign.families.items.item_network import ItemNetwork
from codesign.families.items.item_view import ItemView
from codesign.training.quantised_layers import ActivationLayer, Dense, GridSignal, Matrix, selection, sum_of, total

__all__ = ("QuantInteraction",)


class QuantInteraction(ItemNetwork):
    """All pairs of items, what each item's pairs add up to, and the sum of items (Moreno et al., arXiv:1908.05318)."""

    def __init__(self, config: InteractionConfig, view: ItemView, outputs: Sequence[int]) -> None:
        super().__init__(config, view, outputs)
        width, last = config.each_widths[-1], len(config.each_widths) - 1
        #: a pair's first layer, of either side
        self.side = Matrix(view.fields, config.each_widths[0], config.weight_bits[0])
        self.other_side = Matrix(view.fields, config.each_widths[0], config.weight_bits[0])
        self.active = ActivationLayer(config.each_widths[0], config.activation_bits[0])
        bits = zip(
            config.each_widths[:-1], config.each_widths[1:], config.weight_bits[1:], config.activation_bits[1:],
            strict=False,
        )  # fmt: skip
        self.pairs: Any = nn.ModuleList(Dense(*layer) for layer in bits)
        self.summed = ActivationLayer(width, config.pooled_bits)
        self.own = Matrix(view.fields, config.item_width, config.weight_bits[last])
        self.together = Dense(width, config.item_width, config.weight_bits[last], config.activation_bits[last])
        self.different: Tensor
        self.register_buffer(
            "different", 1 - torch.eye(view.items).reshape(view.items, view.items, 1), persistent=False
        )

    def summary(self, items: GridSignal, valid: Tensor | None) -> GridSignal:
        """(events, items, fields) to (events, width of an item)."""
        one, other = self.side(items), self.other_side(items)
        pairs = self.active(
            sum_of(GridSignal(one.values.unsqueeze(2), one.grid), GridSignal(other.values.unsqueeze(1), other.grid))
        )  # fmt: skip
        for layer in self.pairs:
            pairs = layer(pairs)
        pairs = selection(pairs, None if valid is None else valid.unsqueeze(1))
        others = self.summed(total(GridSignal(pairs.values * self.different, pairs.grid), 2))
        return self.reduced(self.together(others, self.own(items)), valid)
