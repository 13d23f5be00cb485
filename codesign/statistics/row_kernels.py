"""Loops over replicas, compiled: ``weights`` is (rows, events) float64, ``order`` the events by their score.

``ends`` marks the last event of each run of equal scores in that order.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ("areas_and_background", "crossings", "least_scores", "tail_shares")

Array = NDArray[np.float64]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def areas_and_background(
    weights: Array,
    order: NDArray[np.intp],
    ends: NDArray[np.bool_],
    signal: NDArray[np.bool_],
    efficiencies: Array,
) -> Array:
    """Area under the ROC curve, and the background efficiency at each signal efficiency, (rows, 1 + efficiencies).

    ``order`` is by falling score. Within ties the curve is straight. A background efficiency is at least that of the
    event of the smallest weight; NaN where a row lacks a class.
    """
    found = np.full((len(weights), 1 + len(efficiencies)), np.nan)
    for row in range(len(weights)):
        of_signal = of_background = 0.0
        least = np.inf
        for place in order:
            weight = weights[row, place]
            if signal[place]:
                of_signal += weight
            else:
                of_background += weight
                if 0 < weight < least:
                    least = weight
        if of_signal <= 0 or of_background <= 0:
            continue
        above = beyond = own = other = area = 0.0
        reached = 0
        for number in range(len(order)):
            place = order[number]
            if signal[place]:
                own += weights[row, place]
            else:
                other += weights[row, place]
            if not ends[number]:
                continue
            area += other * (above + own / 2)
            while reached < len(efficiencies) and above + own >= efficiencies[reached] * of_signal * (1 - 1e-12):
                share = (efficiencies[reached] * of_signal - above) / own if own > 0 else 0.0
                passed = max(beyond + other * max(share, 0.0), least)
                found[row, 1 + reached] = passed / of_background
                reached += 1
            above += own
            beyond += other
            own = other = 0.0
        found[row, 0] = area / (of_signal * of_background)
    return found


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def crossings(weights: Array, order: NDArray[np.intp], values: Array, shares: Array) -> Array:
    """Quantiles of values at rising ``shares``, (rows, shares); ``order`` is by rising value.

    As numpy's default of every value taken as often as its weight says, in units of the row's smallest weight.
    """
    found = np.full((len(weights), len(shares)), np.nan)
    size = len(order)
    filled = np.empty(size)
    for row in range(len(weights)):
        unit, total, most = np.inf, 0.0, 0.0
        for number in range(size):
            weight = weights[row, order[number]]
            if weight != 0 and abs(weight) < unit:
                unit = abs(weight)
            total += weight
            most = max(most, total)
            filled[number] = most
        if not np.isfinite(unit) or size == 0:
            continue
        for which in range(len(shares)):
            place = shares[which] * max(filled[size - 1] / unit - 1, 0.0)
            first = np.floor(place + 1e-9)
            low = min(np.searchsorted(filled, (first + 0.5) * unit), size - 1)
            high = min(np.searchsorted(filled, (first + 1.5) * unit), size - 1)
            below, above = values[order[low]], values[order[high]]
            found[row, which] = below + max(place - first, 0.0) * (above - below)
    return found


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def least_scores(
    weights: Array, order: NDArray[np.intp], ends: NDArray[np.bool_], scores: Array, allowed: Array, above: float
) -> Array:
    """The least score at or above which is at most the weight ``allowed`` of each row and column, (rows, columns).

    ``order`` is by falling score; ``above`` where even the highest score has more.
    """
    found = np.full(allowed.shape, above)
    for row in range(len(weights)):
        reached = 0.0
        for number in range(len(order)):
            reached += weights[row, order[number]]
            if ends[number]:
                open_ = False
                for column in range(allowed.shape[1]):
                    if reached <= allowed[row, column]:
                        found[row, column] = scores[order[number]]
                        open_ = True
                if not open_:
                    break
    return found


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def tail_shares(weights: Array, orders: NDArray[np.intp], ends: NDArray[np.bool_]) -> Array:
    """The smallest share of a row's weight that any of some scores leaves at or above each event, (rows, events).

    ``orders`` (scores, events): the events by each falling score; ``ends`` likewise.
    """
    found = np.full(weights.shape, np.inf)
    for row in range(len(weights)):
        total = weights[row].sum()
        for kind in range(len(orders)):
            reached, begin = 0.0, 0
            for number in range(orders.shape[1]):
                reached += weights[row, orders[kind, number]]
                if ends[kind, number]:
                    share = reached / total if total > 0 else np.inf
                    for place in orders[kind, begin : number + 1]:
                        found[row, place] = min(found[row, place], share)
                    begin = number + 1
    return found
