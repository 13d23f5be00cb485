"""Thresholds for a rate: the smallest code whose rate is within the budget, and how well a sample knows it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError

__all__ = ("LEAST", "Tuned", "rate_and_error", "tuned_threshold")

from pydantic import BaseModel, ConfigDict, Field

#: events above a threshold below which its rate is not stated
LEAST = 9


class Tuned(BaseModel):
    """A threshold, the rate at it with the error of the sample, and the thresholds for one error less and more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(description="whose threshold was tuned")
    budget_hz: float = Field(description="that it may have")
    threshold_code: int = Field(description="the smallest within the budget")
    rate_hz: float = Field(description="at that threshold")
    rate_error_hz: float = Field(description="one standard deviation")
    low_code: int = Field(description="threshold for a rate one error lower")
    high_code: int = Field(description="threshold for a rate one error higher")
    events: int = Field(description="distinct events that it was tuned on")
    above: int = Field(description="of these at the threshold or above")


def rate_and_error(
    fires: NDArray[np.bool_], collisions_hz: float, weights: NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """Rate of what fires, (events,), and its standard error; ``weights``: the probability of each event."""
    events = len(fires)
    each = np.full(events, 1 / events) if weights is None else weights
    share = float(each[fires].sum())
    return collisions_hz * share, collisions_hz * math.sqrt(float((each**2 * (fires - share) ** 2).sum()))


def tuned_threshold(
    path: str,
    codes: NDArray[np.integer],
    collisions_hz: float,
    budget_hz: float,
    weights: NDArray[np.float64] | None = None,
) -> Tuned:
    """The smallest code at which the rate is at most ``budget_hz``; ``weights``: the probability of each event.

    InputError where fewer than ``LEAST`` events of the sample, or what as many equal ones are worth, would be above: it
    says how many are needed.
    """
    events = len(codes) if weights is None else 1 / float((weights**2).sum())
    share = budget_hz / collisions_hz
    if share * events < LEAST:
        needed = math.ceil(LEAST / share)
        told = "events" if weights is None else "events, of equal weight,"
        raise InputError(
            f"a rate of {budget_hz:,.0f} Hz is one in {1 / share:,.0f} collisions: {events:,.0f} {told} "
            f"cannot tell it; give {needed:,} at least, or a budget from {LEAST * collisions_hz / events:,.0f} Hz"
        )
    values, places = np.unique(codes, return_inverse=True)
    held = np.bincount(places, weights, len(values)) / (len(codes) if weights is None else 1.0)
    reached = np.cumsum(held[::-1])[::-1]  # the share with at least this code

    def code_for(most: float) -> int:
        within = values[reached <= most * (1 + 1e-9)]
        return int(within[0]) if len(within) else int(values[-1]) + 1

    spread = math.sqrt(share / events)
    chosen = code_for(share)
    rate, error = rate_and_error(codes >= chosen, collisions_hz, weights)
    return Tuned(
        path=path,
        budget_hz=budget_hz,
        threshold_code=chosen,
        rate_hz=rate,
        rate_error_hz=error,
        low_code=code_for(share + spread),
        high_code=code_for(max(share - spread, 0)),
        events=len(codes),
        above=int((codes >= chosen).sum()),
    )
