"""What a search has found: how its trials ended, the scores of those that hold, and their front."""

from __future__ import annotations

from collections.abc import Iterable

from codesign.core.records import State, TrialStatus
from codesign.core.runfolder import TrialFolder
from codesign.pipeline.front import pareto
from codesign.pipeline.scoring import Score
from codesign.search.progress import Shown
from codesign.search.telling import recorded_score
from codesign.study.definition import Study

__all__ = ("Tally",)


class Tally:
    """The trials that came to their end, counted in what is shown of the search."""

    def __init__(self, study: Study, shown: Shown) -> None:
        self._study, self._shown = study, shown
        self._directions = [o.direction for o in study.objectives]
        self._scores: dict[int, Score] = {}
        self._front: list[Score] = []

    def trials(self) -> Iterable[int]:
        """Those with a score that keep every bound."""
        return list(self._scores)

    def front(self) -> list[Score]:
        """Those of them that none dominates."""
        return self._front

    def count(self, folder: TrialFolder, status: TrialStatus) -> None:
        """Count a trial; the front is that of before until :meth:`rank`."""
        if status.state == State.COMPLETE:
            self._shown.complete += 1
            self._scores[folder.number] = recorded_score(folder, self._study)
        elif status.state == State.INFEASIBLE:
            self._shown.infeasible += 1
        else:
            self._shown.failed += 1

    def rank(self) -> None:
        """Make the front of all that were counted."""
        self._put(list(self._scores.values()))

    def add(self, number: int) -> None:
        """Put one that was counted on the front, if it belongs there: against the front alone, since with thousands of
        trials all of them take a while."""
        self._shown.found_here += 1
        if number in self._scores:
            self._put([*self._front, self._scores[number]])

    def withdraw(self, number: int) -> None:
        """One of the front could not be proven: it has failed."""
        self._scores.pop(number)
        self._shown.complete -= 1
        self._shown.failed += 1
        self.rank()

    def _put(self, scores: list[Score]) -> None:
        self._front = pareto(scores, self._directions)
        self._shown.front = [(s.trial, s.values) for s in self._front]
