"""Whose turn it is among the families of a study: equal shares of the processor time.

Accounted is the processor time of each trial's process and the tools that it ran, as its status has it; a trial that
runs counts as the mean of its family until then. So a family whose trainings are a hundred times as long has a
hundredth of the trials. Which family a trial is of depends on measured time: unlike a study of one family, one of
several is not repeated trial by trial.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ("Shares",)


class Shares:
    """The time that each family has had, the trials that are running, and whose turn it is."""

    def __init__(self, names: Sequence[str]) -> None:
        self._seconds = dict.fromkeys(names, 0.0)
        self._trials = dict.fromkeys(names, 0)
        self._running: dict[int, str] = {}
        self._exhausted: set[str] = set()

    def begin(self, trial: int, name: str) -> None:
        """A trial of this family runs now."""
        self._running[trial] = name

    def end(self, trial: int) -> str | None:
        """A trial no longer runs; the family that it was of."""
        return self._running.pop(trial, None)

    def add(self, name: str, seconds: float) -> None:
        """A trial of this family came to its end, and took so long."""
        self._seconds[name] += seconds
        self._trials[name] += 1

    def exhaust(self, name: str) -> None:
        """This family has no candidate left."""
        self._exhausted.add(name)

    def next(self) -> str | None:
        """The family that is furthest behind; the first of those that are equal. None where all are exhausted."""
        open_ = [name for name in self._seconds if name not in self._exhausted]
        return min(open_, key=self._behind, default=None)

    def _behind(self, name: str) -> tuple[float, int]:
        running = sum(other == name for other in self._running.values())
        mean = self._seconds[name] / self._trials[name] if self._trials[name] else 0.0
        return self._seconds[name] + running * mean, self._trials[name] + running
