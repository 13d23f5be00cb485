"""The lines of a task's plot: the design's, and dashed those of its baselines."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codesign.core.records import Series

__all__ = ("line", "scores_by_source")


def scores_by_source(
    scores: NDArray[np.float64], baselines: Mapping[str, NDArray[np.float64]], most: int | None = None
) -> dict[str, NDArray[np.float64]]:
    """The design's scores under the empty name, then those of the first ``most`` baselines, of all without it."""
    return {"": scores, **dict(islice(baselines.items(), most))}


def line(
    source: str,
    x: ArrayLike,
    y: ArrayLike,
    *,
    of: str = "",
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
) -> Series:
    """A line with its band. ``source``: the baseline whose it is, empty for the design; ``of``: what it is of, such as
    a class. A baseline is called by its name without what is behind it in parentheses."""
    short = source.partition(" (")[0]
    return Series(
        label=(f"{of} ({short})" if source else of) if of else (short or "this design"),
        x=_list(x),
        y=_list(y),
        low=None if low is None else _list(low),
        high=None if high is None else _list(high),
        dashed=bool(source),
        of=of,
        source=source,
    )


def _list(values: ArrayLike) -> list[float]:
    numbers: list[float] = np.asarray(values, dtype=np.float64).tolist()
    return numbers
