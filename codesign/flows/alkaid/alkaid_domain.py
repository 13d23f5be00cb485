"""The domain of alkaid's signals: running a graph over it traces the hardware."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod
from typing import Any

import numpy as np
from alkaid.cmvm import cmvm_solve
from alkaid.trace import FVArray
from alkaid.trace.fixed_variable import FVariable
from alkaid.types import QInterval
from numpy.typing import NDArray

from codesign.flows.alkaid.alkaid_products import product_signal, square_signal
from codesign.flows.alkaid.alkaid_trees import DEEPEST, tree_signals
from codesign.flows.alkaid.retracing import replay
from codesign.graph.arrays import Arrays
from codesign.graph.domain import Array
from codesign.graph.exact import Exact
from codesign.graph.forest import Forest
from codesign.graph.quantiser import Overflow, QuantSpec, Rounding
from codesign.graph.tables import Table

__all__ = ("Signals",)


class Signals(Arrays):
    """Arithmetic on :class:`alkaid.trace.FVArray`, (1, ...): each element is one signal of the circuit."""

    def concat(self, parts: Sequence[Any], axis: int) -> Any:
        """Join along an axis; numbers beside signals become signals that cannot change."""
        like = next((p for p in parts if isinstance(p, FVArray)), None)
        if like is None or all(isinstance(p, FVArray) for p in parts):
            return super().concat(parts, axis)
        return _array(super().concat([np.asarray(p, dtype=object) for p in parts], axis), like)

    def add(self, a: Any, b: Any) -> Any:
        """Elementwise sum."""
        return a + b

    def multiply(self, a: Any, b: Any) -> Any:
        """Elementwise product; of two signals a sum over their digits (:mod:`.alkaid_products`)."""
        if not isinstance(a, FVArray) or not isinstance(b, FVArray):
            return a * b
        for bit, other in ((a, b), (b, a)):
            if all(v.low == 0 and v.high == v.step for v in _flat(bit)):
                return _each(_gate, bit, other)  # whether an item is there
        return _each(product_signal, a, b)

    def square(self, x: FVArray) -> Any:
        """Elementwise square: a table, or a sum over digits."""
        return _each(square_signal, x)

    def matmul(self, a: Any, b: Any) -> Any:
        """Matrix product with constants: shifts and adders (distributed arithmetic), a row of signals at a time.

        alkaid multiplies two axes only, and none whose result cannot change.
        """
        matrix = np.asarray(b)
        if a.ndim == 2 and matrix.ndim == 2:
            return _array(_row(a, matrix)[None], a)
        lead = np.broadcast_shapes(a.shape[:-2], matrix.shape[:-2])
        rows = np.broadcast_to(np.asarray(a), (*lead, *a.shape[-2:])).reshape(-1, *a.shape[-2:])
        matrices = np.broadcast_to(matrix, (*lead, *matrix.shape[-2:])).reshape(-1, *matrix.shape[-2:])
        out = np.empty((prod(lead), a.shape[-2], matrix.shape[-1]), dtype=object)
        for k, i in np.ndindex(*out.shape[:2]):
            out[k, i] = _row(_array(rows[k, i][None], a), matrices[k])
        return _array(out.reshape(*lead, *out.shape[1:]), a)

    def relu(self, x: Any) -> Any:
        """max(x, 0)."""
        return np.maximum(x, 0)

    def reaches(self, x: Any, threshold: Array) -> Any:
        """1 where x >= a constant, rounded up to the grid of x: that the difference has no sign."""
        return _each(_reach, x, threshold)

    def decide(self, x: Any, forest: Forest) -> Any:
        """What each tree gives: from tables, where no tree is too deep for one."""
        if not forest.roots.size or int(forest.level.max()) > DEEPEST:
            return forest.over(self, x)
        bits = [_reach(v, t) for v, t in zip(_flat(self.take(x, forest.features, 1)), forest.thresholds, strict=True)]
        found = np.empty((1, forest.roots.size), dtype=object)
        found[0] = tree_signals(forest, bits)
        return _array(found, x)

    def select(self, choice: Any, a: Any, b: Any) -> Any:
        """Each of the two where its bit is set, and their sum.

        alkaid's multiplexer of two signals is not used, nor its maximum, which is one: beside one another, two signals
        that it keeps with different factors (a negative one, a constant) come out scaled wrongly.
        """
        return _each(_choose, choice, a, b)

    def quantise(self, x: FVArray, spec: QuantSpec) -> Any:
        """Round and fit: an adder where the rounding needs one, then dropped bits, then the clip."""
        constant = _constant(x)
        if constant.any():
            # alkaid neither wraps nor rounds what is constant as it does what is not
            values = np.array([v.low for v in _flat(x)], dtype=np.float64).reshape(x.shape)
            exact = np.broadcast_to(_EXACT.quantise(values, spec), x.shape)
            if constant.all():
                return _array(exact.astype(object), x)
            return _array(np.where(constant, exact, np.asarray(self._fitted(x, spec))), x)
        return self._fitted(x, spec)

    def _fitted(self, x: FVArray, spec: QuantSpec) -> Any:
        shape = x.shape
        exponent = np.broadcast_to(spec.exponent, shape)
        bits = np.broadcast_to(spec.bits, shape)
        kinds = np.broadcast_to(np.asarray(spec.signed, dtype=np.int64), shape)
        integers = bits - kinds + exponent
        rounded = self._rounded(x, spec, exponent)
        overflow = "SAT"
        if spec.wraps:
            overflow = "WRAP"
        elif kinds.any() and not kinds.all():
            return self._mixed(rounded, spec, exponent)
        elif spec.symmetric and kinds.all():
            overflow = "SAT_SYM"
        elif spec.narrow:
            rounded = np.minimum(rounded, np.broadcast_to(spec.high * spec.lsb, shape))
        elif not kinds.any():
            saturated = [_saturate(*each) for each in zip(_flat(rounded), integers.flat, (-exponent).flat, strict=True)]
            return FVArray(np.array(saturated).reshape(shape), rounded.solver_options, hwconf=rounded.hwconf)
        return rounded.quantize(k=kinds, i=integers, f=-exponent, overflow_mode=overflow, round_mode="TRN")

    def _mixed(self, rounded: FVArray, spec: QuantSpec, exponent: NDArray[np.int64]) -> Any:
        """Saturation of elements of which some have a sign: with a rectifier in front of those that have none."""
        kinds = np.broadcast_to(np.asarray(spec.signed, dtype=np.int64), rounded.shape)
        bits = np.broadcast_to(spec.bits, rounded.shape)
        fitted = [
            v.quantize(int(k), int(n - k + e), int(-e), "SAT_SYM" if spec.overflow is Overflow.SAT_SYM and k else "SAT")
            if k
            else _saturate(v, n + e, -e)
            for v, k, n, e in zip(_flat(rounded), kinds.flat, bits.flat, exponent.flat, strict=True)
        ]
        return _array(np.array(fitted, dtype=object).reshape(rounded.shape), rounded)

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

    def table(self, x: FVArray, table: Table) -> Any:
        """A look-up table of each signal's own codes; alkaid's types may be wider than what can come."""
        rows, which = table.rows(x.shape)
        out = np.empty(x.shape, dtype=object)
        for place in np.ndindex(*x.shape):
            out[place] = _looked_up(x[place], rows[which[place]], table)
        return _array(out, x)


_EXACT = Exact()


def _array(elements: Any, like: FVArray) -> FVArray:
    """Signals of elements, numbers among them: alkaid leaves those numbers that lie in memory in another order."""
    return FVArray(np.array(elements, dtype=object, order="C"), like.solver_options, hwconf=like.hwconf)


def _widest(x: FVArray) -> int:
    """Bits of the widest signal."""
    return int(sum(x.kif).max())


def _finest(x: FVArray) -> float:
    """What makes whole numbers of all signals that can change."""
    _, _, fractions = x.kif
    changing = fractions[~_constant(x)]
    return float(2.0 ** int(changing.max())) if changing.size else 1.0


def _constant(x: FVArray) -> NDArray[np.bool_]:
    """Which elements have one value only."""
    return np.array([v.low == v.high for v in _flat(x)]).reshape(x.shape)


def _row(row: FVArray, matrix: Array) -> Any:
    """Signals (1, n) times (n, m), (m,), where no signal with a weight can change without alkaid."""
    constant = _constant(row)[0]
    if not (~constant & matrix.any(axis=-1)).any():
        return np.where(constant, [float(v.low) for v in _flat(row)], 0.0) @ matrix
    bits = [v for v in _flat(row) if sum(v.kif) == 1]
    if bits and all(v.low >= 0 and v._factor > 0 for v in bits):
        return np.asarray(row @ matrix)[0]
    return _adders(_flat(row), matrix)


def _adders(row: list[FVariable], matrix: Array) -> NDArray[np.object_]:
    """Signals (n,) times (n, m), (m,), as alkaid multiplies them, but for its tables of single bits.

    alkaid 0.8.2 takes six signals of one bit for the address of a table. It reads a sign bit, of the values -step and
    0, as if it counted +step, and a table backwards where it keeps all of the six with a negative factor: the result is
    wrong, or its own assertion fails. So they are for bits without sign and such a factor alone.
    """
    found: list[Any] = row
    spans = [QInterval(float(v.low), float(v.high), float(v.step)) for v in row]
    weights = np.ascontiguousarray(matrix, dtype=np.float32)
    for part in cmvm_solve(weights, qintervals=spans, latencies=[float(v.latency) for v in row]):
        found = replay(part, found)
    return np.array(found, dtype=object)


def _each(function: Any, *operands: Any) -> FVArray:
    """Apply a function to elements, by broadcasting; the first operand is of signals."""
    like = next(o for o in operands if isinstance(o, FVArray))
    arrays = np.broadcast_arrays(*(np.asarray(o, dtype=object) for o in operands))
    out = np.empty(arrays[0].shape, dtype=object)
    for index in np.ndindex(*out.shape):
        out[index] = function(*(a[index] for a in arrays))
    return _array(out, like)


def _choose(choice: Any, a: Any, b: Any) -> Any:
    """``a`` where the one bit ``choice`` is 1."""
    if choice.low == choice.high:
        return a if choice.low else b
    # its type may be wider than its two values, 0 and 1: the lowest bit is what chooses
    bit = choice.quantize(0, 1, 0)
    first, second = (float(v.low) if not isinstance(v, float | int) and v.low == v.high else v for v in (a, b))
    if isinstance(first, float | int) and isinstance(second, float | int):
        return bit * (first - second) + second
    chosen = bit * first if isinstance(first, float | int) else bit.msb_mux(first, 0.0)
    other = bit * -second + second if isinstance(second, float | int) else bit.msb_mux(0.0, second)
    return chosen + other


def _gate(bit: Any, x: Any) -> Any:
    """``x`` times a signal of one bit."""
    if x.low == x.high:
        return bit * float(x.low)
    return bit.quantize(*(int(v) for v in bit.kif)).msb_mux(x * float(bit.high), 0.0)


def _reach(x: Any, threshold: Any) -> Any:
    """1 where x >= a number."""
    if x.low == x.high or x.low >= threshold or x.high < threshold:
        return float(x.low >= threshold)
    least = ceil(threshold / x.step)
    least += least * x.step < threshold  # the quotient of a number next to 0 may be 0
    return (x - least * x.step).is_negative().unary_bit_op("not")


def _looked_up(x: Any, row: Array, table: Table) -> Any:
    low, high, step = (float(v) for v in x.qint)
    if low == high:
        return x.from_const(float(row[int(low / table.lsb) - table.low]), hwconf=x.hwconf)
    if step < table.lsb:  # the bits below a code are always 0, though alkaid does not know
        x = x.quantize(*(int(v) for v in x.kif[:2]), -table.exponent)
        low, high, step = (float(v) for v in x.qint)
    places = np.arange(low / step, high / step + 1) * (step / table.lsb) - table.low
    return x.lookup(row[np.clip(places.astype(np.int64), 0, table.entries - 1)])


def _flat(x: FVArray) -> list[Any]:
    return list(np.asarray(x).ravel())


def _saturate(x: Any, whole: np.integer, fraction: np.integer) -> Any:
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
