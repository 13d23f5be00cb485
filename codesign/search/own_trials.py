"""A sampler that sees the trials of one family only, of a study that several share.

Each family has dimensions of its own. To a sampler that saw them all, the dimensions that all trials have, of which
those learn that look at several at once, would be none; and where one family is far ahead, no trial of another would
count among the good ones, so that nothing were learned within it.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler
from optuna.trial import FrozenTrial, TrialState

__all__ = ("OwnTrials", "kind_of")


class _Own(optuna.Study):
    """A study without the trials of other families."""

    def __init__(self, study: optuna.Study, dimension: str, family: str) -> None:
        self.__dict__ = dict(study.__dict__)
        self._own = (dimension, family)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        dimension, family = self._own
        return [t for t in super()._get_trials(deepcopy, states, use_cache) if t.params.get(dimension) == family]


class OwnTrials(BaseSampler):
    """The given sampler, which is shown a family's own trials."""

    def __init__(self, sampler: BaseSampler, dimension: str, family: str) -> None:
        self._sampler, self._dimension, self._family = sampler, dimension, family

    def _own(self, study: optuna.Study) -> optuna.Study:
        return _Own(study, self._dimension, self._family)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The dimensions that all trials of the family have."""
        found = self._sampler.infer_relative_search_space(self._own(study), trial)
        return {name: distribution for name, distribution in found.items() if name != self._dimension}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """What the sampler makes of them."""
        found: dict[str, Any] = self._sampler.sample_relative(self._own(study), trial, search_space)
        return found

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A dimension that only some trials have."""
        return self._sampler.sample_independent(self._own(study), trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """See Optuna."""
        self._sampler.before_trial(self._own(study), trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """See Optuna."""
        self._sampler.after_trial(self._own(study), trial, state, values)


def kind_of(kind: type[NSGAIISampler], family: str | None) -> type[NSGAIISampler]:
    """A genetic sampler whose generations are counted for a family alone: Optuna keeps them by the name of its class,
    and of none (None) as it always did."""
    return kind if family is None else type(f"{kind.__name__}:{family}", (kind,), {})
