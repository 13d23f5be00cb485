"""Real functions of one code, as a file spells them between two quantisers: exact, and as precise as rounding asks."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from codesign.core.errors import UnsupportedError
from codesign.graph.quantiser import RoundingMode
from codesign.graph.reals import FUNCTIONS, Enclosure, Real, Root, enclose, plus, round_exactly, times

__all__ = (
    "Affine",
    "AppliedFunction",
    "Bounded",
    "Expression",
    "Larger",
    "ProductOf",
    "Slopes",
    "SumOf",
    "Variable",
    "X",
    "affine",
    "at_least",
    "code",
    "direction",
    "scaled",
    "size",
)  # fmt: skip

#: bits at which a number that still cannot be told from a tie is refused
_MOST_PRECISE = 1 << 15


@dataclass(frozen=True)
class Variable:
    """The code itself, as a value."""


@dataclass(frozen=True)
class Affine:
    """``factor * x + offset``."""

    x: Expression
    factor: Real
    offset: Real


@dataclass(frozen=True)
class Bounded:
    """Not below ``low``, not above ``high``."""

    x: Expression
    low: Fraction | None
    high: Fraction | None


@dataclass(frozen=True)
class Slopes:
    """``x``, or ``below * x`` where it is negative."""

    x: Expression
    below: Fraction


@dataclass(frozen=True)
class AppliedFunction:
    """A function by its name in ``reals.FUNCTIONS``."""

    x: Expression
    function: str


@dataclass(frozen=True)
class SumOf:
    """Of two."""

    x: Expression
    y: Expression


@dataclass(frozen=True)
class ProductOf:
    """Of two."""

    x: Expression
    y: Expression


@dataclass(frozen=True)
class Larger:
    """Of two."""

    x: Expression
    y: Expression


Expression: TypeAlias = Variable | Affine | Bounded | Slopes | AppliedFunction | SumOf | ProductOf | Larger

X = Variable()
_ZERO, _ONE = Fraction(0), Fraction(1)


def scaled(x: Expression, factor: Real, offset: Real = _ZERO) -> Expression:
    """``factor * x + offset``, in one step with an affine one before it where both are rational."""
    if factor == 1 and offset == 0:
        return x
    if factor == 0:
        return Affine(X, _ZERO, offset)
    if isinstance(x, Affine) and isinstance(factor, Fraction):
        inner = _product(x.factor, factor), _product(x.offset, factor)
        if isinstance(inner[1], Fraction) and isinstance(offset, Fraction):
            return Affine(x.x, inner[0], inner[1] + offset)
        if inner[1] == 0:
            return Affine(x.x, inner[0], offset)
        if offset == 0:
            return Affine(x.x, *inner)
    if isinstance(x, Affine) and isinstance(factor, Root) and isinstance(x.factor, Fraction) and x.offset == 0:
        return Affine(x.x, _product(factor, x.factor), offset)
    return Affine(x, factor, offset)


def _product(value: Real, factor: Fraction) -> Real:
    if isinstance(value, Fraction):
        return value * factor
    return Root(value.coefficient * factor, value.radicand) if factor else _ZERO


def affine(x: Expression) -> tuple[Real, Real] | None:
    """Factor and offset of the code, where there is nothing else to it."""
    if isinstance(x, Variable):
        return _ONE, _ZERO
    if isinstance(x, Affine) and isinstance(x.x, Variable):
        return x.factor, x.offset
    return None


def size(x: Expression) -> int:
    """How much there is to evaluate: steps, and the bits of their numbers by 64."""
    match x:
        case Variable():
            return 0
        case Affine(inner, factor, offset):
            return 1 + _length(factor) + _length(offset) + size(inner)
        case SumOf(a, b) | ProductOf(a, b) | Larger(a, b):
            return 1 + size(a) + size(b)
        case Bounded(x=inner) | Slopes(x=inner) | AppliedFunction(x=inner):
            return 1 + size(inner)


def _length(value: Real) -> int:
    if isinstance(value, Root):
        return _length(value.coefficient) + _length(value.radicand)
    return (value.numerator.bit_length() + value.denominator.bit_length()) // 64


def rational(x: Expression) -> tuple[Fraction, Fraction] | None:
    """Factor and offset, where both are rational and there is nothing else."""
    found = affine(x)
    if found is None or isinstance(found[0], Root) or isinstance(found[1], Root):
        return None
    return found[0], found[1]


def value(x: Expression, at: Fraction, bits: int) -> Enclosure:
    """The function's value."""
    match x:
        case Variable():
            return at, at
        case Affine(inner, factor, offset):
            return plus(times(enclose(factor, bits), value(inner, at, bits)), enclose(offset, bits))
        case Bounded(inner, low, high):
            ends = value(inner, at, bits)
            if low is not None:
                ends = max(ends[0], low), max(ends[1], low)
            if high is not None:
                ends = min(ends[0], high), min(ends[1], high)
            return ends
        case Slopes(inner, below):
            ends = value(inner, at, bits)
            both = [v if v >= 0 else below * v for v in ends]
            if ends[0] < 0 < ends[1]:
                both.append(_ZERO)
            return min(both), max(both)
        case AppliedFunction(inner, function):
            return FUNCTIONS[function](value(inner, at, bits), bits)
        case SumOf(a, b):
            return plus(value(a, at, bits), value(b, at, bits))
        case ProductOf(a, b):
            return times(value(a, at, bits), value(b, at, bits))
        case Larger(a, b):
            first, second = value(a, at, bits), value(b, at, bits)
            return max(first[0], second[0]), max(first[1], second[1])


def direction(x: Expression, low: Fraction, high: Fraction) -> int | None:
    """1 where it nowhere falls from ``low`` to ``high``, -1 where it nowhere rises, None where neither is sure."""
    match x:
        case Variable():
            return 1
        case Affine(inner, factor, _):
            sign = factor if isinstance(factor, Fraction) else factor.coefficient
            found = direction(inner, low, high)
            return 1 if sign == 0 else None if found is None else found if sign > 0 else -found
        case Bounded(inner):
            return direction(inner, low, high)
        case Slopes(inner, below):
            return direction(inner, low, high) if below >= 0 else None
        case AppliedFunction(inner, function):
            found = direction(inner, low, high)
            if function != "reciprocal" or found is None:
                return found
            ends = [value(inner, v, 64) for v in (low, high)]
            same = all(e[0] > 0 for e in ends) or all(e[1] < 0 for e in ends)
            return -found if same else None
        case SumOf(a, b) | Larger(a, b):
            both = {direction(a, low, high), direction(b, low, high)}
            return both.pop() if len(both) == 1 else None
        case ProductOf():
            return None


def _precise(what: str) -> UnsupportedError:
    return UnsupportedError(f"{what} cannot be told from a tie with {_MOST_PRECISE} bits; move the scale by a little")


def code(x: Expression, at: Fraction, lsb: Fraction, mode: RoundingMode) -> int:
    """The function's value in units of ``lsb``, rounded."""
    bits = 64
    while bits <= _MOST_PRECISE:
        low, high = (round_exactly(v / lsb, mode) for v in value(x, at, bits))
        if low == high:
            return low
        bits *= 2
    raise _precise("a value")


def at_least(x: Expression, at: Fraction, bound: Fraction) -> int:
    """1 where the function's value reaches a bound, else 0."""
    bits = 64
    while bits <= _MOST_PRECISE:
        low, high = value(x, at, bits)
        if low >= bound:
            return 1
        if high < bound:
            return 0
        bits *= 2
    raise _precise("a comparison")
