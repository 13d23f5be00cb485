"""The domain of real numbers, without floating point: what a source's graph means, however its runtime rounds.

Rationals are exact. A root or a function of real numbers is a rational so near to it that rounding cannot tell, or else
refused. Slow: it is what others are checked against, and what folds constants that float64 does not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any, ClassVar

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.graph.arrays import Arrays
from codesign.graph.domain import Array
from codesign.graph.quantiser import QuantSpec, RoundingMode
from codesign.graph.reals import FUNCTIONS, Reals, as_reals, enclose, round_exactly
from codesign.graph.tables import Table

__all__ = ("Rational", "as_floats")

#: of numbers that are known no closer
_BITS = 2048
_ROUGH, _NEAR = 1 << 1900, Fraction(1, 1 << 1500)


def _each(function: Any, *arrays: Any) -> Reals:
    whole = np.broadcast_arrays(*(np.asarray(a, dtype=object) for a in arrays))
    out = np.empty(whole[0].shape, dtype=object)
    for place in np.ndindex(*out.shape):
        out[place] = function(*(a[place] for a in whole))
    return out


def as_floats(values: Any) -> Array:
    """Rationals as float64: exact, or else the nearest of float32, as a file's own runtime has them."""
    array = np.asarray(values)
    if array.dtype != object:
        return array
    floats = [float(v) for v in array.ravel()]
    kept = [f if Fraction(f) == v else float(np.float32(f)) for f, v in zip(floats, array.ravel(), strict=True)]
    return np.array(kept).reshape(array.shape)


def _code(x: Fraction, mode: RoundingMode) -> int:
    found = round_exactly(x, mode)
    if x.denominator > _ROUGH and (found != round_exactly(x - _NEAR, mode) or found != round_exactly(x + _NEAR, mode)):
        raise UnsupportedError("a real number that cannot be told from a tie")
    return found


class Rational(Arrays):
    """Arithmetic on arrays of Fraction, (events, ...)."""

    rational: ClassVar[bool] = True

    def add(self, a: Any, b: Any) -> Any:
        """Elementwise sum."""
        return as_reals(a) + as_reals(b)

    def multiply(self, a: Any, b: Any) -> Any:
        """Elementwise product."""
        return as_reals(a) * as_reals(b)

    def scale(self, x: Any, factor: Reals, offset: Reals) -> Any:
        """``factor * x + offset``."""
        near = [_each(lambda v: enclose(v, _BITS)[0], part) for part in (factor, offset)]
        return as_reals(x) * near[0] + near[1]

    def apply(self, x: Any, function: str) -> Any:
        """A function of real numbers."""
        return _each(lambda v: FUNCTIONS[function]((v, v), _BITS)[0], as_reals(x))

    def matmul(self, a: Any, b: Any) -> Any:
        """Product with constant matrices, in whole numbers."""
        (left, under), (right, over) = _whole(as_reals(a)), _whole(as_reals(b))
        most = max((abs(v) for v in left.ravel()), default=0)
        if most * (np.abs(right.astype(np.float64)).sum(axis=-2).max(initial=0.0) + 1) < 2.0**52:
            product = np.matmul(left.astype(np.float64), right.astype(np.float64))
        else:
            product = np.matmul(left, right)
        return _each(lambda v: Fraction(int(v), under * over), product)

    def relu(self, x: Any) -> Any:
        """max(x, 0)."""
        return self.maximum(x, np.array(Fraction(0)))

    def maximum(self, a: Any, b: Any) -> Any:
        """The larger of two."""
        return np.maximum(as_reals(a), as_reals(b))

    def minimum(self, a: Any, b: Any) -> Any:
        """The smaller of two."""
        return np.minimum(as_reals(a), as_reals(b))

    def at_least(self, a: Any, b: Any) -> Any:
        """1 where a >= b, else 0."""
        return _each(lambda v, w: Fraction(int(v >= w)), as_reals(a), as_reals(b))

    def select(self, choice: Any, a: Any, b: Any) -> Any:
        """``a`` where ``choice`` is not 0."""
        return _each(lambda c, v, w: v if c else w, as_reals(choice), as_reals(a), as_reals(b))

    def quantise(self, x: Any, spec: QuantSpec) -> Any:
        """Round and fit."""

        def one(value: Fraction, exponent: int, low: float, high: float, bits: int) -> Fraction:
            lsb = Fraction(2) ** int(exponent)
            found, lowest, highest = _code(value / lsb, spec.mode), int(low), int(high)
            if spec.wraps:
                return ((found - lowest) % (1 << int(bits)) + lowest) * lsb
            return min(max(found, lowest), highest) * lsb

        return _each(one, as_reals(x), spec.exponent, spec.low, spec.high, spec.bits)

    def sign(self, x: Any, scale: Array) -> Any:
        """``scale`` where x >= 0, else ``-scale``."""
        return _each(lambda v, s: s if v >= 0 else -s, as_reals(x), as_reals(scale))

    def concat(self, parts: Sequence[Any], axis: int) -> Any:
        """Join along an axis; a constant is the same for every event."""
        lifted = [as_reals(p) for p in parts]
        if axis == 0:
            return np.concatenate(lifted)
        events = max(len(p) for p in lifted)
        return np.concatenate([np.broadcast_to(p, (events, *p.shape[1:])) for p in lifted], axis=axis)

    def table(self, x: Any, table: Table) -> Any:
        """Read a table."""
        return as_reals(table.of(np.array([float(v) for v in as_reals(x).ravel()]).reshape(np.shape(x))))


def _whole(values: Reals) -> tuple[Reals, int]:
    """Whole numbers, and the common denominator that they are over."""
    under = lcm(*{v.denominator for v in values.ravel()})
    return _each(lambda v: v.numerator * (under // v.denominator), values), under
