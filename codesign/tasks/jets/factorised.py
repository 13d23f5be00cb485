"""The factorised jet energy correction, as the experiments apply it: offset, relative in eta, absolute in pT.

L1 takes pile-up off by its density and the jet's area (Cacciari, Salam, PLB 659 (2008) 119), L2 makes the response of
every |eta| that of the barrel, L3 makes the barrel's response 1 (CMS, JINST 12 (2017) P02014, sections 3 and 4). Each
is fitted on what the steps before leave. With x = log10(pT / GeV):

- L1 factor: max(1 - area b(eta) rho / pT, 1/8);
- L2 and L3 factors: c0 + c1 x + c2 x^2 of the pT that the steps before give, held at the ends of the range fitted.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.tasks.weighting import Weights, effective, median, quantile, some
from codesign.tasks.weighting import width as spread_of

__all__ = ("ETA_BINS", "LEAST_FACTOR", "Curve", "Factorised")

Array = NDArray[np.float64]
T = TypeVar("T")

#: |eta| borders of L1 and L2; L3 is fitted in the first two bins, the reference region |eta| < 1.3
ETA_BINS = (0.0, 0.65, 1.3, 1.8, 2.2, 2.5, 2.75, 3.0, 3.25, 4.0, 5.2)
_REFERENCE = 1.3
#: borders in reference pT within which the response is measured, GeV
_PT_BINS = (18.0, 24.0, 32.0, 42.0, 56.0, 75.0, 100.0, 135.0, 180.0, 240.0, 320.0, 450.0, 650.0, 1000.0)
#: of a factor for pile-up
LEAST_FACTOR = 1 / 8
_LEAST_JETS = 30
#: reference pT up to which the offset is fitted: above, it is small beside the resolution
_OFFSET_PT = 100.0
_ROUNDS = 4


@dataclass(frozen=True)
class Curve:
    """``c0 + c1 x + c2 x^2``, x = log10(pT) held between ``low`` and ``high``."""

    coefficients: tuple[float, float, float]
    low: float
    high: float

    def __call__(self, pt: Array) -> Array:
        """Factors of jets with these pT (GeV)."""
        x = np.log10(np.clip(pt, self.low, self.high))
        c0, c1, c2 = self.coefficients
        return np.asarray(c0 + c1 * x + c2 * x * x)


@dataclass(frozen=True)
class Factorised:
    """A fitted correction: ``slope`` b and curve ``relative`` of each |eta| bin; ``absolute`` of the reference."""

    slope: tuple[float, ...]
    relative: tuple[Curve, ...]
    absolute: Curve

    def offset(self, pt: Array, eta: Array, rho: Array, area: Array) -> Array:
        """L1 factor of jets with uncorrected pT (GeV)."""
        return np.asarray(np.maximum(1 - area * np.asarray(self.slope)[_eta_bin(eta)] * rho / pt, LEAST_FACTOR))

    def level2(self, pt: Array, eta: Array) -> Array:
        """L2 factor of jets whose pT L1 has corrected."""
        where = _eta_bin(eta)
        factor = np.ones(len(pt))
        for number, curve in enumerate(self.relative):
            inside = where == number
            factor[inside] = curve(pt[inside])
        return factor

    def __call__(self, pt: Array, eta: Array, rho: Array, area: Array) -> Array:
        """The product of the three, (jets,): corrected over uncorrected pT."""
        first = self.offset(pt, eta, rho, area)
        second = self.level2(pt * first, eta)
        return first * second * self.absolute(pt * first * second)

    @classmethod
    def fit(
        cls, pt: Array, eta: Array, rho: Array, area: Array, reference: Array, weights: Weights = None
    ) -> Factorised:
        """Fit on jets with uncorrected pT, eta, density, area and reference pT (GeV), and their weights, (jets,)."""
        eta = np.abs(eta)
        where = _eta_bin(eta)
        bins = [where == number for number in range(len(ETA_BINS) - 1)]
        slope = _nearest([_slope(pt[b], rho[b], area[b], reference[b], some(weights, b)) for b in bins], 0.0)
        none = Curve((1.0, 0.0, 0.0), 1.0, 1e4)
        first = pt * cls(slope, (none,) * len(slope), none).offset(pt, eta, rho, area)
        central = eta < _REFERENCE
        barrel = _inverse_response(first[central], reference[central], some(weights, central))
        if barrel is None:
            raise InputError(
                f"the sample has too few jets at |eta| < {_REFERENCE} for the factorised correction: "
                f"{_LEAST_JETS} are needed in three bins of pT at least"
            )
        # a jet's own full correction over the barrel's is its relative one; the barrel's is taken at the pT that the
        # relative one gives, which is the barrel jet of the same reference pT
        own = [_inverse_response(first[b], reference[b], some(weights, b)) for b in bins]
        relative = _nearest([None if curve is None else _relative(curve, barrel) for curve in own], none)
        second = first * cls(slope, relative, none).level2(first, eta)
        absolute = _inverse_response(second[central], reference[central], some(weights, central))
        assert absolute is not None
        return cls(slope, relative, absolute)


def _nearest(found: list[T | None], default: T) -> tuple[T, ...]:
    """What each |eta| bin found, or the nearest bin that found something: a sample may hold few jets of one."""
    have = [i for i, value in enumerate(found) if value is not None]
    if not have:
        return (default,) * len(found)
    nearest = [min(have, key=lambda i: abs(i - place)) for place in range(len(found))]
    return tuple(value for i in nearest if (value := found[i]) is not None)


def _eta_bin(eta: Array) -> NDArray[np.int64]:
    return np.clip(np.searchsorted(ETA_BINS, np.abs(eta), side="right") - 1, 0, len(ETA_BINS) - 2)


def _slope(pt: Array, rho: Array, area: Array, reference: Array, weights: Weights) -> float | None:
    """Slope of pT against rho times area at the same reference pT: what pile-up adds. What does not depend on rho is
    left to L2 and L3, which cannot tell it from the response. None where there are too few jets.

    Robust: within bins of reference pT, the slope is that of the medians in quarters of rho * area (Theil's idea with
    four groups), and bins are averaged with the inverse square of their errors.
    """
    slopes, precisions = [], []
    load = rho * area
    for low, high in itertools.pairwise(_PT_BINS):
        inside = (reference >= low) & (reference < high)
        if high > _OFFSET_PT or inside.sum() < 4 * _LEAST_JETS:
            continue
        excess, own = pt[inside] - reference[inside], some(weights, inside)
        order = np.argsort(load[inside], kind="stable")
        groups = _quarters(order, own)
        x = np.array([median(load[inside][g], some(own, g)) for g in groups])
        y = np.array([median(excess[g], some(own, g)) for g in groups])
        around = quantile(excess, np.array([0.16, 0.84]), own)
        width = (around[1] - around[0]) / 2
        spread = ((x - x.mean()) ** 2).sum()
        if spread <= 0 or width <= 0:
            continue
        slopes.append(((x - x.mean()) * (y - y.mean())).sum() / spread)
        precisions.append(spread * effective(own, len(order)) / width**2)
    return max(float(np.average(slopes, weights=precisions)), 0.0) if slopes else None


def _quarters(order: NDArray[np.int64], weights: Weights) -> list[NDArray[np.int64]]:
    """Jets in this order, in four groups of as many, or of the same weight."""
    if weights is None:
        return np.array_split(order, 4)
    filled = np.cumsum(weights[order])
    return np.split(order, np.searchsorted(filled, filled[-1] * np.array([0.25, 0.5, 0.75])))


def _inverse_response(pt: Array, reference: Array, weights: Weights) -> Curve | None:
    """Reference over measured pT as a function of the measured pT, such that its median in bins of the reference is 1.

    In each bin of reference pT: the median response and the median measured pT, through which the curve is fitted with
    the inverse square of the errors; a few rounds then take out what the curve's bend leaves of the medians.
    """
    bins = [
        inside
        for low, high in itertools.pairwise(_PT_BINS)
        if (inside := np.flatnonzero((reference >= low) & (reference < high))).size >= _LEAST_JETS
    ]
    if len(bins) < 3:
        return None
    each = [some(weights, b) for b in bins]
    centre = np.array([median(pt[b], w) for b, w in zip(bins, each, strict=True)])
    if (np.diff(centre) <= 0).any():
        centre = np.maximum.accumulate(centre)
    ratios = [pt[b] / reference[b] for b in bins]
    wanted = np.array([1 / median(r, w) for r, w in zip(ratios, each, strict=True)])
    error = np.array(
        [1.25 * spread_of(r, w) / np.sqrt(effective(w, len(r))) + 2e-3 for r, w in zip(ratios, each, strict=True)]
    )
    low, high = float(centre[0]), float(centre[-1])
    x = np.log10(centre)
    values = wanted.copy()
    curve = Curve((1.0, 0.0, 0.0), low, high)
    for _ in range(_ROUNDS):
        fitted = np.polyfit(x, values, 2, w=1 / error)
        curve = Curve((float(fitted[2]), float(fitted[1]), float(fitted[0])), low, high)
        left = np.array([median(pt[b] * curve(pt[b]) / reference[b], w) for b, w in zip(bins, each, strict=True)])
        values = values / left
    return curve


def _relative(own: Curve, barrel: Curve) -> Curve:
    """Factor after which the barrel's correction gives what ``own`` gives, on a grid of pT, as a curve again."""
    pt = np.geomspace(own.low, own.high, 40)
    truth = pt * own(pt)
    at = truth.copy()
    for _ in range(20):  # the barrel's pT with barrel(at) * at = truth
        at = truth / barrel(at)
    x = np.log10(pt)
    fitted = np.polyfit(x, at / pt, 2)
    return Curve((float(fitted[2]), float(fitted[1]), float(fitted[0])), own.low, own.high)
