"""What networks of items and images take of the blocks that a study shows them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Self

from codesign.core.errors import InputError
from codesign.core.layout import Layout

__all__ = ("ItemView", "obstacle")


@dataclass(frozen=True)
class ItemView:
    """One block of items, and whatever numbers of the event stand beside it.

    ``blocks``: all that the network is given, in its order; ``place``: that of the block of items among them;
    ``items`` and ``fields``: how many of each are taken, the first ones.
    """

    blocks: tuple[Layout, ...]
    place: int
    items: int
    fields: int

    @classmethod
    def of(cls, blocks: tuple[Layout, ...]) -> Self:
        """All items and fields; ValueError where there is no one block of items."""
        (place,) = (i for i, block in enumerate(blocks) if len(block.shape) > 1)
        return cls(blocks, place, blocks[place].items, blocks[place].shape[-1])

    @property
    def block(self) -> Layout:
        """The block of items."""
        return self.blocks[self.place]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of each block."""
        return tuple(block.shape for block in self.blocks)

    @property
    def beside(self) -> int:
        """Numbers of the event in all other blocks."""
        return sum(prod(b.shape) for b in self.blocks) - self.block.size

    @property
    def validity(self) -> int | None:
        """The place of the field that says whether an item is there; None where nothing says it."""
        return None if self.block.validity is None else self.block.fields.index(self.block.validity)

    def taking(self, items: int, fields: int) -> ItemView:
        """Only the first ``items`` and ``fields``, 0: all; InputError where there are not so many."""
        for name, wanted, there in (("items", items, self.items), ("fields", fields, self.fields)):
            if wanted > there:
                raise InputError(
                    f"{name}: {wanted} are wanted, and the block '{self.block.name}' has {there}: choose at most "
                    f"{there}, or 0 for all"
                )
        return replace(self, items=items or self.items, fields=fields or self.fields)


def obstacle(blocks: tuple[Layout, ...], axes: int) -> str | None:
    """Why a network that takes one block of so many axes cannot take these, in words; None where it can."""
    what = "items, such as view: [constituents]" if axes == 2 else "an image, of shape (rows, columns, channels)"
    several = [block for block in blocks if len(block.shape) > 1]
    if len(several) != 1 or len(several[0].shape) != axes:
        seen = ", ".join(f"{b.name} ({', '.join(map(str, b.shape))})" for b in blocks) or "plain features"
        return f"it takes one block of {what}, and features beside it, but sees {seen}"
    if several[0].size == 0:
        return f"the block '{several[0].name}' is empty"
    return None
