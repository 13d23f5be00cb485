"""Statistics of events with weights: an event of weight 2 counts as two, and errors go by the effective number.

The effective number of events is (sum of w)^2 / (sum of w^2) (Kish, Survey Sampling, 1965): so many events of equal
weight have the same relative error. Weights are (events,) float64, or None where all events count alike. A negative one
counts with its sign in sums; in a quantile, the sum of weights up to a value never falls.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = (
    "Weights",
    "correlation",
    "effective",
    "mean",
    "median",
    "moments",
    "quantile",
    "some",
    "sums",
    "width",
)

Array = NDArray[np.float64]
Weights: TypeAlias = Array | None


def some(weights: Weights, which: NDArray[np.bool_] | NDArray[np.int64]) -> Weights:
    """The weights of some events, by a mask or their places."""
    return None if weights is None else weights[which]


def sums(weights: Weights, number: int) -> tuple[float, float]:
    """The sum of the weights and of their squares."""
    return (float(number),) * 2 if weights is None else (float(weights.sum()), float((weights**2).sum()))


def effective(weights: Weights, number: int) -> float:
    """Effective number of so many events; 0 of none."""
    total, squares = sums(weights, number)
    return total**2 / squares if squares else 0.0


def mean(values: NDArray[np.bool_] | NDArray[np.float64] | NDArray[np.float32], weights: Weights) -> float:
    """Mean of values (events,)."""
    if weights is None:
        return float(np.mean(values))
    return float((weights * values).sum() / weights.sum())


def width(values: Array, weights: Weights) -> float:
    """Standard deviation of values (events,), with the number of events in the denominator."""
    if weights is None:
        return float(values.std())
    return float(np.sqrt(max(mean((values - mean(values, weights)) ** 2, weights), 0.0)))


def moments(values: Array, weights: Weights) -> tuple[Array, Array]:
    """Mean and standard deviation of each column of (events, n)."""
    if weights is None:
        return values.mean(axis=0), values.std(axis=0)
    each = (weights / weights.sum())[:, None]
    middle = (each * values).sum(axis=0)
    return middle, np.sqrt(np.maximum((each * (values - middle) ** 2).sum(axis=0), 0.0))


def correlation(one: Array, other: Array, weights: Weights) -> float:
    """Linear correlation of two values of each event."""
    if weights is None:
        return float(np.corrcoef(one, other)[0, 1])
    a, b = one - mean(one, weights), other - mean(other, weights)
    return mean(a * b, weights) / float(np.sqrt(mean(a * a, weights) * mean(b * b, weights)))


def quantile(values: Array, shares: Array, weights: Weights) -> Array:
    """Quantiles at ``shares``, interpolated as numpy's default is, in units of the smallest weight."""
    if weights is None:
        return np.asarray(np.quantile(values, shares))
    order = np.argsort(values, kind="stable")
    ordered, filled = values[order], np.maximum.accumulate(np.cumsum(weights[order]))
    unit = float(np.abs(weights[weights != 0]).min())
    place = np.clip(shares, 0, 1) * max(float(filled[-1]) / unit - 1, 0.0)
    first = np.floor(place + 1e-9)
    low, high = (
        ordered[np.minimum(np.searchsorted(filled, (first + more) * unit), len(ordered) - 1)] for more in (0.5, 1.5)
    )
    return np.asarray(low + np.maximum(place - first, 0.0) * (high - low))


def median(values: Array, weights: Weights) -> float:
    """The quantile at a half."""
    return float(np.median(values)) if weights is None else float(quantile(values, np.array([0.5]), weights)[0])
