"""The integer quantisation of a network's inputs; fixed-point types and ports come from :mod:`.blocks`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

from codesign.core.blocks import Block, FixedPoint, Port, flat_axis, places_of, require_distinct
from codesign.core.layout import FEATURES, MOST_BLOCKS, Layout
from codesign.core.mapped import every

__all__ = ("INPUT_INTEGER_BITS", "Block", "FixedPoint", "InputQuantisation", "Port", "QuantisedBlock", "places_of")


#: standardised inputs saturate at +-2**2 = 4 standard deviations
INPUT_INTEGER_BITS = 2
#: numbers of which mean and standard deviation are taken at most
_FITTED = 1 << 25


class QuantisedBlock(Block):
    """A block of a port, and how physical numbers become its codes: an ``offset`` and a ``step`` for each field.

    ``code = clip(floor((x - offset) / step + 1/2), low, high)``, in float64; 0 in every field of an item that is not
    there: one that is all zeros, or where the block is masked one whose field ``validity`` has the code 0.
    """

    offset: tuple[float, ...]
    step: tuple[float, ...] = Field(description="physical size of one code, > 0")

    @model_validator(mode="after")
    def _one_scale_each(self) -> Self:
        if len({len(self.fields), len(self.offset), len(self.step)}) != 1:
            raise ValueError("features, units, offset, step and types must have one entry per feature")
        if any(not s > 0 for s in self.step):
            raise ValueError("every step must be positive")
        return self

    @classmethod
    def fit(cls, layout: Layout, x: NDArray[np.floating], bits: int, integer_bits: int) -> QuantisedBlock:
        """Standardise each field over all items that are there, of flat physical numbers ``x`` (events, size).

        Of more events than are needed for that, every so many alone. A validity is no quantity to be standardised: 0
        stays 0, and 1, where there is nothing else, is one bit.
        """
        kind = FixedPoint(signed=True, integer_bits=integer_bits, fraction_bits=bits - 1 - integer_bits)
        x = every(x, -(-x.size // _FITTED))
        x64 = np.asarray(x, dtype=np.float64).reshape(len(x) * layout.items, layout.shape[-1])
        if layout.absent is not None:
            x64 = x64[(x64 != 0).any(axis=1)]
        if not len(x64):
            raise ValueError(f"block '{layout.name}': no item is there")
        std = x64.std(axis=0)
        std[std == 0] = 1.0  # a constant feature always gives code 0
        types = [kind] * len(layout.fields)
        offset = [float(v) for v in x64.mean(axis=0)]
        step = [float(v) for v in std * kind.lsb]
        if layout.validity is not None:
            v = layout.fields.index(layout.validity)
            alone = set(np.unique(x64[:, v])) <= {0.0, 1.0}
            offset[v], step[v] = 0.0, 1.0 if alone else step[v]
            wide = FixedPoint(signed=False, integer_bits=integer_bits + 1, fraction_bits=kind.fraction_bits)
            types[v] = FixedPoint(signed=False, integer_bits=1, fraction_bits=0) if alone else wide
        return cls(**layout.model_dump(), types=tuple(types), offset=tuple(offset), step=tuple(step))

    def codes(self, x: NDArray[np.floating]) -> NDArray[np.int64]:
        """Codes of flat physical numbers (events, size)."""
        rows = np.asarray(x, dtype=np.float64).reshape(len(x), self.items, self.shape[-1])
        scaled = np.floor((rows - self.offset) / np.asarray(self.step) + 0.5)
        low, high = ([getattr(kind, end) for kind in self.types] for end in ("minimum", "maximum"))
        found = np.asarray(np.clip(scaled, low, high), dtype=np.int64)
        if self.absent is not None:
            found[~self.present(rows, found)] = 0
        return found.reshape(len(x), self.size)

    def physical(self, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Physical numbers (events, size) in the middle of codes; 0 where an item's codes are all 0."""
        rows = codes.reshape(len(codes), self.items, self.shape[-1])
        found = self.offset + rows * np.asarray(self.step)
        if self.absent is not None:
            found[(rows == 0).all(axis=2)] = 0.0
        return np.asarray(found.reshape(len(codes), self.size))


