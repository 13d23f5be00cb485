"""The family ``conv2d``: convolutions of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from codesign.core.space import Choose
from codesign.families.conv2d.config import Conv2dConfig, Conv2dSpace
from codesign.families.items.item_config import ItemConfig, ItemSpace
from codesign.families.items.item_family import ItemFamily
from codesign.families.items.item_view import ItemView

if TYPE_CHECKING:
    from codesign.families.conv2d.network import QuantConv2dNetwork

__all__ = ("Conv2d",)


class Conv2d(ItemFamily):
    """Convolutions of images (see :class:`Conv2dConfig`), such as the regions of a calorimeter."""

    name = "conv2d"
    config = Conv2dConfig
    space = Conv2dSpace
    axes = 3

    def draw(self, space: ItemSpace, choose: Choose) -> Mapping[str, object]:
        """Draw kernel, stride and pooling."""
        assert isinstance(space, Conv2dSpace)
        return {
            "kernel": choose("kernel", space.kernel),
            "stride": choose("stride", space.stride),
            "window": choose("window", space.window),
            "depthwise": choose("depthwise", space.depthwise),
        }

    def network(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> QuantConv2dNetwork:
        """The untrained network."""
        from codesign.families.conv2d.network import QuantConv2dNetwork

        assert isinstance(config, Conv2dConfig)
        return QuantConv2dNetwork(config, view, outputs)
