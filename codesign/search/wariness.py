"""Which draws look like what was refused, or broke a bound, before: learned from the search's own trials.

The storage has, of each trial that came to its end, by how much each bound was broken, and of one that there cannot be,
by how much it was refused (:mod:`codesign.search.telling`). Of each of these a line is fitted to the dimensions, each
scaled to 0 to 1: ridge regression, of what a trial exceeded, at most 1. A draw for which one of the lines is above 0 is
expected to fail, and drawn again. So it is for every sampler, random draws included; where nothing was refused and
no bound broken, nothing is changed.

A line knows no islands: of a space of which a middle part is refused it learns little, and says little. It may be
wrong, and so one trial in :data:`FREE` is drawn as it comes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.search.members import DIMENSION

__all__ = ("FREE", "LEAST", "Wariness")

#: one trial of so many is drawn whatever is expected of it
FREE = 10
#: trials from which on something is expected
LEAST = 8
#: the last so many are looked at
_MOST = 1000
#: weight of the lines' slopes against one trial's excess
_RIDGE = 0.1
#: what stands for the excess of a trial that was not refused: of how far it was from that nothing is known
_NOT_REFUSED = -0.5
_REFUSED = "refused"

Row = Mapping[str, float]


class Wariness:
    """What the finished trials of a search, or of one of its families, say of a draw."""

    def __init__(self, search: Any, family: str | None = None) -> None:
        self._search, self._family = search, family
        self._rows: dict[int, tuple[Row, Mapping[str, float]]] = {}

    def expected(self, asked: Any) -> str | None:
        """What a draw is expected to break most, None where it is expected to break nothing.

        ``asked``: Optuna's trial, with its parameters drawn.
        """
        finished = self._finished()
        excess = [broken for _, broken in finished]
        if len(finished) < LEAST or not any(value > 0 for broken in excess for value in broken.values()):
            return None
        drawn = _scaled(asked)
        names = sorted({name for row, _ in finished for name in row} | set(drawn))
        x = np.array([[row.get(name, 0.5) for name in names] for row, _ in finished])
        at = np.array([drawn.get(name, 0.5) for name in names])
        worst, most = None, 0.0
        for bound in sorted({name for broken in excess for name in broken}):
            known = np.array([bound in broken for broken in excess])
            if known.sum() < LEAST:
                continue
            y = np.array([broken[bound] for broken in excess if bound in broken])
            if (found := _line(x[known], y, at)) > most:
                worst, most = bound, found
        return worst

    def _finished(self) -> list[tuple[Row, Mapping[str, float]]]:
        """Dimensions, and what was broken by how much, of the last trials that the storage was told of."""
        from optuna.trial import TrialState

        trials = self._search.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if self._family is not None:
            trials = [t for t in trials if t.params.get(DIMENSION) == self._family]
        last = trials[-_MOST:]
        for trial in last:
            if trial.number not in self._rows:
                self._rows[trial.number] = _scaled(trial), _broken(trial)
        return [self._rows[t.number] for t in last]


def _broken(trial: Any) -> dict[str, float]:
    """By how much a finished trial broke each bound, -1 to 1; of a refused one nothing is known but that."""
    if any(math.isinf(value) for value in trial.values):
        return {_REFUSED: min(max(0.0, *trial.constraints.values()), 1.0)}
    measured = {name: min(max(value, -1.0), 1.0) for name, value in trial.constraints.items()}
    return measured | {_REFUSED: _NOT_REFUSED}


def _scaled(trial: Any) -> dict[str, float]:
    """The dimensions of a trial from 0 to 1; of a choice that is not among numbers, one for each."""
    found: dict[str, float] = {}
    for name, value in trial.params.items():
        distribution = trial.distributions[name]
        choices = getattr(distribution, "choices", None)
        if choices is None:
            low, high, value = distribution.low, distribution.high, float(value)
            if distribution.log:
                low, high, value = math.log(low), math.log(high), math.log(value)
            found[name] = (value - low) / (high - low) if high > low else 0.5
        elif all(isinstance(c, int | float) and not isinstance(c, bool) for c in choices):
            found[name] = sorted(choices).index(value) / max(1, len(choices) - 1)
        else:
            found |= {f"{name}={choice!r}": float(choice == value) for choice in choices}
    return found


def _line(x: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64]) -> float:
    """Ridge regression of ``y`` (trials) to ``x`` (trials, dimensions), at one place (dimensions)."""
    middle = x.mean(axis=0)
    away = x - middle
    slopes = np.linalg.solve(away.T @ away + _RIDGE * np.eye(x.shape[1]), away.T @ (y - y.mean()))
    return float((at - middle) @ slopes + y.mean())
