"""Drawing the configuration of a trial from the sampler, by whoever does it: a worker process or the driver."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from codesign.core.errors import CodesignError
from codesign.core.validation import said_of
from codesign.families.base import Candidate
from codesign.search.distributions import choose
from codesign.search.members import DIMENSION, StudyFamily, members_of, seeds_of
from codesign.search.storage import derived_seed, make_sampler
from codesign.search.telling import fail
from codesign.search.wariness import FREE, Wariness
from codesign.study.definition import Study

__all__ = ("Draw", "Drawer")

#: draws that may repeat earlier trials, or be expected to fail, before the sampler gives way to a random one, and that
#: one gives up
_DRAWS, _RANDOM_DRAWS = 10, 40


@dataclass(frozen=True)
class Draw:
    """What was drawn for a trial: of which family, its candidate, its settings of the flow, and both as recorded."""

    asked: Any
    member: StudyFamily
    candidate: Candidate
    settings: BaseModel
    config: dict[str, Any]


class Drawer:
    """Draws for one study from its Optuna study; a ``wary`` one draws again what it expects to fail."""

    def __init__(self, study: Study, search: Any, *, wary: bool = True) -> None:
        self._study, self._search, self._wary = study, search, wary
        self._members = {member.name: member for member in members_of(study)}
        self._seeds = seeds_of(study, tuple(self._members.values()))
        self._wariness = {
            member.name: Wariness(search, member.name if member.several else None) for member in self._members.values()
        }

    def draw(
        self,
        number: int,
        repeats: Callable[[Any, dict[str, Any]], int | None],
        parameters: dict[str, Any] | None = None,
        family: str | None = None,
    ) -> Draw | None:
        """Ask for a configuration that no trial has had yet; None when there seems to be none left.

        ``repeats(asked, config)`` gives the trial that a configuration repeats, None of a new one. The study's seeds
        come first, each to the trial of its number. ``parameters`` of an earlier draw are drawn again. Of several
        families one is named, unless it is a seed's. What looks like trials that failed is left out
        (:mod:`codesign.search.wariness`), as long as there is something else.
        """
        refused: Exception | None = None
        first = parameters
        if first is None and number < len(self._seeds):
            first = self._seeds[number][1]
        if first is not None:
            family = first.get(DIMENSION, family)
        member = self._members[family or self._study.named[0]]
        for attempt in range(_DRAWS + _RANDOM_DRAWS):
            # A sampler seeded by the trial's number, not by the worker: who draws it, and after how many
            # interruptions, makes no difference; only the history does.
            seed = derived_seed(self._study.seed, "sampler", number, attempt)
            own = (DIMENSION, member.name) if member.several else None
            sampler = make_sampler(self._study.search, seed, explore=attempt >= _DRAWS, family=own)
            if attempt == 0 and first is not None:
                sampler = _fix(first, sampler)
            elif member.several:
                sampler = _fix({DIMENSION: member.name}, sampler)
            self._search.sampler = sampler
            asked = self._search.ask()
            asked.set_user_attr("trial", number)
            try:
                if member.several:
                    asked.suggest_categorical(DIMENSION, list(self._members))
                candidate, settings, training = member.draw(choose(asked))
            except (CodesignError, ValueError) as error:  # pydantic's errors are ValueErrors
                # not told as refused: its last parameters were not drawn, and samplers learn of what all trials have
                fail(self._search, asked, f"not a valid configuration: {said_of(error)}")
                refused = error
                continue
            refused = None
            free = attempt >= _DRAWS - 1 or number % FREE == FREE - 1 or (attempt == 0 and first is not None)
            if self._wary and not free and (bound := self._wariness[member.name].expected(asked)) is not None:
                fail(self._search, asked, f"drawn again: by the trials before it is expected to break '{bound}'")
                continue
            config = member.config(candidate, settings, training)
            repeated = repeats(asked, config)
            if repeated is None:
                return Draw(asked, member, candidate, settings, config)
            fail(self._search, asked, f"repeats trial {repeated}")
        if refused is not None:
            raise refused
        return None


def _fix(parameters: dict[str, Any], sampler: Any) -> Any:
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.PartialFixedSampler(parameters, sampler)
