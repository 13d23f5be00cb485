"""A teacher's word in the place of the truth, or beside it: what is learned, judged, and in every key."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from codesign.core import store
from codesign.core.errors import InputError, UnsupportedError
from codesign.core.records import SampleFacts
from codesign.data.sample import Sample, Splits
from codesign.families.learned.family import MLPLearned
from codesign.families.mlp.family import MLP
from codesign.families.teaching import heads_for, lesson_of, must_be_able
from codesign.graph.reference import qonnx_codes
from codesign.pipeline.parts import record
from codesign.study.definition import Study
from codesign.study.opened_problem import open_problem
from codesign.tasks.anomalies.anomaly import Anomaly, AnomalyProblem
from codesign.tasks.anomalies.anomaly_sample import REGIONS, AnomalySample
from codesign.tasks.distilled import Distilled
from codesign.tasks.problem import working_points
from codesign.tasks.tagging.jet_tagging import ClassificationProblem
from codesign.tasks.teacher_contract import TeacherChoice
from codesign.training.lesson import Budget
from codesign.training.objectives import HeadsLoss
from tests.tasks.hot_regions import hot_regions

SPLITS = Splits(0.4, 0.3, 0.3, 1)
MLP_CONFIG = {"widths": [6], "weight_bits": [3, 3], "activation_bits": [5], "input_bits": 7, "sparsity": 0.5}


class Three(ClassificationProblem):
    """Three classes along one axis, of which labels know a part."""

    def __init__(self):
        super().__init__(("a", "b", "c"))

    @property
    def sample(self):
        dice = np.random.default_rng(1)
        labels = np.arange(900) % 3
        x = dice.normal(size=(900, 4)).astype(np.float32)
        x[:, 0] += 1.5 * labels
        return Sample(x, labels, ("p", "q", "r", "s"), ("",) * 4, self.classes)

    def baselines(self, train, seed):
        return []


@pytest.fixture(scope="module")
def taught():
    problem = Distilled(Three(), TeacherChoice(name="network", epochs=8, width=16, batch=32, share=0.5), 1)
    return problem, problem.completed(problem.sample, SPLITS)


@pytest.fixture(scope="module")
def anomaly():
    own = AnomalyProblem(AnomalySample(regions=True))
    problem = Distilled(own, TeacherChoice(name="autoencoder", epochs=3, channels=4, latent=4), 1)
    return problem, problem.completed(hot_regions(5000), SPLITS)


def test_a_teacher_of_classes_knows_them_and_is_shown_as_a_ceiling(taught):
    problem, sample = taught
    test = sample.part("test", SPLITS)
    said = problem.said(test)
    assert said.shape == (len(test), 3)
    shuffled = replace(test, truth=dict(sorted(test.truth.items(), reverse=True)))  # files have an order of their own
    assert np.array_equal(problem.said(shuffled), said)
    found = problem.judge(said, test, {})
    assert found["accuracy"].value > 0.55
    assert found["agreement"].value == 1
    (ceiling,) = problem.ceilings(test, test, 1)
    assert np.array_equal(ceiling(test), said)
    assert problem.metrics["agreement"] == "maximise"
    random = np.random.default_rng(3).normal(size=said.shape)
    assert problem.judge(random, test, {})["agreement"].value == pytest.approx(1 / 3, abs=0.12)
    assert problem.replicate(said, test, {}, problem.replicas(test))["agreement"][0] == 1


def test_the_loss_is_shared_between_the_truth_and_the_teacher(taught):
    problem, sample = taught
    train = sample.part("train", SPLITS)
    (head,) = problem.heads(sample)
    target = torch.tensor(problem.target(train)["classes"])
    said, truth = torch.tensor(problem.said(train)).float(), torch.tensor(train.y)
    loss = HeadsLoss([head])
    own = torch.nn.functional.cross_entropy(said, truth)
    soft = (said / 2).softmax(1)
    word = 4 * -(soft * (said / 2).log_softmax(1)).sum(1).mean()
    assert loss(said, target).item() == pytest.approx((0.5 * word + 0.5 * own).item(), rel=1e-5)
    weights = torch.linspace(0, 2, len(said))
    assert loss(said, target, weights).item() != loss(said, target).item()
    away = said.flip(1)
    assert loss(away, target) > loss(said, target)


def test_an_anomaly_score_is_learned_from_the_teacher_alone_and_signals_teach_nothing(anomaly):
    problem, sample = anomaly
    (head,) = problem.heads(sample)
    assert head.objective.name == "squared"
    train, test = (sample.part(name, SPLITS) for name in ("train", "test"))
    assert not train.y.any()
    target = problem.target(train)["score"]
    assert np.array_equal(target, train.truth["teacher_score"])
    assert target.mean() == pytest.approx(0, abs=1e-3)
    assert target.std() == pytest.approx(1, abs=1e-3)
    validation = sample.part("validation", SPLITS)
    points = working_points(problem, problem.said(validation), validation)
    found = problem.values(problem.said(test), test, points)
    assert found["auc_hot"] > 0.9
    assert found["agreement"] == pytest.approx(1)
    assert "teacher_score" in [p.name for p in problem.plots(problem.said(test), test, {}, {})]
    facts = SampleFacts.model_validate(record(sample, SPLITS) | {"outputs": ["score"]})
    assert heads_for(problem, facts)[0].objective.name == "squared"
    lesson = lesson_of(problem, facts, 7, train, validation, "score")
    assert lesson.train.shape == (len(train), 252)
    assert lesson.inputs.blocks[0].name == "regions"
    # a network of flat inputs takes an image as it lies
    candidate = MLP().read(MLP_CONFIG, "test")
    trained = MLP().pick(MLP().fit(candidate, lesson, Budget(1, 256, 0.01), seed=1), candidate, lesson)
    design = trained.design()
    codes = design.input_quantisation.codes(test.x[:100])
    assert design.inputs.blocks[0].shape == (18, 14, 1)
    found = trained.references()["Brevitas"](codes)
    assert np.array_equal(found, qonnx_codes(design, codes))
    assert len(np.unique(found)) > 5
    with pytest.raises(UnsupportedError, match="an image have one for each field"):
        must_be_able(MLPLearned(), lesson.subject)


def test_regions_become_the_triggers_own_integers_shifted(anomaly):
    problem, sample = anomaly
    train = sample.part("train", SPLITS)
    found = problem.input_quantisation(train.x, (REGIONS,), 7)
    (block,) = found.blocks
    assert block.step[0] in (1, 2, 4)
    assert block.offset[0] % block.step[0] == 0
    assert np.abs(found.physical(found.codes(train.x)) - train.x).max() <= block.step[0] / 2
    own = AnomalyProblem(AnomalySample(regions=True))
    assert own.target(train)["score"].shape == (len(train), 252)
    names = [b.name for b in own.baselines(sample.part("train", SPLITS), 1)[-2:]]
    assert names == ["total ET (all regions)", "largest region (ET)"]
    with pytest.raises(InputError, match="the regions stand alone"):
        problem.input_quantisation(train.x, (REGIONS, REGIONS), 7)
    with pytest.raises(InputError, match="regions are of simulated events"):
        Anomaly().open({"files": ["a"], "signal_files": {"b": ["c"]}, "regions": True}, 1)


def test_the_teachers_word_is_in_every_key_and_is_kept(tmp_path):
    store.use(str(tmp_path))
    try:
        hashes = []
        for seed in (1, 1, 2):
            problem = Distilled(Three(), TeacherChoice(name="network", epochs=2, width=8), seed)
            hashes.append(record(problem.completed(problem.sample, SPLITS), SPLITS)["hash"])
        assert hashes[0] == hashes[1] != hashes[2]
        assert len(list(tmp_path.rglob("*.zip"))) == 2  # the second time it was there
    finally:
        store.use(None)
    assert record(Three().sample, SPLITS)["hash"] not in hashes
    assert problem.settings["teacher"]["name"] == "network"
    assert [type(p).__name__ for p in problem.made_of()] == ["Distilled", "Three"]


def test_a_teacher_that_cannot_teach_this_is_refused():
    problem = Distilled(Three(), TeacherChoice(name="autoencoder"), 1)
    with pytest.raises(UnsupportedError, match="'autoencoder' cannot teach this"):
        problem.completed(problem.sample, SPLITS)
    with pytest.raises(UnsupportedError, match="'network' cannot teach this"):
        Distilled(AnomalyProblem(AnomalySample(regions=True)), TeacherChoice(name="network"), 1).completed(
            hot_regions(1000), SPLITS
        )
    with pytest.raises(InputError, match="widht"):
        Distilled(Three(), TeacherChoice(name="network", widht=3), 1)
    with pytest.raises(InputError, match="netwrok"):
        Distilled(Three(), TeacherChoice(name="netwrok"), 1)
    unseen = Distilled(Three(), TeacherChoice(name="network", view=("image",)), 1)
    with pytest.raises(InputError, match="no block 'image'"):
        unseen.completed(unseen.sample, SPLITS)


def test_a_study_names_its_teacher():
    study = {
        "name": "s", "task": "jet-tagging", "sample": {"card": "jets-13tev"}, "family": "mlp", "target": "vu13p-360",
        "objectives": [{"name": "accuracy", "direction": "maximise"}],
    }  # fmt: skip
    plain, distilled = Study(**study), Study(**study, teacher={"name": "network", "width": 32})
    assert "teacher" not in plain.model_dump(mode="json")
    assert not isinstance(open_problem(plain), Distilled)
    assert isinstance(open_problem(distilled), Distilled)
    assert Study.model_validate(distilled.model_dump(mode="json")) == distilled
