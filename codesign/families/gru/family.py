"""The family ``gru``: a state goes through the items, one after another, each step with logic of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from codesign.core.space import Choose
from codesign.families.gru.config import GruConfig, GruSpace
from codesign.families.items.item_config import ItemConfig, ItemSpace
from codesign.families.items.item_family import ItemFamily
from codesign.families.items.item_view import ItemView

if TYPE_CHECKING:
    from codesign.families.gru.network import QuantGru

__all__ = ("Gru",)


class Gru(ItemFamily):
    """Gated recurrent units (see :class:`GruConfig`)."""

    name = "gru"
    config = GruConfig
    space = GruSpace

    def draw(self, space: ItemSpace, choose: Choose) -> Mapping[str, object]:
        """Draw the state."""
        assert isinstance(space, GruSpace)
        return {"hidden": choose("hidden", space.hidden), "product_bits": choose("product_bits", space.product_bits)}

    def network(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> QuantGru:
        """The untrained network."""
        from codesign.families.gru.network import QuantGru

        assert isinstance(config, GruConfig)
        return QuantGru(config, view, outputs)
