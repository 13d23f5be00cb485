"""What a task must offer: inputs, loss, metrics with uncertainties, a classical baseline, and its plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from codesign.physics.sample import Part, Sample
from codesign.records import Metric, Plot

if TYPE_CHECKING:
    import torch

__all__ = ("Task",)


class Task(Protocol):
    """A physics task. ``scores`` are always the network's raw outputs as values, (events, outputs) float64."""

    name: str
    #: metric -> "maximise" or "minimise"
    metrics: dict[str, str]

    def sample(self, settings: dict[str, Any], seed: int, progress: Any = None) -> Sample:
        """Make or read the sample that the study's ``sample`` section describes (validated by the task)."""

    def outputs(self, sample: Sample) -> tuple[str, ...]:
        """Name of each output of the network."""

    def loss(self, outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Training loss of a batch, a scalar."""

    def judge(self, scores: NDArray[np.float64], part: Part) -> dict[str, Metric]:
        """Every metric on this part, each with its statistical uncertainty."""

    def baseline(self, train: Part, seed: int) -> Any:
        """Fit the classical baseline on the training split; returns a function from x to scores."""

    def plots(self, scores: NDArray[np.float64], part: Part, baseline: NDArray[np.float64] | None = None) -> list[Plot]:
        """What the report draws for a design, the baseline beside it."""
