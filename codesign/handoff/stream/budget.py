"""Thresholds for a rate: the smallest code whose rate is within the budget, and how well a sample knows it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError

__all__ = ("LEAST", "Tuned", "rate_and_error", "tuned_threshold")

from pydantic import BaseModel, ConfigDict

#: events above a threshold below which its rate is not stated
LEAST = 9


class Tuned(BaseModel):
    """A threshold, the rate at it with the error of the sample, and the thresholds for one error less and more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    budget_hz: float
    threshold_code: int
    rate_hz: float
    rate_error_hz: float
    low_code: int
    high_code: int
    events: int
    above: int


def rate_and_error(above: int, events: int, collisions_hz: float) -> tuple[float, float]:
    """Rate of what ``above`` of ``events`` have, and its standard error, binomial."""
    share = above / events
    return collisions_hz * share, collisions_hz * math.sqrt(share * (1 - share) / events)


def tuned_threshold(path: str, codes: NDArray[np.integer], collisions_hz: float, budget_hz: float) -> Tuned:
    """The smallest code at which the rate is at most ``budget_hz``.

    InputError where fewer than ``LEAST`` events of the sample would be above: it says how many are needed.
    """
    events = len(codes)
    allowed = budget_hz / collisions_hz * events
    if allowed < LEAST:
        needed = math.ceil(LEAST * collisions_hz / budget_hz)
        raise InputError(
            f"a rate of {budget_hz:,.0f} Hz is one in {collisions_hz / budget_hz:,.0f} collisions: {events:,} events "
            f"cannot tell it; give {needed:,} at least, or a budget from {LEAST * collisions_hz / events:,.0f} Hz"
        )

    def code_for(most: float) -> int:
        values, counts = np.unique(codes, return_counts=True)
        above = np.cumsum(counts[::-1])[::-1]  # events with at least this code
        within = values[above <= most]
        return int(within[0]) if len(within) else int(values[-1]) + 1

    chosen = code_for(allowed)
    above = int((codes >= chosen).sum())
    rate, error = rate_and_error(above, events, collisions_hz)
    return Tuned(
        path=path,
        budget_hz=budget_hz,
        threshold_code=chosen,
        rate_hz=rate,
        rate_error_hz=error,
        low_code=code_for(allowed + math.sqrt(allowed)),
        high_code=code_for(max(allowed - math.sqrt(allowed), 0)),
        events=events,
        above=above,
    )
