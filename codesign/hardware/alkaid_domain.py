"""The domain of alkaid's signals: running a graph over it traces the hardware."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from alkaid.trace import FVArray
from numpy.typing import NDArray

from codesign.errors import UnsupportedError
from codesign.graph.quantiser import QuantSpec, Rounding

__all__ = ("Signals",)

Array = NDArray[np.float64]

#: address bits of a table: 2**10 entries are about 16 look-up tables of six inputs for each bit of the result
_TABLE_BITS = 10


class Signals:
    """Arithmetic on :class:`alkaid.trace.FVArray`, (1, ...): each element is one signal of the circuit."""

    def add(self, a: Any, b: Any) -> Any:
        """Elementwise sum."""
        return a + b

    def multiply(self, a: Any, b: Any) -> Any:
        """Elementwise product; of two signals as quarter squares: ``a b = ((a + b)**2 - (a - b)**2) / 4``.

        alkaid's own multiplier is not used: its delay is taken for negative in wide products, and tables are smaller.
        """
        if not isinstance(a, FVArray) or not isinstance(b, FVArray):
            return a * b
        return (self.square(a + b) - self.square(a - b)) * 0.25

    def square(self, x: FVArray) -> Any:
        """Elementwise square, read from a table."""
        signed, integers, fractions = x.kif
        wide = int((signed + integers + fractions).max())
        if wide > _TABLE_BITS:
            raise UnsupportedError(
                f"the square of a signal of {wide} bits (or a product of signals whose sum has as many) has no exact "
                f"hardware here: at most {_TABLE_BITS} bits are; quantise it first"
            )
        return x.apply(np.square).quantize(
            k=np.zeros_like(signed), i=2 * integers + signed, f=2 * fractions, overflow_mode="WRAP", round_mode="TRN"
        )

    def matmul(self, a: Any, b: Any) -> Any:
        """Matrix product; with a constant it becomes shifts and adders (distributed arithmetic)."""
        return a @ b

    def relu(self, x: Any) -> Any:
        """max(x, 0)."""
        return np.maximum(x, 0)

    def quantise(self, x: FVArray, spec: QuantSpec) -> Any:
        """Round and saturate: an adder where the rounding needs one, then dropped bits, then the clip."""
        shape = x.shape
        exponent = np.broadcast_to(spec.exponent, shape)
        bits = np.broadcast_to(spec.bits, shape)
        integers = bits - int(spec.signed) + exponent
        rounded = self._rounded(x, spec, exponent)
        overflow = "SAT"
        if spec.narrow and spec.signed:
            overflow = "SAT_SYM"
        elif spec.narrow:
            rounded = np.minimum(rounded, np.broadcast_to(spec.high * spec.lsb, shape))
        elif not spec.signed:
            saturated = [
                _saturated(*each) for each in zip(_flat(rounded), integers.flat, (-exponent).flat, strict=True)
            ]
            return FVArray(np.array(saturated).reshape(shape), rounded.solver_options, hwconf=rounded.hwconf)
        return rounded.quantize(
            k=np.full(shape, int(spec.signed)), i=integers, f=-exponent, overflow_mode=overflow, round_mode="TRN"
        )

    def _rounded(self, x: FVArray, spec: QuantSpec, exponent: NDArray[np.int64]) -> Any:
        lsb = np.exp2(exponent.astype(np.float64))
        signed, integers, fractions = x.kif
        rounding = Rounding.of(spec.mode, np.exp2(-fractions.astype(np.float64)) / lsb)
        coefficient = rounding.coefficient
        if rounding.bit == "negative":
            coefficient = np.where(signed == 0, 0.0, coefficient)  # never negative: the bit is always 0
        if (rounding.constant == 0).all() and (coefficient == 0).all():
            return x
        rounded = x + rounding.constant * lsb
        if (coefficient == 0).all():
            return rounded
        if rounding.bit == "negative":
            # the sign alone: -2**integers where x is negative, else 0
            bit = x.quantize(k=signed, i=integers, f=-integers)
            return rounded + bit * (-coefficient * lsb / np.exp2(integers.astype(np.float64)))
        bit = x.quantize(k=np.zeros_like(signed), i=exponent + 1, f=-exponent)  # lowest bit of floor(x / lsb)
        return rounded + bit * coefficient

    def sign(self, x: FVArray, scale: Array) -> Any:
        """``scale`` where x >= 0, else ``-scale``: the sign bit and a constant."""
        signed, integers, _ = x.kif
        scale = np.broadcast_to(scale, x.shape)
        bit = x.quantize(k=signed, i=integers, f=-integers)  # -2**integers where x is negative, else 0
        return bit * np.where(signed == 0, 0.0, 2 * scale / np.exp2(integers.astype(np.float64))) + scale

    def concat(self, parts: Sequence[Any], axis: int) -> Any:
        """Join along an axis."""
        return np.concatenate(list(parts), axis=axis)

    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any:
        """Reshape all but the first axis."""
        return x.reshape(x.shape[0], *shape)

    def transpose(self, x: Any, order: tuple[int, ...]) -> Any:
        """Permute the axes."""
        return np.transpose(x, order)


def _flat(x: FVArray) -> list[Any]:
    return list(np.asarray(x).ravel())


def _saturated(x: Any, whole: np.integer, fraction: np.integer) -> Any:
    """``x`` floored and clipped to an unsigned type: any bit above it sets all of its bits.

    alkaid's own saturation compares with the largest number, an adder as wide as ``x`` for each signal; here a bit of
    the result is one look-up table, rectifier included.
    """
    integers, fractions = int(whole), int(fraction)
    signed, wide, fine = (int(v) for v in x.kif)
    if signed + wide + fractions > 0:
        x = x.quantize(signed, wide, min(fractions, fine))
    x = x.max_of(0)
    highest = 2.0**integers - 2.0**-fractions
    if x.high <= highest or x.low == x.high:
        return x.quantize(0, integers, fractions, "SAT")
    over = x.quantize(0, int(x.kif[1]), -integers).unary_bit_op("any")
    return over.msb_mux(highest, x.quantize(0, integers, fractions))
