"""The domain in which a graph is lowered: what is no arithmetic of powers of two waits for the quantiser behind it.

A factor, an offset, a function of real numbers is kept as an expression of each element of an integer signal, exactly.
The next quantiser turns it into thresholds or a table of that signal's codes, decided in rational arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.graph.domain import Array
from codesign.graph.expressions import (
    Affine,
    AppliedFunction,
    Bounded,
    Expression,
    Larger,
    ProductOf,
    Slopes,
    SumOf,
    Variable,
    affine,
    at_least,
    code,
    direction,
    rational,
    scaled,
)
from codesign.graph.factors import common_factor, product_of, whole_column
from codesign.graph.nodes import CODESIGN, QONNX
from codesign.graph.quantiser import Overflow, QuantSpec
from codesign.graph.reals import Reals, Root, as_reals
from codesign.graph.signals import GraphSignal, forms_of, is_short, least
from codesign.graph.structure import Structure
from codesign.graph.tables import Table

__all__ = ("Pending",)

_ZERO, _ONE = Fraction(0), Fraction(1)
_NONE, _UNIT = np.array(_ZERO, dtype=object), np.array(_ONE, dtype=object)
#: values of one node's tables or thresholds
_MOST_VALUES = 1 << 22


class Pending(Structure):
    """Arithmetic on :class:`GraphSignal`: written where it is exact as it stands, else kept as functions."""

    def _written(self, op: str, *operands: GraphSignal | Array) -> GraphSignal | None:
        """A node of plain signals and short constants, where it is exact as it stands."""
        for operand in operands:
            if not operand.plain if isinstance(operand, GraphSignal) else not is_short(operand):
                return None
        try:
            return self.emit(op, *operands)
        except UnsupportedError:
            return None

    def plain(self, x: GraphSignal) -> GraphSignal:
        """The signal itself, its factors and offsets written; UnsupportedError where they are not exact so."""
        if x.forms is None:
            return x
        found_parts = [rational(f) for f in x.forms.ravel()]
        parts = [p for p in found_parts if p is not None]
        why = f"what {x.origin} gives is no number of fixed point"
        if len(parts) < len(found_parts):
            functions = sorted({f.function for f in x.forms.ravel() if isinstance(f, AppliedFunction)})
            what = f" ({', '.join(functions)})" if functions else ""
            raise UnsupportedError(
                f"{why}{what} and enters something else than a quantiser; put a quantiser behind {x.origin}, or "
                "where it is last leave it out: the order stays"
            )
        factors, offsets = (np.array([float(p[i]) for p in parts]).reshape(x.shape) for i in (0, 1))
        exact = all(p[0] == float(p[0]) and p[1] == float(p[1]) for p in parts)
        found = GraphSignal(x.name, x.interval)
        try:
            if not exact:
                raise UnsupportedError("a factor is no number of float32")
            if (factors != 1).any():
                found = self.emit("Mul", found, least(factors))
            return self.emit("Add", found, least(offsets)) if offsets.any() else found
        except UnsupportedError as error:
            bad = float(next((p for p in parts if p[0] != 1), parts[0])[0])
            raise UnsupportedError(
                f"{why}: a factor such as {bad:.6g} is no power of two and no quantiser follows that could take it as "
                f"thresholds ({error}); put a quantiser behind {x.origin}"
            ) from None

    # ------------------------------------------------------------------------------------------------------ arithmetic
    def scale(self, x: GraphSignal, factor: Reals, offset: Reals) -> GraphSignal:
        """``factor * x + offset``."""
        return self.kept(x, scaled, factor, offset)

    def apply(self, x: GraphSignal, function: str) -> GraphSignal:
        """A function of real numbers."""
        return self.kept(x, lambda f: AppliedFunction(f, function))

    def held(self, x: GraphSignal) -> GraphSignal:
        """Kept as a function even where it could be written."""
        return x.stands_for(forms_of(lambda f: Affine(f, _ONE, _ZERO), x.functions()), self.discretiser.node)

    def add(self, a: GraphSignal | Array, b: GraphSignal | Array) -> GraphSignal:
        """Elementwise sum."""
        written = self._written("Add", a, b)
        if written is not None:
            return written
        if not isinstance(a, GraphSignal):
            a, b = b, a
        assert isinstance(a, GraphSignal)
        if not isinstance(b, GraphSignal):
            return self.scale(a, _UNIT, as_reals(b))
        if a.name == b.name and a.shape == b.shape:
            return a.stands_for(forms_of(_sum, a.functions(), b.functions()), self.discretiser.node)
        shape = np.broadcast_shapes(a.shape, b.shape)
        a, b = self.stretched(a, shape), self.stretched(b, shape)
        (a, first, over), (b, second, more) = self._affine(a), self._affine(b)
        common = forms_of(common_factor, first, second)
        parts = []
        for signal, factors in ((a, first), (b, second)):
            whole = np.array([float(v / c) if c else 0.0 for v, c in zip(factors.ravel(), common.ravel(), strict=True)])
            parts.append(self.emit("Mul", signal, least(whole.reshape(shape))) if (whole != 1).any() else signal)
        return self.scale(self.emit("Add", *parts), common, over + more)

    def _affine(self, x: GraphSignal) -> tuple[GraphSignal, Reals, Reals]:
        """A signal that stands for itself, and rational factors and offsets of each element."""
        found = [rational(f) for f in x.functions().ravel()]
        if None in found:
            return self._affine(self._bounded(x))
        factors, offsets = np.empty(x.shape, dtype=object), np.empty(x.shape, dtype=object)
        factors.ravel()[:], offsets.ravel()[:] = zip(*(p for p in found if p is not None), strict=True)
        return GraphSignal(x.name, x.interval), factors, offsets

    def multiply(self, a: GraphSignal | Array, b: GraphSignal | Array) -> GraphSignal:
        """Elementwise product."""
        written = self._written("Mul", a, b)
        if written is not None:
            return written
        if not isinstance(a, GraphSignal):
            a, b = b, a
        assert isinstance(a, GraphSignal)
        if not isinstance(b, GraphSignal):
            return self.scale(a, as_reals(b), _NONE)
        if a.name == b.name and a.shape == b.shape:
            return a.stands_for(forms_of(ProductOf, a.functions(), b.functions()), self.discretiser.node)
        shape = np.broadcast_shapes(a.shape, b.shape)
        a, b = self.stretched(a, shape), self.stretched(b, shape)
        (first, factor, over), (second, other, more) = self._affine(a), self._affine(b)
        if any(v != 0 for part in (over, more) for v in part.ravel()):
            (first, factor, _), (second, other, _) = self._affine(self.plain(a)), self._affine(self.plain(b))
        return self.scale(self.emit("Mul", first, second), factor * other, _NONE)

    def square(self, x: GraphSignal) -> GraphSignal:
        """Elementwise square."""
        if x.forms is None:
            return self.emit("Mul", x, x)
        forms = x.functions()
        if all((p := rational(f)) is not None and p[1] == 0 for f in forms.ravel()):
            bare, factors, _ = self._affine(x)
            return self.scale(self.emit("Mul", bare, bare), factors * factors, _NONE)
        return x.stands_for(forms_of(lambda f: ProductOf(f, f), forms), self.discretiser.node)

    def matmul(self, a: GraphSignal, b: Array) -> GraphSignal:
        """Product with constant matrices, whose columns are whole numbers times what they have in common."""
        matrix = np.asarray(b, dtype=np.float64)
        if a.plain and is_short(matrix):
            return self.emit("MatMul", a, matrix)
        bare, rows, after, offsets = self._rows(a)
        weights = as_reals(matrix) * rows[:, None]
        common = np.empty((*weights.shape[:-2], 1, weights.shape[-1]), dtype=object)
        whole = np.empty(weights.shape)
        for place in np.ndindex(*weights.shape[:-2], weights.shape[-1]):
            column = (*place[:-1], slice(None), place[-1])
            common[(*place[:-1], 0, place[-1])], whole[column] = whole_column(weights[column])
        product = self.emit("MatMul", bare, whole)
        factor = forms_of(product_of, common, after)
        offset = np.matmul(offsets, as_reals(matrix)) if any(v != 0 for v in offsets.ravel()) else _NONE
        return self.scale(product, factor.reshape(factor.shape[-len(product.shape) :]), offset)

    def _rows(self, a: GraphSignal) -> tuple[GraphSignal, Reals, Reals, Reals]:
        """What enters a matrix: whole numbers, a factor for each row (n,), one for each place (..., 1), and offsets."""
        parts = [affine(f) for f in a.functions().ravel()]
        if any(p is None or isinstance(p[1], Root) for p in parts):
            return self._rows(self._bounded(a))
        factors, offsets = np.empty(a.shape, dtype=object), np.empty(a.shape, dtype=object)
        factors.ravel()[:], offsets.ravel()[:] = zip(*(p for p in parts if p is not None), strict=True)
        bare, ones = GraphSignal(a.name, a.interval), np.full(a.shape[-1], _ONE, dtype=object)
        if (factors == factors[..., :1]).all():
            return bare, ones, factors[..., :1], offsets
        table = factors.reshape(-1, a.shape[-1])
        if (table == table[:1]).all() and not any(isinstance(f, Root) for f in table[0]):
            return bare, table[0], _UNIT, offsets
        return self._rows(self.plain(a))

    def _bounded(self, x: GraphSignal) -> GraphSignal:
        """Bounds of rising lines, as of Relu behind ``scale * (code - zero)``, written on the code itself; else
        :meth:`plain`, with its refusal."""
        forms, lines = x.functions().ravel(), []
        for form in forms:
            line = rational(form.x) if isinstance(form, Bounded) else None
            if line is None or line[0] <= 0:
                return self.plain(x)
            lines.append(line)
        bare = GraphSignal(x.name, x.interval)
        for op, ends in (("Max", [f.low for f in forms]), ("Min", [f.high for f in forms])):
            if all(end is None for end in ends):
                continue
            if any(end is None for end in ends):
                return self.plain(x)
            exact = [(end - offset) / factor for end, (factor, offset) in zip(ends, lines, strict=True)]
            numbers = np.array([float(e) for e in exact]).reshape(x.shape)
            if any(n != e for n, e in zip(numbers.ravel(), exact, strict=True)) or not is_short(numbers):
                return self.plain(x)
            bare = self.emit(op, bare, least(numbers))
        factors, offsets = np.empty(x.shape, dtype=object), np.empty(x.shape, dtype=object)
        factors.ravel()[:], offsets.ravel()[:] = zip(*lines, strict=True)
        return self.scale(bare, factors, offsets)

    # ------------------------------------------------------------------------------------------------- piece by piece
    def relu(self, x: GraphSignal) -> GraphSignal:
        """max(x, 0)."""
        return self.emit("Relu", x) if x.plain else self.kept(x, lambda f: _bound(f, _ZERO, None))

    def slopes(self, x: GraphSignal, below: Array) -> GraphSignal:
        """``x``, or ``below * x`` where it is negative."""
        if x.plain and is_short(below):
            return super().slopes(x, below)
        return self.kept(x, Slopes, as_reals(below))

    def absolute(self, x: GraphSignal) -> GraphSignal:
        """|x|."""
        return self.emit("Abs", x) if x.plain else self.kept(x, lambda f: Slopes(f, -_ONE))

    def maximum(self, a: GraphSignal | Array, b: GraphSignal | Array) -> GraphSignal:
        """The larger of two."""
        return self._extreme(a, b, larger=True)

    def minimum(self, a: GraphSignal | Array, b: GraphSignal | Array) -> GraphSignal:
        """The smaller of two."""
        return self._extreme(a, b, larger=False)

    def _extreme(self, a: GraphSignal | Array, b: GraphSignal | Array, larger: bool) -> GraphSignal:
        written = self._written("Max" if larger else "Min", a, b)
        if written is not None:
            return written
        if not isinstance(a, GraphSignal):
            a, b = b, a
        assert isinstance(a, GraphSignal)
        if not isinstance(b, GraphSignal):
            bound = as_reals(b)
            return self.kept(a, lambda f, v: _bound(f, v, None) if larger else _bound(f, None, v), bound)
        if a.name == b.name and a.shape == b.shape:
            if larger:
                return a.stands_for(forms_of(Larger, a.functions(), b.functions()), self.discretiser.node)
            return self.negative(self._extreme(self.negative(a), self.negative(b), larger=True))
        shape = np.broadcast_shapes(a.shape, b.shape)
        a, b = self.stretched(a, shape), self.stretched(b, shape)
        ways = {direction(f, _ZERO, _ZERO) if f == g else None
                for f, g in zip(a.functions().ravel(), b.functions().ravel(), strict=True)}  # fmt: skip
        if len(ways) != 1 or None in ways or not _everywhere(a.functions()):
            a, b = self.plain(a), self.plain(b)
            return self.emit("Max" if larger else "Min", a, b)
        rising = ways.pop() == 1
        bare = [GraphSignal(s.name, s.interval) for s in (a, b)]
        return self.emit("Max" if larger == rising else "Min", *bare).stands_for(a.functions(), a.origin)

    def at_least(self, a: GraphSignal | Array, b: GraphSignal | Array) -> GraphSignal:
        """1 where a >= b, else 0."""
        written = self._written("GreaterOrEqual", a, b)
        if written is not None:
            return written
        if isinstance(a, GraphSignal) and isinstance(b, GraphSignal):
            a, b = self.subtract(a, b), np.array(0.0)
            return self.at_least(a, b)
        if isinstance(a, GraphSignal):
            return self._decide(a, as_reals(b))
        assert isinstance(b, GraphSignal)
        return self._decide(self.negative(b), -as_reals(a))

    def _decide(self, x: GraphSignal, bound: Reals) -> GraphSignal:
        shape = np.broadcast_shapes(x.shape, np.shape(bound))
        x = self.stretched(x, shape)
        bounds = np.broadcast_to(np.asarray(bound, dtype=object), shape)

        def codes(place: tuple[int, ...], form: Expression) -> tuple[Any, Callable[[Fraction], int]]:
            reached = bounds[place]
            return reached, lambda at: at_least(form, at, reached)

        return self.discretiser.written(x, codes, 1.0)

    def count(self, x: GraphSignal, steps: Array) -> GraphSignal:
        """How many thresholds are reached."""
        if x.plain:
            # on the signal's own grid: what reaches one reaches the next number on it
            grid = np.where(x.interval.step == 0, 1.0, x.interval.step)[..., None]
            beyond = (np.maximum(x.interval.high, 0.0)[..., None] / grid + 1) * grid
            below = np.minimum(x.interval.low, 0.0)[..., None]
            steps = np.clip(np.ceil(steps / grid) * grid, below, beyond)
        thresholds = np.broadcast_to(as_reals(steps), (*x.shape, steps.shape[-1]))

        def codes(place: tuple[int, ...], form: Expression) -> tuple[Any, Callable[[Fraction], int]]:
            own = tuple(thresholds[place])
            return own, lambda at: sum(at_least(form, at, t) for t in own)

        return self.discretiser.written(x, codes, 1.0)

    def select(self, choice: GraphSignal, a: GraphSignal | Array, b: GraphSignal | Array) -> GraphSignal:
        """``a`` where ``choice`` is 1, else ``b``."""
        first, second = (self.plain(v) if isinstance(v, GraphSignal) else v for v in (a, b))
        return super().select(self.plain(choice), first, second)

    # ----------------------------------------------------------------------------------------------------- quantisers
    def sign(self, x: GraphSignal, scale: Array) -> GraphSignal:
        """``scale`` where x >= 0, else ``-scale``."""
        if x.plain:
            return self.emit("BipolarQuant", x, scale, domain=QONNX)
        both = self._decide(x, _NONE)
        return self.add(self.multiply(both, np.asarray(2 * scale)), np.asarray(-scale))

    def quantise(self, x: GraphSignal, spec: QuantSpec) -> GraphSignal:
        """Round and fit: thresholds or a table of what is pending."""
        shape = np.broadcast_shapes(x.shape, spec.exponent.shape, spec.bits.shape, np.shape(spec.signed))
        x = self.stretched(x, shape)
        if x.forms is not None and self._is_arithmetic(x):
            x = self.plain(x)
        if x.plain:
            return self._quantised(x, spec)
        low, high, bits, exponent = (np.broadcast_to(v, shape) for v in (spec.low, spec.high, spec.bits, spec.exponent))

        def codes(place: tuple[int, ...], form: Expression) -> tuple[Any, Callable[[Fraction], int]]:
            lowest, highest, size = int(low[place]), int(high[place]), 1 << int(bits[place])
            lsb = Fraction(2) ** int(exponent[place])

            def fitted(at: Fraction) -> int:
                found = code(form, at, lsb, spec.mode)
                if spec.wraps:
                    return (found - lowest) % size + lowest
                return min(max(found, lowest), highest)

            return (lowest, highest, lsb, spec.mode, spec.overflow), fitted

        return self.discretiser.written(x, codes, spec.lsb, spec.wraps)

    def _is_arithmetic(self, x: GraphSignal) -> bool:
        """Whether it is cheaper written: factors and offsets of few bits."""
        parts = [rational(f) for f in x.functions().ravel()]
        values = np.array([float(v) for p in parts if p is not None for v in p])
        if None in parts or any(float(v) != v for p in parts if p is not None for v in p) or not is_short(values):
            return False
        try:
            self.plain(x)
        except UnsupportedError:
            return False
        return True

    def _quantised(self, x: GraphSignal, spec: QuantSpec) -> GraphSignal:
        bits = np.minimum(spec.bits, 32)  # of Floor and the like, which have no bound that bites
        signed = np.asarray(spec.signed)
        if spec.overflow is Overflow.SAT and signed.ndim == 0 and spec.mode.value != "RND":
            return self.emit(
                "Quant", x, least(spec.lsb), np.array(0.0), least(bits.astype(np.float64)), domain=QONNX,
                signed=int(bool(signed)), narrow=int(spec.narrow), rounding_mode=spec.mode.value,
            )  # fmt: skip
        keep = signed.astype(np.float64)
        return self.emit(
            "FixedPoint", x, keep, bits - keep + spec.exponent, -spec.exponent.astype(np.float64), domain=CODESIGN,
            overflow=spec.overflow.value, rounding_mode=spec.mode.value,
        )  # fmt: skip

    def table(self, x: GraphSignal, table: Table) -> GraphSignal:
        """Read a table."""
        signed, exponent = table.low < 0, table.exponent
        width = (table.entries - 1).bit_length()
        return self.emit(
            "Table", self.plain(x), table.values, domain=CODESIGN, k=int(signed), i=width - int(signed) + exponent,
            f=-exponent,
        )  # fmt: skip


def _sum(a: Expression, b: Expression) -> Expression:
    first, second = rational(a), rational(b)
    if first and second:
        return scaled(Variable(), first[0] + second[0], first[1] + second[1])
    return SumOf(a, b)


def _bound(x: Expression, low: Fraction | None, high: Fraction | None) -> Expression:
    return Bounded(x, low, high)


def _everywhere(forms: Reals) -> bool:
    """Whether the direction of all is that of everywhere: no reciprocal in it."""
    return not any("reciprocal" in repr(f) for f in forms.ravel())
