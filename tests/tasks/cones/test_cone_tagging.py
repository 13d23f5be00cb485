"""Jets of the correlator: what is learned and judged of them, on jets that say what they are."""

import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.data.sample import Splits
from codesign.physics.detector.cone_pieces import CLASSES
from codesign.tasks.cones import cone_sample
from codesign.tasks.cones.cone_tagging import ConeTagging
from codesign.testing import TaskTests
from tests.tasks.cones.toy_cones import toy_cones

SPLITS = Splits(0.5, 0.25, 0.25, 1)
SETTINGS = {"cards": {"ttbar": 400}, "pile_up": 0}


@pytest.fixture(autouse=True)
def toy_pieces(monkeypatch):
    monkeypatch.setattr(cone_sample, "tier_pieces", lambda tier, card, events, **_: [toy_cones(events)])


@pytest.fixture
def problem():
    return ConeTagging().open(SETTINGS, 1)


def perfect(part, spread=0.0):
    logits = 10.0 * np.eye(len(CLASSES))[part.y]
    target = part.targets[:, 0] + spread * np.random.default_rng(1).normal(size=len(part))
    return np.column_stack([logits, target - spread, target, target + spread])


def test_two_heads_of_classes_and_quantiles(problem):
    classes, pt = problem.heads(problem.sample)
    assert (classes.outputs, classes.objective.name) == (CLASSES, "cross-entropy")
    assert (pt.outputs, pt.objective.quantiles, pt.weight) == (("pt_16", "pt", "pt_84"), (0.16, 0.5, 0.84), 5.0)
    part = problem.sample.part("test", SPLITS)
    target = problem.target(part)
    assert set(target) == {"classes", "pt"}
    wanted = part.truth["raw_pt"] * np.exp(target["pt"].astype(np.float64))
    assert wanted == pytest.approx(part.truth["reference_pt"], rel=1e-6)
    assert set(problem.meanings(problem.sample)) == set(problem.outputs(problem.sample))


def test_what_is_perfect_is_judged_perfect_and_a_bias_is_seen(problem):
    part = problem.sample.part("test", SPLITS)
    found = problem.judge(perfect(part), part, {})
    assert set(found) <= set(problem.metrics)
    assert found["accuracy"].value == found["auc_taup"].value == 1
    assert found["resolution"].value == pytest.approx(0, abs=1e-6)
    assert found["coverage_error"].value == pytest.approx(0.32)  # all lie between
    wide = problem.judge(perfect(part, 0.1), part, {})
    assert wide["resolution"].value == pytest.approx(0.1, rel=0.35)
    assert wide["coverage_error"].value < 0.15
    shifted = perfect(part)
    shifted[:, 8:] += 0.2
    assert problem.judge(shifted, part, {})["bias"].value == pytest.approx(np.exp(0.2) - 1, rel=1e-3)
    assert problem.judge(shifted, part, {})["accuracy"].value == 1  # the classes are another head


def test_classical_methods_give_every_output(problem):
    train, test = (problem.sample.part(name, SPLITS) for name in ("train", "test"))
    first, _, bins = problem.baselines(train, 1)
    for baseline, least in ((first, 0.5), (bins, 0.3)):
        scores = baseline(test)
        assert scores.shape == (len(test), 11)
        found = problem.judge(scores, test, {})
        assert found["accuracy"].value > least
        assert found["resolution"].value < 0.35
    names = [plot.name for plot in problem.plots(perfect(test), test, {first.name: first(test)}, {})]
    assert names == ["roc", "confusion", "resolution"]


def test_a_class_without_jets_is_told(monkeypatch):
    without = {name: values[np.arange(400) % 8 != 4] for name, values in toy_cones(400).items()}
    monkeypatch.setattr(cone_sample, "tier_pieces", lambda *_, **__: [without])
    with pytest.raises(InputError, match="no two jets of the class taup"):
        ConeTagging().open(SETTINGS, 1).sample  # noqa: B018
    with pytest.raises(InputError, match="number of events of a card must be at least 1"):
        ConeTagging().open({"cards": {"ttbar": 0}}, 1)


@pytest.mark.slow
class TestConeTagging(TaskTests):
    @pytest.fixture
    def task(self):
        return ConeTagging()

    @pytest.fixture
    def settings(self):
        return {"cards": {"ttbar": 1200}, "pile_up": 0}
