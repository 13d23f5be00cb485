"""The family ``attention``: every item asks all others, with a softmax, at a cost that grows with their pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from codesign.core.space import Choose
from codesign.families.attention.config import AttentionConfig, AttentionSpace
from codesign.families.items.item_config import ItemConfig, ItemSpace
from codesign.families.items.item_family import ItemFamily
from codesign.families.items.item_view import ItemView

if TYPE_CHECKING:
    from codesign.families.attention.network import QuantAttention

__all__ = ("Attention",)


class Attention(ItemFamily):
    """Attention with a softmax of tables (see :class:`AttentionConfig`)."""

    name = "attention"
    config = AttentionConfig
    space = AttentionSpace

    def draw(self, space: ItemSpace, choose: Choose) -> Mapping[str, object]:
        """Draw the sizes of what is multiplied."""
        assert isinstance(space, AttentionSpace)
        return {"latent": choose("latent", space.latent), "product_bits": choose("product_bits", space.product_bits)}

    def network(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> QuantAttention:
        """The untrained network."""
        from codesign.families.attention.network import QuantAttention

        assert isinstance(config, AttentionConfig)
        return QuantAttention(config, view, outputs)
