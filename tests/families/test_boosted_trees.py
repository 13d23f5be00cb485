"""The family of boosted trees: grown, cut, pruned, rounded, and equal to what its library finds of its own file."""

import json
from dataclasses import replace

import numpy as np
import pytest

from codesign.core.errors import CodesignError, InputError, ToolError, UnsupportedError
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.targets import load_target
from codesign.families.trees.config import TreesConfig
from codesign.families.trees.family import BoostedTrees
from codesign.flows.trees.flow import Trees
from codesign.flows.trees.tree_plan import plan_of
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
#: what is tried of another library than scikit-learn; the rest of the suite does not depend on which it is
OF_A_LIBRARY = (
    "test_models_are_trained_and_exact",
    "test_several_heads_count_by_their_weights",
    "test_events_count_by_their_weights",
    "test_candidates_of_one_training_are_picked_from_it",
    "test_damaged_files_are_refused",
)


class _OfTrees(FamilyTests):
    shares = False  # each head has trees of its own

    @pytest.fixture
    def family(self):
        return BoostedTrees()

    @pytest.fixture
    def space(self):
        return SPACE | {"trainer": "scikit-learn"}


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


class TestAnomalies(_OfTrees):
    objective, outputs = "reconstruction", 1


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("suite", [TestNumbers, TestClasses, TestTwoClasses, TestQuantiles, TestAnomalies])
def test_another_library_keeps_the_contract(suite, library):
    pytest.importorskip(library, reason=f"the extra 'trees' is not installed: {library}")
    for name in OF_A_LIBRARY:
        getattr(suite(), name)(BoostedTrees(), SPACE | {"trainer": library})


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
        rounding = record["rounding"]["scores"]
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
        step = json.loads(found.files()["leaves.json"])["rounding"]["scores"]["step"]
        sums = [m.model.margins(given.train.x) for m in (found, own)]
        assert np.abs(sums[0][:, place] - sums[1][:, 0]).max() <= 8 * step


def two_heads(scale=100.0):
    """A class and a large number."""
    one = lesson()
    heads = (Head("tag", ("a", "b"), LossObjective("cross-entropy")), Head("pt", ("pt",), LossObjective("squared")))

    def folded(fold):
        return replace(fold, target={"tag": (fold.x[:, 0] > 0).astype(np.int64), "pt": scale * fold.x[:, 1]})

    subject = replace(one.subject, heads=heads)
    return replace(one, subject=subject, train=folded(one.train), validation=folded(one.validation))


def test_each_head_has_trees_and_a_grid_of_its_own(tmp_path):
    """One graph with an output a head, exact in every domain and in the flow of trees; a head learned alone is the same
    to the rounding of leaves, whose grid is not that of the other head."""
    given, config = two_heads(), candidate(rounds=5, leaf_bits=6)
    found = BoostedTrees().pick(training(config, given), config, given)
    design, rounding = found.design(), json.loads(found.files()["leaves.json"])["rounding"]
    assert [(b.name, b.labels) for b in design.outputs.blocks] == [("tag", ("a", "b")), ("pt", ("pt",))]
    assert rounding["pt"]["step"] >= 16 * rounding["tag"]["step"]
    codes = design.inputs.codes(given.train.x[:300])
    truth = equal_everywhere(design, codes, circuit=20)
    firmware = Trees().compile(design, load_target("vu13p-360"), tmp_path)
    assert np.array_equal(Trees().predict(firmware, codes), truth)
    assert all(np.array_equal(run(codes), truth) for run in found.references().values())
    names = [head.name for head in given.subject.heads]
    for name, columns in zip(names, (slice(2), slice(2, 3)), strict=True):
        (head,) = (h for h in given.subject.heads if h.name == name)
        alone = replace(given, subject=replace(given.subject, heads=(head,)))
        own = BoostedTrees().pick(training(config, alone), config, alone)
        assert np.array_equal(own.model.margins(given.train.x), found.model.margins(given.train.x)[:, columns])
    assert config.cost_of(given.subject) == config.cost(5, 3) * 2 / 3  # of two classes one margin
    with pytest.raises(UnsupportedError, match="takes one ensemble"):
        plan_of(replace(design, onnx=design.onnx.replace(b"Split", b"Relux")))


