"""What an earlier start left behind: taken up where it is whole, cleared away where it is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from codesign.core.errors import CodesignError, InputError
from codesign.core.records import Figures, Metrics, State, TrialStatus
from codesign.core.runfolder import IMPORT, RunFolder, TrialFolder, write_atomically
from codesign.core.targets import Target
from codesign.pipeline.lacking import is_here
from codesign.pipeline.scoring import Score, score
from codesign.search.ladder import stopped_at
from codesign.search.messages import Retry
from codesign.search.storage import unknown_trials
from codesign.study.definition import Study, parse_study

__all__ = (
    "adopt",
    "begin_again",
    "config_key",
    "fail",
    "finished",
    "must_agree",
    "recorded_score",
    "recover",
    "retries",
    "scored_trials",
    "tell",
    "told",
)

#: sections of a study that may change between two starts: they say how long and how to search, not what
_FREE = ("search", "description")


def must_agree(run: RunFolder, study: Study, target: Target) -> None:
    """See that the study and its target are those of a run already there; InputError says in what they differ."""
    path = run.path / "study.yaml"
    if run.has(IMPORT):
        raise InputError(f"{run.path} holds imported models, not a search: give another folder with --run")
    if path.is_file():
        run.refuse_links()
        given = study.model_dump(mode="json")
        # through the model: a study of an earlier release may write the same in other words
        there = parse_study(run.read_text("study.yaml"), str(path)).model_dump(mode="json")
        changes = _differences(there, given)
        changes += _differences({"target": run.read_json("target.json")}, {"target": target.model_dump(mode="json")})
        changes = [c for c in changes if c.split(":")[0].split(".")[0] not in _FREE]
        if changes:
            more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
            raise InputError(
                f"{run.path} holds a run of another study: {changes[0]}{more}; "
                "give another folder with --run, or the study as it was"
            )


def adopt(run: RunFolder, study: Study, target: Target) -> None:
    """Write the study and its target into the run folder, where they are not there in the same words."""
    if run.read_json("target.json") != target.model_dump(mode="json"):
        run.write("target.json", target)
    path, content = run.path / "study.yaml", study.to_yaml().encode()
    if not path.is_file() or path.read_bytes() != content:
        write_atomically(path, content)


def _differences(there: Any, given: Any, where: str = "") -> list[str]:
    if isinstance(there, dict) and isinstance(given, dict):
        keys = [*there, *(k for k in given if k not in there)]
        return [d for k in keys for d in _differences(there.get(k), given.get(k), f"{where}.{k}" if where else str(k))]
    if there == given:
        return []
    return [f"{where}: it has {json.dumps(there)}, the study given has {json.dumps(given)}"]


def config_key(config: dict[str, Any]) -> str:
    """The one text of a configuration by which a repeated one is known."""
    return json.dumps(config, sort_keys=True)


def finished(folder: TrialFolder) -> TrialStatus | None:
    """The status of a trial that came to its end, None of any other."""
    status = folder.read("status.json", TrialStatus)
    return status if status is not None and status.state != State.RUNNING else None


def _need(folder: TrialFolder, name: str, model: type[BaseModel]) -> Any:
    record = folder.read(name, model)
    if record is None:
        raise InputError(f"{folder.path / name} is missing though the trial is finished: restore it, or start anew")
    return record


def recorded_score(folder: TrialFolder, study: Study) -> Score:
    """Score a finished trial from its records."""
    metrics: Metrics = _need(folder, "metrics.json", Metrics)
    figures: Figures = _need(folder, "figures.json", Figures)
    return score(folder.number, study, metrics.metrics, figures.figures)


def scored_trials(run: RunFolder) -> list[int]:
    """Trials with a score: the search's storage must know them."""
    ended = {folder.number: finished(folder) for folder in run.trials()}
    return [n for n, s in ended.items() if s is not None and s.state in (State.COMPLETE, State.INFEASIBLE)]


