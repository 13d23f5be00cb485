"""The family of boosted trees: grown, cut, pruned, rounded, and equal to what its library finds of its own file."""

import json
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from codesign.core.errors import CodesignError, ToolError
from codesign.core.fixedpoint import InputQuantisation
from codesign.families.trees.config import TreesConfig
from codesign.families.trees.family import BoostedTrees
from codesign.importing.trees import read_trees
from codesign.tasks.heads import Head, LossObjective
from codesign.testing import FamilyTests
from codesign.training.lesson import Budget, Fold, Lesson, Subject
from tests.graph.everywhere import equal_everywhere

SPACE = {
    "depth": {"low": 2, "high": 3},
    "rounds": {"low": 2, "high": 4},
    "min_child_weight": 5.0,
    "pruning": [0.0, 0.2],
    "input_bits": {"low": 4, "high": 6},
    "leaf_bits": {"low": 4, "high": 8},
    "leaf_rounding": ["nearest", "carried"],
}
TRAINERS = {"scikit-learn": "sklearn", "xgboost": "xgboost", "lightgbm": "lightgbm"}


class _OfTrees(FamilyTests):
    @pytest.fixture
    def family(self):
        return BoostedTrees()

    @pytest.fixture(params=list(TRAINERS))
    def space(self, request):
        if find_spec(TRAINERS[request.param]) is None:
            pytest.skip(f"{request.param} is not installed")
        return SPACE | {"trainer": request.param}


class TestNumbers(_OfTrees):
    objective = "squared"


class TestClasses(_OfTrees):
    objective = "cross-entropy"


class TestTwoClasses(_OfTrees):
    objective, outputs = "cross-entropy", 2


class TestQuantiles(_OfTrees):
    objective, outputs = "quantile", 2

    def _subject(self):
        return Subject.of_sizes(self.inputs, self.outputs, LossObjective("quantile", quantiles=(0.2, 0.8)))

    @staticmethod
    def _target(head, x):
        return x[:, 0] if head.objective.name == "quantile" else FamilyTests._target(head, x)


# ------------------------------------------------------------------------------------------------ what is made of trees
def lesson(bits=6, weights=None, classes=3, objective="cross-entropy", events=600):
    rng = np.random.default_rng(2)
    subject = Subject.of_sizes(5, classes, LossObjective(objective))
    raw = rng.normal(size=(events, 5))
    inputs = InputQuantisation.fit(raw, subject.inputs, ("1",) * 5, bits)
    x = inputs.port.values(inputs.codes(raw))
    target = x[:, :classes].argmax(axis=1) if objective == "cross-entropy" else x[:, :classes]
    cut = events * 2 // 3
    parts = (slice(cut), slice(cut, None))
    return Lesson(
        subject, inputs, *(Fold(x[p], {"scores": target[p]}, None if weights is None else weights[p]) for p in parts)
    )


def candidate(**more):
    return TreesConfig(**{"depth": 3, "input_bits": 6, "min_child_weight": 5.0} | more)


def training(one, given, rounds=8, seed=1):
    return BoostedTrees().fit(one.training(), given, Budget(rounds, 1, 1.0), seed)


@pytest.fixture(scope="module")
def classes():
    given = lesson()
    return given, training(candidate(), given)


def picked(classes, **more):
    return BoostedTrees().pick(classes[1], candidate(**more), classes[0])


def test_one_training_gives_prefixes_of_rounds(classes):
    """The first rounds are those of a training of so many, leaf by leaf."""
    given, _ = classes
    short = BoostedTrees().pick(training(candidate(), given, rounds=3), candidate(), given)
    first = picked(classes, rounds=3)
    assert first.files() == short.files()
    assert first.design().hash == short.design().hash != picked(classes, rounds=4).design().hash
    assert candidate(rounds=3, leaf_bits=4, pruning=0.1).training() == candidate().training()
    assert candidate(depth=2).training() != candidate().training()


def test_rounding_is_recorded_and_within_its_bound(classes):
    """The record is what the sums of the file differ by from those of the leaves before, on the events of training."""
    given, _ = classes
    x = np.concatenate([given.train.x, given.validation.x])
    for how, most in (("nearest", 0.5), ("carried", 1.0)):
        trained = picked(classes, leaf_bits=4, leaf_rounding=how)
        record = json.loads(trained.files()["leaves.json"])
        rounding = record["rounding"]
        leaves = [np.where(t.leaves, 0.0, 0.0) for t in trained.model.trees]
        for array, tree, values in zip(leaves, trained.model.trees, record["trained"], strict=True):
            array[tree.leaves] = values
        before = replace(
            trained.model,
            trees=tuple(replace(t, values=v) for t, v in zip(trained.model.trees, leaves, strict=True)),
        )
        moved = np.abs(before.margins(x) - trained.model.margins(x))
        assert rounding["largest"] == moved.max() > 0
        assert rounding["bound"] == rounding["trees"] * rounding["step"] * most >= moved.max()
        assert rounding["events"] == len(x)


def test_carried_rounding_is_nearer_on_average(classes):
    """With leaves of 3 bits, the root of the mean square of what the sums moved by."""
    given, _ = classes
    exact = picked(classes, leaf_bits=16).model.margins(given.train.x)
    near, carried = (
        np.sqrt(np.mean((picked(classes, leaf_bits=3, leaf_rounding=how).model.margins(given.train.x) - exact) ** 2))
        for how in ("nearest", "carried")
    )
    assert carried < 0.9 * near


