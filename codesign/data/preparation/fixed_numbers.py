"""Numbers of a preparation: whole-number codes in a graph, what a code is worth, and how far that is from float64.

Every operation writes nodes whose signals are whole numbers, and bounds what it can be off: sums, differences and
comparisons on one grid are exact, functions are tables of correctly rounded values, ratios go through logarithms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.graph.nodes import CODESIGN

__all__ = ("PREFIX", "FixedNumber", "PrefixWriter")

#: before the name of every node and tensor of a preparation
PREFIX = "prepare/"
#: codes of a table, and of any signal: float32 holds whole numbers to here
_MOST_ENTRIES, _MOST_CODE = 1 << 16, 1 << 23
#: turns that an angle may be off
_MOST_TURNS = 4
#: by how much two grids may differ and still be one: the rounding of 2 pi / 144
_SAME = 1e-12


@dataclass(frozen=True)
class FixedNumber:
    """A tensor (events, 1) of whole numbers from ``low`` to ``high``; one is worth ``size``. ``error``: at most so far
    from the expression in float64, where that is finite. ``truth``: the tensor is one of true and false."""

    tensor: str
    low: int
    high: int
    size: float
    error: float = 0.0
    truth: bool = False

    @property
    def most(self) -> float:
        """The largest magnitude of its value."""
        return max(abs(self.low), abs(self.high)) * self.size


def _beside(value: float, code: int, size: float) -> float:
    """How far a code is from what it stands for; 0 for what is float64's own rounding."""
    off = abs(value - code * size)
    return 0.0 if off <= _SAME * max(abs(value), size) else off


