"""What families of networks on items and images refuse, and how a study's seeds are found in them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, JsonValue

from codesign.families.base import Candidate, Choose
from codesign.families.items.item_config import ItemConfig, ItemSpace, drawn_layers
from codesign.families.items.item_view import ItemView, obstacle
from codesign.families.precision import PrecisionFamily
from codesign.training.lesson import Subject

if TYPE_CHECKING:
    from codesign.families.items.item_network import ItemNetwork

__all__ = ("ItemFamily",)


class ItemFamily(PrecisionFamily):
    """Write :meth:`network`; ``config`` and ``space`` derive from :class:`ItemConfig` and :class:`ItemSpace`."""

    space: type[ItemSpace] = ItemSpace
    config: type[ItemConfig] = ItemConfig
    #: axes of the block that it takes: 2 for items (items, fields), 3 for images (rows, columns, channels)
    axes: ClassVar[int] = 2

    @abstractmethod
    def network(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> ItemNetwork:
        """The untrained network; ``outputs``: of each head."""

    def build(self, config: Candidate, subject: Subject) -> ItemNetwork:
        """Build the untrained Brevitas network for the subject's blocks and heads."""
        assert isinstance(config, ItemConfig)
        return self.network(config, config.seen(subject.blocks), [len(head.outputs) for head in subject.heads])

    def suggest(self, space: BaseModel, choose: Choose) -> ItemConfig:
        """Draw a network: the depths first, then each layer's width and bits."""
        assert isinstance(space, ItemSpace)
        return self.config.model_validate({**drawn_layers(space, choose), **self.draw(space, choose)})

    def draw(self, space: ItemSpace, choose: Choose) -> Mapping[str, object]:
        """Draw what the family has more, by the configuration's names."""
        return {}

    def can(self, subject: Subject) -> str | None:
        """One block of items, and an objective that torch families know."""
        return obstacle(subject.blocks, self.axes) or super().can(subject)

    def parameter(self, record: Mapping[str, JsonValue], name: str) -> JsonValue:
        """The depths are those of the lists."""
        widths = record.get(name.replace("_depth", "_widths"))
        return len(widths) if name.endswith("_depth") and isinstance(widths, list) else super().parameter(record, name)
