"""The ladder of fidelities: a candidate trained shortly first, and longer only while it is among the best of its rung.

Asynchronous successive halving over several objectives, in the manner of MO-ASHA (arXiv 2106.12639), decided when a
candidate reaches a rung and by what is known then: nobody waits for anybody. A candidate climbs on if no other of the
same rung surely dominates it, or if it is among the best share ``1 / reduction`` of the rung. "Surely" is with
uncertainty: better by at least one standard deviation of the difference in each objective that has one. Before the
first rung is the bound that a pipeline's ``evaluate`` asks first, after the last are synthesis and RTL simulation, on
the front alone. What was stopped has no score: only candidates of the last rung meet on the front. The sampler is told
of it as of a candidate that breaks a bound, so that it learns where not to look again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codesign.core.reading.json import member_json
from codesign.core.records import ReachedRung, Rungs
from codesign.core.runfolder import RunFolder, TrialFolder, write_atomically
from codesign.core.validation import validate
from codesign.pipeline.scoring import score
from codesign.study.definition import Study

if TYPE_CHECKING:
    from codesign.pipeline.base import CandidateResult

__all__ = ("RUNGS", "Rung", "climbs", "record_rung", "rungs_of", "stopped_at", "surely_dominated")

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


def climbs(own: Rung, others: Sequence[Rung], directions: Sequence[str], reduction: int) -> bool:
    """Whether a candidate climbs on, among the ``others`` that reached its rung before."""
    every = [own, *others]
    if len(every) < reduction:
        return True
    rank, before, best = None, 0, len(every) // reduction
    for block in surely_dominated(every, directions):
        ranks = block.sum(axis=1)
        rank = ranks[0] if rank is None else rank
        if rank == 0:
            return True
        before += int((ranks < rank).sum())  # as soon as these fill the best share, the rest need not be ranked
        if before >= best:
            return False
    return True


def record_rung(folder: TrialFolder, study: Study, epochs: int, outcome: CandidateResult, *, feasible: bool) -> Rung:
    """Add a rung to a trial's record; one that breaks a bound of the study is no measure for others."""
    values = score(folder.number, study, outcome.metrics, outcome.figures).values
    errors = tuple(0.0 if o.fidelity else outcome.metrics[o.name].error for o in study.objectives)
    rung = Rung(epochs, values, errors)
    path = folder.path / RUNGS
    before = [e.model_dump() for e in _entries(folder)]
    entry = {"epochs": epochs, "values": list(values), "errors": list(errors), "feasible": feasible}
    write_atomically(path, (json.dumps([*before, entry], indent=1) + "\n").encode())
    return rung


def rungs_of(run: RunFolder, epochs: int, but: int) -> list[Rung]:
    """What other trials had after so many epochs."""
    return [
        Rung(epochs, e.values, e.errors)
        for folder in run.trials()
        if folder.number != but
        for e in _entries(folder)
        if e.epochs == epochs and e.feasible
    ]


def stopped_at(folder: TrialFolder) -> tuple[float, ...] | None:
    """Objectives of a stopped trial on its last rung; None where an earlier release kept none."""
    entries = _entries(folder)
    return entries[-1].values if entries else None


def _entries(folder: TrialFolder) -> list[ReachedRung]:
    if not folder.has(RUNGS):
        return []
    data = member_json(folder.path, RUNGS, constants=True)
    return validate(Rungs, data, str(folder.path / RUNGS)).root
