"""Configurations of the family ``mixer``."""

from __future__ import annotations

from codesign.families.items.item_config import ItemConfig
from codesign.families.items.item_view import ItemView
from codesign.graph.cost import expected_operations

__all__ = ("MixerConfig",)


class MixerConfig(ItemConfig):
    """Each shared layer is followed by a layer on all items of each of its outputs, with the same bits."""

    def items_cost(self, view: ItemView) -> float:
        """That of the shared layers, and of a matrix of items by items for each of their outputs."""
        return super().items_cost(view) + sum(
            width * expected_operations((view.items, view.items), (weight,), (active,), self.sparsity)
            for width, weight, active in zip(self.each_widths, self.weight_bits, self.activation_bits, strict=False)
        )
