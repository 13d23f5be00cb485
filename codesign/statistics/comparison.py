"""What a metric is and how two are compared, from their replicas: value, error, difference, and who is better."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric, PairedDifference

__all__ = ("SURE", "differences", "reading", "spread", "summary")

Array = NDArray[np.float64]

#: probability from which one is said to beat another
SURE = 0.975


def spread(values: Array) -> float:
    """Standard deviation over the replicas, (1 + replicas,) with the sample itself first; those without a value are
    left out."""
    drawn = values[1:][np.isfinite(values[1:])]
    return float(drawn.std(ddof=1)) if len(drawn) > 1 else 0.0


def summary(rows: Mapping[str, Array]) -> dict[str, Metric]:
    """Every metric that the sample itself has, with its error."""
    return {
        name: Metric(value=float(values[0]), error=spread(values))
        for name, values in rows.items()
        if np.isfinite(values[0])
    }


def differences(
    one: Mapping[str, Array], other: Mapping[str, Array], directions: Mapping[str, str]
) -> dict[str, PairedDifference]:
    """By how much ``one`` has more of each metric that both have, from the same replicas of both, and the probability
    that it is the better one."""
    found = {}
    for name in (name for name in one if name in other and name in directions):
        if one[name].shape != other[name].shape:
            continue  # of other replicas: they are no pairs
        gap = one[name] - other[name]
        if not np.isfinite(gap[0]):
            continue
        drawn = gap[1:][np.isfinite(gap[1:])]
        ahead = drawn if directions[name] == "maximise" else -drawn
        better = float(((ahead > 0) + 0.5 * (ahead == 0)).mean()) if len(drawn) else 0.5
        found[name] = PairedDifference(value=float(gap[0]), error=spread(gap), better=better, replicas=len(drawn))
    return found


def reading(found: PairedDifference) -> str:
    """What may be said of it: ``beats``, ``is beaten by``, or ``equals``: it cannot be told from the other."""
    if found.better >= SURE:
        return "beats"
    return "is beaten by" if found.better <= 1 - SURE else "equals"
