"""Drawing the configuration of a trial from the sampler, by whoever does it: a worker process or the driver."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from codesign.core import plugins
from codesign.core.errors import CodesignError
from codesign.core.validation import validated
from codesign.families.base import Candidate, Family
from codesign.flows.base import Flow
from codesign.flows.settings import draw_settings, resolve_space, whole_config
from codesign.search.distributions import choose
from codesign.search.seeds import seed_parameters
from codesign.search.storage import derived_seed, make_sampler
from codesign.search.telling import fail
from codesign.study.definition import Study

__all__ = ("Drawer",)

#: draws that may repeat earlier trials before the sampler gives way to a random one, and that one gives up
_DRAWS, _RANDOM_DRAWS = 10, 40


class Drawer:
    """Draws for one study from its Optuna study."""

    def __init__(self, study: Study, search: Any) -> None:
        self._study, self._search = study, search
        self._family = plugins.load(Family, study.family)
        self._space: BaseModel = validated(self._family.space, study.space, "space")
        self._flow = plugins.load(Flow, study.flow.name)
        self._flow_space = resolve_space(self._flow, study.flow.space, "flow")
        source = f"study '{study.name}'"
        self._seeds = seed_parameters(
            study.search.seeds, self._family, self._space, self._flow, self._flow_space, source
        )

    def draw(
        self,
        number: int,
        repeats: Callable[[Any, dict[str, Any]], int | None],
        parameters: dict[str, Any] | None = None,
    ) -> tuple[Any, Candidate, BaseModel] | None:
        """Ask for a configuration that no trial has had yet; None when there seems to be none left.

        ``repeats(asked, config)`` gives the trial that a configuration repeats, None of a new one. The study's seeds
        come first, each to the trial of its number. ``parameters`` of an earlier draw are drawn again.
        """
        refused: Exception | None = None
        for attempt in range(_DRAWS + _RANDOM_DRAWS):
            # A sampler seeded by the trial's number, not by the worker: who draws it, and after how many
            # interruptions, makes no difference; only the history does.
            seed = derived_seed(self._study.seed, "sampler", number, attempt)
            sampler = make_sampler(self._study.search, seed, explore=attempt >= _DRAWS)
            if attempt == 0 and parameters is not None:
                sampler = _fixed(parameters, sampler)
            elif attempt == 0 and number < len(self._seeds):
                sampler = _fixed(self._seeds[number], sampler)
            self._search.sampler = sampler
            asked = self._search.ask()
            asked.set_user_attr("trial", number)
            try:
                config = self._family.suggest(self._space, choose(asked))
                settings = draw_settings(self._flow, self._flow_space, choose(asked))
            except (CodesignError, ValueError) as error:  # pydantic's errors are ValueErrors
                # not told as refused: its last parameters were not drawn, and samplers learn of what all trials have
                fail(self._search, asked, f"not a valid configuration: {' '.join(str(error).split())}")
                refused = error
                continue
            refused = None
            repeated = repeats(asked, whole_config(config, settings))
            if repeated is None:
                return asked, config, settings
            fail(self._search, asked, f"repeats trial {repeated}")
        if refused is not None:
            raise refused
        return None


def _fixed(parameters: dict[str, Any], sampler: Any) -> Any:
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.PartialFixedSampler(parameters, sampler)
