"""A network with a mass hypothesis as an input, trained at three masses and judged between them."""

import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.core.records import SampleFacts
from codesign.data.sample import Splits
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.families.teaching import lesson_of
from codesign.pipeline.parts import record
from codesign.tasks.tables.classification import TableClassification
from codesign.training.lesson import Budget

SPLITS = Splits(0.6, 0.15, 0.25, 1)
MASSES = {"trained": [300, 500, 700], "between": [400, 600]}
CONFIG = MLPConfig(widths=(24,), weight_bits=(8, 8), activation_bits=(8,), input_bits=9, sparsity=0.0)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A peak at the mass over a broad background, and a second variable that helps a little."""
    rng = np.random.default_rng(1)
    mass = rng.choice([300.0, 400, 500, 600, 700], 10_000)
    signal = rng.random(10_000) < 0.5
    seen = np.where(signal, rng.normal(mass, 40), rng.uniform(150, 850, 10_000))
    path = tmp_path_factory.mktemp("parametric") / "t.npz"
    np.savez(path, seen=seen, other=rng.normal(0.5 * signal, 1), mass=np.where(signal, mass, -1.0), kind=signal * 1)
    return str(path)


def settings(table, **more):
    label = {"column": "kind", "classes": {0: "background", 1: "signal"}}
    return {"files": [table], "features": ["seen", "other", "mass"], "label": label, **more}


PARAMETRIC = {"input": "mass", "background": "background", **MASSES}


def opened(table, **changes):
    problem = TableClassification().open(settings(table, parametric=PARAMETRIC | changes), 1)
    return problem, problem.completed(problem.sample, SPLITS)


def areas(problem, sample, view=slice(None)):
    """Of a small quantised network, on the test split."""
    train, validation, test = (sample.part(name, SPLITS) for name in ("train", "validation", "test"))
    facts = SampleFacts.model_validate(record(sample, SPLITS) | {"outputs": problem.outputs(sample)})
    lesson = lesson_of(problem, facts, 9, train, validation, None)
    trained = MLP().pick(MLP().fit(CONFIG, lesson, Budget(20, 256, 0.01), 1), CONFIG, lesson)
    design, reference = trained.design(), trained.references()["Brevitas"]
    scores = design.outputs.values(reference(design.input_quantisation.codes(test.x)))
    return problem.judge(scores, test, {})


def test_a_hypothesis_tells_nothing_by_itself(table):
    """Of background it is drawn from the signals' values; those between are in the test split alone."""
    _, sample = opened(table)
    column = sample.features[:, 2]
    signal = sample.labels == 1
    for name, masses in (
        ("train", {300, 500, 700}),
        ("validation", {300, 500, 700}),
        ("test", {300, 400, 500, 600, 700}),
    ):
        places = sample.places(name, SPLITS)
        for of in (signal, ~signal):
            assert set(column[places[of[places]]].tolist()) == masses
    train = sample.places("train", SPLITS)
    shares = [np.mean(column[train[of[train]]] == 500) for of in (signal, ~signal)]
    assert shares[0] == pytest.approx(shares[1], abs=0.04)
    assert np.array_equal(sample.truth["hypothesis"], column)


def test_a_parametric_network_knows_masses_that_it_never_saw(table):
    """Nearly as well as one that learned them, and far better than one that is not told the mass."""
    problem, sample = opened(table)
    found = areas(problem, sample)
    assert set(found) >= {f"auc_signal_at_{m}" for m in (300, 400, 500, 600, 700)} | {"auc_signal_between"}
    assert set(found) <= set(problem.metrics)
    told, whole = opened(table, trained=[300, 400, 500, 600, 700], between=[])
    learned = areas(told, whole)
    blind = TableClassification().open(settings(table, features=["seen", "other"]), 1)
    plain = blind.completed(blind.sample, SPLITS)
    same = sample.part("test", SPLITS)
    train, validation = (plain.part(name, SPLITS) for name in ("train", "validation"))
    facts = SampleFacts.model_validate(record(plain, SPLITS) | {"outputs": blind.outputs(plain)})
    lesson = lesson_of(blind, facts, 9, train, validation, None)
    trained = MLP().pick(MLP().fit(CONFIG, lesson, Budget(20, 256, 0.01), 1), CONFIG, lesson)
    design, reference = trained.design(), trained.references()["Brevitas"]
    scores = design.outputs.values(reference(design.input_quantisation.codes(same.features[:, :2])))
    without = problem.judge(scores, same, {})
    for mass in (400, 600):
        name = f"auc_signal_at_{mass}"
        assert found[name].value > without[name].value + 0.05
        assert found[name].value > learned[name].value - 0.04
        assert 0 < found[name].error < 0.03


