"""Where there can be no candidate the sampler is told of a broken bound; what failed by chance is tried again."""

import math
from statistics import mean

import pytest

from codesign.core.records import State
from codesign.core.runfolder import RunFolder
from codesign.search.recovery import recover
from codesign.search.storage import open_study
from tests.benchmarks.search.refused import share_refused, width
from tests.search.small_search import changed, refused, search, statuses


def test_a_refused_candidate_teaches_by_how_much_and_has_no_score(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "refuses-20")
    study = changed(search={"trials": 12, "sampler": "tpe", "population": 4})
    front = search(study, tmp_path, workers=2)
    found = {n: s for n, s in statuses(tmp_path).items() if s.state == State.FAILED}
    assert found
    for number, status in found.items():
        drawn = RunFolder(tmp_path).trial(number).read_json("config.json")["width"]
        assert status.refused == (drawn - 20) / 20
        assert status.reason == f"cannot fit: a width of {drawn}"
        assert not status.notes, "it is not tried again"
        assert not RunFolder(tmp_path).trial(number).has("metrics.json")
    assert refused(tmp_path, study) == {n: s.refused for n, s in found.items()}
    assert not found.keys() & {p.trial for p in front.points}
    written = RunFolder(tmp_path).read_json("front.json")
    assert "inf" not in str(written).lower(), "what the sampler is told stays with it"


def test_what_failed_by_chance_is_tried_again_once(study, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "flaky")
    search(study, tmp_path, 3)
    found = statuses(tmp_path)
    assert {s.state for s in found.values()} <= {State.COMPLETE, State.INFEASIBLE}
    assert {tuple(s.notes) for s in found.values()} == {("tried again: at first it failed with MemoryError: ",)}
    assert not any(RunFolder(tmp_path).trial(n).has("left.txt") for n in found), "it began anew"
    assert refused(tmp_path, study) == {}


def test_the_next_start_tells_what_a_killed_one_did_not(study, tmp_path, monkeypatch):
    """The record of a refused trial was written, and the process died before the storage was told."""
    monkeypatch.setenv("TOY", "refuses-1")
    search(study, tmp_path, 2)
    run, optuna = RunFolder(tmp_path), open_study(RunFolder(tmp_path), study, None)
    status = statuses(tmp_path)[1]
    asked = optuna.ask()
    asked.set_user_attr("trial", 2)
    run.trial(2).write("status.json", status.model_copy(update={"trial": 2}))
    recover(run, study, optuna)
    assert refused(tmp_path, study)[2] == status.refused
    search(study, tmp_path, 5)
    assert sorted(statuses(tmp_path)) == list(range(5))


def test_a_sampler_learns_of_what_is_refused():
    """Half of the space: of random draws half are refused, of TPE's at most a quarter; told as failed, it is drawn to
    where it knows nothing."""
    found = {ignored: mean(share_refused(width("tpe", seed), ignored=ignored) for seed in (1, 2)) for ignored in (0, 1)}
    assert found[0] <= 0.25
    assert found[1] > 0.4, "the fault that is guarded against, planted"


def test_the_worst_is_infinitely_bad_in_each_direction(study, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "refuses-1")
    search(study, tmp_path, 1)
    [trial] = open_study(RunFolder(tmp_path), study, None).get_trials(deepcopy=False)
    assert trial.values == [-math.inf, math.inf]
    assert trial.constraints == {"lut": 0.0, "target": pytest.approx(trial.params["width"] - 1)}
