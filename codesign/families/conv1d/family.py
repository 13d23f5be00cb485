"""The family ``conv1d``: convolutions along items in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from codesign.core.space import Choose
from codesign.families.conv1d.config import Conv1dConfig, Conv1dSpace
from codesign.families.items.item_config import ItemConfig, ItemSpace
from codesign.families.items.item_family import ItemFamily
from codesign.families.items.item_view import ItemView

if TYPE_CHECKING:
    from codesign.families.conv1d.network import QuantConv1dNetwork

__all__ = ("Conv1d",)


class Conv1d(ItemFamily):
    """Convolutions along items (see :class:`Conv1dConfig`), such as constituents by falling pT."""

    name = "conv1d"
    config = Conv1dConfig
    space = Conv1dSpace

    def draw(self, space: ItemSpace, choose: Choose) -> Mapping[str, object]:
        """Draw the kernel."""
        assert isinstance(space, Conv1dSpace)
        return {"kernel": choose("kernel", space.kernel)}

    def network(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> QuantConv1dNetwork:
        """The untrained network."""
        from codesign.families.conv1d.network import QuantConv1dNetwork

        assert isinstance(config, Conv1dConfig)
        return QuantConv1dNetwork(config, view, outputs)
