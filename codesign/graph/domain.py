"""What a graph is run over: exact numbers, intervals, a compiler's signals, code that is written.

A :class:`Domain` implements a few primitives. Whatever else an operator needs has one composition of them here, which a
domain may replace by a better form of its own (``square``, ``maximum``, ``select``, ...);
:mod:`codesign.testing.domain_tests` compares both. Structure is the same for all that is array-like
(:class:`codesign.graph.arrays.Arrays`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeAlias, TypeGuard, TypeVar

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.graph.forest import Forest
from codesign.graph.quantiser import QuantSpec

if TYPE_CHECKING:
    from codesign.graph.reals import Reals
    from codesign.graph.tables import Table

__all__ = ("Array", "Domain", "Shaped", "Taken")

Array: TypeAlias = NDArray[np.float64]
#: places along an axis, of any shape
Taken: TypeAlias = NDArray[np.int64]


class Shaped(Protocol):
    """A signal: its first axis holds the events (any number of exact ones, 1 in hardware)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""


S = TypeVar("S", bound=Shaped)


def _is_float(x: Shaped) -> TypeGuard[Array]:
    """Whether something is plain numbers: a constant, or the exact domain's signal, which adds like one."""
    return isinstance(x, np.ndarray) and x.dtype.kind != "O"


class Domain(ABC, Generic[S]):
    """The arithmetic of one kind of signal.

    Constants are float64 arrays that broadcast against signals, the events' axis never among what they stretch. Of two
    operands at least one is a signal.
    """

    #: whether factors and offsets may be any real numbers, and functions those of real numbers
    rational: ClassVar[bool] = False

    # ------------------------------------------------------------------------------------------------------ primitives
    @abstractmethod
    def add(self, a: S | Array, b: S | Array) -> S:
        """Elementwise sum."""

    @abstractmethod
    def multiply(self, a: S | Array, b: S | Array) -> S:
        """Elementwise product."""

    @abstractmethod
    def matmul(self, a: S, b: Array) -> S:
        """Product of a signal (events, ..., n) and constant matrices (..., n, m)."""

    @abstractmethod
    def relu(self, x: S) -> S:
        """max(x, 0)."""

    @abstractmethod
    def quantise(self, x: S, spec: QuantSpec) -> S:
        """Round, and saturate or wrap."""

    @abstractmethod
    def sign(self, x: S, scale: Array) -> S:
        """``scale`` where x >= 0, else ``-scale``."""

    @abstractmethod
    def table(self, x: S, table: Table) -> S:
        """A finite function of a code; UnsupportedError where x may be none of the table's codes."""

    # ------------------------------------------------------------------------------------------------------- structure
    @abstractmethod
    def concat(self, parts: Sequence[S | Array], axis: int) -> S:
        """Join along an axis other than the events'; a constant (1, ...) is the same for every event."""

    @abstractmethod
    def reshape(self, x: S, shape: tuple[int, ...]) -> S:
        """Give all axes but the events' the lengths ``shape``."""

    @abstractmethod
    def transpose(self, x: S, order: tuple[int, ...]) -> S:
        """Permute the axes; the events' stays first."""

    @abstractmethod
    def take(self, x: S, places: Taken, axis: int) -> S:
        """Elements at ``places`` of an axis, in whose stead the axes of ``places`` come; as numpy.take."""

    # ------------------------------------------------------------------------------------------------- of real numbers
    def scale(self, x: S, factor: Reals, offset: Reals) -> S:
        """``factor * x + offset``, of any real numbers."""
        raise UnsupportedError(
            "a factor that is no power of two has no exact hardware here but as the thresholds of the quantiser behind "
            "it; import the file with the types of its inputs (codesign import)"
        )

    def apply(self, x: S, function: str) -> S:
        """A function by its name in ``reals.FUNCTIONS``."""
        raise UnsupportedError(
            f"{function} is a function of real numbers, and exact only as a table between two quantisers; give it one "
            "in front and one behind, and import the file with the types of its inputs (codesign import)"
        )

    def held(self, x: S) -> S:
        """The signal itself, of which several functions are to be put together again: nothing is written in between."""
        return x

    # ---------------------------------------------------------------------------------------------------- compositions
    def count(self, x: S, steps: Array) -> S:
        """How many of ``steps`` x reaches: (..., number), before the last the axes of x, the events' of length 1."""
        shape, number = tuple(x.shape[1:]), steps.shape[-1]
        wide = self.reshape(x, (*shape, 1))
        # once beside each of its thresholds
        beside = self.reshape(self.take(wide, np.zeros(number, np.int64), len(shape) + 1), (*shape, number))
        return self.reshape(self.total(self.at_least(beside, steps)), shape)

    def slopes(self, x: S, below: Array) -> S:
        """``x``, or ``below * x`` where it is negative."""
        return self.add(self.relu(x), self.multiply(self.relu(self.negative(x)), -below))

    def square(self, x: S) -> S:
        """Elementwise square."""
        return self.multiply(x, x)

    def negative(self, x: S) -> S:
        """-x."""
        return self.multiply(x, np.array(-1.0))

    def subtract(self, a: S | Array, b: S | Array) -> S:
        """a - b."""
        if isinstance(b, np.ndarray) and b.dtype.kind != "O":  # numbers: a constant, or exact signals, which are such
            return self.add(a, -b)
        return self.add(a, self.negative(b))  # type: ignore[arg-type]

    def maximum(self, a: S, b: S | Array) -> S:
        """The larger of two, elementwise."""
        return self.add(self.relu(self.subtract(a, b)), b)

    def minimum(self, a: S, b: S | Array) -> S:
        """The smaller of two, elementwise."""
        return self.subtract(a, self.relu(self.subtract(a, b)))

    def absolute(self, x: S) -> S:
        """|x|."""
        return self.add(self.relu(x), self.relu(self.negative(x)))

    def at_least(self, a: S | Array, b: S | Array) -> S:
        """1 where a >= b, else 0."""
        return self.add(self.sign(self.subtract(a, b), np.array(0.5)), np.array(0.5))

    def reaches(self, x: S, threshold: Array) -> S:
        """1 where x >= a constant, which may be any number, also one between two that x can be; else 0."""
        return self.at_least(x, threshold)

    def decide(self, x: S, forest: Forest) -> S:
        """What each tree gives, (events, trees), of x (events, features); no root of the forest is a constant."""
        return forest.over(self, x)

    def select(self, choice: S, a: S | Array, b: S | Array) -> S:
        """``a`` where ``choice`` is 1, ``b`` where it is 0."""
        if _is_float(a) and _is_float(b):
            return self.add(self.multiply(choice, a - b), b)
        return self.add(self.multiply(choice, self.subtract(a, b)), b)

    def total(self, x: S) -> S:
        """Sum over the last axis, which stays with length 1."""
        return self.matmul(x, np.ones((x.shape[-1], 1)))

    def largest(self, x: S) -> S:
        """Maximum over the last axis, which stays with length 1: a tree."""
        while (length := x.shape[-1]) > 1:
            pairs = length // 2 * 2
            first, second = (self.take(x, np.arange(start, pairs, 2), len(x.shape) - 1) for start in (0, 1))
            larger = self.maximum(first, second)
            odd = [self.take(x, np.array([length - 1]), len(x.shape) - 1)] if length % 2 else []
            x = self.concat([larger, *odd], len(x.shape) - 1) if odd else larger
        return x
