"""Configurations and search space of the family ``gru``."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from codesign.core.space import Fixed, IntDimension
from codesign.families.items.item_config import ItemConfig, ItemSpace
from codesign.families.items.item_view import ItemView

__all__ = ("GruConfig", "GruSpace")


class GruConfig(ItemConfig):
    """Shared layers, then a state of ``hidden`` numbers that goes through the items from the last to the first.

    The weights of the gates have the bits of the last shared layer; the state, the gates and what they multiply have
    ``product_bits``. What is made of the items is the last state, whatever ``pool`` says. The precision is not learned.
    """

    hidden: int = Field(default=6, ge=1, le=128, description="numbers of the state")
    product_bits: int = Field(default=6, ge=3, le=8, description="bits of the state, of the gates, and of their inputs")

    @model_validator(mode="after")
    def _fixed(self) -> Self:
        if self.learns:
            raise ValueError("precision: an activation that is reached once an item is not learned: choose fixed")
        return self

    def items_cost(self, view: ItemView) -> float:
        """That of the shared layers, and of three gates and two products for every item."""
        width, last = self.each_widths[-1], len(self.each_widths) - 1
        of_item = self.dense_cost((width, 3 * self.hidden), last, self.activation_bits[last])
        of_state = self.dense_cost((self.hidden, 3 * self.hidden), last, self.product_bits)
        products = 2 * self.hidden * self.product_bits**2
        return super().items_cost(view) + view.items * (of_item + of_state + products)

    def summary_width(self, view: ItemView) -> int:
        """Numbers of the state."""
        return self.hidden

    @property
    def quantises_pool(self) -> bool:
        """The state is quantised by itself."""
        return False

    def summary_bits(self) -> int:
        """Bits of the state."""
        return self.product_bits


class GruSpace(ItemSpace):
    """The study's ``space`` for this family."""

    hidden: IntDimension = Field(default=Fixed(6), description="numbers of the state")
    product_bits: IntDimension = Field(default=Fixed(6), description="bits of the state and of the gates")
