"""What looks like trials that failed is drawn again; where nothing failed, nothing is changed."""

import math

import optuna
import pytest

from codesign.search.draw import Drawer
from codesign.search.wariness import FREE, LEAST, Wariness
from tests.benchmarks.search.refused import share_refused, width
from tests.search.small_search import changed

WORST = [-math.inf, math.inf]


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def study_of(trials, *, measured=None, kind="ratio"):
    """A storage that was told of trials of the given widths: those above 20 refused, or ``measured`` above a bound."""
    search = optuna.create_study(directions=["maximize", "minimize"])
    for value in trials:
        asked = draw(search, value, kind)
        if measured is None:
            asked.set_constraint("target", (value - 20) / 20 if value > 20 else -0.5)
            search.tell(asked, WORST if value > 20 else [value, value])
        else:
            asked.set_constraint("target", -0.9)
            asked.set_constraint("lut", measured(value))
            search.tell(asked, [value, value])
    return search


def draw(search, value, kind="ratio"):
    search.enqueue_trial({"width": value, "kind": kind})
    asked = search.ask()
    asked.suggest_int("width", 1, 40)
    asked.suggest_categorical("kind", ["ratio", "rate"])
    return asked


def test_a_draw_is_expected_to_fail_where_others_did():
    search = study_of(range(1, 41, 3))
    wary = Wariness(search)
    assert wary.expected(draw(search, 38)) == "refused"
    assert wary.expected(draw(search, 2)) is None


def test_a_bound_is_told_by_its_own_name_and_with_its_size():
    """Half of the trials are above the bound by little, the other half below by much: the line goes by how far."""
    search = study_of(range(1, 41, 3), measured=lambda w: (w - 30) / 30)
    wary = Wariness(search)
    assert wary.expected(draw(search, 40)) == "lut"
    assert wary.expected(draw(search, 20)) is None


def test_two_bounds_on_both_sides_leave_the_middle():
    search = optuna.create_study(directions=["maximize", "minimize"])
    for value in range(1, 41, 2):
        asked = draw(search, value)
        asked.set_constraint("lut", (value - 28) / 28)
        asked.set_constraint("accuracy", (12 - value) / 12)
        search.tell(asked, [value, value])
    wary = Wariness(search)
    found = {value: wary.expected(draw(search, value)) for value in (2, 20, 39)}
    assert found == {2: "accuracy", 20: None, 39: "lut"}


@pytest.mark.parametrize("trials", [range(1, LEAST), range(1, 21), [30] * (LEAST - 1)])
def test_nothing_is_expected_of_few_trials_or_where_none_failed(trials):
    search = study_of(trials)
    assert Wariness(search).expected(draw(search, 40)) is None


def test_a_family_learns_of_its_own_trials_only():
    search = optuna.create_study(directions=["maximize", "minimize"])
    for family, value in [("wide", v) for v in range(1, 41, 3)] + [("narrow", 40)] * LEAST:
        search.enqueue_trial({"family": family, "width": value})
        asked = search.ask()
        asked.suggest_categorical("family", ["wide", "narrow"])
        asked.suggest_int("width", 1, 40)
        refused = family == "wide" and value > 20
        asked.set_constraint("target", value / 20 if refused else -0.5)
        search.tell(asked, WORST if refused else [value, value])
    assert Wariness(search, "wide").expected(draw(search, 39)) == "refused"
    assert Wariness(search, "narrow").expected(draw(search, 39)) is None


def test_where_nothing_failed_a_study_draws_what_it_drew():
    study, found = changed(search={"trials": 30, "sampler": "random"}), {}
    for wary in (True, False):
        search = optuna.create_study(directions=["maximize", "minimize"])
        drawer, found[wary] = Drawer(study, search, wary=wary), []
        for number in range(12):
            drawn = drawer.draw(number, lambda asked, config: None)
            drawn.asked.set_constraint("target", -0.5)
            search.tell(drawn.asked, [1.0, 1.0])
            found[wary].append(drawn.config)
    assert found[True] == found[False]


def test_some_trials_are_drawn_whatever_is_expected_and_a_retry_always_is():
    """All is refused: a draw is left out as long as there are others, never a free one nor one that was drawn."""
    study = changed(search={"trials": 30, "sampler": "random"})
    search, left = optuna.create_study(directions=["maximize", "minimize"]), {}
    drawer = Drawer(study, search)
    given = None
    for number in range(2 * FREE):
        before = len(search.trials)
        drawn = drawer.draw(number, lambda asked, config: None, given)
        left[number] = len(search.trials) - before - 1
        drawn.asked.set_constraint("target", 0.5)
        search.tell(drawn.asked, WORST)
        given = dict(drawn.asked.params) if number == 2 * FREE - 3 else None
    assert left[LEAST - 1] == left[FREE - 1] == left[2 * FREE - 1] == left[2 * FREE - 2] == 0
    assert left[LEAST] == left[FREE] == 9
    said = {t.user_attrs.get("reason") for t in search.trials if t.state == optuna.trial.TrialState.FAIL}
    assert said == {"drawn again: by the trials before it is expected to break 'refused'"}


@pytest.mark.parametrize("sampler", ["random", "nsga2"])
def test_less_than_half_as_many_are_refused(sampler):
    """The default, too, learns; without what is under test it does not."""
    wary, plain = (share_refused(width(sampler, 1), wary=wary) for wary in (True, False))
    assert wary <= 0.25
    assert plain > wary
