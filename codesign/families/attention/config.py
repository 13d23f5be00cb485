"""Configurations and search space of the family ``attention``."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from codesign.core.space import Fixed, IntDimension
from codesign.families.items.item_config import ItemConfig, ItemSpace
from codesign.families.items.item_view import ItemView

__all__ = ("AttentionConfig", "AttentionSpace")


class AttentionConfig(ItemConfig):
    """Shared layers, then queries, keys (``latent`` each) and values of every item, and the mean of all values by the
    softmax of ``q_i k_j``, beside a layer of the item itself.

    Values have the width of the last shared layer; the weights of all have the bits of the last shared layer. What is
    multiplied has ``product_bits``, the scores and the sum of a softmax too. Their precision is not learned.
    """

    latent: int = Field(default=2, ge=1, le=64, description="numbers of a query and of a key")
    product_bits: int = Field(default=5, ge=3, le=9, description="bits of what is multiplied, and of the softmax")

    @model_validator(mode="after")
    def _fixed(self) -> Self:
        if self.learns:
            raise ValueError("precision: a table's codes are not learned: choose fixed, or linear-attention")
        return self

    def items_cost(self, view: ItemView) -> float:
        """That of the shared layers; of queries, keys, values and the item's own; and of products of signals: of all
        pairs, and one for each result."""
        width, last = self.each_widths[-1], len(self.each_widths) - 1
        drawn = self.dense_cost((width, 2 * self.latent + 2 * width), last, self.activation_bits[last])
        pairs = view.items * (self.latent + width) + width
        return super().items_cost(view) + view.items * (drawn + pairs * self.product_bits**2)


class AttentionSpace(ItemSpace):
    """The study's ``space`` for this family."""

    latent: IntDimension = Field(default=Fixed(2), description="numbers of a query and of a key")
    product_bits: IntDimension = Field(default=Fixed(5), description="bits of what is multiplied, and of the softmax")
