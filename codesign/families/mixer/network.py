"""The Brevitas network of the family ``mixer``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from codesign.families.items.item_config import ItemConfig
from codesign.families.items.item_network import ItemNetwork
from codesign.families.items.item_view import ItemView
from codesign.training.quantised_layers import Dense, GridSignal, selection

__all__ = ("QuantMixer",)


class QuantMixer(ItemNetwork):
    """A layer on the fields of each item, then one on the items of each field, and so on (arXiv:2105.01601)."""

    def __init__(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> None:
        super().__init__(config, view, outputs)
        sizes = (view.fields, *config.each_widths)
        layers = list(zip(sizes[:-1], sizes[1:], config.weight_bits, config.activation_bits, strict=False))
        self.each: Any = nn.ModuleList(Dense(*layer) for layer in layers)
        self.across: Any = nn.ModuleList(Dense(view.items, view.items, *layer[2:]) for layer in layers)

    def summary(self, items: GridSignal, valid: Tensor | None) -> GridSignal:
        """(events, items, fields) to (events, n)."""
        for each, across in zip(self.each, self.across, strict=True):
            items = selection(each(items), valid)
            items = across(items.turned(0, 2, 1)).turned(0, 2, 1)
        return self.reduced(items, None)
