"""What an earlier start left behind: taken up where it is whole, cleared away where it is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from typing import Any

from codesign.core.errors import InputError
from codesign.core.records import State, TrialStatus
from codesign.core.runfolder import IMPORT, RunFolder, TrialFolder, write_atomically
from codesign.core.targets import Target
from codesign.pipeline.lacking import is_here
from codesign.search.messages import Retry
from codesign.search.storage import unknown_trials
from codesign.search.telling import fail, tell
from codesign.study.definition import Study, parse_study

__all__ = (
    "adopt",
    "begin_again",
    "clear",
    "config_key",
    "must_agree",
    "recover",
    "retries",
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
        kept = run.read_json("target.json")
        if isinstance(kept, dict) and isinstance(kept.get("resources"), dict):
            kept["resources"].setdefault("slrs", target.resources.slrs)  # an earlier release knew of none
        changes += _differences({"target": kept}, {"target": target.model_dump(mode="json")})
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
    clear(folder)


def clear(folder: TrialFolder) -> None:
    """Remove what was made of a trial, but not what it is, and what was said of it."""
    for path in folder.path.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in ("status.json", "config.json", "log.txt"):
            path.unlink()
