"""Fixed-point types, and ports made of blocks of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

from codesign.core.layout import MOST_BLOCKS, MOST_ELEMENTS, Layout

__all__ = ("Block", "FixedPoint", "Port", "flat_axis", "places_of", "require_distinct")

N = TypeVar("N", bound=np.generic)
B = TypeVar("B", bound=Layout)


class FixedPoint(BaseModel):
    """A fixed-point type: a two's-complement integer *code* whose value is ``code * 2**-fraction_bits``.

    ``integer_bits`` does not count the sign and may be negative, as may ``fraction_bits``; the width may be zero
    (a signal that is always 0).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    signed: bool
    integer_bits: int
    fraction_bits: int

    @property
    def width(self) -> int:
        """Bits in all, the sign included (at least 0)."""
        return max(0, int(self.signed) + self.integer_bits + self.fraction_bits)

    @property
    def lsb(self) -> float:
        """Value of the least significant bit."""
        return 2.0**-self.fraction_bits

    @property
    def minimum(self) -> int:
        """Smallest code."""
        return -(1 << (self.width - 1)) if self.signed and self.width else 0

    @property
    def maximum(self) -> int:
        """Largest code."""
        return (1 << (self.width - int(self.signed))) - 1 if self.width else 0

    def __str__(self) -> str:
        kind = "fixed" if self.signed else "ufixed"
        return f"{kind}<{self.width},{self.integer_bits + int(self.signed)}>"


class Block(Layout):
    """A block of a port: a layout whose fields have fixed-point types, the same for every item.

    ``types`` has one for each field; one for all is taken as that of each.
    """

    types: tuple[FixedPoint, ...]

    @model_validator(mode="before")
    @classmethod
    def _one_for_all(cls, data: dict[str, Any]) -> dict[str, Any]:
        types, fields = data.get("types"), data.get("fields")
        if isinstance(types, list | tuple) and isinstance(fields, list | tuple) and len(types) == 1:
            return data | {"types": tuple(types) * max(1, len(fields))}
        return data

    @model_validator(mode="after")
    def _one_type_each(self) -> Self:
        if len(self.types) != len(self.fields):
            raise ValueError(f"port '{self.name}': {len(self.types)} types but {len(self.fields)} labels")
        return self


class Port(BaseModel):
    """An input or output of a design: blocks of fixed-point elements, and what each element means.

    The flat order of its elements is that of the blocks, one after another, each row-major. A port of one block of one
    axis is *flat*: it is given and written as ``name``, ``types`` and ``labels``, one of each per element.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    blocks: tuple[Block, ...] = Field(min_length=1, max_length=MOST_BLOCKS)

    if TYPE_CHECKING:  # what a flat one is given instead of blocks

        def __init__(
            self,
            *,
            name: str,
            blocks: tuple[Block, ...] = (),
            types: tuple[FixedPoint, ...] = (),
            labels: tuple[str, ...] = (),
        ) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _of_flat(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "blocks" in data or not {"types", "labels"} <= data.keys():
            return data
        types, labels, rest = data["types"], data["labels"], dict(data)
        if not isinstance(types, list | tuple) or not isinstance(labels, list | tuple):
            raise ValueError("types and labels are one for each element")
        if len(types) != len(labels):
            raise ValueError(f"port '{data.get('name')}': {len(types)} types but {len(labels)} labels")
        del rest["types"], rest["labels"]
        return rest | {"blocks": [flat_axis(data.get("name"), labels) | {"types": types}]}

    @model_validator(mode="after")
    def _bound(self) -> Self:
        require_distinct(self.blocks)
        return self

    @model_serializer
    def _plain(self) -> dict[str, Any]:
        if self.is_flat:
            return {"name": self.name, "types": list(self.types), "labels": list(self.labels)}
        return {"name": self.name, "blocks": list(self.blocks)}

    @property
    def is_flat(self) -> bool:
        """Whether it is one block of one axis, of which no more is known than a name and a type of each element."""
        (first, *others) = self.blocks
        return not others and len(first.shape) == 1 and first.name == self.name and not first.units

    @cached_property
    def types(self) -> tuple[FixedPoint, ...]:
        """Type of each element."""
        return tuple(kind for block in self.blocks for kind in block.types * block.items)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Name of each element: a field's, or of an item's ``constituents[3].pt``."""
        return tuple(label for block in self.blocks for label in block.labels)

    @property
    def size(self) -> int:
        """Number of elements."""
        return sum(block.size for block in self.blocks)

    @property
    def width(self) -> int:
        """Bits of all elements together: of the port when it is packed."""
        return sum(t.width for t in self.types)

    @property
    def lsbs(self) -> NDArray[np.float64]:
        """Value of the least significant bit of each element, shape (size,)."""
        return np.array([t.lsb for t in self.types])

    def values(self, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Turn integer codes (events, size) into the values they stand for."""
        return codes * self.lsbs

    def codes(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Turn values (events, size) back into codes; ValueError if a value is not on the grid or out of range."""
        scaled = np.asarray(values, dtype=np.float64) / self.lsbs
        codes = np.rint(scaled).astype(np.int64)
        if not np.array_equal(codes, scaled):
            raise ValueError(f"port '{self.name}': a value is not a multiple of its least significant bit")
        low, high = self.bounds
        if (codes < low).any() or (codes > high).any():
            raise ValueError(f"port '{self.name}': a value lies outside its type's range")
        return codes

    @property
    def bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Smallest and largest code of each element, two arrays of shape (size,)."""
        return (
            np.array([t.minimum for t in self.types], dtype=np.int64),
            np.array([t.maximum for t in self.types], dtype=np.int64),
        )

    @property
    def places(self) -> tuple[tuple[Block, slice], ...]:
        """Every block, and where its elements are in the flat order."""
        return places_of(self.blocks)

    def split(self, flat: NDArray[N]) -> dict[str, NDArray[N]]:
        """Flat elements (events, size) by the names of their blocks, each (events, *shape)."""
        return {block.name: flat[:, place].reshape(len(flat), *block.shape) for block, place in self.places}


def places_of(blocks: Iterable[B]) -> tuple[tuple[B, slice], ...]:
    """Every block, and where its elements are in the flat order of them all."""
    found, start = [], 0
    for block in blocks:
        found.append((block, slice(start, start + block.size)))
        start += block.size
    return tuple(found)


def require_distinct(blocks: tuple[Layout, ...]) -> None:
    """ValueError where blocks together are too large, or two of several have one name."""
    if sum(block.size for block in blocks) > MOST_ELEMENTS:
        raise ValueError(f"more than {MOST_ELEMENTS} elements")
    if len({block.name for block in blocks}) < len(blocks):
        raise ValueError("two blocks have one name")


def flat_axis(name: Any, fields: Any) -> dict[str, Any]:
    """A block of one axis, as it is validated."""
    return {"name": name, "shape": [len(fields)], "fields": fields}
