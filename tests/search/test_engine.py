"""The search with doubles for training and proving, in real worker processes."""

import json

import pytest

from codesign.core.errors import CodesignError, InputError
from codesign.core.records import Front, State
from codesign.core.runfolder import RunFolder
from codesign.pipeline.baseline_scores import read_scores
from codesign.pipeline.front import pareto
from codesign.search.engine import run_study
from codesign.search.storage import JOURNAL
from codesign.search.telling import recorded_score
from tests.search.small_search import Notes, changed, optuna_states, refused, search, statuses, trace


def test_two_workers_fill_the_run_folder(study, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "slow")
    front = search(study, tmp_path, workers=2)
    found = statuses(tmp_path)
    assert sorted(found) == list(range(10))
    assert {s.state for s in found.values()} <= {State.COMPLETE, State.INFEASIBLE}
    assert len({s.seed for s in found.values()}) == 10
    for number, status in found.items():
        lut = recorded_score(RunFolder(tmp_path).trial(number), study).values[1]
        assert (status.state == State.INFEASIBLE) == (lut > 3000)
        assert status.reason == (f"lut {lut:g} is above 3000" if lut > 3000 else None)
    scores = [recorded_score(RunFolder(tmp_path).trial(n), study) for n, s in found.items() if s.state == "complete"]
    assert [p.trial for p in front.points] == [s.trial for s in pareto(scores, ["maximise", "minimise"])]
    point = front.points[0]
    assert point.metrics["accuracy"].value == 0.5, "the front quotes the test split"
    assert point.validation["accuracy"].value != 0.5
    assert point.verified.exact
    assert front.baseline["accuracy"].value > 0.9
    baselines = json.loads((tmp_path / "baseline.json").read_text())
    assert baselines["name"] == "first feature"
    assert [(b["name"], b["metrics"]["accuracy"]["value"] < 0.7) for b in baselines["others"]] == [
        ("second feature", True)
    ]
    scores = read_scores(tmp_path / "parts" / "baselines-test.npz")
    assert [(name, s.shape) for name, s in scores.items()] == [("first feature", (40, 1)), ("second feature", (40, 1))]
    assert Front.model_validate_json((tmp_path / "front.json").read_text()) == front
    facts = json.loads((tmp_path / "sample.json").read_text())
    assert facts["splits"] == {"train": 120, "validation": 40, "test": 40}
    assert facts["provenance"] == {"toy": 1}
    assert facts["outputs"] == ["no", "yes"]
    assert len({json.dumps(t.read_json("config.json")) for t in RunFolder(tmp_path).trials()}) == 10


def test_one_worker_repeats_itself_and_goes_on_as_if_it_had_not_stopped(study, tmp_path):
    search(study, tmp_path / "whole", 12)
    search(study, tmp_path / "again", 5)
    assert len(trace(tmp_path / "again")) == 5
    search(study, tmp_path / "again", 12, workers=1)
    assert trace(tmp_path / "whole") == trace(tmp_path / "again")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "again").rglob("*") if p.is_file() and p.suffix != ".lock"}
    search(study, tmp_path / "again", 12)
    after = {p: p.stat().st_mtime_ns for p in before}
    kept = {p for p in before if p.name not in ("study.yaml", "target.json", JOURNAL, ".workers.lock", ".lock")}
    assert all(before[p] == after[p] for p in kept), "a search that is done does nothing more"


def test_the_front_of_a_run_with_many_trials_is_made_once(study, tmp_path, monkeypatch):
    """Anew for each trial that an earlier start left, thousands of them would take minutes to take up."""
    sizes = []

    def counted(scores, directions):
        sizes.append(len(scores))
        return pareto(scores, directions)

    monkeypatch.setattr("codesign.search.tally.pareto", counted)
    front = search(study, tmp_path, 12)
    complete = [n for n, s in statuses(tmp_path).items() if s.state == State.COMPLETE]
    scores = [recorded_score(RunFolder(tmp_path).trial(n), study) for n in complete]
    assert [p.trial for p in front.points] == [s.trial for s in pareto(scores, ["maximise", "minimise"])]
    assert max(sizes) < len(complete), "a trial is compared with the front, not with all before it"
    sizes.clear()
    assert search(study, tmp_path, 12) == front
    assert sizes == [len(complete)]


def test_failures_have_a_reason_and_no_score(study, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "fails bug")
    front = search(study, tmp_path, 14, workers=2)
    failed = {n: s for n, s in statuses(tmp_path).items() if s.state == State.FAILED}
    assert failed
    assert {s.reason for s in failed.values()} == {
        "not exact on event 3",
        "ZeroDivisionError: a bug of this candidate",
    }
    assert all(s.stage == "training" for s in failed.values())
    assert not failed.keys() & {p.trial for p in front.points}
    known = {n: (state, reason) for n, state, reason in optuna_states(tmp_path, study)}
    for number, status in failed.items():
        assert known[number] == ("COMPLETE", status.reason), "one that is told as failed is ignored"
        assert status.refused == 1
        again = "tried again: at first it failed with ZeroDivisionError: a bug of this candidate"
        assert status.notes == ([again] if "bug" in status.reason else []), "an error of nobody's making may be chance"
        log = RunFolder(tmp_path).trial(number).path / "log.txt"
        assert ("Traceback" in log.read_text()) if "bug" in status.reason else not log.exists()
    assert len(statuses(tmp_path)) == 14
    assert refused(tmp_path, study) == dict.fromkeys(failed, 1.0)


