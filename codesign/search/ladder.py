"""Who is surely better: the comparison by which rungs of measurement (:mod:`codesign.search.measured`) are climbed.

"Surely" is with uncertainty, in the manner of MO-ASHA (arXiv 2106.12639): better by at least one standard deviation of
the difference in each objective that has one. Rungs of shorter trainings are not kept: on the shipped jet tagger they
gained nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ("Rung", "surely_dominated")

#: candidates that are ranked at once, against all: with thousands of them, all at once would take gigabytes
_BLOCK = 64


@dataclass(frozen=True)
class Rung:
    """A candidate's objectives on a rung, each with one standard deviation (0: it has none)."""

    values: tuple[float, ...]
    errors: tuple[float, ...]


def surely_dominated(every: Sequence[Rung], directions: Sequence[str]) -> Iterator[NDArray[np.bool_]]:
    """By which of all each candidate is surely dominated: (candidates, all), some candidates at a time, in order.

    Surely: the other is better by a standard deviation in all that is uncertain, not worse in the rest, and better.
    """
    signs = [1 if d == "maximise" else -1 for d in directions]
    values = [sign * np.array([rung.values[k] for rung in every]) for k, sign in enumerate(signs)]
    errors = [np.array([rung.errors[k] for rung in every]) for k in range(len(signs))]
    for start in range(0, len(every), _BLOCK):
        rows = slice(start, start + _BLOCK)
        surely, somewhere = np.True_, np.False_
        for value, error in zip(values, errors, strict=True):
            better = value - value[rows, None]
            surely = surely & (better >= np.hypot(error, error[rows, None]))
            somewhere = somewhere | (better > 0)
        yield np.asarray(surely & somewhere)
