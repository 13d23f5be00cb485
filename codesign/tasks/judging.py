"""Judge a design or a baseline: what has to be fixed first is fixed on the validation split, never on another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.physics.sample import Part
from codesign.records import Metric, Plot

__all__ = ("drawn", "fixed", "judged")

Scores = NDArray[np.float64]


def fixed(task: Any, scores: Scores, validation: Part) -> dict[str, float]:
    """Working points of these scores, such as thresholds; empty for a task that has none."""
    if not hasattr(task, "working_points"):
        return {}
    if validation.name != "validation":
        raise ValueError(f"working points are fixed on the validation split, not on {validation.name}")
    return dict(task.working_points(scores, validation))


def judged(task: Any, scores: Scores, part: Part, points: dict[str, float]) -> dict[str, Metric]:
    """Every metric of these scores, at working points that :func:`fixed` gave."""
    if hasattr(task, "working_points"):
        return task.judge(scores, part, points)  # type: ignore[no-any-return]
    return task.judge(scores, part)  # type: ignore[no-any-return]


def drawn(
    task: Any, scores: Scores, part: Part, points: dict[str, float], baselines: Mapping[str, Scores]
) -> list[Plot]:
    """The task's plots."""
    if hasattr(task, "working_points"):
        return task.plots(scores, part, baselines, points)  # type: ignore[no-any-return]
    return task.plots(scores, part, baselines)  # type: ignore[no-any-return]
