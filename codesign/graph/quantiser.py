"""What a Quant node does, in terms of integers: scale, range, and rounding as one floor.

Every rounding mode of QONNX is ``floor(x + constant + coefficient * bit)`` for ``x`` on a grid of step ``u``, where the
bit is the sign of ``x`` or the lowest bit of ``floor(x)``: so every mode exists in hardware, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError, nearest

__all__ = ("QUANT_MODES", "Overflow", "QuantSpec", "Rounding", "RoundingMode", "exponents")

Array = NDArray[np.float64]


class RoundingMode(StrEnum):
    """QONNX' rounding modes (as in qonnx.custom_op.general.quant; HALF_UP there is half away from zero), and one more.

    ``RND``, half towards +infinity, is what ap_fixed and HGQ2 call so: codesign.FixedPoint knows it, Quant does not.
    """

    ROUND = "ROUND"  # half to even
    HALF_EVEN = "HALF_EVEN"
    FLOOR = "FLOOR"
    CEIL = "CEIL"
    UP = "UP"  # away from zero
    DOWN = "DOWN"  # towards zero
    HALF_UP = "HALF_UP"  # half away from zero
    HALF_DOWN = "HALF_DOWN"  # half towards zero
    RND = "RND"  # half towards +infinity

    @classmethod
    def named(cls, name: str) -> RoundingMode:
        """Look a mode up; UnsupportedError names the known ones."""
        try:
            return cls(name.upper())
        except ValueError:
            known = [m.value for m in cls]
            raise UnsupportedError(
                f"Quant: rounding mode '{name}' has no exact hardware{nearest(name.upper(), known)}; "
                f"known: {', '.join(known)}"
            ) from None


#: what Quant may say
QUANT_MODES = tuple(mode for mode in RoundingMode if mode is not RoundingMode.RND)


class Overflow(StrEnum):
    """What becomes of a code beyond its type: the nearest that is in it (symmetric: -high is the lowest), or modulo."""

    SAT = "SAT"
    SAT_SYM = "SAT_SYM"
    WRAP = "WRAP"

    @classmethod
    def named(cls, name: str) -> Overflow:
        """Look one up; UnsupportedError names the known ones."""
        try:
            return cls(name.upper())
        except ValueError:
            known = [o.value for o in cls]
            raise UnsupportedError(
                f"overflow '{name}' has no exact hardware{nearest(name.upper(), known)}; known: {', '.join(known)}"
            ) from None


@dataclass(frozen=True)
class Rounding:
    """``floor(x + constant + coefficient * bit)`` with x in units of the target's LSB."""

    constant: Array
    coefficient: Array
    bit: Literal["none", "negative", "odd"]

    @classmethod
    def of(cls, mode: RoundingMode, step: Array) -> Rounding:
        """The rounding of ``mode`` for numbers that are multiples of ``step`` (in target LSBs, powers of two)."""
        u = np.minimum(step, 1.0)  # coarser numbers are integers already: every mode leaves them
        half = np.where(u < 1, 0.5, 0.0)
        zero = np.zeros_like(u)
        match mode:
            case RoundingMode.FLOOR:
                return cls(zero, zero, "none")
            case RoundingMode.CEIL:
                return cls(1 - u, zero, "none")
            case RoundingMode.UP:
                return cls(1 - u, u - 1, "negative")
            case RoundingMode.DOWN:
                return cls(zero, 1 - u, "negative")
            case RoundingMode.RND:
                return cls(half, zero, "none")
            case RoundingMode.HALF_UP:
                return cls(half, np.where(u < 1, -u, 0.0), "negative")
            case RoundingMode.HALF_DOWN:
                return cls(np.where(u < 1, half - u, 0.0), np.where(u < 1, u, 0.0), "negative")
            case RoundingMode.ROUND | RoundingMode.HALF_EVEN:
                return cls(np.where(u < 1, half - u, 0.0), np.where(u < 1, u, 0.0), "odd")


def exponents(scale: NDArray[np.floating], what: str) -> NDArray[np.int64]:
    """log2 of a power-of-two scale, elementwise; UnsupportedError for any other."""
    mantissa, exponent = np.frexp(np.asarray(scale, dtype=np.float64))
    if not (mantissa == 0.5).all():
        bad = np.asarray(scale).ravel()[int(np.argmax((mantissa != 0.5).ravel()))]
        raise UnsupportedError(
            f"{what}: scale {float(bad):g} is not a power of two, so it has no exact fixed-point hardware; "
            "train with the fixed-point quantisers of brevitas.quant.fixed_point"
        )
    return exponent.astype(np.int64) - 1


@dataclass(frozen=True)
class QuantSpec:
    """A quantiser: ``fit(round(x / 2**exponent)) * 2**exponent``, elementwise by broadcasting.

    ``signed`` is one for all, or per element. ``narrow``, as in QONNX, takes one code off the range.
    """

    exponent: NDArray[np.int64]
    bits: NDArray[np.int64]
    signed: bool | NDArray[np.bool_]
    narrow: bool
    mode: RoundingMode
    overflow: Overflow = Overflow.SAT

    @property
    def lsb(self) -> Array:
        """Value of the LSB."""
        return np.exp2(self.exponent.astype(np.float64))

    @property
    def symmetric(self) -> bool:
        """Whether a signed type lacks its lowest code."""
        return self.narrow or self.overflow is Overflow.SAT_SYM

    @property
    def low(self) -> Array:
        """Smallest code."""
        lowest = (1.0 if self.symmetric else 0.0) - np.exp2(self.bits - 1.0)
        return np.asarray(np.where(self.signed, lowest, 0.0))

    @property
    def high(self) -> Array:
        """Largest code."""
        unsigned = np.exp2(self.bits.astype(np.float64)) - (2.0 if self.narrow else 1.0)
        return np.asarray(np.where(self.signed, np.exp2(self.bits - 1.0) - 1, unsigned))

    @property
    def wraps(self) -> bool:
        """Whether a code beyond the range comes in again at its other end."""
        return self.overflow is Overflow.WRAP

    def fit(self, codes: Array) -> Array:
        """Whole codes brought into the range."""
        if not self.wraps:
            return np.asarray(np.clip(codes, self.low, self.high))
        return np.asarray(np.mod(codes - self.low, np.exp2(self.bits.astype(np.float64))) + self.low)