# ---------------------------------------------------------------------------------------------------- taught by another
def unusual(events=900):
    """Events about a line in five inputs, and some away from it."""
    rng = np.random.default_rng(5)
    along = rng.normal(size=(events, 1))
    raw = along * np.array([1.0, -1.0, 0.5, 2.0, 1.0]) + 0.2 * along * rng.normal(size=(events, 5))
    subject = Subject.of_sizes(5, 1, LossObjective("reconstruction"))
    inputs = InputQuantisation.fit(raw, subject.inputs, ("1",) * 5, 6)
    x = inputs.port.values(inputs.codes(raw))
    cut = events * 2 // 3
    folds = (Fold(x[p], {"scores": 2 * x[p] - 1}) for p in (slice(cut), slice(cut, None)))
    away = rng.permuted(x, axis=0)
    return Lesson(subject, inputs, *folds), away


def test_trees_learn_a_teachers_error():
    """They tell events off the line, which no training had; with artificial events far better than without; and the
    record says how well they agree with the teacher, which it could not with scores of another teacher."""
    given, away = unusual()
    config, found = candidate(artificial=1.0, learning_rate=0.3), []
    for one in (config, candidate(artificial=0.0, learning_rate=0.3)):
        files = training(one, given, rounds=20)
        trained = BoostedTrees().pick(files, one, given)
        scores = [trained.model.margins(x)[:, 0] for x in (given.validation.x, away)]
        found.append((scores[1][:, None] > scores[0]).mean())
    assert found[0] > 0.9
    assert found[0] > found[1]
    files = training(config, given, rounds=20)
    trained = BoostedTrees().pick(files, config, given)
    agreed = json.loads(trained.files()["leaves.json"])["teacher"]
    assert 0.3 < agreed <= 1
    turned = json.dumps([-v for v in json.loads(files["teacher.json"])]).encode()
    other = BoostedTrees().pick({**files, "teacher.json": turned}, config, given)
    assert json.loads(other.files()["leaves.json"])["teacher"] == pytest.approx(-agreed)
    with pytest.raises(InputError, match="not 300 numbers"):
        BoostedTrees().pick({**files, "teacher.json": b"[1.0]"}, config, given)
    assert config.training() != candidate(artificial=0.0, learning_rate=0.3).training()


def test_a_file_with_another_leaf_is_seen(classes):
    """One leaf moved by one step in the file: what the library finds of it is not the design any more."""
    trained = picked(classes)
    design, files = trained.design(), dict(trained.files())
    codes = design.inputs.codes(classes[0].train.x)
    data = json.loads(files["trees.model"])
    leaf = data["trees"][1]["features"].index(-1)
    data["trees"][1]["values"][leaf] += json.loads(files["leaves.json"])["rounding"]["scores"]["step"]
    damaged = BoostedTrees().load(files | {"trees.model": json.dumps(data).encode()}, candidate(), design)
    whole = BoostedTrees().load(files, candidate(), design)
    truth = equal_everywhere(design, codes, circuit=20)
    assert np.array_equal(whole.references()[next(iter(whole.references()))](codes), truth)
    assert not np.array_equal(damaged.references()[next(iter(damaged.references()))](codes), truth)


def test_what_it_cannot_learn_is_said():
    family = BoostedTrees()
    assert "has one class" in family.can(Subject.of_sizes(3, 1, LossObjective("cross-entropy")))
    assert "one number and all of it, not 3" in family.can(Subject.of_sizes(3, 3, LossObjective("reconstruction")))
    heads = [Head(name, (name,), LossObjective(how)) for name, how in (("unusual", "reconstruction"), ("e", "squared"))]
    assert "not 2" in family.can(Subject(("x",), tuple(heads)))
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
