"""The ladder of fidelities: who climbs, and that nobody of a lower rung meets the front."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.core.errors import InputError
from codesign.core.records import State
from codesign.core.runfolder import RunFolder
from codesign.search.ladder import RUNGS, Rung, climbs, rungs_of, stopped_at, surely_dominated
from codesign.search.recovery import recover
from codesign.search.storage import open_study
from tests.search.test_engine import changed, search, statuses, trace

BOTH = ("maximise", "minimise")


def surely_dominates(one, other, directions):
    return bool(next(surely_dominated([other, one], directions))[0, 1])


def rung(accuracy, lut, error=0.01):
    return Rung(5, (accuracy, lut), (error, 0.0))


def test_domination_is_with_uncertainty():
    assert surely_dominates(rung(0.70, 100), rung(0.60, 100), BOTH)
    assert surely_dominates(rung(0.70, 100), rung(0.60, 200), BOTH)
    assert not surely_dominates(rung(0.61, 100), rung(0.60, 200), BOTH), "accuracies do not differ by one deviation"
    assert not surely_dominates(rung(0.70, 101), rung(0.60, 100), BOTH)
    assert not surely_dominates(rung(0.70, 100, 0.0), rung(0.70, 100, 0.0), BOTH)


def test_the_first_and_those_that_none_dominates_climb():
    good, bad = rung(0.7, 100), rung(0.5, 300)
    assert climbs(bad, [good], BOTH, 3)
    assert not climbs(bad, [good, good], BOTH, 3)
    assert climbs(rung(0.3, 50), [good, good, bad], BOTH, 3)
    assert climbs(rung(0.69, 150), [good, bad, bad, bad, bad, bad], BOTH, 3), "within the best third"


rungs = st.builds(rung, st.floats(0, 1), st.integers(1, 50).map(float), st.floats(0, 0.1))


@given(rungs, st.lists(rungs, max_size=12), st.integers(2, 4))
def test_no_rung_stops_everybody(own, others, reduction):
    every = [own, *others]
    assert any(climbs(one, [o for j, o in enumerate(every) if j != i], BOTH, reduction) for i, one in enumerate(every))


# whole numbers, so that ties and differences of exactly one deviation are frequent
coarse = st.builds(rung, st.integers(0, 6).map(float), st.integers(0, 6).map(float), st.integers(0, 4).map(float))


def defined(one, other):
    """Sure domination, written out."""
    better = (one.values[0] - other.values[0], other.values[1] - one.values[1])
    sigmas = [math.hypot(a, b) for a, b in zip(one.errors, other.errors, strict=True)]
    return all(b >= s for b, s in zip(better, sigmas, strict=True)) and any(b > 0 for b in better)


@given(coarse, st.lists(coarse, max_size=90), st.integers(2, 4))
def test_who_climbs_is_as_defined(own, others, reduction):
    every = [own, *others]
    assert all(surely_dominates(own, other, BOTH) == defined(own, other) for other in every)
    ranks = [sum(defined(other, one) for other in every) for one in every]
    place = sum(rank < ranks[0] for rank in ranks)
    expected = len(every) < reduction or ranks[0] == 0 or place < len(every) // reduction
    assert climbs(own, others, BOTH, reduction) == expected


def test_a_search_on_a_ladder(tmp_path):
    """The double does not train, so a rung scores like the full training; only what came up all rungs has a score."""
    study = changed(
        training={"epochs": 10},
        search={"trials": 14, "sampler": "random", "ladder": {"epochs": [2, 5], "reduction": 2}},
    )
    front = search(study, tmp_path)
    found = statuses(tmp_path)
    stopped = {n for n, s in found.items() if s.state == State.STOPPED}
    complete = {n for n, s in found.items() if s.state == State.COMPLETE}
    assert stopped
    assert complete
    assert stopped | complete == set(range(14))
    for number in stopped:
        folder = RunFolder(tmp_path).trial(number).path
        assert not (folder / "metrics.json").exists(), "nothing of a lower rung looks like a score"
        assert not (folder / "figures.json").exists()
    for number in complete:
        entries = json.loads((RunFolder(tmp_path).trial(number).path / RUNGS).read_text())
        assert [e["epochs"] for e in entries] == [2, 5]
    assert {p.trial for p in front.points} <= complete
    assert all("not among the best after" in found[n].reason for n in stopped)
    told = {t.user_attrs["trial"]: t for t in open_study(RunFolder(tmp_path), study, None).get_trials(deepcopy=False)}
    assert {n for n, t in told.items() if t.constraints["target"] > 0} == stopped, "the sampler shuns them"
    assert {tuple(t.constraints) for t in told.values()} == {("lut", "target")}, "as many bounds of every trial"
    for number in stopped:
        rungs = json.loads((RunFolder(tmp_path).trial(number).path / RUNGS).read_text())
        assert told[number].values == rungs[-1]["values"]


def test_what_breaks_a_bound_on_a_rung_is_no_measure_for_others(tmp_path):
    study = changed(
        training={"epochs": 10},
        space={"width": {"low": 20, "high": 60}, "sparsity": 0.1},
        search={"trials": 10, "sampler": "random", "ladder": {"epochs": [2], "reduction": 2}},
    )
    search(study, tmp_path)
    run = RunFolder(tmp_path)
    broken = {n for n, s in statuses(tmp_path).items() if s.state == State.STOPPED and "above" in s.reason}
    assert broken
    others = rungs_of(run, 2, but=-1)
    assert len(others) == 10 - len(broken)
    assert all(rung.values[1] <= 3000 for rung in others)
    for number in broken:
        assert stopped_at(run.trial(number))[1] > 3000


def test_the_storage_learns_of_a_stopped_trial_after_a_kill(tmp_path):
    """The record was written, and the process died before Optuna was told."""
    study = changed(
        training={"epochs": 10},
        search={"trials": 8, "sampler": "random", "ladder": {"epochs": [2], "reduction": 2}},
    )
    search(study, tmp_path)
    run = RunFolder(tmp_path)
    number = next(n for n, s in statuses(tmp_path).items() if s.state == State.STOPPED)
    values = stopped_at(run.trial(number))
    optuna = open_study(run, study, None)
    asked = optuna.ask()
    asked.set_user_attr("trial", 8)
    asked.set_constraint("target", 1.0)
    status = statuses(tmp_path)[number].model_copy(update={"trial": 8})
    run.trial(8).write("status.json", status)
    (run.trial(8).path / RUNGS).write_bytes((run.trial(number).path / RUNGS).read_bytes())
    recover(run, study, optuna)
    last = optuna.get_trials(deepcopy=False)[-1]
    assert (last.state.name, tuple(last.values)) == ("COMPLETE", values)


def test_a_ladder_goes_on_as_if_it_had_not_stopped(tmp_path):
    study = changed(training={"epochs": 10}, search={"trials": 10, "population": 4, "ladder": {"epochs": [2]}})
    search(study, tmp_path / "whole")
    search(study, tmp_path / "again", 4)
    search(study, tmp_path / "again")
    assert trace(tmp_path / "whole") == trace(tmp_path / "again")


@pytest.mark.parametrize(
    ("epochs", "words"), [([5, 2], "rise"), ([2, 10], "must end below training.epochs"), ([], "epochs")]
)
def test_a_wrong_ladder_is_named(epochs, words):
    with pytest.raises(InputError, match=words):
        changed(training={"epochs": 10}, search={"ladder": {"epochs": epochs}})
