"""How two fronts of (LUT, accuracy) are compared. Membership of a front is decided on validation, never on test."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ("Side", "chosen", "compare", "hypervolume", "lut_ratio", "spread")

Floats = NDArray[np.float64]


class Side:
    """One side's front: LUT (points,), rising, and for each point which test events it gets right, (points, events)."""

    def __init__(self, lut: Sequence[float], validation: Sequence[float], right: NDArray[np.bool_]) -> None:
        order = sorted(range(len(lut)), key=lambda i: (lut[i], -validation[i]))
        kept, best = [], -1.0
        for i in order:
            if validation[i] > best:
                kept.append(i)
                best = validation[i]
        self.kept = kept
        self.lut = np.asarray([lut[i] for i in kept], dtype=float)
        self.right = np.asarray(right)[kept]

    def accuracy(self, events: NDArray[np.int64] | None = None) -> Floats:
        """Test accuracy of each point; of a resampling of the ``events`` if given."""
        right = self.right if events is None else self.right[:, events]
        return right.mean(axis=1)  # type: ignore[no-any-return]


def chosen(costs: Sequence[float], low: float, high: float, limit: int) -> list[int]:
    """Of a front by rising cost: the place of the last point in each of ``limit`` equal steps in log cost."""
    found = []
    for a, b in pairwise(np.geomspace(low, high, limit + 1)):
        found += [i for i, c in enumerate(costs) if a <= c < b][-1:]
    return found


def spread(costs: Sequence[float], scores: Sequence[float], limit: int) -> list[int]:
    """Places of at most ``limit`` of the non-dominated points: the best of each of as many equal steps in log cost."""
    front, best = [], -np.inf
    for i in sorted(range(len(costs)), key=lambda i: (costs[i], -scores[i])):
        if scores[i] > best:
            front.append(i)
            best = scores[i]
    if len(front) <= limit:
        return front
    along = [costs[i] for i in front]
    return [front[place] for place in chosen(along, along[0], along[-1] * (1 + 1e-9), limit)]


def hypervolume(lut: Floats, accuracy: Floats, largest: float, smallest: float, chance: float) -> float:
    """Integral over ln LUT, from ``smallest`` to ``largest``, of the best affordable accuracy above ``chance``."""
    total, best = 0.0, 0.0
    edges = [*np.clip(lut, smallest, largest), largest]
    for (here, following), a in zip(pairwise(edges), accuracy, strict=True):
        best = max(best, a - chance)
        total += best * np.log(following / here)
    return float(total)


def lut_ratio(ours: tuple[Floats, Floats], theirs: tuple[Floats, Floats], steps: int = 40) -> float:
    """Geometric mean of ours over theirs at equal accuracy, over the accuracies that both reach; NaN if there is none.

    Each side is (LUT, accuracy), rising in LUT; between points ln LUT is linear in the accuracy.
    """
    a, b = (_monotone(*side) for side in (ours, theirs))
    low, high = max(a[1][0], b[1][0]), min(a[1][-1], b[1][-1])
    if low >= high:
        return float("nan")
    at = np.linspace(low, high, steps)
    difference = np.interp(at, a[1], np.log(a[0])) - np.interp(at, b[1], np.log(b[0]))
    return float(np.exp(difference.mean()))


def _monotone(lut: Floats, accuracy: Floats) -> tuple[Floats, Floats]:
    """Without the points that a cheaper one equals."""
    before = np.concatenate([[-np.inf], np.maximum.accumulate(accuracy)[:-1]])
    keep = accuracy > before
    return lut[keep], accuracy[keep]


def compare(
    ours: Side, theirs: Side, chance: float, peer: str = "hgq2", resamplings: int = 300, seed: int = 0
) -> dict[str, Any]:
    """Ratios ours over theirs, each with the standard deviation over resamplings of the test events (both alike).

    ``peer`` names their figures.
    """
    both = np.concatenate([ours.lut, theirs.lut])
    smallest, largest = float(both.min()), float(both.max())

    def ratios(events: NDArray[np.int64] | None) -> tuple[float, float]:
        a, b = (ours.lut, ours.accuracy(events)), (theirs.lut, theirs.accuracy(events))
        volumes = [hypervolume(*side, largest, smallest, chance) for side in (a, b)]
        return volumes[0] / volumes[1], lut_ratio(a, b)

    rng, number = np.random.default_rng(seed), ours.right.shape[1]
    found = np.array([ratios(rng.integers(0, number, number)) for _ in range(resamplings)])
    volume, lut = ratios(None)
    a, b = _monotone(ours.lut, ours.accuracy()), _monotone(theirs.lut, theirs.accuracy())
    table = []
    for their_lut, accuracy in zip(*b, strict=True):
        reached = a[1][0] <= accuracy <= a[1][-1]
        need = float(np.exp(np.interp(accuracy, a[1], np.log(a[0])))) if reached else None
        table.append(
            {"accuracy": round(float(accuracy), 4), f"{peer}_lut": their_lut, "codesign_lut": need and round(need, 1)}
        )
    return {
        "hypervolume_ratio": _rounded(volume),
        "hypervolume_ratio_error": _rounded(float(np.nanstd(found[:, 0]))),
        "hypervolume_bounds": {"lut": [smallest, largest], "accuracy_of_chance": round(chance, 4)},
        "lut_ratio_at_equal_accuracy": _rounded(lut),
        "lut_ratio_error": _rounded(float(np.nanstd(found[:, 1]))),
        "best_accuracy": {"codesign": round(float(a[1][-1]), 4), peer: round(float(b[1][-1]), 4)},
        "lut_at_their_accuracies": table,
    }


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
