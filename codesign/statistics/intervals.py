"""The one efficiency, its standard error, and its interval.

The interval is Clopper and Pearson's (Biometrika 26 (1934) 404) of one standard deviation; of events with weights, with
their effective number. The standard error is binomial at k, of at least one event that passes and one that does not, so
that none of n is not known exactly.
"""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric
from codesign.statistics import weighted
from codesign.statistics.weighted import Weights

__all__ = ("ONE_SIGMA", "clopper_pearson", "efficiency", "of_share", "standard_error")

#: probability within one standard deviation
ONE_SIGMA = erf(sqrt(0.5))


def standard_error(share: float, number: float) -> float:
    """Of a share of effectively so many events."""
    if number < 2:
        return 0.5
    passed = float(np.clip(share * number, 1, number - 1))
    return sqrt(passed * (number - passed) / number) / number


def clopper_pearson(share: float, number: float, level: float = ONE_SIGMA) -> tuple[float, float]:
    """Central interval of an efficiency of effectively ``number`` events."""
    if number <= 0:
        return 0.0, 1.0
    passed, tail = float(np.clip(share, 0, 1)) * number, (1 - level) / 2
    from scipy.stats import beta  # half a second of every process, of which few come here

    low = float(beta.ppf(tail, passed, number - passed + 1)) if passed > 1e-9 else 0.0
    high = float(beta.ppf(1 - tail, passed + 1, number - passed)) if number - passed > 1e-9 else 1.0
    return low, high


def of_share(share: float, number: float, error: float = 0.0) -> Metric:
    """An efficiency with its interval; its error is at least that of counting so many events.

    ``error``: of all that is known, such as that of a threshold, too; the interval is widened by it.
    """
    least = standard_error(share, number)
    low, high = clopper_pearson(share, number)
    wider = max(error / least, 1.0) if least else 1.0
    low, high = max(share - wider * (share - low), 0.0), min(share + wider * (high - share), 1.0)
    return Metric(value=share, error=max(error, least), low=low, high=high)


def efficiency(passed: NDArray[np.bool_], weights: Weights = None) -> Metric:
    """Share of events that pass."""
    if not len(passed):
        return of_share(0.0, 0.0)
    return of_share(weighted.mean(passed, weights), weighted.effective(weights, len(passed)))
