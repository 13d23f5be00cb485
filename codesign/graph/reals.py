"""Real numbers as a file means them: rationals exactly, roots and functions between rationals as near as wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, isqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.graph.quantiser import RoundingMode

__all__ = ("FUNCTIONS", "Enclosure", "Real", "Reals", "Root", "as_reals", "enclose", "root", "round_exactly")


@dataclass(frozen=True)
class Root:
    """``coefficient * sqrt(radicand)``, irrational."""

    coefficient: Fraction
    radicand: Fraction


Real: TypeAlias = Fraction | Root
#: an array of Real
Reals: TypeAlias = NDArray[np.object_]
#: two rationals, with the number between them; equal where it is known exactly
Enclosure: TypeAlias = tuple[Fraction, Fraction]

#: above this, an exponential is beyond every type
_LARGEST_EXPONENT = 1 << 14


def as_reals(values: Any) -> Reals:
    """The numbers that floats stand for."""
    array = np.asarray(values)
    if array.dtype == object:
        return array
    out = np.empty(array.shape, dtype=object)
    known: dict[float, Fraction] = {}
    for place in np.ndindex(*array.shape):
        value = float(array[place])
        out[place] = known.setdefault(value, Fraction(value))
    return out


def root(square: Fraction, coefficient: Fraction = Fraction(1)) -> Real:
    """``coefficient * sqrt(square)``: a fraction where it is one."""
    over, under = isqrt(square.numerator), isqrt(square.denominator)
    if over**2 == square.numerator and under**2 == square.denominator:
        return coefficient * Fraction(over, under)
    return Root(coefficient, square) if coefficient else Fraction(0)


def enclose(value: Real, bits: int) -> Enclosure:
    """A number between rationals that differ by less than one in ``2**bits``."""
    if isinstance(value, Fraction):
        return value, value
    return times((value.coefficient, value.coefficient), _square_root(value.radicand, bits))


def _square_root(x: Fraction, bits: int) -> Enclosure:
    exact = root(x)
    if isinstance(exact, Fraction):
        return exact, exact
    # floor of the root of x * 4**shift, with as many bits as are wanted
    shift = max(0, bits - (x.numerator.bit_length() - x.denominator.bit_length()) // 2) + 2
    whole = isqrt((x.numerator << (2 * shift)) // x.denominator)
    return Fraction(whole, 1 << shift), Fraction(whole + 1, 1 << shift)


def plus(a: Enclosure, b: Enclosure) -> Enclosure:
    """The sum."""
    return a[0] + b[0], a[1] + b[1]


def times(a: Enclosure, b: Enclosure) -> Enclosure:
    """The product."""
    if a[0] == a[1] and b[0] == b[1]:
        return (a[0] * b[0],) * 2
    ends = [p * q for p in a for q in b]
    return min(ends), max(ends)


def round_exactly(x: Fraction, mode: RoundingMode) -> int:
    """A whole number, as QONNX rounds to it."""
    low = floor(x)
    rest = x - low
    if not rest:
        return low
    negative, half = x < 0, Fraction(1, 2)
    if mode.value == "RND":  # half towards +infinity
        return floor(x + half)
    match mode:
        case RoundingMode.FLOOR:
            return low
        case RoundingMode.CEIL:
            return low + 1
        case RoundingMode.UP:
            return low if negative else low + 1
        case RoundingMode.DOWN:
            return low + 1 if negative else low
        case RoundingMode.HALF_UP if rest == half:
            return low if negative else low + 1
        case RoundingMode.HALF_DOWN if rest == half:
            return low + 1 if negative else low
        case _ if rest == half:
            return low + low % 2
    return ceil(x - half)


# ------------------------------------------------------------------------------------------------------------ functions
def _fraction(x: Any) -> Fraction:
    sign, mantissa, exponent, _ = x._mpf_
    value = Fraction(int(mantissa)) * (Fraction(2) ** int(exponent))
    return -value if sign else value


def _transcendental(name: str, exact: dict[Fraction, Fraction]) -> Callable[[Enclosure, int], Enclosure]:
    """A rising function by mpmath, whose last bits are not trusted."""

    def evaluate(x: Fraction, bits: int) -> Enclosure:
        from mpmath import mp, mpf, workprec

        if x in exact:
            return exact[x], exact[x]
        if name == "exp" and x > _LARGEST_EXPONENT:
            raise UnsupportedError(f"the exponential of {float(x):g} is beyond every type")
        x = max(x, Fraction(-(1 << 20)))  # what is nearer to the end of every function than any type can tell
        forms: dict[str, Callable[[Any], Any]] = {
            "sigmoid": lambda v: 1 / (1 + mp.exp(-v)),
            "tanh": mp.tanh,
            "exp": mp.exp,
            "log": mp.log,
            "softplus": lambda v: v + mp.log1p(mp.exp(-v)) if v > 0 else mp.log1p(mp.exp(v)),
            "erf": mp.erf,
        }
        with workprec(bits + 64):
            value = _fraction(forms[name](mpf(x.numerator) / mpf(x.denominator)))
        slack = abs(value) / (1 << bits)
        return value - slack, value + slack

    def between(x: Enclosure, bits: int) -> Enclosure:
        low = evaluate(x[0], bits)
        return low if x[0] == x[1] else (low[0], evaluate(x[1], bits)[1])

    return between


def _log(x: Enclosure, bits: int) -> Enclosure:
    if x[0] <= 0:
        raise UnsupportedError(f"the logarithm of {float(x[0]):g}; it is of positive numbers only")
    return _transcendental("log", {Fraction(1): Fraction(0)})(x, bits)


def _sqrt(x: Enclosure, bits: int) -> Enclosure:
    if x[0] < 0:
        raise UnsupportedError(f"the root of {float(x[0]):g}; it is of numbers from 0 on only")
    return _square_root(x[0], bits)[0], _square_root(x[1], bits)[1]


def _reciprocal(x: Enclosure, bits: int) -> Enclosure:
    if x[0] <= 0 <= x[1]:
        raise UnsupportedError(
            "the reciprocal of 0; it is of other numbers only: let the quantiser in front leave it out"
        )
    return 1 / x[1], 1 / x[0]


_ZERO, _ONE = Fraction(0), Fraction(1)
#: of a number between two rationals, and bits
FUNCTIONS: dict[str, Callable[[Enclosure, int], Enclosure]] = {
    "sigmoid": _transcendental("sigmoid", {_ZERO: Fraction(1, 2)}),
    "tanh": _transcendental("tanh", {_ZERO: _ZERO}),
    "exp": _transcendental("exp", {_ZERO: _ONE}),
    "softplus": _transcendental("softplus", {}),
    "erf": _transcendental("erf", {_ZERO: _ZERO}),
    "log": _log,
    "sqrt": _sqrt,
    "reciprocal": _reciprocal,
}
