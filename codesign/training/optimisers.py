"""What moves a network's parameters, by the names that studies have, and how the learning rate goes."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi
from typing import Any

import torch
from torch import Tensor

from codesign.training.lesson import OPTIMISERS, SCHEDULES, StepSettings

__all__ = ("optimiser_of", "rate_of")

#: what is left of the rate at the end of an exponential one
_LEFT = 0.01
_MOMENTUM = 0.9

_OPTIMISERS: dict[str, Callable[[list[Tensor], float], torch.optim.Optimizer]] = {
    "adam": lambda parameters, rate: torch.optim.Adam(parameters, lr=rate, fused=True),
    "nadam": lambda parameters, rate: torch.optim.NAdam(parameters, lr=rate),
    "rmsprop": lambda parameters, rate: torch.optim.RMSprop(parameters, lr=rate),
    "sgd": lambda parameters, rate: torch.optim.SGD(parameters, lr=rate, momentum=_MOMENTUM, nesterov=True),
}
_SHARES: dict[str, Callable[[float], float]] = {
    "cosine": lambda progress: (1 + cos(pi * progress)) / 2,
    "exponential": lambda progress: float(_LEFT**progress),
    "constant": lambda progress: 1.0,
}
assert set(_OPTIMISERS) == set(OPTIMISERS)
assert {"one-cycle", *_SHARES} == set(SCHEDULES)


def optimiser_of(how: StepSettings, parameters: list[Tensor], rate: float) -> torch.optim.Optimizer:
    """Adam (arXiv 1412.6980), Adam with Nesterov's momentum, RMSprop, or gradient descent with Nesterov's momentum."""
    return _OPTIMISERS[how.optimiser](parameters, rate)


def rate_of(how: StepSettings, optimiser: torch.optim.Optimizer, rate: float, steps: int) -> Any:
    """What sets the next rate after each of so many steps.

    One cycle (arXiv 1708.07120) rises for a tenth of the steps; of a handful of steps for more, as PyTorch's divides by
    their number. A cosine falls to 0, an exponential to a hundredth.
    """
    if how.schedule == "one-cycle":
        steps = max(steps, 3)
        share = max(0.1, 1.5 / steps)
        cycled = how.optimiser != "rmsprop"  # which has no momentum that would go the other way
        return torch.optim.lr_scheduler.OneCycleLR(
            optimiser, rate, total_steps=steps, pct_start=share, cycle_momentum=cycled
        )
    share_at = _SHARES[how.schedule]
    return torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: share_at(min(1.0, step / max(1, steps))))
