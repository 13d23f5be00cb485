"""The task: signals are held out, thresholds come from zero bias of validation, and networks beat what they should."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from codesign.core import plugins
from codesign.core.errors import InputError
from codesign.core.layout import Layout
from codesign.data.sample import Part
from codesign.families.autoencoder.config import AutoencoderConfig, VAEConfig
from codesign.families.autoencoder.family import VAE, Autoencoder
from codesign.tasks.anomalies.anomaly import Anomaly
from codesign.tasks.anomalies.anomaly_sample import AnomalySample
from codesign.tasks.base import Task, working_points
from codesign.training.lesson import Subject
from codesign.training.loop import train as fit
from codesign.training.objectives import HeadsLoss
from tests.benchmarks.coverage import anomaly

#: opened, and never asked for a sample
TASK = Anomaly().open({}, 1)
COMMON = {"widths": (16,), "square_bits": 8, "score_bits": 14, "input_bits": 8}
NETWORKS = [
    (VAE(), VAEConfig(**COMMON, latent=12, weight_bits=(6, 6), activation_bits=(6,), beta=0.02), 0.65),
    (Autoencoder(), AutoencoderConfig(**COMMON, latent=4, weight_bits=(6,) * 4, activation_bits=(6,) * 3), 0.8),
]


def test_the_task_is_found_by_its_name():
    assert isinstance(plugins.load(Task, "anomaly"), Anomaly)
    assert TASK.metrics["tpr_mean_1e-3"] == "maximise"
    assert TASK.metrics["unique_rate_khz"] == "minimise"


def test_only_zero_bias_is_trained_on(toy_sample, toy_parts):
    train, validation, test = toy_parts
    assert toy_sample.class_names == ("zero_bias", "hard", "muonic")
    assert toy_sample.held_out == ("hard", "muonic")
    assert set(train.y) == {0}
    for part in (validation, test):
        assert np.bincount(part.y) == pytest.approx([2700, 300, 300], abs=30)
    assert toy_sample.provenance["events of each class"] == {"zero_bias": 9000, "hard": 600, "muonic": 600}
    assert (toy_sample.truth["pile_up"] > 0).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"files": ["a.root"]}, "at least one signal"),
        ({"signal_files": {"x": ["a.root"]}}, "at least one signal"),
        ({"files": ["a.root"], "signal_files": {"zero_bias": ["b.root"]}}, "no name of a signal"),
        ({"files": ["a.root"], "signal_files": {"x": ["b.root"]}, "pile_up": 60}, "have their own"),
        ({"zero_bias": 10}, "greater than or equal to 1000"),
    ],
)
def test_an_impossible_sample_is_refused(settings, words):
    with pytest.raises(ValidationError, match=words):
        AnomalySample.model_validate(settings)


def test_the_first_events_of_the_files_are_read(toy_settings, toy_sample):
    less = Anomaly().open(toy_settings | {"zero_bias": 1500, "signal": 100}, 1).sample
    assert np.bincount(less.labels).tolist() == [1500, 100, 100]
    assert np.array_equal(less.features[:1500], toy_sample.features[:1500])


def test_the_target_weighs_angles_less(toy_sample, toy_parts):
    target = TASK.target(toy_parts[0])["score"]
    assert target.dtype == np.float32
    assert target.std(axis=0)[[0, 27]] == pytest.approx(1.0, abs=0.05)
    assert 0.1 < target.std(axis=0)[[2, 28, 29]].max() <= 0.13
    with pytest.raises(InputError, match=r"57 inputs are to be reproduced.*such as 'vae' or 'autoencoder'"):
        HeadsLoss(TASK.heads(toy_sample))(torch.zeros(5, 1), torch.as_tensor(target[:5]))


def test_a_perfect_score_and_one_that_knows_nothing(toy_parts):
    _, validation, test = toy_parts
    for perfect in (True, False):
        random = np.random.default_rng(0)

        def scores(part, perfect=perfect, random=random):
            return random.random((len(part), 1)) + (2.0 * (part.y > 0)[:, None] if perfect else 0.0)

        points = working_points(TASK, scores(validation), validation)
        found = TASK.judge(scores(test), test, points)
        assert found["auc_mean"].value == pytest.approx(1.0 if perfect else 0.5, abs=4 * found["auc_mean"].error + 1e-9)
        assert found["tpr_mean_1e-2"].value == pytest.approx(1.0 if perfect else 0.01, abs=0.02)
        assert found["fpr_1e-2"].value == pytest.approx(0.01, abs=4 * found["fpr_1e-2"].error)
        assert found["rate_khz"].value == pytest.approx(286, abs=4 * found["rate_khz"].error)
        assert "tpr_mean_1e-3" not in found  # 2700 events cannot tell
        assert points["rate"] == 0.01
        assert points["threshold"] == points["threshold_1e-2"]
        assert "menu_rate" not in points, "single events would set the cuts of a menu"
        assert "added_tpr_mean" not in found
        assert abs(found["pile_up_slope"].value) < 4 * found["pile_up_slope"].error


def test_a_menu_is_told_where_each_of_its_triggers_has_events():
    validation, _ = anomaly(9_000_000, "validation")
    for perfect in (True, False):
        random = np.random.default_rng(0)
        scores = random.random((len(validation), 1)) + (2.0 * (validation.y > 0)[:, None] if perfect else 0.0)
        points = working_points(TASK, scores, validation)
        assert points["rate"] == 0.001
        assert points["menu_rate"] == 0.01
        assert points["menu_score"] == points["threshold_1e-2"]
        found = TASK.judge(scores, validation, points)
        assert (found["added_tpr_mean"].value > 0.2) == perfect
        assert found["unique_rate_khz"].value <= 286


def test_too_little_zero_bias_is_refused(toy_parts):
    validation = toy_parts[1]
    few = Part("validation", validation.x[:300], validation.y[:300], class_names=validation.class_names)
    with pytest.raises(InputError, match=r"cannot tell a false-positive rate of 0\.01: that takes 900"):
        working_points(TASK, np.zeros((300, 1)), few)


def test_thresholds_are_those_of_zero_bias_alone(toy_parts):
    validation = toy_parts[1]
    scores = np.random.default_rng(3).random((len(validation), 1))
    before = working_points(TASK, scores, validation)
    scores[validation.y > 0] += 100
    assert working_points(TASK, scores, validation) == before


def test_every_baseline_is_judged_and_drawn(toy_parts):
    train, validation, test = toy_parts
    baselines = TASK.baselines(train, 1)
    names = [b.name.split(" (")[0] for b in baselines]
    assert names == [
        "isolation forest", "PCA", "sum of z^2", "largest |z|", "HT + MET + leptons", "single jet", "HT", "MET"
    ]  # fmt: skip
    told = TASK.ceilings(train, validation, 1)
    assert [b.name.split(" (")[0] for b in told] == ["searched sum", "supervised trees"]
    assert set(told[0].weights) <= {0.0, *(2.0**k for k in range(-3, 4))}
    assert told[0].weights.any()
    blind = Part("validation", validation.x, validation.y * 0, truth=validation.truth, class_names=("zero_bias",))
    assert TASK.ceilings(train, blind, 1) == []
    baselines += told
    scores = {b.name: b(test) for b in baselines}
    again = TASK.baselines(train, 1)[0](test)
    assert np.array_equal(again, scores[baselines[0].name])
    areas = {}
    for baseline in (b for b in baselines if b.name.startswith(("single", "isolation", "PCA", "supervised"))):
        points = working_points(TASK, baseline(validation), validation)
        found = TASK.judge(scores[baseline.name], test, points)
        areas[baseline.name.split(" (")[0]] = (found["auc_hard"].value, found["auc_muonic"].value)
    assert areas["single jet"][0] > 0.95
    assert areas["single jet"][1] == pytest.approx(0.5, abs=0.06)
    assert areas["isolation forest"][1] > 0.7
    assert areas["PCA"][1] > 0.7
    efficiencies = {name: np.mean(found) for name, found in areas.items()}
    assert max(efficiencies, key=efficiencies.get) == "supervised trees"
    mine = scores[baselines[0].name]
    points = working_points(TASK, baselines[0](validation), validation)
    plots = {p.name: p for p in TASK.plots(mine, test, scores, points)}
    assert set(plots) == {"scores", "roc", "rate", "baselines", "pile_up"}
    assert plots["roc"].log_x
    assert sum(not s.dashed for s in plots["roc"].series) == 2
    assert plots["baselines"].y_ticks[1:-2] == names
    assert plots["baselines"].matrix[0] == plots["baselines"].matrix[1]
    rate = plots["rate"].series[0]
    assert max(rate.y) == pytest.approx(28607, rel=1e-3)
    assert all(a >= b for a, b in zip(rate.y, rate.y[1:], strict=False))
    pile_up = plots["pile_up"].series[0]
    assert 4 <= len(pile_up.x) <= 6  # those in which one fires
    assert pile_up.y[-1] > pile_up.y[0]  # the toy's jets grow with pile-up


@pytest.mark.parametrize(("family", "config", "least"), NETWORKS, ids=["vae", "autoencoder"])
def test_a_network_finds_signals_it_never_saw(toy_sample, toy_parts, family, config, least):
    train, validation, test = toy_parts
    names = tuple(str(i) for i in range(57))
    from codesign.tasks.anomalies.level1_inputs import FEATURES

    quantisation = TASK.input_quantisation(train.x, (Layout.of_features(FEATURES, names),), config.input_bits)
    torch.manual_seed(1)
    network = family.build(config, Subject.of_sizes(57, 1))
    values = quantisation.port.values(quantisation.codes(train.x))
    loss, how = HeadsLoss(TASK.heads(toy_sample)), {"batch": 256, "learning_rate": 5e-3, "sparsity": 0.0, "seed": 1}
    fit(network, values, TASK.target(train)["score"], loss, epochs=15, **how)

    def scores(part):
        with torch.no_grad():
            x = torch.as_tensor(quantisation.port.values(quantisation.codes(part.x)), dtype=torch.float32)
            return network(x).numpy().astype(np.float64)

    found = TASK.judge(scores(test), test, working_points(TASK, scores(validation), validation))
    assert found["auc_mean"].value > least
    assert found["tpr_mean_1e-2"].value > 0.05
