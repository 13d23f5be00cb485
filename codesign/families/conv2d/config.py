"""Configurations and search space of the family ``conv2d``."""

from __future__ import annotations

from pydantic import Field

from codesign.core.errors import InputError
from codesign.core.space import Dimension, Fixed, IntDimension
from codesign.families.items.item_config import ItemConfig, ItemSpace
from codesign.families.items.item_view import ItemView

__all__ = ("Conv2dConfig", "Conv2dSpace")


class Conv2dConfig(ItemConfig):
    """Convolutions of an image: with an odd kernel there are zeros around the border, with an even one there are none.

    ``depthwise``: every layer but the first is a convolution of each channel by itself, and then a matrix.
    """

    kernel: int = Field(default=3, ge=1, le=9, description="rows and columns that a convolution sees at once")
    stride: int = Field(default=1, ge=1, le=4, description="rows and columns from one window of the first to the next")
    window: int = Field(default=1, ge=1, le=4, description="of how many rows and columns the largest is taken behind "
                        "each convolution")  # fmt: skip
    depthwise: bool = Field(default=False, description="convolutions of each channel by itself, behind the first")

    def image(self, view: ItemView) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Rows and columns behind each layer's convolution, and behind its pooling; InputError where none is left."""
        rows, columns, _ = view.block.shape
        found = []
        for layer in range(len(self.each_widths)):
            step = self.stride if layer == 0 else 1
            border = self.kernel // 2 if self.kernel % 2 else 0
            behind = [(n + 2 * border - self.kernel) // step + 1 for n in (rows, columns)]
            rows, columns = (n // self.window for n in behind)
            if min(rows, columns) < 1:
                raise InputError(
                    f"of the image {view.block.shape} nothing is left behind layer {layer + 1}: choose a smaller "
                    "kernel, stride or window, or fewer layers"
                )
            found.append(((behind[0], behind[1]), (rows, columns)))
        return found

    def places(self, view: ItemView) -> int:
        """How many places of the image there are behind the convolutions."""
        rows, columns = self.image(view)[-1][1]
        return rows * columns

    def items_cost(self, view: ItemView) -> float:
        """That of every window."""
        sizes, operands, cost = (view.fields, *self.each_widths), (self.input_bits, *self.activation_bits), 0.0
        for i, ((rows, columns), _) in enumerate(self.image(view)):
            n, m, size = sizes[i], sizes[i + 1], self.kernel**2
            if self.depthwise and i:
                one = n * self.dense_cost((size, 1), i, operands[i]) + self.dense_cost(
                    (n, m), i, self.activation_bits[i]
                )
            else:
                one = self.dense_cost((size * n, m), i, operands[i])
            cost += rows * columns * one
        return cost


class Conv2dSpace(ItemSpace):
    """The study's ``space`` for this family."""

    kernel: IntDimension = Field(default=Fixed(3), description="rows and columns that a convolution sees at once")
    stride: IntDimension = Field(default=Fixed(1), description="rows and columns from one window to the next")
    window: IntDimension = Field(default=Fixed(1), description="of how many rows and columns the largest is taken")
    depthwise: Dimension = Field(default=Fixed(False), description="convolutions of each channel by itself")
