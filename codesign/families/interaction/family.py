"""The family ``interaction``: all pairs of items, for a small number of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from codesign.core.space import Choose
from codesign.families.interaction.config import InteractionConfig, InteractionSpace
from codesign.families.items.item_config import ItemConfig, ItemSpace
from codesign.families.items.item_family import ItemFamily
from codesign.families.items.item_view import ItemView

if TYPE_CHECKING:
    from codesign.families.interaction.network import QuantInteraction

__all__ = ("Interaction",)


class Interaction(ItemFamily):
    """Interaction networks (see :class:`InteractionConfig`): their cost grows with the number of items squared."""

    name = "interaction"
    config = InteractionConfig
    space = InteractionSpace

    def draw(self, space: ItemSpace, choose: Choose) -> Mapping[str, object]:
        """Draw the width of an item."""
        assert isinstance(space, InteractionSpace)
        return {"item_width": choose("item_width", space.item_width)}

    def network(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> QuantInteraction:
        """The untrained network."""
        from codesign.families.interaction.network import QuantInteraction

        assert isinstance(config, InteractionConfig)
        return QuantInteraction(config, view, outputs)
