"""Metrics against independent implementations and against their own definition of an uncertainty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from codesign.data.sample import Part
from codesign.tasks import metrics
from codesign.tasks.tagging.jet_tagging import JetTagging


def toy(events, seed, levels=None):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, events)
    scores = rng.normal(size=(events, 5)) + 1.5 * np.eye(5)[labels]
    if levels:
        scores = np.round(scores * levels) / levels
    return scores, labels


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([None, 1, 4]), st.integers(20, 300))
def test_auc_equals_sklearn(seed, levels, events):
    scores, labels = toy(events, seed, levels)
    signal = labels == 0
    if signal.all() or not signal.any():
        return
    value, influence = metrics.auc_influence(scores[:, 0], signal)
    assert value == pytest.approx(roc_auc_score(signal, scores[:, 0]), abs=1e-12)
    assert influence.sum() == pytest.approx(0, abs=1e-9)


def test_errors_are_the_spread_over_repeated_experiments():
    """Each quoted error against the standard deviation over 300 independent samples, to 20 %."""
    found = {}
    for seed in range(300):
        scores, labels = toy(800, seed)
        chance = metrics.probabilities(scores)
        for name, metric in {
            "accuracy": metrics.accuracy(scores, labels),
            **metrics.auc_with_error(chance, labels, tuple("abcde")),
            "rejection": metrics.rejection(chance[:, 1], labels == 1, 0.5),
        }.items():
            found.setdefault(name, []).append((metric.value, metric.error))
    for name, pairs in found.items():
        values, errors = np.array(pairs).T
        assert np.mean(errors) == pytest.approx(values.std(), rel=0.2), name


def test_rejection_is_one_over_the_background_efficiency():
    scores = np.linspace(0, 1, 2000)
    signal = np.zeros(2000, dtype=bool)
    signal[1::2] = True
    assert metrics.rejection(scores, signal, 0.5).value == pytest.approx(2.0, rel=2e-3)
    several = metrics.rejections(scores, signal, (0.5, 0.9))
    assert several == [metrics.rejection(scores, signal, e) for e in (0.5, 0.9)]
    assert several[0] != several[1]


def test_rejection_is_absent_where_no_background_passes():
    scores = np.concatenate([np.ones(100), np.zeros(100)])
    assert metrics.rejection(scores, scores == 1, 0.5) is None


def test_task_judges_every_metric_and_draws():
    scores, labels = toy(3000, 1)
    part = Part("test", np.zeros((3000, 1), np.float32), labels)
    task = JetTagging().open({"file": "none"}, 1)
    found = task.judge(scores, part, {})
    assert set(found) <= set(task.metrics)
    assert {"accuracy", "auc_mean", "rejection_t_50", "rejection_g_30", "rejection_w_80"} <= set(found)
    assert all(m.error > 0 for m in found.values())
    roc, confusion = task.plots(scores, part, {"boosted trees": scores}, {})
    assert len(roc.series) == 10
    assert np.allclose(np.sum(confusion.matrix, axis=1), 1)
