"""The domain of exact numbers: float64 arrays whose values all are multiples of a power of two, below 2**53 of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.graph.quantiser import QuantSpec, RoundingMode

__all__ = ("Exact",)

Array = NDArray[np.float64]


def _away(x: Array) -> Array:
    return np.sign(x) * np.ceil(np.abs(x))


def _half_away(x: Array) -> Array:
    return np.sign(x) * np.floor(np.abs(x) + 0.5)


def _half_to_zero(x: Array) -> Array:
    return np.sign(x) * np.ceil(np.abs(x) - 0.5)


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
}


class Exact:
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

    def quantise(self, x: Array, spec: QuantSpec) -> Array:
        """Apply a Quant node."""
        code = _ROUND[spec.mode](x / spec.lsb)
        return np.asarray(np.clip(code, spec.low, spec.high) * spec.lsb)

    def sign(self, x: Array, scale: Array) -> Array:
        """``scale`` where x >= 0, else ``-scale`` (BipolarQuant)."""
        return np.where(x >= 0, scale, -scale)

    def concat(self, parts: Sequence[Array], axis: int) -> Array:
        """Join along an axis other than the events'."""
        return np.concatenate(parts, axis=axis)

    def reshape(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Reshape all but the first axis."""
        return x.reshape(len(x), *shape)

    def transpose(self, x: Array, order: tuple[int, ...]) -> Array:
        """Permute the axes; the first stays."""
        return x.transpose(order)