def test_pruning_takes_what_matters_least(classes):
    """So many decisions are gone, and the sums move by less than where as many are taken from the last rounds."""
    given, _ = classes
    whole = picked(classes, leaf_bits=16)
    fewer = picked(classes, leaf_bits=16, pruning=0.25)

    def decisions(trained):
        return sum(int((~t.leaves).sum()) for t in trained.model.trees)

    assert decisions(fewer) == decisions(whole) - round(0.25 * decisions(whole))
    shorter = picked(classes, leaf_bits=16, rounds=6)
    assert abs(decisions(shorter) - decisions(fewer)) <= 2
    moved, cut = (np.abs(t.model.margins(given.train.x) - whole.model.margins(given.train.x)) for t in (fewer, shorter))
    assert moved.mean() < cut.mean()


def test_early_stopping_keeps_the_best_round():
    given = lesson(events=300)
    files = training(candidate(early_stopping=3, learning_rate=0.9), given, rounds=60)
    stopped = BoostedTrees().pick(files, candidate(early_stopping=3), given).model
    assert 0 < len(stopped.trees) < 60 * 3
    assert candidate(early_stopping=3, rounds=5).cost(5, 3) == 0.0


def test_weights_of_events_are_looked_at():
    """A class that counts nothing is not found."""
    plain = lesson()
    counted = np.where(np.concatenate([plain.train.target["scores"], plain.validation.target["scores"]]) == 2, 1e-9, 1)
    given = lesson(weights=counted)
    scores = [
        BoostedTrees().pick(training(candidate(), one), candidate(), one).model.margins(one.validation.x)
        for one in (plain, given)
    ]
    found = [(s.argmax(axis=1) == 2).mean() for s in scores]
    assert found[0] > 0.2
    assert found[1] < 0.02


def test_several_numbers_have_their_own_trees():
    """Three numbers, learned at once: the sums of each are those of its own training, to the rounding of both."""
    given = lesson(objective="squared")
    found = BoostedTrees().pick(training(candidate(), given), candidate(leaf_bits=16), given)
    for place in range(3):
        subject = Subject.of_sizes(5, 1, LossObjective("squared"))
        folds = [Fold(f.x, {"scores": f.target["scores"][:, place]}) for f in (given.train, given.validation)]
        alone = Lesson(subject, given.quantisation, *folds)
        own = BoostedTrees().pick(training(candidate(), alone), candidate(leaf_bits=16), alone)
        step = json.loads(found.files()["leaves.json"])["rounding"]["step"]
        sums = [m.model.margins(given.train.x) for m in (found, own)]
        assert np.abs(sums[0][:, place] - sums[1][:, 0]).max() <= 8 * step


def test_a_file_with_another_leaf_is_seen(classes):
    """One leaf moved by one step in the file: what the library finds of it is not the design any more."""
    trained = picked(classes)
    design, files = trained.design(), dict(trained.files())
    codes = design.inputs.codes(classes[0].train.x)
    data = json.loads(files["trees.model"])
    leaf = data["trees"][1]["features"].index(-1)
    data["trees"][1]["values"][leaf] += json.loads(files["leaves.json"])["rounding"]["step"]
    damaged = BoostedTrees().load(files | {"trees.model": json.dumps(data).encode()}, candidate(), design)
    whole = BoostedTrees().load(files, candidate(), design)
    truth = equal_everywhere(design, codes, circuit=20)
    assert np.array_equal(whole.references()[next(iter(whole.references()))](codes), truth)
    assert not np.array_equal(damaged.references()[next(iter(damaged.references()))](codes), truth)


def test_what_it_cannot_learn_is_said():
    family = BoostedTrees()
    assert "has one class" in family.can(Subject.of_sizes(3, 1, LossObjective("cross-entropy")))
    assert "'reconstruction'" in family.can(Subject.of_sizes(3, 3, LossObjective("reconstruction")))
    heads = [Head(name, (name,), LossObjective("squared")) for name in ("tag", "energy")]
    assert "between several (tag, energy)" in family.can(Subject(("x",), tuple(heads)))
    missing = lesson()
    missing.train.target["scores"][:] = np.minimum(missing.train.target["scores"], 1)
    with pytest.raises(CodesignError, match="no event of the training split is of y2"):
        training(candidate(), missing)
    with pytest.raises(ValueError, match="at most 8 leaves"):
        candidate(max_leaves=9)


def test_a_trainer_that_is_not_here_is_named(monkeypatch):
    monkeypatch.setattr("codesign.families.trees.trainer.find_spec", lambda name: None)
    with pytest.raises(ToolError, match="trainer 'xgboost' is not installed: pip install xgboost"):
        training(candidate(trainer="xgboost"), lesson())


def test_its_model_is_imported_like_any_other(classes, tmp_path):
    """The model's file of scikit-learn's trees is one that the importer reads."""
    trained = picked(classes)
    path = tmp_path / "trees.model"
    path.write_bytes(trained.files()["trees.model"])
    model = read_trees(path)
    x = classes[0].train.x
    assert np.array_equal(model.margins(x), trained.model.margins(x))
