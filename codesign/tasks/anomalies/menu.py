"""Single-object triggers, the simplest there are: a cut on one object's pT each, all of them together a menu."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.physics.events.l1_scales import SCALES
from codesign.tasks.anomalies.level1_inputs import columns_of
from codesign.tasks.anomalies.rates import threshold_at
from codesign.tasks.weighting import Weights, mean, some, sums

__all__ = ("OBJECTS", "fires", "ht", "menu_at", "objects", "together_at")

#: jets that count for the total transverse energy of jets: pT in L1 units, |eta| in L1 units (30 GeV and 2.4)
_HT_PT, _HT_ETA = 30 / SCALES["L1Jet"].pt_step, 2.4 / SCALES["L1Jet"].eta_step

OBJECTS = ("jet", "ht", "met", "eg", "muon")

Values = dict[str, NDArray[np.float64]]


def ht(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Sum of the pT of the jets above 30 GeV with \\|eta\\| < 2.4, in L1 units, (events,)."""
    pt, eta = (x[:, columns_of("jet", value)].astype(np.float64) for value in ("pt", "eta"))
    return np.asarray((pt * ((pt >= _HT_PT) & (np.abs(eta) < _HT_ETA))).sum(axis=1))


def objects(x: NDArray[np.floating]) -> Values:
    """What each trigger cuts on, in L1 units, (events,) each, of inputs (events, 57)."""
    hardest = {kind: x[:, columns_of(kind, "pt")[0]].astype(np.float64) for kind in ("jet", "met", "eg", "muon")}
    return {name: ht(x) if name == "ht" else hardest[name] for name in OBJECTS}


def fires(values: Values, cuts: dict[str, float]) -> NDArray[np.bool_]:
    """Whether any of the triggers fires, (events,)."""
    return np.asarray(np.any([values[name] >= cuts[name] for name in OBJECTS], axis=0))


def menu_at(values: Values, rate: float, weights: Weights = None) -> dict[str, float]:
    """Cuts with which all triggers together fire on at most a share ``rate`` of these events, each at the same rate.

    The shares of single triggers are tried in steps of 2 % and the largest is taken.
    """
    cuts = {name: threshold_at(values[name], 0.0, weights).value for name in OBJECTS}
    least = 1 / sums(weights, len(next(iter(values.values()))))[0]
    for each in np.geomspace(max(rate / len(OBJECTS) / 2, least), max(rate, least), 80):
        tried = {name: threshold_at(values[name], float(each), weights).value for name in OBJECTS}
        if mean(fires(values, tried), weights) > rate:
            break
        cuts = tried
    return cuts


def together_at(
    values: Values, scores: NDArray[np.float64], rate: float, weights: Weights = None
) -> tuple[dict[str, float], float]:
    """Cuts of a menu at half the rate, and the anomaly threshold with which both together reach the rate."""
    cuts = menu_at(values, rate / 2, weights)
    free = ~fires(values, cuts)
    allowed = rate - mean(~free, weights)
    every, left = (sums(some(weights, chosen), int(chosen.sum()))[0] for chosen in (np.ones_like(free), free))
    return cuts, threshold_at(scores[free], max(allowed, 0.0) * every / (left or 1), some(weights, free)).value
