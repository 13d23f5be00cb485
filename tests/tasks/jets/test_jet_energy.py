"""The task: from event files to a sample, learning, judging, baseline and plots."""

import dataclasses

import numpy as np
import pytest
import torch
import yaml

from codesign.core.errors import InputError
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.layout import Layout
from codesign.data.sample import Splits
from codesign.data.variations import Variation
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.physics.card import card_data
from codesign.tasks.jets.jet_energy import JetEnergy, JetEnergyOffline
from codesign.tasks.jets.jet_heads import TARGETS
from codesign.tasks.jets.jet_inputs import FEATURES
from codesign.tasks.jets.jet_sample import FLAVOURS, flavour_of
from codesign.tasks.jets.weights import learning_weights
from codesign.training.lesson import Subject
from codesign.training.loop import train as fit
from codesign.training.objectives import HeadsLoss

SPLITS = Splits(0.6, 0.2, 0.2, 1)
#: opened, and never asked for a sample
PROBLEM = JetEnergy().open({"files": ["none"], "heads": {"flavour": 0.3}}, 1)


@pytest.fixture(scope="module")
def sample(toy_file):
    return JetEnergy().open({"files": [str(toy_file)], "heads": {"flavour": 0.3}}, 1).sample


@pytest.fixture(scope="module")
def parts(sample):
    return [sample.part(name, SPLITS) for name in ("train", "validation", "test")]


@pytest.fixture(scope="module")
def baseline(parts):
    return PROBLEM.baselines(parts[0], 1)[0]


def _judged(task, scores_of, parts):
    _, validation, test = parts
    points = task.working_points(scores_of(validation), validation)
    return task.judge(scores_of(test), test, points)


def test_the_sample_holds_matched_jets_only(sample):
    assert sample.feature_names == FEATURES
    assert sample.class_names == FLAVOURS
    assert sample.target_names == TARGETS
    assert (sample.truth["generated_pt"] >= 15).all()
    raw = np.exp2(sample.features[:, 0].astype(float))
    assert sample.targets[:, 0] == pytest.approx(np.log(sample.truth["generated_pt"] / raw), abs=2e-5)
    left_out = sum(sample.provenance["jets left out"].values())
    assert left_out > 0
    assert len(sample) + left_out <= 3 * 12000


def test_jets_of_one_event_stay_in_one_split(sample):
    events = [set(sample.part(n, SPLITS).truth["event"].tolist()) for n in ("train", "validation", "test")]
    assert not (events[0] & events[1])
    assert not (events[0] & events[2])
    assert not (events[1] & events[2])


def test_what_is_regressed_is_the_studys_choice(toy_file):
    task, settings = JetEnergy(), {"files": [str(toy_file)]}
    problem = task.open(settings, 1)
    generated, offline = problem.sample, task.open(settings | {"reference": "offline"}, 1).sample
    assert np.array_equal(generated.truth["reference_pt"], generated.truth["generated_pt"])
    assert np.array_equal(offline.truth["reference_pt"], offline.truth["offline_pt"])
    assert (offline.truth["reference_pt"] > 0).all()
    assert problem.outputs(generated) == ("correction", "correction_16", "correction_84")
    raw = 2.0 ** JetEnergyOffline().open(settings, 1).sample.features[:, 0].astype(float)
    assert not np.allclose(raw[:100], 2.0 ** generated.features[:100, 0].astype(float))


def test_flavours_as_nanoaod_has_them():
    hadron, parton = np.array([0, 0, 4, 5, 5, 0, 0]), np.array([-2, 21, 4, -5, 21, 0, 5])
    expected = ["uds", "g", "c", "b", "b", None, None]
    assert [FLAVOURS[i] if i >= 0 else None for i in flavour_of(hadron, parton)] == expected


