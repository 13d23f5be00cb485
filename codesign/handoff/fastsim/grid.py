"""Estimates in bins of several axes, each with its uncertainty; thin bins take what wider ones say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.tasks.jets.response import median, resolution
from codesign.tasks.outcome import Axis

__all__ = ("LEAST", "Estimate", "cells", "efficiency", "estimated", "middle", "width")

#: rows below which a bin takes the estimate of the bin without its last axis
LEAST = 50

Array = NDArray[np.float64]
#: value and standard error of some rows
Estimate = Callable[[Array], tuple[float, float]]


def efficiency(passed: Array) -> tuple[float, float]:
    """Share of rows that passed, and half of Wilson's interval at one standard deviation (JASA 22 (1927) 209): not
    zero where all or none passed."""
    n, share = len(passed), float(passed.mean())
    half = np.sqrt(share * (1 - share) / n + 1 / (4 * n * n)) / (1 + 1 / n)
    return share, float(half)


def middle(response: Array) -> tuple[float, float]:
    """Median and its error."""
    found = median(response)
    return found.value, found.error


def width(response: Array) -> tuple[float, float]:
    """Half the distance of the quantiles at 16 and 84 % over the median, and its error."""
    found = resolution(response)
    return found.value, found.error


def cells(axes: Sequence[Axis]) -> NDArray[np.int64]:
    """Place of each row in the flattened grid of all axes' bins, the last axis fastest."""
    place = np.zeros(len(axes[0].values), dtype=np.int64)
    for axis in axes:
        place = place * axis.size + axis.bins()
    return place


def estimated(values: Array, axes: Sequence[Axis], estimate: Estimate, least: int = LEAST) -> tuple[Array, Array]:
    """Estimate and error in every bin, each of the shape of the grid.

    A bin with fewer than ``least`` rows takes the estimate of all rows that share its bins of all axes but the last,
    and so on. InputError where even the whole has too few.
    """
    if len(values) < least:
        raise InputError(f"{len(values)} rows are too few for a parametrisation; {least} are needed")
    shape = tuple(axis.size for axis in axes)
    value, error = (np.broadcast_to(v, ()).copy() for v in estimate(values))
    for depth in range(1, len(axes) + 1):
        inner = shape[:depth]
        value, error = (np.repeat(a[..., None], inner[-1], axis=-1) for a in (value, error))
        place = cells(axes[:depth])
        order = np.argsort(place, kind="stable")
        first = np.searchsorted(place[order], np.arange(int(np.prod(inner)) + 1))
        for cell in np.flatnonzero(np.diff(first) >= least):
            at = np.unravel_index(cell, inner)
            value[at], error[at] = estimate(values[order[first[cell] : first[cell + 1]]])
    return value, error
