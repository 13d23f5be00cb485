"""``python -m tests.benchmarks.search.many_trials``: resume, front and report of 10,000 finished trials.

The run is made up (:func:`tests.make_run.make_run`), its journal is Optuna's own: every trial was asked for, drawn and
told. Timed are the commands as a user gives them, in processes of their own: ``codesign run`` with nothing left to do,
``codesign report``, and, inside one process, the front of all candidates. ``next_trial_seconds`` is what the search
does to begin one more, of each sampler but Gaussian processes, which are not meant for so many: all but random draws
look at what all trials before had.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from codesign.core import records
from codesign.core.records import State, TrialStatus
from codesign.core.runfolder import RunFolder, TrialFolder
from codesign.pipeline.front import pareto
from codesign.pipeline.scoring import Score
from codesign.search.distributions import choose
from codesign.search.draw import Drawer
from codesign.search.resolve import Resolved, resolve
from codesign.search.storage import JOURNAL, make_sampler, open_study
from codesign.search.telling import fail, recorded_score
from codesign.study.definition import SearchSettings, Study, load_study
from tests.benchmarks.search.record import OUTPUT, write_section
from tests.make_run import STUDY, make_run, promote

__all__ = ("finished_run",)

_DRAWING = ("random", "nsga2", "tpe")


def finished_run(path: Path, trials: int) -> RunFolder:
    """A run of so many finished trials with its journal and its front, in which nothing is left to do."""
    run = make_run(path, trials=trials, finished=False)
    # without a space the made-up study cannot be searched
    study = Study.model_validate(STUDY | {"space": load_study("jet-tagger").space})
    (path / "study.yaml").write_text(study.to_yaml(), encoding="utf-8")
    last = run.trial(trials - 1)  # it was running
    last.write("status.json", TrialStatus(trial=last.number, state=State.FAILED, seed=1, reason="made up"))
    search = open_study(run, study, None)
    search.sampler = make_sampler(SearchSettings(sampler="random"), 1)
    resolved = resolve(study)
    scores = []
    for folder in run.trials():
        if (scored := _told(search, resolved, folder)) is not None:
            scores.append(scored)
    front = pareto(scores, [o.direction for o in study.objectives])
    random = np.random.default_rng(1)
    objectives = [records.Objective(**o.model_dump()) for o in study.objectives]
    points = [promote(run.trial(score.trial), random) for score in front]
    run.write("front.json", records.Front(study=study.name, objectives=objectives, points=points, baseline={}))
    return run


def _told(search: Any, resolved: Resolved, folder: TrialFolder) -> Score | None:
    """Ask for a trial and tell its end, as a search does; the score of a candidate that is feasible."""
    from optuna.trial import TrialState

    status = folder.read("status.json", TrialStatus)
    assert status is not None
    asked = search.ask()
    asked.set_user_attr("trial", folder.number)
    resolved.family.suggest(resolved.space, choose(asked))
    if status.state == State.FAILED:
        search.tell(asked, state=TrialState.FAIL)
        return None
    asked.set_constraint("lut", 0.0 if status.state == State.COMPLETE else 1.0)
    scored = recorded_score(folder, resolved.study)
    search.tell(asked, list(scored.values))
    return scored if status.state == State.COMPLETE else None


def _seconds(action: Callable[[], object], repeats: int = 3) -> float:
    """Median time of an action."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return median(taken)


def _command(*words: str | Path) -> Callable[[], object]:
    whole = [sys.executable, "-m", "codesign.cli", *map(str, words)]
    return lambda: subprocess.run(whole, check=True, capture_output=True)


def measured(trials: int) -> dict[str, Any]:
    """Make the run, and time what is done with it."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "made-up"
        run = finished_run(path, trials)
        study_file = Path(name) / "study.yaml"
        shutil.copy(path / "study.yaml", study_file)
        study = load_study(str(study_file))
        whole = ("run", study_file, "--run", path, "--trials", str(trials), "--workers", "1", "--no-report")
        found: dict[str, Any] = {
            "trials": trials,
            "journal_megabytes": round((path / JOURNAL).stat().st_size / 1e6, 1),
            "command_start_seconds": round(_seconds(_command("--help")), 2),
            "resume_seconds": round(_seconds(_command(*whole)), 2),
            "report_seconds": round(_seconds(_command("report", path, "-o", Path(name) / "report.html")), 2),
        }
        folders = [f for f in run.trials() if f.read_json("status.json")["state"] == State.COMPLETE]  # type: ignore[index]
        scores = [recorded_score(folder, study) for folder in folders]
        directions = [o.direction for o in study.objectives]
        found["front_seconds"] = round(_seconds(lambda: pareto(scores, directions)), 4)
        found["front_candidates"], found["front_points"] = len(scores), len(pareto(scores, directions))
        found["next_trial_seconds"] = {name: _next_trial(run, study, name, trials) for name in _DRAWING}
    return found


def _next_trial(run: RunFolder, study: Study, sampler: str, number: int) -> float:
    """Seconds of the driver and a worker to draw one trial more."""
    search = open_study(run, study, None)
    settings = study.search.model_copy(update={"sampler": sampler})
    drawer = Drawer(study.model_copy(update={"search": settings}), search)

    def next_trial() -> None:
        drawn = drawer.draw(number, lambda asked, config: None)
        assert drawn is not None
        fail(search, drawn.asked, "of the benchmark")

    next_trial()  # reads the journal, once for each worker
    return round(_seconds(next_trial, 3), 3)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    found = measured(options.trials)
    write_section(options.output, "many_trials", found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