def test_learning_weights_make_the_spectrum_flat():
    rng = np.random.default_rng(1)
    pt = 15 * rng.pareto(1.0, 50_000) + 15
    flavour = (rng.random(50_000) < 0.1).astype(np.int64)
    flat, by_flavour = learning_weights(pt, flavour)
    assert flat.mean() == pytest.approx(1)
    low, high = (flat[(pt >= a) & (pt < 2 * a)].sum() for a in (16, 64))
    assert low == pytest.approx(high, rel=0.05)
    low, high = (flat[(pt >= a) & (pt < 2 * a)].size for a in (16, 64))
    assert low > 2 * high
    assert by_flavour[flavour == 1].mean() > 3 * by_flavour[flavour == 0].mean()


def test_the_baseline_beats_no_correction(parts, baseline):
    task = PROBLEM
    raw = _judged(task, lambda p: np.tile([0.0, 0, 0, 0, 0, -0.2, 0.2], (len(p), 1)), parts)
    corrected = _judged(task, baseline, parts)
    assert corrected["closure_mean"].value < 0.15 * raw["closure_mean"].value
    assert corrected["resolution"].value < raw["resolution"].value
    assert corrected["coverage_error"].value < 0.03
    assert corrected["balance_mean"].value < 0.3 * raw["balance_mean"].value
    assert corrected["auc_g"].value > 0.9
    assert raw["auc_g"].value == pytest.approx(0.5)
    assert set(corrected) <= set(task.metrics)


def test_uncorrected_jets_and_trees_stand_beside_it(parts):
    settings = {"files": ["none"], "heads": {"flavour": 0.0}}
    problem = JetEnergy().open(settings, 1)
    made = problem.baselines(parts[0], 1)
    assert [b.name.split(" (")[0] for b in made] == ["factorised correction", "boosted trees", "uncorrected jets"]
    judged = [_judged(problem, b, parts) for b in made]
    factorised, trees, raw = judged
    assert raw["closure_sure"].value > 0.1
    assert trees["closure_sure"].value < 0.5 * raw["closure_sure"].value
    assert raw["resolution_raw"].value < raw["resolution"].value, "pile-up lifts jets: the raw one flatters them"
    assert factorised["resolution"].value < raw["resolution"].value
    assert raw["coverage_error"].value < 0.03


def test_a_perfect_correction_passes_and_an_energy_scale_is_seen(parts):
    """By as much as it is: 3 % up or down of jets that a correction leaves as they should be."""
    test = parts[2]
    problem = JetEnergy().open({"files": ["none"], "heads": {"flavour": 0.0}}, 1)
    right = test.targets[:, 0].astype(np.float64)
    scores = np.column_stack([right, right - 0.01, right + 0.01])
    perfect = problem.judge(scores, test, {})
    assert perfect["closure_sure"].value == 0
    assert perfect["closure_mean"].value < 1e-5
    assert perfect["resolution"].value < 1e-5
    scale = Variation(name="jet_scale", inputs=("log2_pt",), shift=float(np.log2(1.03)))
    for way, off in ((1, 0.03), (-1, 1 - 1 / 1.03)):
        varied = scale.of(test, (Layout.of_features(FEATURES, ("",) * len(FEATURES)),), way)
        assert problem.values(scores, varied, {})["closure_mean"] == pytest.approx(off, abs=1e-4)


def test_every_metric_has_an_error_and_a_direction(parts, baseline):
    task = PROBLEM
    found = _judged(task, baseline, parts)
    assert all(m.error > 0 for n, m in found.items() if not n.startswith("closure"))
    assert set(task.metrics.values()) == {"maximise", "minimise"}
    assert set(task.metrics) - set(found) == set()


def test_metrics_see_what_is_worse(parts, baseline):
    task = PROBLEM
    good = _judged(task, baseline, parts)

    def smeared(part):
        return baseline(part) + np.random.default_rng(len(part)).normal(0, 0.2, (len(part), 1)) * np.array(
            [0] * 4 + [1] * 3
        )

    bad = _judged(task, smeared, parts)
    for name in ("resolution", "turn_on_width", "turn_on_95", "coverage_error"):
        assert bad[name].value > good[name].value + 3 * np.hypot(bad[name].error, good[name].error), name
    assert bad["correlation_offline"].value < good["correlation_offline"].value