def recover(run: RunFolder, study: Study, search: Any) -> dict[int, TrialStatus]:
    """Bring folder and storage together after whatever ended the last start; returns the finished trials.

    InputError, before anything is changed, where the two are not of the same search. A trial whose records are whole
    counts, and the storage is told if it does not know. Any other is marked failed in the storage ("interrupted"), its
    half-written folder is removed, and its number is free again: it will be drawn with the same seeds, so that a search
    that was interrupted goes on as if it had not been.
    """
    from optuna.trial import TrialState

    statuses, halves, retried = {}, [], {}
    for folder in run.trials():
        status = folder.read("status.json", TrialStatus)
        if status is not None and status.state == State.RUNNING and status.lacking:
            retried[folder.number] = status.model_copy(update={"state": State.FAILED})  # what it was, and still is
        elif status is None or status.state == State.RUNNING:
            halves.append(folder)
        else:
            statuses[folder.number] = status
    scored = {n for n, s in statuses.items() if s.state in (State.COMPLETE, State.INFEASIBLE)}
    trials = search.get_trials(deepcopy=False)
    known = {t.user_attrs.get("trial") for t in trials if t.state == TrialState.COMPLETE}
    unfinished = [(t.user_attrs.get("trial"), t) for t in trials if not t.state.is_finished()]
    # recorded, but its worker died before it told the storage
    untold = {number: t for number, t in unfinished if number in statuses and number not in known}
    if lost := sorted(scored - known - untold.keys()):
        raise InputError(unknown_trials(run, lost))
    if gone := sorted(n for n in known if isinstance(n, int) and n not in statuses):
        raise InputError(
            f"{run.path}: the folder of trial {gone[0]} is gone though the trial is finished: "
            "restore it, or give another folder with --run"
        )
    for folder in halves:
        shutil.rmtree(folder.path)
    for number, status in retried.items():
        run.trial(number).write("status.json", status)
    for number, trial in unfinished:
        if untold.get(number) is trial:
            tell(search, trial, run.trial(number), study)
        else:
            fail(search, trial, "interrupted")
    return statuses | retried


def retries(run: RunFolder, search: Any, statuses: Mapping[int, TrialStatus]) -> dict[int, Retry]:
    """Of the finished trials those that failed for want of packages or programs which are all here by now."""
    wanted = {
        n: s for n, s in statuses.items() if s.state == State.FAILED and s.lacking and all(map(is_here, s.lacking))
    }
    if not wanted:
        return {}
    found = {}
    for trial in search.get_trials(deepcopy=False):
        status = wanted.get(trial.user_attrs.get("trial", -1))
        # of one number there may be several: repeated draws, interrupted starts
        if status is not None and status.reason == trial.user_attrs.get("reason"):
            found[status.trial] = Retry(dict(trial.params), status.reason or "", tuple(status.lacking))
    return found


def begin_again(folder: TrialFolder, retry: Retry, seed: int) -> None:
    """Mark a failed trial as one that is tried again; killed before it comes to its end, it is what it was."""
    status = TrialStatus(
        trial=folder.number, state=State.RUNNING, reason=retry.reason, seed=seed, lacking=list(retry.lacking)
    )
    folder.write("status.json", status)
    for path in folder.path.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in ("status.json", "config.json", "log.txt"):
            path.unlink()


def tell(search: Any, trial: Any, folder: TrialFolder, study: Study) -> None:
    """Tell the storage what the records of a finished trial say."""
    status = finished(folder)
    assert status is not None, "only finished trials are told"
    if (values := told(folder, study, status)) is None:
        fail(search, trial, status.reason or "failed")
    else:
        search.tell(trial.number, list(values))


def told(folder: TrialFolder, study: Study, status: TrialStatus) -> tuple[float, ...] | None:
    """Objectives of which the storage is told: of a trial that the ladder stopped, those of its last rung, which break
    the constraint :data:`codesign.pipeline.scoring.STOPPED_EXCESS`; None of one that failed."""
    if status.state == State.FAILED:
        return None
    return stopped_at(folder) if status.state == State.STOPPED else recorded_score(folder, study).values


def fail(search: Any, trial: Any, reason: str) -> None:
    """Mark a trial as failed in the storage. It may have ended in the meantime: then nothing is to be done."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import Trial, TrialState

    try:
        Trial(search, trial._trial_id).set_user_attr("reason", reason)
        search.tell(trial.number, state=TrialState.FAIL)
    except (UpdateFinishedTrialError, ValueError, RuntimeError, CodesignError):
        return
