"""Whether numbers are still distributed as those of the reference: population stability index and Kolmogorov-Smirnov.

PSI = sum (a - r) ln(a / r) over bins of equal content of the reference; above 0.1 it is looked at, above 0.25 it is
another population (the convention of credit scoring: Siddiqi, Credit Risk Scorecards, Wiley 2006). Two samples of n and
m events of one population have about (bins - 1)(1/n + 1/m), which is taken off first. The p-value of KS is divided
among the quantities (Bonferroni). Both see distributions of codes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

__all__ = ("KS_P", "PSI_ALARM", "Drift", "drifts")

PSI_LOOK, PSI_ALARM = 0.1, 0.25
KS_P = 1e-3
_BINS = 10
Codes = NDArray[np.integer]


class Drift(BaseModel):
    """Of one input or output: both figures, and whether they are beyond their thresholds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    psi: float
    ks: float
    ks_p: float
    alarm: bool


def drifts(names: list[str], reference: Codes, now: Codes) -> list[Drift]:
    """One entry for each column of codes (events, n)."""
    from scipy.stats import ks_2samp

    found = []
    for i, name in enumerate(names):
        psi = _psi(reference[:, i], now[:, i])
        test = ks_2samp(reference[:, i], now[:, i], method="asymp")
        found.append(
            Drift(
                name=name,
                psi=psi,
                ks=float(test.statistic),
                ks_p=float(test.pvalue),
                alarm=psi > PSI_ALARM or (test.pvalue < KS_P / len(names) and psi > PSI_LOOK),
            )
        )
    return found


def _psi(reference: Codes, now: Codes) -> float:
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, _BINS + 1)[1:-1]))
    shares = []
    for values in (reference, now):
        counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
        shares.append((counts + 0.5) / (len(values) + 0.5 * len(counts)))
    a, b = shares
    expected = len(edges) * (1 / len(reference) + 1 / len(now))
    return max(float(((b - a) * np.log(b / a)).sum()) - expected, 0.0)