class PrefixWriter:
    """Writes the nodes of a preparation; errors name ``where``, the input that is prepared."""

    def __init__(self, raw: str) -> None:
        self.raw, self.where = raw, ""
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    # ---------------------------------------------------------------------------------------------------------- writing
    def node(self, op: str, *operands: str, **attributes: Any) -> str:
        """A node with one output, whose name is returned."""
        from onnx import helper

        name = f"{PREFIX}{op}_{len(self.nodes)}"
        domain = CODESIGN if op in ("Table", "FixedPoint") else ""
        self.nodes.append(helper.make_node(op, list(operands), [name], name=name, domain=domain, **attributes))
        return name

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """A constant."""
        from onnx import numpy_helper

        name = f"{PREFIX}constant_{len(self.constants)}"
        array = np.asarray(value, dtype=np.float64)
        if dtype is np.float32 and (array.astype(np.float32) != array).any():
            raise self.refusal(f"the constant {array.ravel()[0]:g} does not fit float32")
        self.constants.append(numpy_helper.from_array(array.astype(dtype), name))
        return name

    def refusal(self, why: str) -> InputError:
        """An error that says which input it is of."""
        return InputError(f"inputs.prepare, {self.where}: {why}")

    def _number(
        self, tensor: str, low: int, high: int, size: float, error: float = 0.0, truth: bool = False
    ) -> FixedNumber:
        if max(abs(low), abs(high)) > _MOST_CODE:
            raise self.refusal(
                f"whole numbers from {low} to {high} come up, beyond {_MOST_CODE}, to which float32 is exact: fewer "
                "bits of the raw codes, or a smaller fraction"
            )
        return FixedNumber(tensor, low, high, size, error, truth)

    # ------------------------------------------------------------------------------------------------------- operations
    def column(self, place: int, low: int, high: int, size: float) -> FixedNumber:
        """A raw feature."""
        return self._number(self.node("Gather", self.raw, self.constant([place], np.int64), axis=1), low, high, size)

    def whole(self, x: FixedNumber) -> FixedNumber:
        """0 or 1 for false or true."""
        if not x.truth:
            return x
        one, zero = self.constant([[1.0]]), self.constant([[0.0]])
        return FixedNumber(self.node("Where", x.tensor, one, zero), 0, 1, 1.0)

    def multiple(self, x: FixedNumber, factor: int) -> FixedNumber:
        """The same value in codes ``factor`` times as fine."""
        if factor == 1:
            return x
        tensor = self.node("Mul", x.tensor, self.constant(factor))
        low, high = x.low * factor, x.high * factor
        return self._number(tensor, low, high, x.size / factor, x.error)

    def on_one_grid(self, a: FixedNumber, b: FixedNumber) -> tuple[FixedNumber, FixedNumber]:
        """Both in codes of one size; refused where neither size is a multiple of the other."""
        a, b = self.whole(a), self.whole(b)
        if a.size < b.size:
            return tuple(reversed(self.on_one_grid(b, a)))  # type: ignore[return-value]
        ratio = a.size / b.size
        factor = round(ratio)
        if abs(ratio - factor) > _SAME * ratio:
            raise self.refusal(
                f"codes of {a.size:g} and of {b.size:g} are on no common grid: give both a function, or one scale"
            )
        return self.multiple(a, factor), b

    def add(self, a: FixedNumber, b: FixedNumber, minus: bool = False) -> FixedNumber:
        """a + b, or a - b."""
        a, b = self.on_one_grid(a, b)
        tensor = self.node("Sub" if minus else "Add", a.tensor, b.tensor)
        low, high = (a.low - b.high, a.high - b.low) if minus else (a.low + b.low, a.high + b.high)
        return self._number(tensor, low, high, b.size, a.error + b.error)

    def add_constant(self, x: FixedNumber, value: float) -> FixedNumber:
        """x + value, to the nearest code."""
        x = self.whole(x)
        code = round(value / x.size)
        tensor = self.node("Add", x.tensor, self.constant(code)) if code else x.tensor
        return self._number(tensor, x.low + code, x.high + code, x.size, x.error + _beside(value, code, x.size))

    def scale(self, x: FixedNumber, factor: float) -> FixedNumber:
        """x * factor: another worth of the same codes."""
        x = self.whole(x)
        if factor == 0:
            raise self.refusal("a number is multiplied by 0")
        if factor < 0:
            return self.scale(self._number(self.node("Neg", x.tensor), -x.high, -x.low, x.size, x.error), -factor)
        return self._number(x.tensor, x.low, x.high, x.size * factor, x.error * factor)

    def multiply(self, a: FixedNumber, b: FixedNumber) -> FixedNumber:
        """a * b."""
        a, b = self.whole(a), self.whole(b)
        ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
        error = a.error * b.most + b.error * a.most + a.error * b.error
        return self._number(self.node("Mul", a.tensor, b.tensor), min(ends), max(ends), a.size * b.size, error)

    def larger(self, a: FixedNumber, b: FixedNumber, smaller: bool = False) -> FixedNumber:
        """The larger of two, or the smaller."""
        a, b = self.on_one_grid(a, b)
        choose = min if smaller else max
        tensor = self.node("Min" if smaller else "Max", a.tensor, b.tensor)
        ends = choose(a.low, b.low), choose(a.high, b.high)
        return self._number(tensor, *ends, b.size, max(a.error, b.error))

    def bounded(self, x: FixedNumber, low: float, high: float) -> FixedNumber:
        """x within two numbers, each to its nearest code."""
        x = self.whole(x)
        ends = round(low / x.size), round(high / x.size)
        if ends[0] > ends[1]:
            raise self.refusal(f"clip from {low:g} to {high:g}")
        error = max(x.error, _beside(low, ends[0], x.size), _beside(high, ends[1], x.size))
        return self._clipped(x, *ends, error)

    def _clipped(self, x: FixedNumber, low: int, high: int, error: float) -> FixedNumber:
        tensor = x.tensor
        if x.low < low:
            tensor = self.node("Max", tensor, self.constant([[low]]))
        if x.high > high:
            tensor = self.node("Min", tensor, self.constant([[high]]))
        return self._number(tensor, min(max(x.low, low), high), max(min(x.high, high), low), x.size, error)

    def saturated(self, x: FixedNumber, bits: int) -> FixedNumber:
        """x in so many bits, signed where it can be negative."""
        x = self.whole(x)
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if x.low < 0 else (0, (1 << bits) - 1)
        return self._clipped(x, low, high, x.error)

    def absolute(self, x: FixedNumber) -> FixedNumber:
        """|x|."""
        x = self.whole(x)
        least = 0 if x.low <= 0 <= x.high else min(abs(x.low), abs(x.high))
        return self._number(self.node("Abs", x.tensor), least, max(abs(x.low), abs(x.high)), x.size, x.error)

    def compare(self, op: str, a: FixedNumber, b: FixedNumber) -> FixedNumber:
        """A comparison of two, by ONNX' name of it."""
        a, b = self.on_one_grid(a, b)
        if a.error or b.error:
            raise self.refusal("two numbers that are rounded are compared: compare the raw ones")
        return FixedNumber(self.node(op, a.tensor, b.tensor), 0, 1, 1.0, truth=True)

    def compare_constant(self, op: str, x: FixedNumber, value: float) -> FixedNumber:
        """A comparison with a number, exact on the grid of x."""
        x = self.whole(x)
        if x.error:
            raise self.refusal("a number that is rounded is compared: compare the raw one")
        edge = value / x.size
        near = round(edge)
        edge = near if abs(edge - near) <= _SAME * max(1.0, abs(edge)) else int(np.floor(edge)) + 0.5
        edge = min(max(edge, x.low - 1), x.high + 1)
        if op == "Equal" and edge != int(edge):
            edge = x.high + 1
        return FixedNumber(self.node(op, x.tensor, self.constant([[edge]])), 0, 1, 1.0, truth=True)

    def logic(self, op: str, *operands: FixedNumber) -> FixedNumber:
        """And, Or or Not of what is true or false."""
        if not all(x.truth for x in operands):
            raise self.refusal(f"{op} is of comparisons")
        return FixedNumber(self.node(op, *(x.tensor for x in operands)), 0, 1, 1.0, truth=True)

    def choose(self, choice: FixedNumber, a: FixedNumber, b: FixedNumber) -> FixedNumber:
        """a where the choice is true, else b."""
        if not choice.truth:
            raise self.refusal("'where' chooses by a comparison")
        a, b = self.on_one_grid(a, b)
        tensor = self.node("Where", choice.tensor, a.tensor, b.tensor)
        return self._number(tensor, min(a.low, b.low), max(a.high, b.high), b.size, max(a.error, b.error))

    def choose_constant(self, choice: FixedNumber, a: float, b: float) -> FixedNumber:
        """One number where the choice is true, else another, on the coarsest grid that has both."""
        if not choice.truth:
            raise self.refusal("'where' chooses by a comparison")
        first, second = Fraction(str(a)), Fraction(str(b))
        wide = first.denominator * second.denominator
        common = gcd(int(first * wide), int(second * wide))
        codes = int(first * wide) // common, int(second * wide) // common
        tensor = self.node("Where", choice.tensor, *(self.constant([[code]]) for code in codes))
        return self._number(tensor, min(codes), max(codes), common / wide)

    def constant_beside(self, value: float, x: FixedNumber) -> FixedNumber:
        """A number on the grid of another."""
        code = round(value / x.size)
        return self._number(self.constant([[code]]), code, code, x.size, _beside(value, code, x.size))

    def wrapped(self, x: FixedNumber, turn: int) -> FixedNumber:
        """x brought into [-turn/2, turn/2) of a turn, by comparisons and sums."""
        if turn % 2 or max(x.high, -x.low) > _MOST_TURNS * turn:
            raise self.refusal(f"an angle of {x.low} to {x.high} codes is not brought into a turn of {turn}")
        half, tensor, low, high = turn // 2, x.tensor, x.low, x.high
        while high >= half:
            over = self.node("GreaterOrEqual", tensor, self.constant([[half]]))
            tensor = self.node("Where", over, self.node("Sub", tensor, self.constant(turn)), tensor)
            low, high = min(low, -half), max(high - turn, half - 1)
        while low < -half:
            under = self.node("Less", tensor, self.constant([[-half]]))
            tensor = self.node("Where", under, self.node("Add", tensor, self.constant(turn)), tensor)
            low, high = min(low + turn, -half), max(high, half - 1)
        # for intervals of a graph, which do not follow a choice: saturation that never bites
        return self._clipped(FixedNumber(tensor, x.low, x.high, x.size), -half, half - 1, x.error)

    def apply(
        self, x: FixedNumber, function: Callable[[NDArray[Any]], NDArray[Any]], fraction: int, most: float = np.inf
    ) -> FixedNumber:
        """A monotone function as a table: of every code the value, correctly rounded to ``fraction`` binary places.

        What has no finite value is 0, and nothing is beyond ``most``.
        """
        x = self.whole(x)
        if x.high - x.low >= _MOST_ENTRIES:
            raise self.refusal(
                f"a function of {x.high - x.low + 1} codes: a table has at most {_MOST_ENTRIES}; take fewer bits of "
                "the raw codes"
            )
        signed = x.low < 0
        bits = max(x.high.bit_length(), (-x.low - 1).bit_length() if signed else 0, 1)
        first = -(1 << bits) if signed else 0
        codes = np.arange(first, 1 << bits)
        size = 2.0**-fraction
        with np.errstate(all="ignore"):
            around = [function(codes * x.size + e) for e in (-x.error, 0.0, x.error)]
        around = [np.clip(np.where(np.isfinite(v), v, np.nan), -most, most) for v in around]
        true = around[1]
        found = np.where(np.isnan(true), 0.0, np.floor(np.nan_to_num(true) / size + 0.5))
        possible = (codes >= x.low) & (codes <= x.high)
        found = np.where(possible, found, 0.0)
        if np.abs(found).max() > _MOST_CODE:
            raise self.refusal(f"values to {np.abs(found).max() * size:g}: clip what the function is of")
        beside = [np.where(np.isnan(v), true, v) for v in around]
        with np.errstate(all="ignore"):
            off = np.nanmax(np.where(possible, np.abs(np.array(beside) - found * size), 0.0), initial=0.0)
        tensor = self.node("Table", x.tensor, self.constant(found), k=int(signed), i=bits, f=0)
        low, high = int(found[possible].min()), int(found[possible].max())
        return self._number(tensor, low, high, size, float(off))

    def ratio(self, a: FixedNumber, b: FixedNumber, fraction: int, most: float) -> FixedNumber:
        """a / b of two that are not negative, through logarithms; 0 where either is 0, ``most`` where it is more."""
        a, b = self.whole(a), self.whole(b)
        if a.low < 0 or b.low < 0:
            raise self.refusal("a ratio is of numbers that are not negative")
        # for the whole ratio to be right to its places, as far as the table of its power holds them
        wide = sum(float(np.log2(x.high / max(x.low, 1))) for x in (a, b))
        room = int(np.log2(_MOST_ENTRIES / max(wide, 1.0))) - 1
        places = min(fraction + 2 + max(0, int(np.ceil(np.log2(most)))), room)
        upper, lower = (self.apply(x, np.log2, places) for x in (a, b))
        difference = self.add(upper, lower, minus=True)
        ratio = self.apply(difference, np.exp2, fraction, most)
        zero = self.constant_beside(0.0, ratio)
        for x in (a, b):
            if x.low == 0:
                nothing = FixedNumber(self.node("Equal", x.tensor, self.constant([[0.0]])), 0, 1, 1.0, truth=True)
                ratio = self.choose(nothing, zero, ratio)
        return ratio
