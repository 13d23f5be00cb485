"""Turn-on of a jet trigger against the offline pT, at a fixed rate.

The rate is that of jets over the threshold, in a spectrum that falls as pT^-5 (as QCD's does around 100 GeV: CMS, JHEP
02 (2022) 142): the sample's jets are given the weights that make it so. What is compared at one rate is compared at
the price that a trigger pays.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from codesign.statistics import intervals
from codesign.tasks.weighting import Weights, effective, mean, some

__all__ = ("OFFLINE_PT", "efficiency", "spectrum_weights", "threshold", "thresholds", "turn_ons")

Array = NDArray[np.float64]

#: the fixed rate is that of the offline jets above this pT, GeV
OFFLINE_PT = 100.0
_POWER = 5
_BINS_PER_OCTAVE = 4
#: of the fit: jets on each side at least, steps at most, and how large and how small a step is
_LEAST, _STEPS, _MOST_STEP, _CLOSE = 20, 40, 0.5, 1e-7


def spectrum_weights(pt: Array, events: Weights = None) -> Array:
    """Weights after which jets with reference pT (GeV), and weights of their ``events``, are spread as pT^-5, in steps
    of a quarter octave."""
    place = np.floor(_BINS_PER_OCTAVE * np.log2(pt)).astype(np.int64)
    _, where, counts = np.unique(place, return_inverse=True, return_counts=True)
    # per unit of log pT the spectrum falls with one power less
    held = counts if events is None else np.bincount(where, events)
    weights = pt ** (1.0 - _POWER) / held[where] * (1.0 if events is None else events)
    return np.asarray(weights / weights.sum())


def thresholds(corrected: Array, offline: Array, reference: Array, weights: Array) -> Array:
    """Threshold on the corrected pT (GeV), (rows,), that passes jets at the rate of the offline jets above
    ``OFFLINE_PT``, in every replica of the jets, ``weights`` (rows, jets).

    ``offline``: pT, or -1 where a jet has no offline partner; ``reference``: pT by which jets are weighted.
    """
    place = np.floor(_BINS_PER_OCTAVE * np.log2(reference)).astype(np.int64)
    _, where = np.unique(place, return_inverse=True)
    held = weights @ np.eye(where.max() + 1)[where]
    spectrum = weights * reference ** (1.0 - _POWER) / np.where(held == 0, 1, held)[:, where]
    rate = spectrum[:, offline > OFFLINE_PT].sum(axis=1)
    order = np.argsort(-corrected, kind="stable")
    passed = np.cumsum(spectrum[:, order], axis=1)
    last = np.minimum((passed < rate[:, None] * (1 - 1e-12)).sum(axis=1), len(order) - 1)
    return np.asarray(corrected[order[last]])


def threshold(corrected: Array, offline: Array, reference: Array, events: Weights = None) -> float:
    """The same of the jets as they are, with weights of their ``events``."""
    own = np.ones(len(reference)) if events is None else events
    return float(thresholds(corrected, offline, reference, own[None, :])[0])


def turn_ons(passed: NDArray[np.bool_], offline: Array, weights: Array) -> dict[str, Array]:
    """``turn_on_95``: offline pT (GeV) at 95 % efficiency; ``turn_on_width``: relative width; (rows,) each, of jets
    that ``passed`` (rows, jets) with ``weights`` (rows, jets). Both the smaller the better at one rate.

    From a normal distribution of ln pT fitted to pass and fail by maximum likelihood, without bins (Fisher's scoring).
    Empty where the jets do not span the turn-on; NaN in a replica that has none.
    """
    from scipy.special import ndtr  # a quarter of a process' start, and few judge a turn-on

    near = (offline > 0.4 * OFFLINE_PT) & (offline < 3 * OFFLINE_PT)
    x, won, each = np.log(offline[near]), passed[:, near], weights[:, near]
    if (won[0] & (each[0] > 0)).sum() < _LEAST or (~won[0] & (each[0] > 0)).sum() < _LEAST:
        return {}
    sign = np.where(won, 1.0, -1.0)
    middle, log_width = np.full(len(each), np.log(OFFLINE_PT)), np.full(len(each), np.log(0.15))
    for _ in range(_STEPS):
        width = np.exp(log_width)[:, None]
        z = np.clip((x - middle[:, None]) / width, -30, 30)
        density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        chance = np.clip(ndtr(z), 1e-12, 1 - 1e-12)
        pull = each * sign * density / np.where(won, chance, 1 - chance)
        information = each * density**2 / (chance * (1 - chance))
        down = np.stack([-(pull / width).sum(axis=1), -(pull * z).sum(axis=1)], axis=1)
        a = (information / width**2).sum(axis=1)
        b = (information * z / width).sum(axis=1)
        c = (information * z * z).sum(axis=1)
        determinant = np.maximum(a * c - b * b, 1e-300)
        step = np.stack([c * down[:, 0] - b * down[:, 1], a * down[:, 1] - b * down[:, 0]], axis=1)
        step = np.clip(step / determinant[:, None], -_MOST_STEP, _MOST_STEP)
        middle, log_width = middle + step[:, 0], np.clip(log_width + step[:, 1], -8, 2)
        if np.abs(step).max() < _CLOSE:
            break
    at = np.exp(log_width) * NormalDist().inv_cdf(0.95)
    lost = (each.sum(axis=1) == 0) | ~np.isfinite(middle)
    return {
        "turn_on_95": np.where(lost, np.nan, np.exp(middle + at)),
        "turn_on_width": np.where(lost, np.nan, np.exp(log_width)),
    }


def efficiency(
    passed: NDArray[np.bool_], offline: Array, edges: Array, least: int = 10, weights: Weights = None
) -> tuple[Array, ...]:
    """Offline pT, efficiency and its interval of one standard deviation, of each bin with ``least`` jets."""
    where = np.digitize(offline, edges) - 1
    rows = []
    for number in range(len(edges) - 1):
        inside = where == number
        own = some(weights, inside)
        n = effective(own, int(inside.sum()))
        if n < least:
            continue
        found = intervals.of_share(mean(passed[inside], own), n)
        rows.append((mean(offline[inside], own), found.value, found.low, found.high))
    return tuple(np.array(column) for column in zip(*rows, strict=True)) if rows else (np.empty(0),) * 4
