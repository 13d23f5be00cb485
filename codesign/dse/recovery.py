"""What an earlier start left behind: taken up where it is whole, cleared away where it is not."""

from __future__ import annotations

import json
import shutil
from typing import Any

from pydantic import BaseModel

from codesign.dse.ladder import stopped_at
from codesign.dse.scoring import Score, score
from codesign.errors import CodesignError, InputError
from codesign.records import Figures, Metrics, State, TrialStatus
from codesign.runfolder import RunFolder, TrialFolder, write_atomically
from codesign.study import Study, parse_study
from codesign.targets import Target

__all__ = ("adopt", "config_key", "fail", "finished", "recorded_score", "recover", "tell", "told")

#: sections of a study that may change between two starts: they say how long and how to search, not what
_FREE = ("search", "description")


def adopt(run: RunFolder, study: Study, target: Target) -> bool:
    """Write the study and its target into the run folder, or see that they are those of the run already there.

    Returns whether a run was there; InputError says in what it differs.
    """
    path = run.path / "study.yaml"
    resumed = path.is_file()
    if resumed:
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
    run.write("target.json", target)
    write_atomically(path, study.to_yaml().encode())
    return resumed


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


def recover(run: RunFolder, study: Study, search: Any) -> dict[int, TrialStatus]:
    """Bring folder and storage together after whatever ended the last start; returns the finished trials.

    A trial whose records are whole counts, and the storage is told if it does not know. Any other is marked failed in
    the storage ("interrupted"), its half-written folder is removed, and its number is free again: it will be drawn
    with the same seeds, so that a search that was interrupted goes on as if it had not been.
    """
    from optuna.trial import TrialState

    statuses = {}
    for folder in run.trials():
        status = finished(folder)
        if status is None:
            shutil.rmtree(folder.path)
        else:
            statuses[folder.number] = status
    scored = {n for n, s in statuses.items() if s.state in (State.COMPLETE, State.INFEASIBLE)}
    trials = search.get_trials(deepcopy=False)
    known = {t.user_attrs.get("trial") for t in trials if t.state == TrialState.COMPLETE}
    for trial in trials:
        if trial.state.is_finished():
            continue
        number = trial.user_attrs.get("trial")
        if number in statuses and number not in known:
            tell(search, trial, run.trial(number), study)
            known.add(number)
        else:
            fail(search, trial, "interrupted")
    if lost := sorted(scored - known):
        raise InputError(
            f"{run.path} holds {len(lost)} finished trials that the search's storage does not know (the first: "
            f"{lost[0]}): give the --storage with which the run began, or another folder with --run"
        )
    if gone := sorted(n for n in known if isinstance(n, int) and n not in statuses):
        raise InputError(
            f"{run.path}: the folder of trial {gone[0]} is gone though the trial is finished: "
            "restore it, or give another folder with --run"
        )
    return statuses


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
    the constraint :data:`codesign.dse.scoring.STOPPED_EXCESS`; None of one that failed."""
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
