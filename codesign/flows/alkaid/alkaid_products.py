"""Products and squares of alkaid's signals, of any width: sums over digits, whose products are tables of six bits.

One look-up table of an FPGA is a bit of such a table. alkaid's own multiplier is not used: its delay is taken for
negative in wide products, and Yosys makes DSPs of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log2
from typing import Any

import numpy as np

__all__ = ("product_signal", "square_signal")

#: address bits of the product of two digits
_ADDRESS = 6
#: bits of a signal up to which one table of its square is smaller than a sum over digits
_SQUARED = 8


def product_signal(x: Any, y: Any) -> Any:
    """The exact product of two signals, in no wider a type than it needs."""
    if x.low == x.high or y.low == y.high:
        return y * float(x.low) if x.low == x.high else x * float(y.low)
    narrow, wide = sorted((x, y), key=_width)
    few = min(range(1, _ADDRESS), key=lambda n: ceil(_width(narrow) / n) * ceil(_width(wide) / (_ADDRESS - n)))
    parts = _digits(wide, _ADDRESS - few)
    rows = [[_small(digit, part) for part in parts] for digit in _digits(narrow, few)]
    # every second product of a row begins where the one before it ends: together they are wires, not adders
    found = _total([_total([_total(row[0::2]), _total(row[1::2])]) for row in rows])
    corners = [float(a * b) for a in (x.low, x.high) for b in (y.low, y.high)]
    return _fit(found, min(corners), max(corners))


def square_signal(x: Any) -> Any:
    """The exact square of a signal."""
    ends = sorted((float(x.low) ** 2, float(x.high) ** 2))
    if x.low == x.high:
        return ends[0]
    if _width(x) <= _SQUARED:
        return _fit(_square(x), 0.0, ends[1])
    parts = _digits(x, _ADDRESS // 2)
    own = [_square(part) for part in parts]
    crossed = [_small(a, b) * 2.0 for place, a in enumerate(parts) for b in parts[place + 1 :]]
    return _fit(_total([_total(own), _total(crossed)]), 0.0, ends[1])


def _width(x: Any) -> int:
    return int(sum(x.kif))


def _digits(x: Any, bits: int) -> list[Any]:
    """Signals of at most so many bits whose sum is ``x``, the lowest first; the sign is the highest's."""
    signed, integers, fractions = (int(v) for v in x.kif)
    top = integers + signed
    found = []
    for low in range(-fractions, top, bits):
        high = min(low + bits, top)
        found.append(x.quantize(signed, integers, -low) if high == top else x.quantize(0, high, -low))
    return found


def _small(x: Any, y: Any) -> Any:
    """A product by one table: its address is the bits of both beside one another."""
    if x.low == x.high or y.low == y.high:
        return y * float(x.low) if x.low == x.high else x * float(y.low)
    (first, lower), (second, upper) = _bits(x), _bits(y)
    address = first + second * float(len(lower))
    low, high, step = (float(v) for v in address.qint)
    places = np.arange(low, high + step / 2, step).astype(np.int64)
    return address.lookup(lower[places % len(lower)] * upper[np.minimum(places // len(lower), len(upper) - 1)])


def _square(x: Any) -> Any:
    """A square by one table."""
    if x.low == x.high:
        return float(x.low) ** 2
    low, high, step = (float(v) for v in x.qint)
    return x.lookup(np.arange(low, high + step / 2, step) ** 2)


def _bits(x: Any) -> tuple[Any, np.ndarray[Any, Any]]:
    """The bits of a signal as a whole number that is not negative, and the signal's value for each number."""
    signed, integers, fractions = (int(v) for v in x.kif)
    number = np.arange(1 << (signed + integers + fractions))
    code = np.where(number >= len(number) // 2, number - len(number), number) if signed else number
    return x.quantize(0, integers + signed, fractions) * 2.0**fractions, code * 2.0**-fractions


def _total(terms: Sequence[Any]) -> Any:
    """A sum, as a tree."""
    left = list(terms)
    while len(left) > 1:
        left = [a + b for a, b in zip(left[0::2], left[1::2], strict=False)] + left[len(left) // 2 * 2 :]
    return left[0] if left else 0.0


def _fit(x: Any, low: float, high: float) -> Any:
    """``x``, known to lie between two numbers, without bits that are always the sign's."""
    signed, integers, fractions = (int(v) for v in x.kif)
    needed = max(floor(log2(high)) + 1 if high > 0 else -fractions, ceil(log2(-low)) if low < 0 else -fractions)
    if signed == (low < 0) and integers <= needed:
        return x
    return x.quantize(int(low < 0), min(integers, needed), fractions)
