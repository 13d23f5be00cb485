"""Fixed-point types and the integer quantisation of a network's inputs."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ("INPUT_INTEGER_BITS", "FixedPoint", "InputQuantisation", "Port")


#: standardised inputs saturate at +-2**2 = 4 standard deviations
INPUT_INTEGER_BITS = 2


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


class Port(BaseModel):
    """An input or output of a design: one fixed-point type per element, and what each element means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    types: tuple[FixedPoint, ...]
    labels: tuple[str, ...]

    @model_validator(mode="after")
    def _one_label_each(self) -> Self:
        if len(self.types) != len(self.labels):
            raise ValueError(f"port '{self.name}': {len(self.types)} types but {len(self.labels)} labels")
        return self

    @property
    def size(self) -> int:
        """Number of elements."""
        return len(self.types)

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


class InputQuantisation(BaseModel):
    """How the firmware's user turns a physical feature into the integer that goes in.

    ``code = clip(floor((x - offset) / step + 1/2), low, high)`` for each feature, in float64. The standardisation
    that networks want is folded into ``offset`` and ``step``, so the firmware sees integers only and holds no
    multiplier for it; the user applies it upstream (one subtraction, one scaling, per feature), as the L1 trigger's
    own hardware scales do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...]
    units: tuple[str, ...]
    offset: tuple[float, ...]
    step: tuple[float, ...] = Field(description="physical size of one code, > 0")
    types: tuple[FixedPoint, ...]

    @model_validator(mode="after")
    def _same_lengths(self) -> Self:
        if len({len(self.features), len(self.units), len(self.offset), len(self.step), len(self.types)}) != 1:
            raise ValueError("features, units, offset, step and types must have one entry per feature")
        if any(not s > 0 for s in self.step):
            raise ValueError("every step must be positive")
        return self

    @classmethod
    def fit(
        cls,
        x: NDArray[np.floating],
        features: tuple[str, ...],
        units: tuple[str, ...],
        bits: int,
        integer_bits: int = INPUT_INTEGER_BITS,
    ) -> InputQuantisation:
        """Fit on the *training* split: mean and standard deviation of each feature of ``x`` (events, features).

        The code's value ``code * 2**-fraction_bits`` is the standardised feature, saturated at
        ``+-2**integer_bits`` standard deviations; ``bits`` counts the sign.
        """
        kind = FixedPoint(signed=True, integer_bits=integer_bits, fraction_bits=bits - 1 - integer_bits)
        x64 = np.asarray(x, dtype=np.float64)
        std = x64.std(axis=0)
        std[std == 0] = 1.0  # a constant feature always gives code 0
        return cls(
            features=features,
            units=units,
            offset=tuple(float(v) for v in x64.mean(axis=0)),
            step=tuple(float(v) for v in std * kind.lsb),
            types=(kind,) * len(features),
        )

    def codes(self, x: NDArray[np.floating]) -> NDArray[np.int64]:
        """Quantise physical features (events, features) to integer codes of the same shape."""
        scaled = np.floor((np.asarray(x, dtype=np.float64) - self.offset) / np.asarray(self.step) + 0.5)
        low, high = self.port.bounds
        return np.asarray(np.clip(scaled, low, high), dtype=np.int64)

    @property
    def port(self) -> Port:
        """The design's input port."""
        return Port(name="features", types=self.types, labels=self.features)
