"""Statistics of events in many replicas at once: ``weights`` is (rows, events) everywhere, and results are (rows,).

Row by row they are those of :mod:`codesign.statistics.weighted`: an event of weight 2 counts as two. NaN where a row
has no event to say it of.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.statistics import row_kernels as kernels

__all__ = (
    "areas",
    "areas_and_rejections",
    "correlations",
    "falling",
    "means",
    "quantiles",
    "shares_above",
    "slopes",
    "thresholds",
)

Array = NDArray[np.float64]


def _divided(number: Array, by: Array) -> Array:
    return np.asarray(number / np.where(by == 0, np.nan, by))


def means(values: NDArray[np.bool_] | Array, weights: Array) -> Array:
    """Mean of values, (events,), or (rows, events) where they differ by row."""
    total = weights.sum(axis=1)
    if values.ndim == 2:
        return _divided(np.einsum("re,re->r", weights, values.astype(np.float64)), total)
    return _divided(weights @ values.astype(np.float64), total)


def quantiles(values: Array, shares: Sequence[float], weights: Array) -> Array:
    """Quantiles at ``shares``, (rows, shares), interpolated in units of each row's smallest weight."""
    at = np.clip(np.asarray(shares, dtype=np.float64), 0, 1)
    whole = np.ascontiguousarray(values, dtype=np.float64)
    return np.asarray(kernels.crossings(weights, np.argsort(whole, kind="stable"), whole, at))


def correlations(one: Array, other: Array, weights: Array) -> Array:
    """Linear correlation of two values of each event."""
    middle = one - one.mean(), other - other.mean()  # the sums below are of small numbers
    a, b = (means(values, weights) for values in middle)
    products = means(middle[0] * middle[1], weights) - a * b
    spreads = (means(middle[0] ** 2, weights) - a**2) * (means(middle[1] ** 2, weights) - b**2)
    return _divided(products, np.sqrt(np.maximum(spreads, 0.0)))


def falling(score: Array) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The events by falling score, and where in that order each run of equal scores ends."""
    order = np.argsort(-score, kind="stable")
    return order, np.append(np.diff(score[order]) != 0, True) if len(score) else np.zeros(0, dtype=bool)


def areas(score: Array, signal: NDArray[np.bool_], weights: Array) -> Array:
    """Area under the ROC curve; ties count one half."""
    return areas_and_rejections(score, signal, (), weights)[0]


def areas_and_rejections(
    score: Array, signal: NDArray[np.bool_], efficiencies: Sequence[float], weights: Array
) -> tuple[Array, Array]:
    """Area under the ROC curve, and background rejection at rising signal efficiencies, (rows, efficiencies).

    The curve is straight within ties; no rejection is more than that of one event of the smallest weight.
    """
    order, ends = falling(score)
    found = kernels.areas_and_background(weights, order, ends, signal, np.asarray(efficiencies, dtype=np.float64))
    return found[:, 0], 1 / found[:, 1:]


def thresholds(score: Array, rates: Sequence[float] | Array, weights: Array) -> Array:
    """The least score that at most a share of the events reaches, (rows, rates); rates may differ by row."""
    order, ends = falling(score)
    shares = np.atleast_2d(np.asarray(rates, dtype=np.float64))
    allowed = shares * weights.sum(axis=1)[:, None]
    above = float(np.nextafter(score.max(), np.inf))
    whole = np.ascontiguousarray(score, dtype=np.float64)
    return np.asarray(kernels.least_scores(weights, order, ends, whole, np.ascontiguousarray(allowed), above))


def shares_above(score: Array, cuts: Array, weights: Array) -> Array:
    """Share of the events with a score of at least each row's cut."""
    return means(score[None, :] >= cuts[:, None], weights)


def slopes(fired: NDArray[np.bool_], along: Array, weights: Array) -> Array:
    """Relative change of the share of events that fire, (rows, events), per unit of ``along``, at its mean; by least
    squares. NaN where nothing fires or ``along`` is one value."""
    x = along[None, :] - means(along, weights)[:, None]
    weighted = weights * x
    gradient = _divided(np.einsum("re,re->r", weighted, fired.astype(np.float64)), (weighted * x).sum(axis=1))
    return _divided(gradient, means(fired, weights))
