"""The domain of intervals: for each signal its smallest and largest value and the grid it lies on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite, log2

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.graph.domain import Array, Domain, Taken
from codesign.graph.quantiser import QuantSpec, Rounding
from codesign.graph.tables import Table

__all__ = ("FLOAT64_EXACT", "Interval", "Intervals", "grid", "tightest_type")

#: float32, in which PyTorch, onnxruntime and QONNX' executor compute, holds integers exactly up to this one
FLOAT32_EXACT = 2.0**24
#: float64, in which the exact domain computes; integer circuits and hardware know no such bound
FLOAT64_EXACT = 2.0**53


@dataclass(frozen=True)
class Interval:
    """Arrays of equal shape (1, ...): multiples of ``step`` in [low, high]; step 0 is a dead signal, always 0."""

    low: Array
    high: Array
    step: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """(1, ...)."""
        return self.low.shape

    @classmethod
    def of_port(cls, port: Port) -> Interval:
        """What a port may carry, (1, size)."""
        low, high = port.bounds
        lsb = port.lsbs
        return cls((low * lsb)[None], (high * lsb)[None], lsb[None])


def grid(values: Array) -> Array:
    """Largest power of two that divides each value; 0 for the value 0."""
    mantissa, exponent = np.frexp(np.abs(values))
    whole = (mantissa * 2.0**53).astype(np.int64)
    lowest = (whole & -whole).astype(np.float64)
    return np.where(values == 0, 0.0, np.ldexp(lowest, exponent - 53))


def _finer(a: Array, b: Array) -> Array:
    """The finer of two grids, where 0 (only the value 0) does not count."""
    return np.where(a == 0, b, np.where(b == 0, a, np.minimum(a, b)))


class Intervals(Domain[Interval]):
    """Arithmetic on :class:`Interval`; refuses what float32 reference tools could not compute exactly.

    With ``most`` = FLOAT64_EXACT, what float64 could not: for designs whose references compute in that.
    """

    def __init__(self, most: float = FLOAT32_EXACT) -> None:
        self._most = most

    def _lift(self, x: Interval | Array) -> Interval:
        return x if isinstance(x, Interval) else Interval(x, x, grid(x))

    def _check(self, x: Interval, what: str) -> Interval:
        with np.errstate(over="ignore"):  # 1 beside the smallest number that there is: more bits than can be counted
            codes = np.maximum(np.abs(x.low), np.abs(x.high)) / np.where(x.step == 0, 1.0, x.step)
        if codes.size and codes.max() >= self._most:
            bits = ceil(log2(codes.max() + 1)) + 1 if isfinite(codes.max()) else "over 1024"
            why = (
                "float32, in which PyTorch and onnxruntime compute, is exact to 24 only"
                if self._most == FLOAT32_EXACT
                else "float64 is exact to 53 only"
            )
            raise UnsupportedError(
                f"{what} may need {bits} bits, but {why}: use fewer weight, activation or input bits, or fewer neurons"
            )
        return x

    def add(self, a: Interval | Array, b: Interval | Array) -> Interval:
        """Elementwise sum."""
        a, b = self._lift(a), self._lift(b)
        return self._check(Interval(a.low + b.low, a.high + b.high, _finer(a.step, b.step)), "a sum")

    def multiply(self, a: Interval | Array, b: Interval | Array) -> Interval:
        """Elementwise product."""
        a, b = self._lift(a), self._lift(b)
        corners = np.stack([a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high])
        return self._check(Interval(corners.min(axis=0), corners.max(axis=0), a.step * b.step), "a product")

    def square(self, x: Interval) -> Interval:
        """Elementwise square: never negative, though the product of the ends may be."""
        ends = np.stack([np.square(x.low), np.square(x.high)])
        low = np.where((x.low < 0) & (x.high > 0), 0.0, ends.min(axis=0))
        return self._check(Interval(low, ends.max(axis=0), np.square(x.step)), "a square")

    def matmul(self, a: Interval, b: Array) -> Interval:
        """Matrix product with a constant."""
        positive, negative = np.maximum(b, 0), np.minimum(b, 0)
        steps = a.step[..., :, None] * grid(b)[..., None, :, :]
        step = np.where(steps == 0, np.inf, steps).min(axis=-2)
        return self._check(
            Interval(
                a.low @ positive + a.high @ negative,
                a.high @ positive + a.low @ negative,
                np.where(np.isinf(step), 0.0, step),
            ),
            "an accumulator",
        )

    def relu(self, x: Interval) -> Interval:
        """max(x, 0)."""
        return Interval(np.maximum(x.low, 0), np.maximum(x.high, 0), x.step)

    def maximum(self, a: Interval, b: Interval | Array) -> Interval:
        """The larger of two: the larger ends."""
        b = self._lift(b)
        return self._check(
            Interval(np.maximum(a.low, b.low), np.maximum(a.high, b.high), _finer(a.step, b.step)), "a maximum"
        )

    def minimum(self, a: Interval, b: Interval | Array) -> Interval:
        """The smaller of two: the smaller ends."""
        b = self._lift(b)
        return self._check(
            Interval(np.minimum(a.low, b.low), np.minimum(a.high, b.high), _finer(a.step, b.step)), "a minimum"
        )

    def absolute(self, x: Interval) -> Interval:
        """|x|."""
        ends = np.abs(np.stack([x.low, x.high]))
        low = np.where((x.low < 0) & (x.high > 0), 0.0, ends.min(axis=0))
        return Interval(low, ends.max(axis=0), x.step)

    def reaches(self, x: Interval, threshold: Array) -> Interval:
        """1 where x >= a constant: known where the constant is beyond an end."""
        always, ever = x.low >= threshold, x.high >= threshold
        return Interval(always.astype(np.float64), ever.astype(np.float64), np.ones(always.shape) * ever)

    def select(self, choice: Interval, a: Interval | Array, b: Interval | Array) -> Interval:
        """Either of two: the hull, where the choice is open."""
        a, b = self._lift(a), self._lift(b)
        low = np.where(choice.low > 0, a.low, np.where(choice.high < 1, b.low, np.minimum(a.low, b.low)))
        high = np.where(choice.low > 0, a.high, np.where(choice.high < 1, b.high, np.maximum(a.high, b.high)))
        step = np.broadcast_to(_finer(a.step, b.step), low.shape)
        return self._check(Interval(low, high, step), "a choice")

    def quantise(self, x: Interval, spec: QuantSpec) -> Interval:
        """Apply a quantiser: rounding is monotone, so the ends map to the ends; what wraps may be anything."""
        lsb = np.broadcast_to(spec.lsb, x.low.shape)
        rounding = Rounding.of(spec.mode, x.step / lsb)
        up = np.maximum(0, rounding.constant) + np.maximum(0, rounding.coefficient)
        up = np.where(x.step == 0, 0, up)  # a dead signal is 0, which every mode leaves
        lowest, highest = np.floor(x.low / lsb), np.floor(x.high / lsb + up)
        beyond = (lowest < spec.low) | (highest > spec.high)
        if spec.wraps:
            low, high = np.where(beyond, spec.low, lowest) * lsb, np.where(beyond, spec.high, highest) * lsb
        else:
            low, high = np.clip(lowest, spec.low, spec.high) * lsb, np.clip(highest, spec.low, spec.high) * lsb
        step = np.where(beyond, lsb, np.maximum(lsb, x.step))  # a bound need not lie on x's grid
        return self._check(Interval(low, high, step), "a quantiser's result")

    def sign(self, x: Interval, scale: Array) -> Interval:
        """BipolarQuant."""
        scale = np.broadcast_to(scale, x.low.shape)
        return Interval(np.where(x.low >= 0, scale, -scale), np.where(x.high >= 0, scale, -scale), scale)

    def at_least(self, a: Interval | Array, b: Interval | Array) -> Interval:
        """1 where a >= b, else 0; a signal always reaches itself."""
        if a is b and isinstance(a, Interval):
            return Interval(*(np.ones(a.shape) for _ in range(3)))
        a, b = self._lift(a), self._lift(b)
        low, high = (np.asarray(v, dtype=np.float64) for v in (a.low >= b.high, a.high >= b.low))
        return Interval(low, high, high)

    def count(self, x: Interval, steps: Array) -> Interval:
        """Whole numbers, as many at least as the lowest reaches."""
        low, high = (np.asarray((v[..., None] >= steps).sum(axis=-1), dtype=np.float64) for v in (x.low, x.high))
        return Interval(low, high, np.minimum(high, 1.0))

    def table(self, x: Interval, table: Table) -> Interval:
        """The smallest and the largest that can be read, and the grid of all that can."""
        low, high, step = (np.empty(x.shape) for _ in range(3))
        for place, values in table.reached(x.low, x.high, x.step):
            steps = grid(values)
            low[place], high[place] = values.min(), values.max()
            step[place] = steps[steps > 0].min() if steps.any() else 0.0
        return self._check(Interval(low, high, step), "a table's value")

    def concat(self, parts: Sequence[Interval | Array], axis: int) -> Interval:
        """Join along an axis."""
        lifted = [self._lift(p) for p in parts]
        return Interval(*(np.concatenate([getattr(p, f) for p in lifted], axis) for f in ("low", "high", "step")))

    def reshape(self, x: Interval, shape: tuple[int, ...]) -> Interval:
        """Reshape all but the first axis."""
        return Interval(*(v.reshape(len(v), *shape) for v in (x.low, x.high, x.step)))

    def transpose(self, x: Interval, order: tuple[int, ...]) -> Interval:
        """Permute the axes."""
        return Interval(*(v.transpose(order) for v in (x.low, x.high, x.step)))

    def take(self, x: Interval, places: Taken, axis: int) -> Interval:
        """Elements of an axis."""
        return Interval(*(np.take(v, places, axis=axis) for v in (x.low, x.high, x.step)))


def tightest_type(low: float, high: float, step: float) -> FixedPoint:
    """The narrowest fixed-point type that holds all multiples of ``step`` (a power of two, or 0) in [low, high]."""
    if step == 0 or (low == 0 and high == 0):
        return FixedPoint(signed=False, integer_bits=0, fraction_bits=0)
    bits = max(max(0, round(high / step)).bit_length(), (-round(low / step) - 1).bit_length() if low < 0 else 0)
    fraction = -round(log2(step))
    return FixedPoint(signed=low < 0, integer_bits=bits - fraction, fraction_bits=fraction)
