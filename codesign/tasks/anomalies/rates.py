"""Rates of a trigger at the LHC, thresholds that give them, and the smallest that a sample can tell.

A false-positive rate is the share of zero-bias crossings that fire. Crossings of two filled bunches come at the
revolution frequency, 11.245 kHz, times the number of colliding bunches: 2,544 of 2,556 in the standard filling of 2018,
``25ns_2556b_2544_2215_2332_144bpi_20injV3`` (the third number of a scheme's name is that of collisions at CMS, see
https://lpc.web.cern.ch/cgi-bin/fillingSchemeTab.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric
from codesign.statistics import intervals
from codesign.tasks.weighting import Weights, effective, mean, some, sums

__all__ = (
    "CROSSINGS_KHZ",
    "LEAST_EVENTS",
    "RATES",
    "Threshold",
    "efficiency",
    "share",
    "slope",
    "supported",
    "tail_number",
    "threshold_at",
    "told_rates",
)

#: colliding bunches, and their crossings in kHz
COLLIDING_BUNCHES = 2544
CROSSINGS_KHZ = 11.245 * COLLIDING_BUNCHES

#: false-positive rates at which triggers are judged, by how metrics name them
RATES: dict[str, float] = {"1e-2": 1e-2, "1e-3": 1e-3, "1e-4": 1e-4, "1e-5": 1e-5}
#: a rate is told where so many zero-bias events are expected to fire: to a third of itself
LEAST_EVENTS = 9

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Threshold:
    """A threshold for a false-positive rate, and those for one standard deviation more and less of it."""

    value: float
    low: float
    high: float


def supported(events: float) -> list[str]:
    """Names of the rates that so many zero-bias events can tell."""
    return [name for name, rate in RATES.items() if rate * events >= LEAST_EVENTS]


def tail_number(fired: NDArray[np.bool_], weights: Weights = None) -> float:
    """Effective number of all events for the share of those that fire: as many as there were if all had the weight of
    these, the mean of w by w. Where none fires, that of all."""
    total, number = sums(weights, len(fired))[0], len(fired)
    alone = some(weights, fired)
    of_fired, squares = sums(alone, int(fired.sum()))
    return total * of_fired / squares if squares else effective(weights, number)


def told_rates(scores: Scores, weights: Weights = None) -> list[str]:
    """Names of the rates that zero-bias events with these scores can tell: where there are more of the rare kind, with
    smaller weights, smaller ones."""
    if weights is None:
        return supported(len(scores))
    return [
        name
        for name, rate in RATES.items()
        if rate * tail_number(scores >= threshold_at(scores, rate, weights).value, weights) >= LEAST_EVENTS
    ]


def threshold_at(scores: Scores, rate: float, weights: Weights = None) -> Threshold:
    """The least score of these zero-bias events that at most a share ``rate`` of them reaches.

    A trigger fires at or above it. ``low`` and ``high`` are the same for what the counting error of so many events
    allows the rate to be.
    """
    spread = np.sqrt(rate * (1 - rate) / effective(weights, len(scores)))
    return Threshold(*(_least(scores, r, weights) for r in (rate, rate + spread, max(rate - spread, 0.0))))


def _least(scores: Scores, rate: float, weights: Weights) -> float:
    values, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    held = counts if weights is None else np.bincount(places, weights, len(values))
    reached = np.cumsum(held[::-1])[::-1]  # events at or above each value
    allowed = np.flatnonzero(reached <= rate * sums(weights, len(scores))[0])
    # where even the highest score, e.g. one that saturates, comes too often, nothing may fire
    return float(values[allowed[0]]) if len(allowed) else float(np.nextafter(values[-1], np.inf))


def share(fired: NDArray[np.bool_], weights: Weights = None) -> Metric:
    """Share of events that fire (:func:`codesign.statistics.intervals.efficiency`)."""
    return intervals.efficiency(fired, weights)


def efficiency(scores: Scores, threshold: Threshold, weights: Weights = None) -> Metric:
    """Share of signal events that fire; the error counts these events and the finite sample behind the threshold."""
    counted = share(scores >= threshold.value, weights)
    shift = (mean(scores >= threshold.low, weights) - mean(scores >= threshold.high, weights)) / 2
    return Metric(value=counted.value, error=float(np.hypot(counted.error, shift)))


def slope(
    fired: NDArray[np.bool_], pile_up: NDArray[np.float64] | NDArray[np.float32], weights: Weights = None
) -> Metric | None:
    """Relative change of the rate per collision more, at the mean pile-up; None where nothing fires or pile-up is one.

    The straight line through the events (least squares); its error is that of the regression, from the residuals.
    """
    each = np.ones(len(fired)) if weights is None else weights
    x = pile_up.astype(np.float64) - mean(pile_up, weights)
    rate, width = mean(fired, weights), float((each * x**2).sum())
    if not rate or not width:
        return None
    gradient = float((each * x * fired).sum() / width)
    residuals = fired - rate - gradient * x
    error = float(
        np.sqrt((each**2 * residuals**2 * x**2).sum()) / width
    )  # residuals are wider where the rate is higher
    return Metric(value=gradient / rate, error=error / rate)
