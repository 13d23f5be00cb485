"""The family ``jedi-linear``: every item sees the mean of all, at a cost that grows with their number only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from codesign.families.items.item_config import ItemConfig
from codesign.families.items.item_family import ItemFamily
from codesign.families.items.item_view import ItemView
from codesign.families.jedi_linear.config import JediLinearConfig

if TYPE_CHECKING:
    from codesign.families.jedi_linear.network import QuantJediLinear

__all__ = ("JediLinear",)


class JediLinear(ItemFamily):
    """JEDI-linear networks (see :class:`JediLinearConfig`): the order of the items does not matter."""

    name = "jedi-linear"
    config = JediLinearConfig

    def network(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> QuantJediLinear:
        """The untrained network."""
        from codesign.families.jedi_linear.network import QuantJediLinear

        return QuantJediLinear(config, view, outputs)
