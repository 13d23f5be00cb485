"""How well one figure foretells another over the calibration's networks: rank, error, and a fitted correction.

The correction is log-linear, ``predicted = exp(intercept + slope ln(given))``, by least squares in the logarithm: costs
span two orders of magnitude and their errors are shares. Every network is judged by a fit that was made without it
(leave-one-out).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError

__all__ = ("Judged", "judge", "spearman")

#: a slope and an intercept leave nothing to judge with fewer
_LEAST = 10
#: one standard deviation of a normal distribution to both sides
_COVERED = 0.6827


@dataclass(frozen=True)
class Judged:
    """What one predictor is worth.

    Attributes
    ----------
    networks: how many were measured both ways; ``low``, ``high``: range of what was given.
    spearman: rank correlation.
    error_as_it_is: mean absolute error of the predictor itself, as a share; None where it is of another unit.
    error_fitted: the same of the leave-one-out prediction.
    band: half-width, in the logarithm, that holds 68 % of the leave-one-out residuals.
    worst: the largest of them.
    """

    networks: int
    low: float
    high: float
    spearman: float
    error_as_it_is: float | None
    error_fitted: float
    slope: float
    intercept: float
    band: float
    worst: float


def judge(given: NDArray[np.float64], found: NDArray[np.float64], same_unit: bool) -> Judged:
    """Judge how well ``given`` (networks,) foretells ``found`` (networks,), both above zero."""
    if len(given) < _LEAST or len(given) != len(found) or min(given.min(), found.min()) <= 0:
        raise InputError(f"a calibration needs {_LEAST} networks or more with figures above 0, got {len(given)}")
    x, y = np.log(given), np.log(found)
    slope, intercept = _line(x, y)
    left_out = np.array([_without(x, y, i) for i in range(len(x))])
    residual = np.abs(y - left_out)
    return Judged(
        networks=len(x),
        low=float(given.min()),
        high=float(given.max()),
        spearman=spearman(given, found),
        error_as_it_is=round(float(np.mean(np.abs(given / found - 1))), 4) if same_unit else None,
        error_fitted=round(float(np.mean(np.abs(np.exp(left_out) / found - 1))), 4),
        slope=round(slope, 5),
        intercept=round(intercept, 5),
        band=round(float(np.quantile(residual, _COVERED)), 4),
        worst=round(float(residual.max()), 4),
    )


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    slope, intercept = np.polyfit(x, y, 1)
    return float(slope), float(intercept)


def _without(x: NDArray[np.float64], y: NDArray[np.float64], index: int) -> float:
    slope, intercept = _line(np.delete(x, index), np.delete(y, index))
    return slope * float(x[index]) + intercept


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Rank correlation, to four digits."""
    from scipy.stats import spearmanr

    return round(float(spearmanr(a, b).statistic), 4)
