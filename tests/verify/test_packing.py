from __future__ import annotations

import numpy as np
import pytest

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.rtl.packing import pack, port_width, unpack


def port(*widths: int) -> Port:
    """Elements of the given widths, signed where negative."""
    types = tuple(FixedPoint(signed=w < 0, integer_bits=abs(w) - int(w < 0), fraction_bits=0) for w in widths)
    return Port(name="p", types=types, labels=tuple(f"e{i}" for i in range(len(types))))


def test_words_are_packed_from_bit_zero_without_padding() -> None:
    # -1 in 3 bits, 5 in 4 bits, nothing, -2 in 2 bits: 10 0101 111
    assert pack(port(-3, 4, 0, -2), np.array([[-1, 5, 0, -2]])) == ["12f"]


def test_round_trip_of_every_extreme() -> None:
    p = port(-64, 63, -1, 1, 0, -33, 7, 31, 32)
    low, high = p.bounds
    codes = np.stack([low, high, np.zeros_like(low), low // 2, high // 3])
    words = pack(p, codes)
    assert all(len(word) == -(-port_width(p) // 4) for word in words)
    np.testing.assert_array_equal(unpack(p, words), codes)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="no bits"):
        port_width(port(0, 0))
    with pytest.raises(UnsupportedError, match="e0"):
        port_width(port(65))
    with pytest.raises(InputError, match=r"event 1, 'e0' is 4, outside -4 .. 3"):
        pack(port(-3), np.array([[3], [4]]))
    with pytest.raises(InputError, match="int64"):
        pack(port(-3), np.array([[0.5]]))  # type: ignore[arg-type]
