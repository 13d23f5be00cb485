"""What a search is judged by: the hypervolume of its front, when it reached it, and ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from codesign.report.hypervolume import hypervolume

__all__ = ("Box", "Step", "at", "ranks", "reached")

#: (processor seconds, share of the box) where the share grew
Step = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """Where a front's volume is measured: per objective the direction, the best and the worst value.

    ``worst`` is the reference point: what is no better counts nothing. ``best`` only sets the scale.
    """

    directions: tuple[str, ...]
    best: tuple[float, ...]
    worst: tuple[float, ...]

    def share(self, points: Sequence[Sequence[float]]) -> float:
        """Share of the box that the points dominate, 0 to 1; values better than ``best`` count as ``best``."""
        return hypervolume([self._cost(point) for point in points], (1.0,) * len(self.worst))

    def _cost(self, values: Sequence[float]) -> tuple[float, ...]:
        """0 at the best, 1 at the worst."""
        return tuple(max(0.0, (v - b) / (w - b)) for v, b, w in zip(values, self.best, self.worst, strict=True))


def at(steps: Sequence[Step], seconds: float) -> float:
    """Share that was reached within so many seconds; 0 before the first step."""
    return max((share for when, share in steps if when <= seconds), default=0.0)


def reached(steps: Sequence[Step], level: float) -> float | None:
    """Seconds until the share was at least ``level``; None if it never was."""
    return min((when for when, share in steps if share >= level), default=None)


def ranks(values: Mapping[str, float]) -> dict[str, float]:
    """Rank of each name, 1 for the largest value; equal values share the mean of their ranks."""
    return {
        name: mean(
            place for place, other in enumerate(sorted(values.values(), reverse=True), start=1) if other == value
        )
        for name, value in values.items()
    }
