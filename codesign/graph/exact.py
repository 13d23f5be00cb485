"""The domain of exact numbers: float64 arrays whose values all are multiples of a power of two, below 2**53 of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from codesign.graph.domain import Array, Domain, Taken
from codesign.graph.forest import Forest
from codesign.graph.quantiser import QuantSpec, RoundingMode
from codesign.graph.tables import Table

__all__ = ("Exact",)


def _away(x: Array) -> Array:
    return np.sign(x) * np.ceil(np.abs(x))


def _half_away(x: Array) -> Array:
    return np.sign(x) * np.floor(np.abs(x) + 0.5)


def _half_to_zero(x: Array) -> Array:
    return np.sign(x) * np.ceil(np.abs(x) - 0.5)


def _half_up(x: Array) -> Array:
    return np.floor(x + 0.5)


# written as QONNX defines them, not through codesign.graph.quantiser.Rounding: one checks the other
_ROUND: dict[RoundingMode, Callable[[Array], Array]] = {
    RoundingMode.ROUND: np.rint,
    RoundingMode.HALF_EVEN: np.rint,
    RoundingMode.FLOOR: np.floor,
    RoundingMode.CEIL: np.ceil,
    RoundingMode.DOWN: np.trunc,
    RoundingMode.UP: _away,
    RoundingMode.HALF_UP: _half_away,
    RoundingMode.HALF_DOWN: _half_to_zero,
    RoundingMode.RND: _half_up,
}


class Exact(Domain[Array]):
    """Arithmetic on values, (events, ...) float64."""

    def add(self, a: Array, b: Array) -> Array:
        """Elementwise sum."""
        return a + b

    def multiply(self, a: Array, b: Array) -> Array:
        """Elementwise product."""
        return a * b

    def square(self, x: Array) -> Array:
        """Elementwise square."""
        return np.square(x)

    def matmul(self, a: Array, b: Array) -> Array:
        """Matrix product."""
        return a @ b

    def relu(self, x: Array) -> Array:
        """max(x, 0)."""
        return np.maximum(x, 0.0)

    def maximum(self, a: Array, b: Array) -> Array:
        """The larger of two."""
        return np.maximum(a, b)

    def minimum(self, a: Array, b: Array) -> Array:
        """The smaller of two."""
        return np.minimum(a, b)

    def at_least(self, a: Array, b: Array) -> Array:
        """1 where a >= b, else 0."""
        return (a >= b).astype(np.float64)

    def select(self, choice: Array, a: Array, b: Array) -> Array:
        """``a`` where ``choice`` is 1, else ``b``."""
        return np.where(choice != 0, a, b)

    def decide(self, x: Array, forest: Forest) -> Array:
        """What each tree gives: from its root, a branch at a time."""
        reached = np.take(x, forest.features, axis=1) >= forest.thresholds
        at = np.tile(forest.roots, (len(x), 1))
        for _ in range(int(forest.level.max())):
            here = np.maximum(at, 0)
            turn = np.take_along_axis(reached, forest.comparator[here], axis=1)
            at = np.where(at < 0, at, np.where(turn, forest.reached[here], forest.below[here]))
        return np.asarray(forest.constants[~at])

    def largest(self, x: Array) -> Array:
        """Maximum over the last axis."""
        return np.asarray(x.max(axis=-1, keepdims=True))

    def quantise(self, x: Array, spec: QuantSpec) -> Array:
        """Apply a quantiser."""
        return spec.fit(_ROUND[spec.mode](x / spec.lsb)) * spec.lsb

    def sign(self, x: Array, scale: Array) -> Array:
        """``scale`` where x >= 0, else ``-scale`` (BipolarQuant)."""
        return np.where(x >= 0, scale, -scale)

    def count(self, x: Array, steps: Array) -> Array:
        """How many thresholds are reached."""
        return np.asarray((x[..., None] >= steps).sum(axis=-1), dtype=np.float64)

    def table(self, x: Array, table: Table) -> Array:
        """Read a table."""
        return table.of(x)

    def concat(self, parts: Sequence[Array], axis: int) -> Array:
        """Join along an axis other than the events'."""
        if axis == 0:
            return np.concatenate(parts)
        events = max(len(p) for p in parts)
        return np.concatenate([np.broadcast_to(p, (events, *p.shape[1:])) for p in parts], axis=axis)

    def reshape(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Reshape all but the first axis."""
        return x.reshape(len(x), *shape)

    def transpose(self, x: Array, order: tuple[int, ...]) -> Array:
        """Permute the axes; the first stays."""
        return x.transpose(order)

    def take(self, x: Array, places: Taken, axis: int) -> Array:
        """Elements of an axis."""
        return np.take(x, places, axis=axis)
