"""A decorrelated training knows less of the quantity, a robust one survives its variation, and both are told."""

import numpy as np
import pytest
import torch
import yaml

from codesign.core.errors import InputError
from codesign.core.layout import Layout
from codesign.core.records import SampleFacts
from codesign.data.sample import Part, joined
from codesign.data.variations import Variation
from codesign.families.autoencoder.family import VAE
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.families.teaching import Teaching, lesson_of
from codesign.families.trees.family import BoostedTrees
from codesign.pipeline.decorrelation import divergence_of
from codesign.pipeline.systematics import judge_varied, judged_rows
from codesign.statistics.comparison import differences, reading, spread
from codesign.statistics.divergence import divergences
from codesign.study.definition import parse_study
from codesign.tasks.tables.classification import TableClassification
from codesign.tasks.tagging.jet_tagging import ClassificationProblem
from codesign.training.distance_correlation import distance_correlation
from codesign.training.lesson import Budget
from codesign.training.nuisance import Decorrelation

NAMES = ("mass", "shape", "noise")
FACTS = SampleFacts(
    hash="0",
    events=4000,
    feature_names=NAMES,
    units=("GeV", "1", "1"),
    class_names=("qcd", "top"),
    outputs=("qcd", "top"),
)
CONFIG = MLPConfig(widths=(8,), weight_bits=(6, 6), activation_bits=(6,), input_bits=8, sparsity=0.0)


def events(name, seed, size=4000):
    """Signal at one mass; shape is clean of it, and weaker."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, size)
    mass = np.where(y == 1, rng.normal(170, 15, size), rng.exponential(90, size) + 30)
    shape = rng.normal(0.8 * y, 1)
    x = np.column_stack([mass, shape, rng.normal(size=size)]).astype(np.float32)
    return Part(name, x, y, class_names=("qcd", "top"))


def slow_distance_correlation(a, b, w):
    w = w / w.sum()
    found = []
    for one, other in ((a, b), (a, a), (b, b)):
        total = 0.0
        da, db = (np.abs(v[:, None] - v[None, :]) for v in (one, other))
        ra, rb = da @ w, db @ w
        for i in range(len(w)):
            for j in range(len(w)):
                total += w[i] * w[j] * (da[i, j] - ra[i] - ra[j] + ra @ w) * (db[i, j] - rb[i] - rb[j] + rb @ w)
        found.append(total)
    return found[0] / np.sqrt(found[1] * found[2])


def test_distance_correlation_is_its_definition():
    rng = np.random.default_rng(1)
    a, w = rng.normal(size=40), rng.uniform(0.1, 2, 40)
    b = a**2 + 0.1 * rng.normal(size=40)
    got = distance_correlation(*(torch.as_tensor(v) for v in (a, b, w)))
    assert float(got) == pytest.approx(slow_distance_correlation(a, b, w))
    twice = np.repeat(np.arange(40), 2)
    same = distance_correlation(*(torch.as_tensor(v) for v in (a[twice], b[twice])))
    assert float(same) == pytest.approx(float(distance_correlation(torch.as_tensor(a), torch.as_tensor(b))))
    assert float(distance_correlation(torch.as_tensor(a), torch.as_tensor(3 - 2 * a))) == pytest.approx(1)
    other = torch.as_tensor(rng.normal(size=2000))
    assert float(distance_correlation(torch.as_tensor(rng.normal(size=2000)), other)) < 0.01


def test_the_divergence_is_0_of_the_same_and_1_of_what_shares_nothing():
    places = np.repeat([0, 1], 500)
    passed = np.stack([np.arange(1000) % 2 == 0, places == 1, np.zeros(1000, bool)])
    found = divergences(places, passed, np.ones((3, 1000)), 2)
    assert found[:2] == pytest.approx([0, 1])
    assert np.isnan(found[2])


@pytest.fixture(scope="module")
def problem():
    return TableClassification().open(
        {"files": ["t.csv"], "features": list(NAMES), "label": {"column": "y", "classes": {0: "qcd", 1: "top"}}}, 1
    )


def fitted(problem, teaching, train, validation):
    lesson = lesson_of(problem, FACTS, 8, train, validation, None, taught=teaching)
    family = MLP()
    trained = family.pick(family.fit(CONFIG, lesson, Budget(8, 512, 0.01), 1), CONFIG, lesson)
    design, reference = trained.design(), trained.references()["Brevitas"]
    return lambda part: design.outputs.values(reference(design.input_quantisation.codes(part.x)))


def study(**more):
    whole = {
        "name": "s", "task": "classification", "family": "mlp", "target": "vu13p-360",
        "objectives": [{"name": "auc_top", "direction": "maximise"}],
    }  # fmt: skip
    return parse_study(yaml.safe_dump(whole | more), "s.yaml")


def test_a_decorrelated_tagger_sculpts_the_mass_less(problem):
    train, test = events("train", 1), events("test", 2)
    wanted = {"quantity": "mass", "output": "top", "strength": 20.0}
    chosen = study(training={"decorrelate": wanted}, objectives=[{"name": "jsd_top_50", "direction": "minimise"}])
    assert chosen.judged({"auc": "maximise"})["jsd_top_50"] == "minimise"
    found = {}
    for name, teaching in (("plain", Teaching()), ("disco", chosen.training.teaching())):
        scores = fitted(problem, teaching, train, events("validation", 3, 1000))(test)
        found[name] = divergence_of(chosen, scores, test, ("qcd", "top"), NAMES)["jsd_top_50"]
    assert found["plain"].value > 0.3
    assert found["disco"].value < 0.5 * found["plain"].value
    assert 0 < found["disco"].error < 0.1


def test_divergence_and_the_worst_are_compared_in_pairs(problem):
    """As every other metric: from the replicas that both share, and smaller than if they shared nothing."""
    test, blocks = events("test", 2), (Layout.of_features(NAMES, ("GeV", "1", "1")),)
    chosen = study(
        training={"decorrelate": {"quantity": "mass", "output": "top", "strength": 20.0}},
        systematics=[{"name": "blurred", "inputs": ["shape"], "smear": 0.5}],
        objectives=[{"name": "worst_auc_top", "direction": "maximise"}],
    )

    def by(weight):
        def scored(part):
            score = part.features[:, 1] + weight * part.features[:, 0] / 100
            return np.column_stack([-score, score]).astype(np.float64)

        return scored

    found = [judged_rows(chosen, problem, by(w), test, {}, blocks, ("qcd", "top")) for w in (0.0, 0.2)]
    gaps = differences(*found, chosen.judged(problem.metrics))
    assert found[0]["worst_auc_top"][0] < found[0]["auc_top"][0]
    for name in ("jsd_top_50", "worst_auc_top"):
        assert gaps[name].value == pytest.approx(found[0][name][0] - found[1][name][0])
        assert 0 < gaps[name].error < np.hypot(*(spread(rows[name]) for rows in found))
    assert reading(gaps["jsd_top_50"]) == "beats", "less of it is better"


def known_too_well(name, seed, size=4000):
    """Mass tells the classes apart, shape less so."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, size)
    x = np.column_stack([rng.normal(5 + 1.5 * y, 0.5), rng.normal(1.5 * y, 1), rng.normal(size=size)])
    return Part(name, x.astype(np.float32), y, class_names=("qcd", "top"))


