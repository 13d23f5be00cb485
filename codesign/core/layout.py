"""What a block of data is: its name, its shape, and what each number of an event means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.errors import InputError, nearest

__all__ = ("FEATURES", "MOST_BLOCKS", "MOST_ELEMENTS", "BlockValues", "Layout", "fit_items", "view_blocks")

#: the block that every sample has: named numbers of an event
FEATURES = "features"
#: elements of an event beyond which nothing is read, and blocks of a port
MOST_ELEMENTS, MOST_BLOCKS = 1 << 16, 64
_MOST_AXES = 4

N = TypeVar("N", bound=np.generic)


class Layout(BaseModel):
    """A block of numbers that every event has: of shape (16,) for features, (32, 3) for items, (18, 14, 1) an image.

    The last axis is that of the fields, all others together are the items. An item that is not there is all zeros in
    the data (physical units). ``absent`` says how it reaches the network: as ``"code"`` 0 of every field, or
    ``"masked"``: the field ``validity`` is 0 for it, 1 for others, and the network selects it away by that. The flat
    order of an event's numbers is row-major.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100, description="of the block")
    shape: tuple[int, ...] = Field(
        min_length=1, max_length=_MOST_AXES, description="items and fields of an event, such as (32, 3)"
    )
    fields: tuple[str, ...] = Field(description="names of the last axis")
    units: tuple[str, ...] = Field(default=(), description="of each field, '1' or empty for a number; () for not told")
    absent: Literal["code", "masked"] | None = Field(
        default=None, description="how an item that is not there is written; null where every item always is"
    )
    validity: str | None = Field(default=None, description="the field that is 0 for an item that is not there")
    order: str = Field(
        default="",
        max_length=500,
        exclude_if=lambda order: not order,
        description="an expression by which a table's items are sorted before the first are taken, -pt: falling",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(n < 0 for n in self.shape) or self.size > MOST_ELEMENTS:
            raise ValueError(f"block '{self.name}': shape {self.shape} is none of at most {MOST_ELEMENTS} numbers")
        if len(self.fields) != self.shape[-1]:
            raise ValueError(f"block '{self.name}': {len(self.fields)} fields, and a last axis of {self.shape[-1]}")
        if self.units and len(self.units) != len(self.fields):
            raise ValueError(f"block '{self.name}': {len(self.units)} units of {len(self.fields)} fields")
        if (self.validity is not None) != (self.absent == "masked"):
            raise ValueError(f"block '{self.name}': a block that is masked, and no other, names the field 'validity'")
        if self.validity is not None and self.validity not in self.fields:
            raise ValueError(f"block '{self.name}': validity '{self.validity}' is none of its fields")
        if len(self.shape) > 1 and len(set(self.fields)) < len(self.fields):
            raise ValueError(f"block '{self.name}': two of its fields have one name")
        if len(self.shape) == 1 and self.absent is not None:
            raise ValueError(f"block '{self.name}': only items of a block of several can be absent")
        return self

    @property
    def size(self) -> int:
        """Numbers of an event."""
        return prod(self.shape)

    @property
    def items(self) -> int:
        """Items of an event: 1 of a block of one axis."""
        return prod(self.shape[:-1])

    @property
    def item_names(self) -> tuple[str, ...]:
        """``constituents[3]``, ``image[2,5]`` of every item, in flat order; the block's name where it has no items."""
        if len(self.shape) == 1:
            return (self.name,)
        return tuple(f"{self.name}[{','.join(map(str, place))}]" for place in product(*map(range, self.shape[:-1])))

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of every number, in flat order: the fields', or ``constituents[3].pt``."""
        if len(self.shape) == 1:
            return self.fields
        return tuple(f"{item}.{field}" for item in self.item_names for field in self.fields)

    def over_items(self, of_fields: Iterable[str]) -> tuple[str, ...]:
        """One entry per field, repeated for every item."""
        return tuple(of_fields) * self.items

    def rows(self, flat: NDArray[N]) -> NDArray[N]:
        """The flat numbers of some events (events, size) as (events, items, fields)."""
        return flat.reshape(len(flat), self.items, self.shape[-1])

    def present(self, rows: NDArray[np.floating], codes: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which items are there, (events, items), of physical rows and their codes, both (events, items, fields)."""
        if self.validity is not None:
            return np.asarray(codes[..., self.fields.index(self.validity)] != 0)
        return np.asarray((rows != 0).any(axis=2)) if self.absent else np.ones(rows.shape[:2], dtype=np.bool_)

    @classmethod
    def of_features(cls, names: tuple[str, ...], units: tuple[str, ...]) -> Layout:
        """The block of features."""
        return Layout(name=FEATURES, shape=(len(names),), fields=names, units=units)


@dataclass(frozen=True)
class BlockValues:
    """A block of some events: ``values`` (events, *layout.shape) float32, physical units, finite."""

    layout: Layout
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.values.shape[1:] != self.layout.shape:
            raise ValueError(f"block '{self.layout.name}': {self.values.shape} is not (events, {self.layout.shape})")


def fit_items(layout: Layout, items: NDArray[np.float32]) -> NDArray[np.float32]:
    """A block (rows, *shape) of items (rows, k, fields) in their order; of fewer items the others are absent.

    InputError for another number of items, where none can be absent, or too many.
    """
    lacking = layout.items - items.shape[1]
    if lacking < 0 or (lacking and layout.absent is None and len(items)):
        raise InputError(f"block '{layout.name}' is of {layout.items} items, and a row has {items.shape[1]}")
    whole = np.pad(items, ((0, 0), (0, lacking), (0, 0)))
    return whole.reshape(len(items), *layout.shape)


def view_blocks(blocks: Iterable[Layout], view: Iterable[str], whose: str) -> tuple[Layout, ...]:
    """The blocks that a network sees, in the order of the view; InputError names those that there are."""
    known = {block.name: block for block in blocks}
    names = tuple(view)
    for name in names:
        if name not in known:
            raise InputError(
                f"{whose}, view: there is no block '{name}'{nearest(name, known)}; the sample has: {', '.join(known)}"
            )
    if len(set(names)) < len(names):
        raise InputError(f"{whose}, view: a block is there twice")
    return tuple(known[name] for name in names)