def test_a_multi_head_network_tags_and_corrects(sample, parts, baseline):
    task = PROBLEM
    train, _, _ = parts
    quantisation = InputQuantisation.fit(train.x, sample.feature_names, sample.units, 8)
    torch.manual_seed(1)
    config = MLPConfig(widths=(24,), weight_bits=(6, 6), activation_bits=(6,), input_bits=8)
    network = MLP().build(config, Subject.of_sizes(len(FEATURES), len(task.outputs(sample))))
    grid = quantisation.port.values(quantisation.codes(train.x))
    heads, target = task.heads(sample), task.target(train)
    fit(
        network, grid, tuple(target[head.name] for head in heads), HeadsLoss(heads),
        epochs=30, batch=256, learning_rate=0.01, sparsity=0.0, seed=1,
    )  # fmt: skip

    def scores(part):
        x = torch.as_tensor(quantisation.port.values(quantisation.codes(part.x)), dtype=torch.float32)
        with torch.no_grad():
            return network(x).double().numpy()

    found, classical = _judged(task, scores, parts), _judged(task, baseline, parts)
    assert found["resolution"].value < classical["resolution"].value  # it sees the gluons' lower response
    assert found["closure_g"].value < classical["closure_g"].value
    assert found["auc_g"].value > 0.9
    assert found["coverage_error"].value < 0.05


def test_plots_of_design_and_baseline(parts, baseline):
    task = PROBLEM
    _, validation, test = parts
    scores = baseline(test)
    points = task.working_points(baseline(validation), validation)
    drawn = {p.name: p for p in task.plots(scores, test, {baseline.name: scores}, points)}
    assert set(drawn) == {
        "closure-pt", "closure-eta", "resolution", "closure-flavour", "turn-on", "offline", "balance", "roc"
    }  # fmt: skip
    for plot in drawn.values():
        assert any(s.dashed for s in plot.series)
        assert all(len(s.x) == len(s.y) == len(s.low) == len(s.high) for s in plot.series)
    without = task.plots(
        scores[:, 4:],
        dataclasses.replace(test, truth=test.truth | {"offline_pt": -(test.truth["eta"] ** 2) - 1}),
        {},
        {},
    )
    assert {p.name for p in without} == {"closure-pt", "closure-eta", "resolution", "closure-flavour", "balance"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "give either cards or files"),
        ({"cards": {"ttbar": 0}}, "must be at least 1"),
        ({"files": ["x.root"], "heads": {"correction": 0}}, "heads.correction"),
        ({"files": ["x.root"], "min_pt": 2}, "min_pt"),
    ],
)
def test_settings_are_checked(settings, words):
    with pytest.raises(InputError, match=words):
        len(JetEnergy().open(settings, 1).sample)


def test_a_file_without_what_is_needed_is_named(tmp_path):
    import awkward as ak

    from codesign.physics.events import write_events

    path = tmp_path / "bare.root"
    write_events(path, ak.zip({"Jet": ak.zip({"pt": [[30.0], [40.0]]})}, depth_limit=1))
    with pytest.raises(InputError, match=r"bare\.root.*HLTJet_pt"):
        len(JetEnergy().open({"files": [str(path)]}, 1).sample)


@pytest.mark.slow
def test_cards_are_simulated(tmp_path, monkeypatch):
    pytest.importorskip("pythia8mc", reason="pythia8mc is not installed")
    pytest.importorskip("fastjet", reason="fastjet is not installed")
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
    _, card = card_data("qcd-dijets")
    path = tmp_path / "dijets.yaml"
    path.write_text(yaml.safe_dump(card | {"name": "dijets", "pile_up": {"mean": 20, "collisions": 300}}))
    sample = JetEnergy().open({"cards": {str(path): 60}}, 1).sample
    assert sample.provenance["events read"] == 60
    assert 60 < len(sample) < 600
    assert np.median(np.exp(sample.targets[:, 0])) < 1  # pile-up lies in the uncorrected jets
    assert (sample.truth["offline_pt"] > 0).mean() > 0.8
    assert len(np.unique(sample.collisions)) > 50
