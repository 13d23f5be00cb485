"""What the search's storage is told of a trial that came to its end: by a worker, the driver, or the next start.

It is read from the trial's records, so that a search that was interrupted tells what it would have told. Of a trial
that failed there are three kinds:

- There can be no such candidate: it is not exact, does not fit, a flow refuses it, it takes too long. The sampler is
  told so as of one that breaks a bound, with how far (``refused`` in its status), and its objectives are infinitely
  bad, so that a sampler that knows no bounds ranks it last. Told as failed it would be ignored, and drawn for ever.
- The machine was at fault: a crash, a kill, memory. It is tried again (:data:`TRIES` in all); one that fails each time
  is at fault itself, and of the first kind.
- A package or program was missing: the storage is told that it failed, and it is tried again when that is here.

In the run's records each of them is failed, with its reason, and has no score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codesign.core.errors import CodesignError, InputError
from codesign.core.records import Figures, Metrics, State, TrialStatus
from codesign.core.runfolder import RunFolder, TrialFolder
from codesign.core.targets import load_target
from codesign.pipeline.scoring import Score, excess_of, score, shut_out
from codesign.study.definition import Study

__all__ = (
    "TRIES",
    "Told",
    "conclude",
    "fail",
    "finished_trials",
    "objectives_told",
    "recorded_score",
    "scored_trials",
    "tell",
)

#: of a candidate for which the machine may have been at fault
TRIES = 2


@dataclass(frozen=True)
class Told:
    """A trial in the sampler's terms: its objectives, and by how much it breaks each bound (0 or less: it holds)."""

    values: tuple[float, ...]
    excess: Mapping[str, float]


def finished_trials(folder: TrialFolder) -> TrialStatus | None:
    """The status of a trial that came to its end, None of any other."""
    status = folder.read("status.json", TrialStatus)
    return status if status is not None and status.state != State.RUNNING else None


def recorded_score(folder: TrialFolder, study: Study) -> Score:
    """Score a finished trial from its records."""
    metrics, figures = _measure(folder)
    return score(folder.number, study, metrics.metrics, figures.figures)


def _measure(folder: TrialFolder) -> tuple[Metrics, Figures]:
    metrics, figures = folder.read("metrics.json", Metrics), folder.read("figures.json", Figures)
    for name, record in (("metrics.json", metrics), ("figures.json", figures)):
        if record is None:
            raise InputError(f"{folder.path / name} is missing though the trial is finished: restore it, or start anew")
    assert metrics is not None
    assert figures is not None
    return metrics, figures


def scored_trials(run: RunFolder) -> list[int]:
    """Trials with a score: the search's storage must know them."""
    ended = {folder.number: finished_trials(folder) for folder in run.trials()}
    return [n for n, s in ended.items() if s is not None and s.state in (State.COMPLETE, State.INFEASIBLE)]


def objectives_told(folder: TrialFolder, study: Study, status: TrialStatus) -> Told | None:
    """What the storage is told of a trial; None of one that failed and says nothing of where to look."""
    if status.state == State.FAILED:
        if status.refused is None:
            return None
        worst = tuple(-math.inf if o.direction == "maximise" else math.inf for o in study.objectives)
        return Told(worst, shut_out(study, status.refused))
    metrics, figures = _measure(folder)
    excess, _ = excess_of(study, load_target(study.target), metrics.metrics, figures.figures)
    return Told(recorded_score(folder, study).values, excess)


def conclude(search: Any, asked: Any, folder: TrialFolder, study: Study, status: TrialStatus) -> None:
    """Write the last record of a trial, and tell the storage. ``asked`` is Optuna's trial, alive or as it was read."""
    found = objectives_told(folder, study, status)
    if found is not None:
        _constrain(search, asked, found)
    # the record first: should this process die before Optuna knows, the next start tells it
    folder.write("status.json", status)
    _end(search, asked, found, status)


def tell(search: Any, asked: Any, folder: TrialFolder, study: Study) -> None:
    """Tell the storage what the records of a finished trial say."""
    status = finished_trials(folder)
    assert status is not None, "only finished trials are told"
    found = objectives_told(folder, study, status)
    if found is not None:
        _constrain(search, asked, found)
    _end(search, asked, found, status)


def _alive(search: Any, asked: Any) -> Any:
    """The trial, where it was read from the storage, as one that can be written to."""
    from optuna.trial import Trial

    return asked if isinstance(asked, Trial) else Trial(search, asked._trial_id)


def _constrain(search: Any, asked: Any, found: Told) -> None:
    trial = _alive(search, asked)
    known = trial.constraints  # some, where a process died in between
    for name, value in found.excess.items():
        if name not in known:
            trial.set_constraint(name, value)


def _end(search: Any, asked: Any, found: Told | None, status: TrialStatus) -> None:
    if found is None:
        fail(search, asked, status.reason or "failed")
        return
    if status.state == State.FAILED:
        _alive(search, asked).set_user_attr("reason", status.reason or "failed")
    search.tell(asked.number, list(found.values))


def fail(search: Any, asked: Any, reason: str) -> None:
    """Mark a trial as failed in the storage. It may have ended in the meantime: then nothing is to be done."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    try:
        _alive(search, asked).set_user_attr("reason", reason)
        search.tell(asked.number, state=TrialState.FAIL)
    except (UpdateFinishedTrialError, ValueError, RuntimeError, CodesignError):
        return
