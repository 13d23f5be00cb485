"""A menu of plain triggers: cuts on one object's pT, and on those of two or four objects at once, as every menu has.

Of two objects the softer one is cut on, of four jets the softest (in 2024's menu: L1_DoubleMu_15_7, L1_DoubleEG_25_12,
L1_QuadJet, of CMS's L1 menus: https://twiki.cern.ch/twiki/bin/view/CMSPublic/L1TriggerDPGResults).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from codesign.physics.events.l1_scales import SCALES
from codesign.statistics import rowwise
from codesign.statistics.row_kernels import tail_shares
from codesign.tasks.anomalies.level1_inputs import columns_of

__all__ = ("OBJECTS", "fires", "fires_by_row", "ht", "menus", "menus_and_score", "objects")

#: jets that count for the total transverse energy of jets: pT in L1 units, |eta| in L1 units (30 GeV and 2.4)
_HT_PT, _HT_ETA = 30 / SCALES["L1Jet"].pt_step, 2.4 / SCALES["L1Jet"].eta_step

#: names of the triggers: the object that each cuts on
OBJECTS = ("jet", "ht", "met", "eg", "muon", "double_muon", "double_eg", "quad_jet")
#: of those that want several objects: the object, and the place of the softest
_SEVERAL = {"double_muon": ("muon", 1), "double_eg": ("eg", 1), "quad_jet": ("jet", 3)}
#: steps in which the share of a single trigger is tried
_STEPS = 80

Array = NDArray[np.float64]
Values = dict[str, Array]


def ht(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Sum of the pT of the jets above 30 GeV with \\|eta\\| < 2.4, in L1 units, (events,)."""
    pt, eta = (x[:, columns_of("jet", value)].astype(np.float64) for value in ("pt", "eta"))
    return np.asarray((pt * ((pt >= _HT_PT) & (np.abs(eta) < _HT_ETA))).sum(axis=1))


def objects(x: NDArray[np.floating]) -> Values:
    """What each trigger cuts on, in L1 units, (events,) each, of inputs (events, 57)."""
    hardest = {kind: (kind, 0) for kind in ("jet", "met", "eg", "muon")}
    found = {
        name: x[:, columns_of(kind, "pt")[place]].astype(np.float64)
        for name, (kind, place) in (hardest | _SEVERAL).items()
    }
    return {name: ht(x) if name == "ht" else found[name] for name in OBJECTS}


def fires(values: Values, cuts: Mapping[str, float]) -> NDArray[np.bool_]:
    """Whether any of the triggers fires, (events,). One without a cut, which a menu of old does not have, does not."""
    return np.asarray(np.any([values[name] >= cuts[name] for name in OBJECTS if name in cuts], axis=0))


def fires_by_row(values: Values, cuts: Mapping[str, Array]) -> NDArray[np.bool_]:
    """The same with cuts (rows,) that differ by replica, (rows, events)."""
    first = next(iter(values.values()))
    found = np.zeros((len(next(iter(cuts.values()))), len(first)), dtype=bool)
    for name in (name for name in OBJECTS if name in cuts):
        found |= values[name][None, :] >= cuts[name][:, None]
    return found


def menus(values: Values, rate: float, weights: Array) -> dict[str, Array]:
    """Cuts, (rows,) each, with which all triggers together fire on at most a share ``rate`` of each replica of these
    events, ``weights`` (rows, events), each trigger alone at the same rate.

    The shares of single triggers are tried in steps of 2 to 4 % and the largest is taken.
    """
    falling = [rowwise.falling(values[name]) for name in OBJECTS]
    orders, ends = (np.stack([f[i] for f in falling]) for i in (0, 1))
    share, total = tail_shares(weights, orders, ends), weights.sum(axis=1)
    least = 1 / max(float(total[0]), 1.0)
    tried = np.append(0.0, np.geomspace(max(rate / len(OBJECTS) / 2, least), max(rate, least), _STEPS))
    low, high = (np.full(len(weights), end) for end in (0, _STEPS))
    while (low < high).any():  # the rate of all rises with that of each
        middle = (low + high + 1) // 2
        reached = ((share <= tried[middle][:, None] * (1 + 1e-12)) * weights).sum(axis=1)
        within = reached <= rate * total * (1 + 1e-12)
        low, high = np.where(within, middle, low), np.where(within, high, middle - 1)
    each = tried[low][:, None] * (1 + 1e-12)
    return {name: rowwise.thresholds(values[name], each, weights)[:, 0] for name in OBJECTS}


def menus_and_score(values: Values, score: Array, rate: float, weights: Array) -> tuple[dict[str, Array], Array]:
    """Cuts of a menu at half the rate, and the threshold on a score with which both together reach the rate."""
    cuts = menus(values, rate / 2, weights)
    free = weights * ~fires_by_row(values, cuts)
    total, left = weights.sum(axis=1), free.sum(axis=1)
    allowed = np.maximum(rate * total - (total - left), 0.0)
    return cuts, rowwise.thresholds(score, (allowed / np.where(left == 0, 1, left))[:, None], free)[:, 0]
