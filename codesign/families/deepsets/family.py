"""The family ``deepsets``: a function of each item, their sum, mean or maximum, and a function of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from codesign.families.items.item_config import ItemConfig
from codesign.families.items.item_family import ItemFamily
from codesign.families.items.item_view import ItemView

if TYPE_CHECKING:
    from codesign.families.deepsets.network import QuantDeepSet

__all__ = ("DeepSets",)


class DeepSets(ItemFamily):
    """Deep sets (see :class:`ItemConfig`): the order of the items does not matter."""

    name = "deepsets"

    def network(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> QuantDeepSet:
        """The untrained network."""
        from codesign.families.deepsets.network import QuantDeepSet

        return QuantDeepSet(config, view, outputs)
