"""Configurations and search space of the family ``interaction``."""

from __future__ import annotations

from pydantic import Field

from codesign.core.space import Fixed, IntDimension
from codesign.families.items.item_config import ItemConfig, ItemSpace
from codesign.families.items.item_view import ItemView

__all__ = ("InteractionConfig", "InteractionSpace")


class InteractionConfig(ItemConfig):
    """Layers that all pairs of two items share, their sum for each item, and a layer of that and the item.

    The last has the bits of the last layer of pairs; the sum of an item's pairs has ``pooled_bits``.
    """

    item_width: int = Field(default=8, ge=1, description="outputs of the layer of each item and its pairs")

    def items_cost(self, view: ItemView) -> float:
        """That of every pair, the first layer's once for each item on either side of it, and of every item."""
        first = 2 * view.items * self.dense_cost((view.fields, self.each_widths[0]), 0, self.input_bits)
        pairs = view.items * (view.items - 1)
        between = pairs * self.dense_cost(self.each_widths, 1, self.activation_bits[0]) if self.each_widths[1:] else 0.0
        last = len(self.each_widths) - 1
        own = self.dense_cost((view.fields, self.item_width), last, self.input_bits)
        own += self.dense_cost((self.each_widths[-1], self.item_width), last, self.pooled_bits)
        return first + between + view.items * own

    @property
    def pooled_width(self) -> int:
        """How many numbers there are of each item in the end."""
        return self.item_width


class InteractionSpace(ItemSpace):
    """The study's ``space`` for this family."""

    item_width: IntDimension = Field(default=Fixed(8), description="outputs of the layer of each item and its pairs")
