"""The family ``linear-attention``: every item asks all others, at a cost that grows with their number only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from codesign.core.space import Choose
from codesign.families.items.item_config import ItemConfig, ItemSpace
from codesign.families.items.item_family import ItemFamily
from codesign.families.items.item_view import ItemView
from codesign.families.linear_attention.config import LinearAttentionConfig, LinearAttentionSpace

if TYPE_CHECKING:
    from codesign.families.linear_attention.network import QuantLinearAttention

__all__ = ("LinearAttention",)


class LinearAttention(ItemFamily):
    """Attention without a softmax (see :class:`LinearAttentionConfig`)."""

    name = "linear-attention"
    config = LinearAttentionConfig
    space = LinearAttentionSpace

    def draw(self, space: ItemSpace, choose: Choose) -> Mapping[str, object]:
        """Draw the sizes of what is multiplied."""
        assert isinstance(space, LinearAttentionSpace)
        return {"latent": choose("latent", space.latent), "product_bits": choose("product_bits", space.product_bits)}

    def network(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> QuantLinearAttention:
        """The untrained network."""
        from codesign.families.linear_attention.network import QuantLinearAttention

        assert isinstance(config, LinearAttentionConfig)
        return QuantLinearAttention(config, view, outputs)