class InputQuantisation(BaseModel):
    """How the firmware's user turns physical numbers into the integers that go in.

    ``code = clip(floor((x - offset) / step + 1/2), low, high)`` for each field of each block, in float64. The
    standardisation that networks want is folded into ``offset`` and ``step``, so the firmware sees integers only and
    holds no multiplier for it; the user applies it upstream (one subtraction, one scaling, per feature), as the L1
    trigger's own hardware scales do.

    Of features alone it is given and written as ``features``, ``units``, ``offset``, ``step`` and ``types``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    blocks: tuple[QuantisedBlock, ...] = Field(min_length=1, max_length=MOST_BLOCKS)

    if TYPE_CHECKING:  # what one of features alone is given instead of blocks

        def __init__(
            self,
            *,
            blocks: tuple[QuantisedBlock, ...] = (),
            features: tuple[str, ...] = (),
            units: tuple[str, ...] = (),
            offset: tuple[float, ...] = (),
            step: tuple[float, ...] = (),
            types: tuple[FixedPoint, ...] = (),
        ) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _of_features(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "blocks" in data or not data.keys() >= set(_FLAT):
            return data
        lists, rest = [data[key] for key in _FLAT], {key: v for key, v in data.items() if key not in _FLAT}
        if not all(isinstance(entry, list | tuple) for entry in lists) or len({len(entry) for entry in lists}) != 1:
            raise ValueError("features, units, offset, step and types must have one entry per feature")
        more = {key: data[key] for key in _FLAT if key != "features"}
        return rest | {"blocks": [flat_axis(FEATURES, data["features"]) | more]}

    @model_validator(mode="after")
    def _bound(self) -> Self:
        require_distinct(self.blocks)
        return self

    @model_serializer
    def _plain(self) -> dict[str, Any]:
        return {key: list(getattr(self, key)) for key in _FLAT} if self.is_flat else {"blocks": list(self.blocks)}

    @property
    def is_flat(self) -> bool:
        """Whether it is of features alone."""
        return len(self.blocks) == 1 and self.blocks[0].name == FEATURES and len(self.blocks[0].shape) == 1

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other entries, validated; of features alone, those that are written of it too."""
        if update and self.is_flat and update.keys() <= set(_FLAT):
            return type(self).model_validate({key: getattr(self, key) for key in _FLAT} | dict(update))
        return super().model_copy(update=update, deep=deep)

    @classmethod
    def fit(
        cls,
        x: NDArray[np.floating],
        features: tuple[str, ...],
        units: tuple[str, ...],
        bits: int,
        integer_bits: int = INPUT_INTEGER_BITS,
    ) -> InputQuantisation:
        """:meth:`of_blocks` for features alone, ``x`` (events, features)."""
        return cls.of_blocks(x, (Layout.of_features(features, units),), bits, integer_bits)

    @classmethod
    def of_blocks(
        cls, x: NDArray[np.floating], blocks: Iterable[Layout], bits: int, integer_bits: int = INPUT_INTEGER_BITS
    ) -> InputQuantisation:
        """Fit on the *training* split: mean and standard deviation of each field of the flat ``x`` (events, size).

        The code's value ``code * 2**-fraction_bits`` is the standardised field, saturated at ``+-2**integer_bits``
        standard deviations; ``bits`` counts the sign. Items that are not there count in neither.
        """
        return cls(
            blocks=tuple(
                QuantisedBlock.fit(block, x[:, place], bits, integer_bits) for block, place in places_of(tuple(blocks))
            )
        )

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Name of each input, as the port's labels."""
        return tuple(label for block in self.blocks for label in block.labels)

    @cached_property
    def units(self) -> tuple[str, ...]:
        """Unit of each input."""
        return tuple(u for b in self.blocks for u in b.over_items(b.units or ("",) * len(b.fields)))

    @cached_property
    def offset(self) -> tuple[float, ...]:
        """Offset of each input."""
        return tuple(v for b in self.blocks for v in b.offset * b.items)

    @cached_property
    def step(self) -> tuple[float, ...]:
        """Step of each input."""
        return tuple(v for b in self.blocks for v in b.step * b.items)

    @cached_property
    def types(self) -> tuple[FixedPoint, ...]:
        """Type of each input."""
        return tuple(t for b in self.blocks for t in b.types * b.items)

    def codes(self, x: NDArray[np.floating]) -> NDArray[np.int64]:
        """Quantise flat physical numbers (events, size) to integer codes of the same shape."""
        pieces = [block.codes(np.asarray(x)[:, place]) for block, place in places_of(self.blocks)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)

    def physical(self, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Physical numbers (events, size) in the middle of codes."""
        return np.concatenate([b.physical(codes[:, place]) for b, place in places_of(self.blocks)], axis=1)

    @cached_property
    def port(self) -> Port:
        """The design's input port."""
        if self.is_flat:
            return Port(name=FEATURES, types=self.types, labels=self.features)
        scales = {"offset", "step"}
        return Port(name="inputs", blocks=tuple(Block(**b.model_dump(exclude=scales)) for b in self.blocks))


#: of an input quantisation of features alone, as it is written
_FLAT = ("features", "units", "offset", "step", "types")
