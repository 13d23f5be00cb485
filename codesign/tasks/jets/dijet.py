"""Dijet balance: the relative response from momentum balance alone, without any truth (CMS, JINST 12 (2017) P02014,
section 6.1): a tag jet in the barrel, a probe jet anywhere, back to back, with little else in the event."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric
from codesign.statistics import rowwise
from codesign.statistics.replicas import DrawnRows
from codesign.tasks import weighting
from codesign.tasks.jets.response import biases_without_noise
from codesign.tasks.weighting import Weights

__all__ = ("ETA_EDGES", "Balance", "BalanceBins", "balance", "pairs_of")

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
    tag, probe, asymmetry = pairs_of(pt, eta, phi, event)
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


def pairs_of(
    pt: Array, eta: Array, phi: Array, event: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Places of tags and probes among the jets, and the asymmetry of each pair."""
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
    return tag, probe, (pt[probe] - pt[tag]) / (pt[probe] + pt[tag])


@dataclass(frozen=True)
class BalanceBins:
    """Pairs in the bins beyond the tag's own region, where their balance says something.

    In that region tag and probe are exchanged, and the balance is 1 by symmetry. Pairs are of the jets that the sample
    holds: those with a generated partner.
    """

    tags: list[NDArray[np.intp]]
    asymmetries: list[Array]
    errors: list[float]

    @classmethod
    def of(cls, pt: Array, eta: Array, phi: Array, event: NDArray[np.int64], weights: Weights = None) -> BalanceBins:
        """The bins that :func:`balance` gives."""
        tag, probe, asymmetry = pairs_of(pt, eta, phi, event)
        found = cls([], [], [])
        for b in balance(pt, eta, phi, event, weights=weights):
            if b.eta[0] >= TAG_ETA:
                inside = (np.abs(eta[probe]) >= b.eta[0]) & (np.abs(eta[probe]) < b.eta[1])
                found.tags.append(tag[inside])
                found.asymmetries.append(asymmetry[inside])
                found.errors.append(b.response.error)
        return found

    def measure(self, rows: DrawnRows) -> dict[str, Array]:
        """The response of each bin less 1, in some replicas: that of the tag's jet counts for the pair."""
        found = {}
        for number, (tag, asymmetry) in enumerate(zip(self.tags, self.asymmetries, strict=True)):
            mean = rowwise.means(asymmetry, rows.some(tag).weights)
            found[f"balance/{number}"] = (1 + mean) / (1 - mean) - 1
        return found

    def metrics(self, measured: dict[str, Array]) -> dict[str, Array]:
        """``balance_mean``: quadratic mean over the bins of the response's distance from 1, without noise."""
        if not self.tags:
            return {}
        off = np.stack([measured[f"balance/{number}"] for number in range(len(self.tags))], axis=1)
        return {"balance_mean": biases_without_noise(off, np.array(self.errors))["mean"]}
