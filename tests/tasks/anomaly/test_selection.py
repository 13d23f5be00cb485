"""Networks chosen without a signal: synthetic anomalies are what they say, and no signal enters where it must not."""

from dataclasses import replace

import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.physics.events.l1_scales import SCALES
from codesign.tasks.anomalies import anomaly
from codesign.tasks.anomalies.anomaly import Anomaly
from codesign.tasks.anomalies.judging import signals_of
from codesign.tasks.anomalies.level1_inputs import KINDS, columns_of
from codesign.tasks.anomalies.synthetic import MADE, merged, scaled, swapped
from tests.tasks.anomaly.conftest import SPLITS


def objects(x, kind):
    return np.stack([x[:, columns_of(kind, value)] for value in ("pt", "eta", "phi")], axis=-1)


@pytest.mark.parametrize("make", [merged, scaled, swapped])
def test_what_is_made_is_an_event_of_the_trigger(toy_sample, make):
    """By falling pT, zero padded, whole numbers within the scales."""
    made = make(toy_sample.features[:2000], np.random.default_rng(1))
    assert made.dtype == np.float32
    assert not np.array_equal(made, toy_sample.features[:2000])
    assert np.array_equal(made, np.round(made))
    for kind, (_, scale, _) in KINDS.items():
        if kind == "met":
            continue
        found = objects(made, kind)
        assert (np.diff(found[..., 0], axis=1) <= 0).all()
        assert not found[found[..., 0] == 0].any()
        assert found[..., 0].max() <= SCALES[scale].pt_most
        assert np.abs(found[..., 2]).max() <= SCALES[scale].phi_codes // 2
        assert found[..., 1].min() >= -(1 << (SCALES[scale].eta_bits - 1))


def test_they_are_made_as_they_say(toy_sample):
    x = toy_sample.features[:2000]
    both = merged(x, np.random.default_rng(2))
    assert (objects(both, "jet")[..., 0] >= objects(x, "jet")[..., 0]).all()
    assert both[:, columns_of("met", "pt")[0]].mean() > 1.1 * x[:, columns_of("met", "pt")[0]].mean()
    more = scaled(x, np.random.default_rng(2))
    jet, before = (objects(of, "jet")[:, 0, 0] for of in (more, x))
    ratio = jet[before > 60] / before[before > 60]
    assert 1.48 < ratio.min() < 1.6
    assert 3.7 < ratio.max() <= 4
    assert np.array_equal(objects(more, "jet")[..., 1:], objects(x, "jet")[..., 1:])
    other = swapped(x, np.random.default_rng(2))
    for event in range(200):
        energies = [
            sorted(
                float(v - SCALES[KINDS[kind][1]].pt_zero)
                for kind in ("eg", "muon", "jet")
                for v in objects(of, kind)[event, :, 0]
                if v
            )
            for of in (other, x)
        ]
        assert len(energies[0]) == len(energies[1])
        assert energies[0] == energies[1]
    assert (objects(other, "muon")[:, 0, 0] > 0).mean() > 0.5  # in the toys hardly any event has one


def test_the_rest_of_the_sample_is_split_as_it_was(monkeypatch, toy_sample):
    monkeypatch.setattr(anomaly, "sample_of", lambda *_: toy_sample)
    problem = Anomaly().open({"signal": 600, "rate_sample": None, "selection": ["synthetic", "held-out"]}, 1)
    whole = problem.completed(toy_sample, SPLITS)
    own = len(toy_sample)
    for name in ("train", "validation", "test"):
        places = whole.places(name, SPLITS)
        assert np.array_equal(places[places < own], toy_sample.places(name, SPLITS))
        made = whole.labels[places[places >= own]]
        assert np.bincount(made, minlength=6).tolist() == [0, 0, 0, *((0,) * 3 if name == "train" else (300,) * 3)]
    assert whole.class_names[3:] == tuple(MADE)
    validation = whole.part("validation", SPLITS)
    score = validation.x[:, columns_of("jet", "pt")].sum(axis=1)[:, None].astype(np.float64)
    points = problem.working_points(score, validation)
    found = problem.judge(score, validation, points)
    assert found["tpr_without_hard_1e-2"].value == found["tpr_muonic_1e-2"].value
    assert found["tpr_mean_1e-2"].value == pytest.approx(
        (found["tpr_hard_1e-2"].value + found["tpr_muonic_1e-2"].value) / 2
    )
    # signals do not enter what is chosen by, whatever they are
    other = replace(validation, y=np.where(np.isin(validation.y, (1, 2)), 3 - validation.y, validation.y))
    swapped_signals = problem.judge(score, other, points)
    assert swapped_signals["tpr_synthetic_1e-2"] == found["tpr_synthetic_1e-2"]
    assert swapped_signals["auc_synthetic"] == found["auc_synthetic"]
    assert swapped_signals["tpr_hard_1e-2"].value == found["tpr_muonic_1e-2"].value
    assert found["tpr_synthetic_1e-2"].error > 0
    # and those that are told the signals are not told of these
    assert list(signals_of(validation)) == ["hard", "muonic"]


def test_names_and_kinds_that_do_not_go_are_one_line():
    with pytest.raises(InputError, match="is no name of a signal"):
        Anomaly().open({"files": ["a.root"], "signal_files": {"without_h0": ["b.root"]}}, 1)
    with pytest.raises(InputError, match="held-out only beside regions"):
        Anomaly().open({"regions": True, "selection": ["synthetic"]}, 1)
    assert "tpr_without_h0_1e-3" not in Anomaly().open({}, 1).metrics
    assert Anomaly().open({"selection": ["held-out"]}, 1).metrics["tpr_without_h0_1e-3"] == "maximise"