RANGE = {"trained": {"low": 300, "high": 700}, "between": [400, 600], "within": 20}


@pytest.fixture(scope="module")
def continuous(tmp_path_factory):
    """The same peak at any mass of a range."""
    rng = np.random.default_rng(3)
    mass = rng.uniform(300, 700, 10_000)
    signal = rng.random(10_000) < 0.5
    seen = np.where(signal, rng.normal(mass, 40), rng.uniform(150, 850, 10_000))
    path = tmp_path_factory.mktemp("parametric") / "r.npz"
    np.savez(path, seen=seen, other=rng.normal(0.5 * signal, 1), mass=np.where(signal, mass, -1.0), kind=signal * 1)
    return str(path)


def test_a_range_is_judged_where_nothing_was_learned(continuous):
    """Values uniform over the range; what is near a value of between is in the test split alone."""
    problem, sample = opened(continuous, **RANGE)
    column, signal = sample.features[:, 2], sample.labels == 1
    near = (np.abs(column - 400) <= 20) | (np.abs(column - 600) <= 20)
    for name in ("train", "validation"):
        assert not near[sample.places(name, SPLITS)].any()
    train = sample.places("train", SPLITS)
    quarters = [np.histogram(column[train[of[train]]], 4, (300, 700))[0] for of in (signal, ~signal)]
    shares = [counts / counts.sum() for counts in quarters]
    assert shares[0] == pytest.approx([0.25] * 4, abs=0.03)  # uniform but for what is held out
    assert shares[1] == pytest.approx(shares[0], abs=0.03)  # the hypothesis alone tells nothing
    found = areas(problem, sample)
    assert {name for name in found if "_at_" in name} == {"auc_signal_at_400", "auc_signal_at_600"}
    assert set(found) <= set(problem.metrics)
    for name in ("auc_signal_at_400", "auc_signal_at_600", "auc_signal_between"):
        assert found[name].value > 0.85
        assert 0 < found[name].error < 0.04


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trained": {"low": 350, "high": 700}}, "'mass' is 3.*, outside the range from 350 to 700"),
        ({"within": 0}, "a range needs values to be judged at"),
        ({"between": [315]}, "lie within the range, by more than within"),
        ({"between": [400, 435]}, "a signal would be of two"),
        ({"trained": {"low": 700, "high": 300}}, "low is below high"),
        ({"trained": [300, 700]}, "within is of a range"),
        ({"within": 1e-7}, "no signal's mass is within 1e-07 of 400"),
    ],
)
def test_wrong_ranges_are_one_line(continuous, changes, words):
    with pytest.raises(InputError, match=words) as caught:
        opened(continuous, **(RANGE | changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input": "mas"}, "'mas' is no feature: there are seen, other, mass"),
        ({"between": [400]}, "a signal's 'mass' is 600, which is not declared: there are 300, 400, 500, 700"),
        ({"between": [400, 550, 600]}, "no signal has mass = 550"),
        ({"between": [400, 600, 900]}, "values of between lie between those of trained"),
        ({"background": "backgrounds"}, "'backgrounds' is no class"),
        ({"between": [500]}, "a value is there twice"),
    ],
)
def test_wrong_hypotheses_are_one_line(table, changes, words):
    with pytest.raises(InputError, match=words) as caught:
        opened(table, **changes)
    assert "\n" not in str(caught.value)
