"""Response of jets, corrected over reference pT: median and resolution with their uncertainties, and closure in bins.

Closure is the median response's distance from 1 in a bin of the reference pT and |eta|; resolution is half the distance
between the 16 % and 84 % quantiles over the median, as CMS quotes both (JINST 12 (2017) P02014, sections 4 and 8).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric
from codesign.tasks import weighting
from codesign.tasks.weighting import Weights

__all__ = (
    "ETA_EDGES",
    "FLAVOUR_PT_EDGES",
    "LEAST",
    "PT_EDGES",
    "Bin",
    "bin_response",
    "cell_of",
    "closure",
    "median",
    "resolution",
    "resolution_mean",
)

Array = NDArray[np.float64]

#: borders of the bins in which closure is judged: reference pT in GeV, and |eta|: barrel, endcaps with and without
#: tracks, forward calorimeter
PT_EDGES = (30.0, 45.0, 60.0, 90.0, 130.0, 200.0, 320.0, 600.0)
ETA_EDGES = (0.0, 1.3, 2.5, 3.0, 4.7)
#: the same where jets of one flavour are judged, which are fewer: in pT; \|eta\| below 2.5
FLAVOUR_PT_EDGES = (30.0, 60.0, 130.0, 600.0)

#: jets without which a bin says nothing
LEAST = 100

_LOW, _HIGH = 0.16, 0.84


@dataclass(frozen=True)
class Bin:
    """Jets of one bin: its borders in pT (GeV) and |eta|, its median pT, their number, response and resolution."""

    pt: tuple[float, float]
    eta: tuple[float, float]
    centre: float
    jets: int
    median: Metric
    resolution: Metric


def _quantile(values: Array, share: float, weights: Weights) -> tuple[float, float]:
    """A quantile and its standard error, without a distribution: half the distance of the quantiles one binomial
    standard deviation of the share below and above."""
    spread = np.sqrt(share * (1 - share) / weighting.effective(weights, len(values)))
    at = np.clip([share - spread, share, share + spread], 0, 1)
    low, value, high = weighting.quantile(values, at, weights)
    return float(value), float(high - low) / 2


def median(response: Array, weights: Weights = None) -> Metric:
    """Median of the responses and its standard error."""
    value, error = _quantile(response, 0.5, weights)
    return Metric(value=value, error=error)


def resolution(response: Array, weights: Weights = None) -> Metric:
    """Half the distance between the quantiles at 16 % and 84 %, over the median.

    The error holds the correlation of the two quantiles, p (1 - q) / sqrt(p (1 - p) q (1 - q)) for p < q; that of the
    median is left out: it is smaller by the resolution itself.
    """
    low, low_error = _quantile(response, _LOW, weights)
    high, high_error = _quantile(response, _HIGH, weights)
    together = _LOW * (1 - _HIGH) / np.sqrt(_LOW * (1 - _LOW) * _HIGH * (1 - _HIGH))
    variance = low_error**2 + high_error**2 - 2 * together * low_error * high_error
    middle = weighting.median(response, weights)
    return Metric(value=(high - low) / 2 / middle, error=float(np.sqrt(max(variance, 0.0))) / 2 / middle)


def bin_response(
    response: Array,
    pt: Array,
    eta: Array,
    pt_edges: Sequence[float] = PT_EDGES,
    eta_edges: Sequence[float] = ETA_EDGES,
    least: int = LEAST,
    weights: Weights = None,
) -> list[Bin]:
    """Median and resolution in every bin of reference pT (GeV) and |eta| with effectively at least ``least`` jets."""
    found = []
    for eta_low, eta_high in itertools.pairwise(eta_edges):
        for pt_low, pt_high in itertools.pairwise(pt_edges):
            inside = (pt >= pt_low) & (pt < pt_high) & (np.abs(eta) >= eta_low) & (np.abs(eta) < eta_high)
            own = weighting.some(weights, inside)
            if weighting.effective(own, int(inside.sum())) >= least:
                these = response[inside]
                found.append(
                    Bin(
                        (pt_low, pt_high),
                        (eta_low, eta_high),
                        weighting.median(pt[inside], own),
                        len(these),
                        median(these, own),
                        resolution(these, own),
                    )
                )
    return found


def cell_of(pt: Array, eta: Array) -> NDArray[np.int64]:
    """Number of the judged bin of reference pT (GeV) and \\|eta\\| that a jet is in, -1 outside; (jets,)."""
    column, row = np.digitize(pt, PT_EDGES) - 1, np.digitize(np.abs(eta), ETA_EDGES) - 1
    columns, rows = len(PT_EDGES) - 1, len(ETA_EDGES) - 1
    inside = (column >= 0) & (column < columns) & (row < rows)
    return np.where(inside, row * columns + column, -1)


def closure(bins: Sequence[Bin]) -> dict[str, Metric]:
    """``closure_mean``: mean over the bins of \\|median - 1\\|; ``closure_worst``: the largest, with that bin's error.

    The worst of many bins grows with their errors even where all medians are 1: compare it at the same sample only.
    """
    if not bins:
        return {}
    off = np.array([abs(b.median.value - 1) for b in bins])
    errors = np.array([b.median.error for b in bins])
    worst = int(off.argmax())
    return {
        "closure_mean": Metric(value=float(off.mean()), error=float(np.sqrt((errors**2).sum())) / len(bins)),
        "closure_worst": Metric(value=float(off[worst]), error=float(errors[worst])),
    }


def resolution_mean(bins: Sequence[Bin]) -> Metric | None:
    """Mean of the bins' resolutions, each bin with the same weight; None without bins."""
    if not bins:
        return None
    errors = np.array([b.resolution.error for b in bins])
    value = float(np.mean([b.resolution.value for b in bins]))
    return Metric(value=value, error=float(np.sqrt((errors**2).sum())) / len(bins))
