"""Configurations and search space of the family ``conv1d``."""

from __future__ import annotations

from pydantic import Field, field_validator

from codesign.core.space import Fixed, IntDimension
from codesign.families.items.item_config import ItemConfig, ItemSpace
from codesign.families.items.item_view import ItemView

__all__ = ("Conv1dConfig", "Conv1dSpace")


class Conv1dConfig(ItemConfig):
    """Convolutions along the items, as many items behind each as in front, with zeros around the border."""

    kernel: int = Field(default=3, ge=1, le=15, description="items that a convolution sees at once, odd")

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError(f"kernel is odd, so that an item is in the middle of what it sees; found {kernel}")
        return kernel

    def items_cost(self, view: ItemView) -> float:
        """That of every window."""
        sizes = (view.fields, *self.each_widths)
        operands = (self.input_bits, *self.activation_bits)
        layers = range(len(self.each_widths))
        return view.items * sum(self.dense_cost((self.kernel * sizes[i], sizes[i + 1]), i, operands[i]) for i in layers)


class Conv1dSpace(ItemSpace):
    """The study's ``space`` for this family."""

    kernel: IntDimension = Field(default=Fixed(3), description="items that a convolution sees at once, odd")
