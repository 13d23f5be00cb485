"""Dijet balance: the relative response from momentum balance alone, without any truth (CMS, JINST 12 (2017) P02014,
section 6.1): a tag jet in the barrel, a probe jet anywhere, back to back, with little else in the event."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric
from codesign.tasks import weighting
from codesign.tasks.weighting import Weights

__all__ = ("ETA_EDGES", "Balance", "balance", "balance_mean")

Array = NDArray[np.float64]

TAG_ETA = 1.3
ETA_EDGES = (0.0, 0.8, 1.3, 1.9, 2.5, 3.0, 4.7)
#: azimuth between tag and probe, rad; largest pT of a third jet over the average of the two; least average pT, GeV
LEAST_ANGLE, MOST_THIRD, LEAST_PT = 2.7, 0.3, 40.0
_LEAST_PAIRS = 30


@dataclass(frozen=True)
class Balance:
    """Relative response (1 + <A>) / (1 - <A>) of probes in a bin of \\|eta\\|, A = (probe - tag) / (probe + tag)."""

    eta: tuple[float, float]
    pairs: int
    response: Metric


def balance(
    pt: Array,
    eta: Array,
    phi: Array,
    event: NDArray[np.int64],
    eta_edges: Sequence[float] = ETA_EDGES,
    weights: Weights = None,
) -> list[Balance]:
    """Balance of the two leading jets of each event, in bins of the probe's \\|eta\\|.

    ``pt`` [GeV], ``eta``, ``phi`` [rad], ``event``, ``weights``: (jets,), all jets of the events. Where both jets are
    in the barrel each is the probe in turn. The average of the two's pT bins the events: neither is preferred by the
    resolution.
    """
    order = np.lexsort((-pt, event))
    first = np.flatnonzero(np.r_[True, np.diff(event[order]) != 0]) if len(order) else order
    count = np.diff(np.r_[first, len(order)])
    first, count = first[count >= 2], count[count >= 2]
    a, b = order[first], order[first + 1]
    third = np.zeros(len(first))
    has = count >= 3
    third[has] = pt[order[first[has] + 2]]
    average = (pt[a] + pt[b]) / 2
    angle = np.abs(np.angle(np.exp(1j * (phi[a] - phi[b]))))
    good = (angle > LEAST_ANGLE) & (third < MOST_THIRD * average) & (average > LEAST_PT)
    tag, probe = np.r_[a[good], b[good]], np.r_[b[good], a[good]]
    barrel = np.abs(eta[tag]) < TAG_ETA
    tag, probe = tag[barrel], probe[barrel]
    asymmetry = (pt[probe] - pt[tag]) / (pt[probe] + pt[tag])
    found = []
    for low, high in itertools.pairwise(eta_edges):
        inside = (np.abs(eta[probe]) >= low) & (np.abs(eta[probe]) < high)
        own = weighting.some(weights, tag[inside])
        pairs = weighting.effective(own, int(inside.sum()))
        if pairs < _LEAST_PAIRS:
            continue
        mean = weighting.mean(asymmetry[inside], own)
        error = float(weighting.width(asymmetry[inside], own) / np.sqrt(pairs))
        response = Metric(value=(1 + mean) / (1 - mean), error=2 * error / (1 - mean) ** 2)
        found.append(Balance((low, high), int(inside.sum()), response))
    return found


def balance_mean(found: Sequence[Balance]) -> Metric | None:
    """Mean over the bins beyond the tag's region of the response's distance from 1; None where there is none.

    Bins of the tag's own region are left out: there, tag and probe are exchanged, and their balance is 1 by symmetry.
    """
    outside = [b.response for b in found if b.eta[0] >= TAG_ETA]
    if not outside:
        return None
    errors = np.array([m.error for m in outside])
    return Metric(
        value=float(np.mean([abs(m.value - 1) for m in outside])),
        error=float(np.sqrt((errors**2).sum())) / len(outside),
    )
