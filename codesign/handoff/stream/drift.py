"""Whether numbers are still distributed as those of the reference: population stability index and Kolmogorov-Smirnov.

PSI = sum (a - r) ln(a / r) over bins of equal content of the reference; above 0.1 it is looked at, above 0.25 it is
another population (the convention of credit scoring: Siddiqi, Credit Risk Scorecards, Wiley 2006). Two samples of n and
m events of one population have about (bins - 1)(1/n + 1/m), which is taken off first. The p-value of KS is divided
among the quantities (Bonferroni), and of weighted events n is what as many equal weights are worth. Both see
histograms of codes (:mod:`codesign.handoff.reference_distribution`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from codesign.handoff.reference_distribution import CodeHistogram, ReferenceDistribution

__all__ = ("KS_P", "PSI_ALARM", "Drift", "DriftWatch")

PSI_LOOK, PSI_ALARM = 0.1, 0.25
KS_P = 1e-3
_BINS = 10


class Drift(BaseModel):
    """Of one input or output: both figures, and whether they are beyond their thresholds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="of the input or output")
    psi: float = Field(description="population stability index")
    ks: float = Field(description="Kolmogorov and Smirnov's distance")
    ks_p: float = Field(description="probability of so large a distance by chance")
    alarm: bool = Field(description="whether both are beyond their thresholds")


class DriftWatch:
    """Codes (rows, n) of a sample beside the reference; their bins are found once, as their weights may change."""

    def __init__(self, reference: ReferenceDistribution, codes: NDArray[Any]) -> None:
        self.reference = reference
        self._places = [q.places(column) for q, column in zip(reference.quantities, codes.T, strict=True)]
        self._merged = [_merged(np.asarray(q.counts)) for q in reference.quantities]
        self._rows = len(codes)

    def drifts(self, weights: NDArray[Any] | None = None) -> tuple[Drift, ...]:
        """One entry for each quantity; ``weights``: (rows,)."""
        from scipy.stats import kstwobign

        size = float(self._rows if weights is None else weights.sum() ** 2 / (weights**2).sum())
        expected = 1 / self.reference.effective + 1 / size
        found = []
        for quantity, places, merged in zip(self.reference.quantities, self._places, self._merged, strict=True):
            now = np.bincount(places, weights, len(quantity.counts)).astype(np.float64)
            psi = _psi(quantity, now, merged, self.reference.effective, size)
            a, b = (np.cumsum(counts) / counts.sum() for counts in (np.asarray(quantity.counts), now))
            distance = float(np.abs(a - b).max())
            p = float(kstwobign.sf(distance / np.sqrt(expected)))
            beyond = psi > PSI_ALARM or (p < KS_P / len(self._places) and psi > PSI_LOOK)
            found.append(Drift(name=quantity.name, psi=psi, ks=distance, ks_p=p, alarm=beyond))
        return tuple(found)


def _merged(counts: NDArray[np.float64]) -> NDArray[np.int64]:
    """To which of at most ten bins of about equal content each bin of the reference goes."""
    before = (np.cumsum(counts) - counts) / counts.sum()
    return np.unique(np.floor(before * _BINS + 1e-9), return_inverse=True)[1].astype(np.int64)


def _psi(
    quantity: CodeHistogram, now: NDArray[np.float64], merged: NDArray[np.int64], reference: float, size: float
) -> float:
    shares = []
    for counts, events in ((np.asarray(quantity.counts), reference), (now, size)):
        within = np.bincount(merged, counts * (events / counts.sum()))
        shares.append((within + 0.5) / (events + 0.5 * len(within)))
    a, b = shares
    expected = (len(a) - 1) * (1 / reference + 1 / size)
    return max(float(((b - a) * np.log(b / a)).sum()) - expected, 0.0)
