"""Configurations and search space of the family ``linear-attention``."""

from __future__ import annotations

from pydantic import Field

from codesign.core.space import Fixed, IntDimension
from codesign.families.items.item_config import ItemConfig, ItemSpace
from codesign.families.items.item_view import ItemView

__all__ = ("LinearAttentionConfig", "LinearAttentionSpace")


class LinearAttentionConfig(ItemConfig):
    """Shared layers, then queries, keys (``latent`` each) and values of every item, and ``q_i (sum_j k_j v_j)``.

    Values have the width of the last shared layer; queries, keys and values have ``product_bits``, what is summed over
    the items too. The weights of all three have the bits of the last shared layer.
    """

    latent: int = Field(default=4, ge=1, le=64, description="numbers of a query and of a key")
    product_bits: int = Field(default=5, ge=2, le=9, description="bits of what is multiplied with each other")

    def items_cost(self, view: ItemView) -> float:
        """That of the shared layers; of queries, keys and values; and of the products of signals."""
        width, last = self.each_widths[-1], len(self.each_widths) - 1
        drawn = self.dense_cost((width, 2 * self.latent + width), last, self.activation_bits[last])
        products = 2 * self.latent * width * self.product_bits**2
        return super().items_cost(view) + view.items * (drawn + products)


class LinearAttentionSpace(ItemSpace):
    """The study's ``space`` for this family."""

    latent: IntDimension = Field(default=Fixed(4), description="numbers of a query and of a key")
    product_bits: IntDimension = Field(default=Fixed(5), description="bits of what is multiplied with each other")
