"""The Brevitas network of the family ``deepsets``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from codesign.families.items.item_config import ItemConfig
from codesign.families.items.item_network import ItemNetwork
from codesign.families.items.item_view import ItemView
from codesign.training.quantised_layers import Dense, GridSignal

__all__ = ("QuantDeepSet",)


class QuantDeepSet(ItemNetwork):
    """Layers that all items share, their sum, mean or maximum, and the tail (Zaheer et al., arXiv:1703.06114)."""

    def __init__(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> None:
        super().__init__(config, view, outputs)
        sizes = (view.fields, *config.each_widths)
        bits = zip(sizes[:-1], sizes[1:], config.weight_bits, config.activation_bits, strict=False)
        self.each: Any = nn.ModuleList(Dense(*layer) for layer in bits)

    def summary(self, items: GridSignal, valid: Tensor | None) -> GridSignal:
        """(events, items, fields) to (events, width of the last shared layer)."""
        for layer in self.each:
            items = layer(items)
        return self.reduced(items, valid)
