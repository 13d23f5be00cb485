"""Processes killed in the middle of their work: nothing that was finished is lost, nothing is counted twice."""

import os
import signal
import time

import pytest

from codesign.core.errors import InputError
from codesign.core.records import State
from tests.processes import PATIENCE, wait_for, wait_until_gone
from tests.search.conftest import STUDY
from tests.search.small_search import Notes, changed, optuna_states, refused, search, statuses, trace
from tests.search.started import start


@pytest.fixture
def hanging(tmp_path):
    """A driver whose only worker hangs in trial 3."""
    driver = start(tmp_path, "hang")
    marker = tmp_path / "run" / "hanging"
    wait_for(lambda: marker.exists() and marker.read_text())
    yield driver, int(marker.read_text()), tmp_path / "run"
    driver.kill()
    driver.communicate()


def test_a_killed_driver_takes_its_workers_along_and_the_search_goes_on(hanging, study, tmp_path):
    driver, worker, run = hanging
    with pytest.raises(InputError, match=rf"in use by another 'codesign run' \(process {driver.pid}\)"):
        search(study, run, 6)
    driver.kill()
    driver.wait()
    wait_until_gone(worker)
    assert statuses(run)[3].state == State.RUNNING
    search(study, run, 6)
    assert sorted(statuses(run)) == list(range(6))
    assert (3, "FAIL", "interrupted") in optuna_states(run, study)
    finished = [n for n, state, _ in optuna_states(run, study) if state == "COMPLETE"]
    assert sorted(finished) == list(range(6)), "none lost, none counted twice"
    search(study, tmp_path / "undisturbed", 6)
    assert trace(run) == trace(tmp_path / "undisturbed")


def test_a_killed_worker_is_replaced_while_the_driver_lives(hanging, study):
    driver, worker, run = hanging
    (run / "hanging").unlink()
    os.kill(worker, signal.SIGKILL)
    # the double hangs in trial 3 again: the second death in the same trial is the candidate's
    wait_for(lambda: (run / "hanging").exists() and (run / "hanging").read_text())
    os.kill(int((run / "hanging").read_text()), signal.SIGKILL)
    assert driver.wait(PATIENCE) == 0
    found = statuses(run)
    assert sorted(found) == list(range(6))
    assert found[3].state == State.FAILED
    assert found[3].reason == "its worker was killed by SIGKILL, 2 times"
    assert "trial 3: its worker was killed by SIGKILL; starting another" in driver.stderr.read()
    assert [n for n, state, _ in optuna_states(run, study) if state == "COMPLETE"] == [0, 1, 2, 3, 4, 5]
    assert refused(run, study) == {3: 1.0}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_driver_leaves_order(hanging, study, number):
    driver, worker, run = hanging
    driver.send_signal(number)
    assert driver.wait(PATIENCE) == 130
    assert "Traceback" not in driver.stderr.read()
    wait_until_gone(worker)
    assert sorted(statuses(run)) == [0, 1, 2]
    assert (3, "FAIL", "interrupted") in optuna_states(run, study)


def test_a_worker_that_dies_once_costs_nothing(study, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "once")
    notes = Notes()
    search(study, tmp_path / "run", 5, progress=notes)
    monkeypatch.delenv("TOY")
    search(study, tmp_path / "undisturbed", 5)
    assert trace(tmp_path / "run") == trace(tmp_path / "undisturbed")
    assert statuses(tmp_path / "run")[0].notes == ["tried again: at first its worker was killed by SIGKILL"]
    assert notes.notes == ["trial 0: its worker was killed by SIGKILL; starting another"]


def test_workers_that_die_while_they_start_cost_no_trial(study, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "stillborn")
    monkeypatch.setenv("TOY_DEATHS", str(tmp_path / "deaths"))
    search(study, tmp_path / "run", 3)
    assert (tmp_path / "deaths").stat().st_size > 3, "three workers died before they had drawn anything"
    monkeypatch.delenv("TOY")
    search(study, tmp_path / "undisturbed", 3)
    assert trace(tmp_path / "run") == trace(tmp_path / "undisturbed")
    assert not any(s.notes for s in statuses(tmp_path / "run").values()), "no candidate is to blame"
    assert State.FAILED not in {s.state for s in statuses(tmp_path / "run").values()}


def test_a_candidate_that_kills_its_worker_fails_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "suicide")
    search(changed(space={"width": [5, 6, 7, 8], "sparsity": 0.1}), tmp_path, 4, workers=2)
    found = statuses(tmp_path)
    assert sorted(found) == [0, 1, 2, 3]
    failed = [s for s in found.values() if s.state == State.FAILED]
    assert [s.reason for s in failed] == ["its worker was killed by SIGKILL, 2 times"]


def test_a_candidate_that_hangs_is_ended_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "hang")
    notes = Notes()
    limited = changed(search={"trials": 5, "sampler": "random", "trial_seconds": 5})
    front = search(limited, tmp_path, progress=notes)
    found = statuses(tmp_path)
    assert [n for n, s in found.items() if s.state == State.FAILED] == [3]
    assert (found[3].reason, found[3].stage) == ("it took longer than 5 s", "training")
    assert notes.notes == ["trial 3: it took longer than 5 s; starting another"]
    wait_until_gone(int((tmp_path / "hanging").read_text()))
    assert (3, "COMPLETE", "it took longer than 5 s") in optuna_states(tmp_path, limited)
    assert refused(tmp_path, limited) == {3: 1.0}
    assert front.points


def test_a_full_disk_ends_the_search_in_order_and_loses_nothing(study, tmp_path):
    """A limit on the size of files, on which the search's journal runs up: the driver and its workers are under it."""
    run = tmp_path / "run"
    (tmp_path / "toy.yaml").write_text(STUDY)
    driver = start(tmp_path, "", trials=40, workers=2, most_bytes=12_000)
    assert driver.wait(PATIENCE) == 1
    said = driver.stderr.read()
    assert "File too large; what was finished is kept: make room and start again" in said
    assert "Traceback" not in said
    # the disk may be full between a trial's folder and its first status
    before = {n: s for n, s in statuses(run).items() if s is not None and s.state != State.RUNNING}
    assert 0 < len(before) < 40
    search(study, run, len(before) + 2)
    found = statuses(run)
    assert sorted(found) == list(range(len(before) + 2))
    assert {n: (found[n].state, found[n].seconds) for n in before} == {
        n: (s.state, s.seconds) for n, s in before.items()
    }
    finished = [n for n, state, _ in optuna_states(run, study) if state == "COMPLETE"]
    assert sorted(finished) == sorted(found), "none lost, none counted twice"


def test_a_clock_that_is_set_back_changes_nothing(study, tmp_path, monkeypatch):
    now = time.time()
    earlier = iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: now - 60 * next(earlier))
    limited = changed(search={"trials": 4, "sampler": "random", "trial_seconds": 60})
    search(limited, tmp_path)
    assert {s.state for s in statuses(tmp_path).values()} <= {State.COMPLETE, State.INFEASIBLE}
