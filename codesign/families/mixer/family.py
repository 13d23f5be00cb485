"""The family ``mixer``: fields of an item and items of a field are mixed in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from codesign.families.items.item_config import ItemConfig
from codesign.families.items.item_family import ItemFamily
from codesign.families.items.item_view import ItemView
from codesign.families.mixer.config import MixerConfig

if TYPE_CHECKING:
    from codesign.families.mixer.network import QuantMixer

__all__ = ("Mixer",)


class Mixer(ItemFamily):
    """Mixers (see :class:`MixerConfig`): every item has weights of its own, so that their order matters."""

    name = "mixer"
    config = MixerConfig

    def network(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> QuantMixer:
        """The untrained network."""
        from codesign.families.mixer.network import QuantMixer

        return QuantMixer(config, view, outputs)
