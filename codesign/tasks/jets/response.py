"""Response of jets, corrected over reference pT: median and resolution with their uncertainties, and closure in bins.

Closure is the median response's distance from 1 in a bin of the reference pT and |eta|; resolution is half the distance
between the 16 % and 84 % quantiles over the median, as CMS quotes both (JINST 12 (2017) P02014, sections 4 and 8),
over what the corrected pT moves by where the reference pT does: 1 + d ln(median) / d ln(pT). Without that, jets that
pile-up has lifted, and corrections that draw every jet to the middle, would seem to be measured better than they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric
from codesign.statistics import rowwise
from codesign.statistics.replicas import DrawnRows
from codesign.tasks import weighting
from codesign.tasks.weighting import Weights

__all__ = (
    "ETA_EDGES",
    "FLAVOUR_PT_EDGES",
    "LEAST",
    "PT_EDGES",
    "Bin",
    "BinnedResponse",
    "biases_without_noise",
    "bin_response",
    "cell_of",
    "median",
    "resolution",
    "slopes_along_pt",
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
#: bins of one |eta| through which a line, or a parabola, is laid; the slope of the response is no less than this
_LEAST_OF_LINE, _LEAST_OF_PARABOLA, _LEAST_SLOPE = 3, 5, 0.2
#: standard deviations of noise beyond which a bias is sure
_SURE = 3.0


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


def biases_without_noise(off: Array, errors: Array) -> dict[str, Array]:
    """``mean``, ``sure`` and ``worst`` of some bins' biases in every replica, (1 + replicas,): noise alone is none.

    ``off``: (1 + replicas, bins), the sample itself first; ``errors``: (bins,). ``mean`` is quadratic: the root of the
    mean square less the mean square of the errors, which noise alone gives; 0 where it gives more. ``sure``: the same
    less three standard deviations of what noise alone gives: what a constraint is of. ``worst``: by how much the bin
    that is worst is off beyond what the noisiest of so many bins may be with a probability of 1 %.

    Replicas scatter around the sample, whose own noise they would count once more: they are drawn in to where the bins
    are off by what is left without noise.
    """
    noise, square = float(np.mean(errors**2)), float(np.mean(off[0] ** 2))
    kept = np.sqrt(max(square - noise, 0.0) / square) if square > 0 else 0.0
    drawn = np.concatenate([off[:1], kept * off[:1] + (off[1:] - off[:1])])
    far = NormalDist().inv_cdf(1 - 0.01 / (2 * len(errors)))
    left = np.mean(drawn**2, axis=1) - noise
    by_chance = _SURE * float(np.sqrt(2 * np.mean(errors**4) / len(errors)))
    return {
        "mean": np.sqrt(np.maximum(left, 0.0)),
        "sure": np.sqrt(np.maximum(left - by_chance, 0.0)),
        "worst": np.maximum((np.abs(drawn) - far * errors).max(axis=1), 0.0),
    }


def slopes_along_pt(medians: Array, bins: Sequence[Bin]) -> Array:
    """Slope of the logarithm of the median response with that of the reference pT, at every bin, (rows, bins).

    Of bins of one \\|eta\\| the derivative of a parabola through their medians (rows, bins), of three or four bins of a
    straight line, weighted by their errors; 0 of fewer.
    """
    found = np.zeros_like(medians)
    for eta in dict.fromkeys(b.eta for b in bins):
        places = [i for i, b in enumerate(bins) if b.eta == eta]
        if len(places) < _LEAST_OF_LINE:
            continue
        x = np.log([bins[i].centre for i in places])
        x -= x.mean()
        degree = 2 if len(places) >= _LEAST_OF_PARABOLA else 1
        weights = np.array([bins[i].median.value / max(bins[i].median.error, 1e-9) for i in places])
        powers = np.stack([x**k for k in range(degree + 1)], axis=1)
        derivative = np.stack([k * x ** max(k - 1, 0) for k in range(degree + 1)], axis=1)
        fit = derivative @ np.linalg.pinv(powers * weights[:, None]) * weights
        found[:, places] = np.log(np.maximum(medians[:, places], 1e-6)) @ fit.T
    return found


@dataclass(frozen=True)
class BinnedResponse:
    """Bins of the response, whose medians and half widths are measured in many replicas."""

    bins: list[Bin]
    places: list[NDArray[np.intp]]
    response: Array

    @classmethod
    def of(
        cls,
        response: Array,
        pt: Array,
        eta: Array,
        pt_edges: Sequence[float] = PT_EDGES,
        eta_edges: Sequence[float] = ETA_EDGES,
        weights: Weights = None,
    ) -> BinnedResponse:
        """The bins that have enough jets."""
        bins = bin_response(response, pt, eta, pt_edges, eta_edges, weights=weights)
        return cls(bins, [_inside(pt, eta, b.pt, b.eta) for b in bins], response)

    def measure(self, name: str, rows: DrawnRows) -> dict[str, Array]:
        """Quantiles of each bin in some replicas, under names of its own, for :meth:`metrics`."""
        found: dict[str, Array] = {}
        for number, place in enumerate(self.places):
            each = rowwise.quantiles(self.response[place], (_LOW, 0.5, _HIGH), rows.some(place).weights)
            found |= {f"{name}/{number}/{which}": each[:, which] for which in range(3)}
        return found

    def metrics(self, name: str, measured: Mapping[str, Array], suffix: str = "") -> dict[str, Array]:
        """Closure (``mean``, ``sure``, ``worst``), ``resolution`` and ``resolution_raw``, (1 + replicas,) each."""
        if not self.bins:
            return {}
        low, middle, high = (
            np.stack([measured[f"{name}/{number}/{which}"] for number in range(len(self.bins))], axis=1)
            for which in range(3)
        )
        off = biases_without_noise(middle - 1, np.array([b.median.error for b in self.bins]))
        raw = (high - low) / 2 / middle
        moved = np.maximum(1 + slopes_along_pt(middle, self.bins), _LEAST_SLOPE)
        if suffix:
            return {f"closure{suffix}": off["mean"], f"resolution{suffix}": (raw / moved).mean(axis=1)}
        return {
            "closure_mean": off["mean"],
            "closure_sure": off["sure"],
            "closure_worst": off["worst"],
            "resolution": (raw / moved).mean(axis=1),
            "resolution_raw": raw.mean(axis=1),
        }


def _inside(pt: Array, eta: Array, of_pt: tuple[float, float], of_eta: tuple[float, float]) -> NDArray[np.intp]:
    size = np.abs(eta)
    return np.flatnonzero((pt >= of_pt[0]) & (pt < of_pt[1]) & (size >= of_eta[0]) & (size < of_eta[1]))