def test_a_training_on_variations_survives_them(problem):
    """Where the mass may be measured worse, less is built on it."""
    train, test, validation = (
        known_too_well("train", 1),
        known_too_well("test", 2),
        known_too_well("validation", 3, 1000),
    )
    blocks = (Layout.of_features(NAMES, ("GeV", "1", "1")),)
    chosen = study(
        systematics=[{"name": "blurred", "inputs": ["mass"], "smear": 0.5}],
        objectives=[{"name": "worst_auc_top", "direction": "maximise"}],
    )
    worst = {}
    for name, teaching in (("plain", Teaching()), ("robust", Teaching(vary=chosen.systematics))):
        scored = fitted(problem, teaching, train, validation)
        usual = problem.judge(scored(test), test, {})
        worst[name] = judge_varied(chosen, problem, scored, test, usual, {}, blocks, ("qcd", "top")).metrics
    assert all(metric.systematic is not None for name, metric in worst["plain"].items() if name != "worst_auc_top")
    assert worst["robust"]["worst_auc_top"].value > worst["plain"]["worst_auc_top"].value + 0.03
    assert len(joined([train, train])) == 8000


def test_what_cannot_be_decorrelated_is_refused(problem):
    wanted = Decorrelation(quantity="mas", output="top")
    lesson = (problem, FACTS, 8, events("train", 1, 100), events("validation", 2, 100), None)
    with pytest.raises(InputError, match=r"no quantity 'mas' \(did you mean 'mass'\?\)"):
        lesson_of(*lesson, taught=Teaching(decorrelate=wanted))
    with pytest.raises(InputError, match=r"no output 'tip' \(did you mean 'top'\?\)"):
        Teaching(decorrelate=Decorrelation(quantity="mass", output="tip")).must_fit(FACTS)
    with pytest.raises(InputError, match="no input 'mess'"):
        Teaching(vary=(Variation(name="v", inputs=("mess",), scale=0.1),)).must_fit(FACTS)
    with pytest.raises(InputError, match="among are the classes beside"):
        study(training={"decorrelate": {"quantity": "mass", "output": "top", "among": ["top"]}})
    assert "decorrelate" in MLP().heeds(CONFIG)
    assert "decorrelate" not in VAE().heeds(CONFIG)
    assert "decorrelate" not in BoostedTrees().heeds(CONFIG)
    assert issubclass(type(problem), ClassificationProblem) or problem.metrics