def test_a_metric_that_was_not_measured_fails_the_trial(tmp_path):
    objectives = [{"name": "auc", "direction": "maximise"}, {"name": "latency_cycles", "direction": "minimise"}]
    front = search(changed(objectives=objectives), tmp_path, 2)
    assert not front.points
    assert {s.reason for s in statuses(tmp_path).values()} == {"the metric 'auc', an objective, was not measured"}


def test_no_configuration_is_tried_twice(tmp_path):
    notes = Notes()
    study = changed(space={"width": [1, 2, 3], "sparsity": 0.1})
    search(study, tmp_path, 10, workers=2, progress=notes)
    widths = [t.read_json("config.json")["width"] for t in RunFolder(tmp_path).trials()]
    assert sorted(widths) == [1, 2, 3]
    assert any("stopped after 3 of 10 trials" in note for note in notes.notes)
    assert "repeats trial" in str(optuna_states(tmp_path, study))


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_every_sampler_runs_with_constraints(sampler, tmp_path):
    front = search(changed(search={"trials": 7, "sampler": sampler, "population": 3}), tmp_path)
    assert len(statuses(tmp_path)) == 7
    assert front.points


def test_another_study_is_refused_but_a_larger_budget_is_not(study, tmp_path):
    search(study, tmp_path, 2)
    with pytest.raises(InputError, match=r"another study: seed: it has 3, the study given has 4; give another folder"):
        search(changed(seed=4), tmp_path, 2)
    with pytest.raises(InputError, match=r"target: it has .* \(and 5 more\)"):
        search(changed(objectives=[{"name": "lut", "direction": "minimise"}], target="vu13p-240"), tmp_path, 2)
    search(changed(search={"trials": 4, "sampler": "random"}), tmp_path)
    assert len(statuses(tmp_path)) == 4


def test_another_sample_is_refused(study, tmp_path, monkeypatch):
    search(study, tmp_path, 2)
    from codesign_toy import ToyProblem, ToyTask

    monkeypatch.setattr(ToyTask, "open", lambda self, settings, seed, progress=None: ToyProblem({"events": 201}, seed))
    with pytest.raises(InputError, match=r"sample is not the one .*200 events.* now 201"):
        search(study, tmp_path, 3)


def test_a_trial_that_is_not_exact_leaves_the_front(study, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "inexact")
    front = search(study, tmp_path, 12, workers=2)
    found = statuses(tmp_path)
    wrong = {n for n, s in found.items() if s.state == State.FAILED}
    assert wrong
    assert {found[n].reason for n in wrong} == {"the RTL simulation is not exact: event 5: 3, not 4"}
    assert {found[n].stage for n in wrong} == {"verification"}
    complete = [recorded_score(RunFolder(tmp_path).trial(n), study) for n, s in found.items() if s.state == "complete"]
    assert [p.trial for p in front.points] == [s.trial for s in pareto(complete, ["maximise", "minimise"])]
    assert all(p.verified.exact for p in front.points)


@pytest.mark.parametrize("how", ["prove-breaks", "prove-dies"])
def test_a_proof_that_breaks_off_costs_no_trial(how, study, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", how)
    front = search(study, tmp_path, 3)
    assert not front.points
    assert set(front.unproven.values()) == {
        {"prove-breaks": "OSError: no space left", "prove-dies": "its worker was killed by SIGKILL"}[how]
    }
    assert Front.model_validate_json((tmp_path / "front.json").read_text()) == front, "written with what there is"
    assert State.FAILED not in {s.state for s in statuses(tmp_path).values()}
    monkeypatch.delenv("TOY")
    again = search(study, tmp_path, 3)
    assert {p.trial for p in again.points} == front.unproven.keys(), "tried again"
    assert not again.unproven


def test_a_torn_journal_is_mended(study, tmp_path):
    search(study, tmp_path, 3)
    journal = tmp_path / JOURNAL
    with journal.open("ab") as stream:
        stream.write(b'{"op_code": 4, "worker')
    search(study, tmp_path, 5)
    assert len(statuses(tmp_path)) == 5


def test_a_database_can_take_the_journals_place(study, tmp_path):
    url = f"sqlite:///{tmp_path}/search.db"
    search(study, tmp_path / "run", 2, workers=2, storage=url)
    with pytest.raises(InputError, match=r"2 finished trials that the search's storage does not know .* --storage"):
        search(study, tmp_path / "run", 4)
    search(study, tmp_path / "run", 3, storage=url)
    assert len(statuses(tmp_path / "run")) == 3
    with pytest.raises(InputError, match="--storage: cannot open the nosuch storage"):
        search(study, tmp_path / "other", 4, storage="nosuch://user:secret@host/db")


def test_a_missing_record_is_named(study, tmp_path):
    search(study, tmp_path, 3)
    complete = next(n for n, s in statuses(tmp_path).items() if s.state == State.COMPLETE)
    (RunFolder(tmp_path).trial(complete).path / "metrics.json").unlink()
    with pytest.raises(InputError, match=r"metrics.json is missing though the trial is finished"):
        search(study, tmp_path, 3)


def test_a_folder_that_cannot_be_made_is_named(study, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write to .*file.*; give another folder with --run"):
        search(study, tmp_path / "file" / "run")


def test_a_pipeline_that_is_not_installed_stops_the_search(study, tmp_path):
    with pytest.raises(CodesignError, match=r"unknown name 'toi' among the pipelines .did you mean 'toy'"):
        run_study(study, tmp_path, 2, 1, pipeline="toi")
