"""Turn-on of a jet trigger against the offline pT, at a fixed rate.

The rate is that of jets over the threshold, in a spectrum that falls as pT^-5 (as QCD's does around 100 GeV: CMS, JHEP
02 (2022) 142): the sample's jets are given the weights that make it so. What is compared at one rate is compared at
the price that a trigger pays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr
from scipy.stats import norm

from codesign.core.records import Metric
from codesign.tasks.weighting import Weights, effective, mean, some

__all__ = ("OFFLINE_PT", "efficiency", "spectrum_weights", "threshold", "turn_on")

Array = NDArray[np.float64]

#: the fixed rate is that of the offline jets above this pT, GeV
OFFLINE_PT = 100.0
_POWER = 5
_BINS_PER_OCTAVE = 4


def spectrum_weights(pt: Array, events: Weights = None) -> Array:
    """Weights after which jets with reference pT (GeV), and weights of their ``events``, are spread as pT^-5, in steps
    of a quarter octave."""
    place = np.floor(_BINS_PER_OCTAVE * np.log2(pt)).astype(np.int64)
    _, where, counts = np.unique(place, return_inverse=True, return_counts=True)
    # per unit of log pT the spectrum falls with one power less
    held = counts if events is None else np.bincount(where, events)
    weights = pt ** (1.0 - _POWER) / held[where] * (1.0 if events is None else events)
    return np.asarray(weights / weights.sum())


def threshold(corrected: Array, offline: Array, reference: Array, events: Weights = None) -> float:
    """Threshold on the corrected pT (GeV) that passes jets at the rate of the offline jets above ``OFFLINE_PT``.

    ``offline``: pT, or -1 where a jet has no offline partner; ``reference``: pT by which jets are weighted; ``events``:
    weights of their events.
    """
    weights = spectrum_weights(reference, events)
    rate = weights[offline > OFFLINE_PT].sum()
    order = np.argsort(-corrected, kind="stable")
    passed = np.cumsum(weights[order])
    last = int(np.clip(np.searchsorted(passed, rate), 0, len(order) - 1))
    return float(corrected[order[last]])


def turn_on(passed: NDArray[np.bool_], offline: Array, weights: Weights = None) -> dict[str, Metric]:
    """``turn_on_95``: offline pT (GeV) at 95 % efficiency; ``turn_on_width``: relative width. Both the smaller the
    better at one rate.

    From a normal distribution of ln pT fitted to pass and fail by maximum likelihood, without bins; errors from the
    second derivatives, of weighted events with the squares of their weights between (the sandwich estimator). Empty
    where the jets do not span the turn-on.
    """
    near = (offline > 0.4 * OFFLINE_PT) & (offline < 3 * OFFLINE_PT)
    x, won = np.log(offline[near]), passed[near]
    if won.sum() < 20 or (~won).sum() < 20:
        return {}
    each = np.ones(len(x)) if weights is None else weights[near]
    sign = np.where(won, 1.0, -1.0)

    def loss(p: Array) -> float:
        return -float((each * log_ndtr(sign * (x - p[0]) * np.exp(-p[1]))).sum())

    found = minimize(loss, np.array([np.log(OFFLINE_PT), np.log(0.15)]), method="Nelder-Mead", options={"xatol": 1e-6})
    middle, log_width = found.x
    width = float(np.exp(log_width))
    z = (x - middle) / width
    chance = np.clip(norm.cdf(z), 1e-12, 1 - 1e-12)
    information = norm.pdf(z) ** 2 / (chance * (1 - chance))
    slopes = np.stack([np.full_like(z, -1 / width), -z])  # of z by the middle and by log width
    covariance = np.linalg.inv((slopes * each * information) @ slopes.T)
    if weights is not None:
        covariance = covariance @ ((slopes * each**2 * information) @ slopes.T) @ covariance
    at = float(norm.ppf(0.95))
    gradient = np.array([1.0, at * width])
    point = float(np.exp(middle + at * width))
    return {
        "turn_on_95": Metric(value=point, error=point * float(np.sqrt(gradient @ covariance @ gradient))),
        "turn_on_width": Metric(value=width, error=width * float(np.sqrt(covariance[1, 1]))),
    }


def efficiency(
    passed: NDArray[np.bool_], offline: Array, edges: Array, least: int = 10, weights: Weights = None
) -> tuple[Array, ...]:
    """Offline pT, efficiency and its Wilson interval of one standard deviation, of each bin with ``least`` jets."""
    where = np.digitize(offline, edges) - 1
    rows = []
    for number in range(len(edges) - 1):
        inside = where == number
        own = some(weights, inside)
        n = effective(own, int(inside.sum()))
        if n < least:
            continue
        share = mean(passed[inside], own)
        middle = (share + 1 / (2 * n)) / (1 + 1 / n)
        half = np.sqrt(share * (1 - share) / n + 1 / (4 * n * n)) / (1 + 1 / n)
        rows.append((mean(offline[inside], own), share, max(middle - half, 0.0), min(middle + half, 1.0)))
    return tuple(np.array(column) for column in zip(*rows, strict=True)) if rows else (np.empty(0),) * 4
