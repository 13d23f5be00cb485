"""What numbers have in common: a factor, and whole numbers of few bits that it leaves."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from math import gcd, lcm

import numpy as np

from codesign.graph.domain import Array
from codesign.graph.reals import Real, Reals, Root
from codesign.graph.signals import is_short

__all__ = ("common_factor", "product_of", "whole_column")

_ZERO, _ONE = Fraction(0), Fraction(1)


def product_of(a: Fraction, b: Real) -> Real:
    """The product."""
    return a * b if isinstance(b, Fraction) else Root(a * b.coefficient, b.radicand) if a else _ZERO


def common_factor(a: Fraction, b: Fraction) -> Fraction:
    """The largest of which both are whole multiples."""
    under = lcm(a.denominator, b.denominator)
    return Fraction(gcd(int(a * under), int(b * under)), under)


def whole_column(column: Reals) -> tuple[Fraction, Array]:
    """A column as a factor and numbers of few bits; the factor is 1 where they are such already."""
    floats = np.array([float(v) for v in column])
    if is_short(floats) and all(f == v for f, v in zip(floats, column, strict=True)):
        return _ONE, floats
    used = [v for v in column if v]
    if not used:
        return _ONE, floats
    under = lcm(*(v.denominator for v in used))
    factor = Fraction(reduce(gcd, (int(v * under) for v in used)), under)
    return factor, np.array([float(v / factor) for v in column])
