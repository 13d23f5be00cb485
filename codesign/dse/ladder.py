"""The ladder of fidelities: a candidate trained shortly first, and longer only while it is among the best of its rung.

Asynchronous successive halving over several objectives, in the manner of MO-ASHA (arXiv 2106.12639), decided when a
candidate reaches a rung and by what is known then: nobody waits for anybody. A candidate climbs on if no other of the
same rung surely dominates it, or if it is among the best share ``1 / reduction`` of the rung. "Surely" is with
uncertainty: better by at least one standard deviation of the difference in each objective that has one. Before the
first rung is the bound that :func:`codesign.candidate.evaluate` asks first, after the last are synthesis and RTL
simulation, on the front alone. What was stopped has no score: only candidates of the last rung meet on the front.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.dse.scoring import Outcome, score
from codesign.runfolder import RunFolder, TrialFolder, write_atomically
from codesign.study import Study

__all__ = ("RUNGS", "Rung", "climbs", "record_rung", "rungs_of", "surely_dominates")

#: a trial's record of the rungs below the last
RUNGS = "rungs.json"

#: candidates that are ranked at once, against all: with thousands of them, all at once would take gigabytes
_BLOCK = 64


@dataclass(frozen=True)
class Rung:
    """A candidate's objectives after so many epochs, each with one standard deviation (0: it has none)."""

    epochs: int
    values: tuple[float, ...]
    errors: tuple[float, ...]


def _differences(one: Rung, other: Rung, directions: Sequence[str]) -> list[tuple[float, float]]:
    """By how much ``one`` is better in each objective, and the standard deviation of that."""
    signs = [1 if d == "maximise" else -1 for d in directions]
    return [
        (sign * (a - b), math.hypot(e, f))
        for sign, a, b, e, f in zip(signs, one.values, other.values, one.errors, other.errors, strict=True)
    ]


def surely_dominates(one: Rung, other: Rung, directions: Sequence[str]) -> bool:
    """Whether ``one`` is better by a standard deviation in all that is uncertain, not worse in the rest, and better."""
    found = _differences(one, other, directions)
    return all(better >= sigma for better, sigma in found) and any(better > 0 for better, _ in found)


def climbs(own: Rung, others: Sequence[Rung], directions: Sequence[str], reduction: int) -> bool:
    """Whether a candidate climbs on, among the ``others`` that reached its rung before."""
    every = [own, *others]
    if len(every) < reduction:
        return True
    signs = [1 if d == "maximise" else -1 for d in directions]
    values = [sign * np.array([rung.values[k] for rung in every]) for k, sign in enumerate(signs)]
    errors = [np.array([rung.errors[k] for rung in every]) for k in range(len(signs))]

    def ranks(rows: slice) -> NDArray[np.intp]:
        """By how many of all each of some is surely dominated, as :func:`surely_dominates` has it."""
        surely, somewhere = np.True_, np.False_
        for value, error in zip(values, errors, strict=True):
            better = value - value[rows, None]
            surely = surely & (better >= np.hypot(error, error[rows, None]))
            somewhere = somewhere | (better > 0)
        counted: NDArray[np.intp] = np.count_nonzero(surely & somewhere, axis=1)
        return counted

    rank, best = ranks(slice(0, 1))[0], len(every) // reduction
    if rank == 0:
        return True
    before = 0  # of better rank: as soon as they fill the best share, the rest need not be ranked
    for start in range(0, len(every), _BLOCK):
        before += int((ranks(slice(start, start + _BLOCK)) < rank).sum())
        if before >= best:
            return False
    return True


def record_rung(folder: TrialFolder, study: Study, epochs: int, outcome: Outcome) -> Rung:
    """Add a rung to a trial's record."""
    values = score(folder.number, study, outcome.metrics, outcome.figures).values
    errors = tuple(0.0 if o.fidelity else outcome.metrics[o.name].error for o in study.objectives)
    rung = Rung(epochs, values, errors)
    path = folder.path / RUNGS
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    entry = {"epochs": epochs, "values": list(values), "errors": list(errors)}
    write_atomically(path, (json.dumps([*before, entry], indent=1) + "\n").encode())
    return rung


def rungs_of(run: RunFolder, epochs: int, but: int) -> list[Rung]:
    """What other trials had after so many epochs."""
    found = []
    for folder in run.trials():
        path = folder.path / RUNGS
        if folder.number != but and path.is_file():
            entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
            found += [Rung(epochs, tuple(e["values"]), tuple(e["errors"])) for e in entries if e["epochs"] == epochs]
    return found
