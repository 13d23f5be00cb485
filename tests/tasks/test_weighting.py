"""Events with weights: one of weight 2 is the event twice, and errors go by the effective number."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.tasks import metrics, weighting
from codesign.tasks.anomalies.rates import share, slope, threshold_at
from codesign.tasks.jets.response import median, resolution
from codesign.tasks.jets.turn_on import turn_ons

EVENTS = 400


def drawn(seed):
    rng = np.random.default_rng(seed)
    often = rng.integers(1, 4, EVENTS)
    signal = rng.random(EVENTS) < 0.4
    score = np.round(rng.normal(size=EVENTS) + signal, 1)  # with ties
    return rng, often, signal, score


@given(st.integers(0, 2**32 - 1), st.lists(st.floats(0, 1), min_size=1, max_size=5))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_quantiles_are_those_of_events_taken_so_often(seed, shares):
    rng = np.random.default_rng(seed)
    values, often = rng.normal(size=30), rng.integers(1, 5, 30)
    often[0] = 1  # the smallest weight is the unit
    found = weighting.quantile(values, np.array(shares), often.astype(float))
    assert found == pytest.approx(np.quantile(np.repeat(values, often), shares), abs=1e-6)
    same = weighting.quantile(values, np.array(shares), np.full(30, 2.5))
    assert same == pytest.approx(np.quantile(values, shares), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_those_of_events_taken_so_often(seed):
    rng, often, signal, score = drawn(seed)
    weights, places = often.astype(float), np.repeat(np.arange(EVENTS), often)
    scores, labels = rng.normal(size=(EVENTS, 3)), rng.integers(0, 3, EVENTS)
    pile_up, response = rng.normal(50, 5, EVENTS), rng.normal(1, 0.1, EVENTS)
    offline = np.exp(rng.normal(np.log(100), 0.3, EVENTS))
    passed = offline * rng.normal(1, 0.1, EVENTS) > 100

    def every(at, w):
        own = np.ones(len(at)) if w is None else w
        on = turn_ons(passed[at][None, :], offline[at], own[None, :])
        found = {
            "accuracy": metrics.accuracy(scores[at], labels[at], w),
            **metrics.auc_with_error(scores[at], labels[at], tuple("abc"), w),
            "rejection": metrics.rejection(score[at], signal[at], 0.5, w),
            "share": share(score[at] > 1, w),
            "slope": slope(score[at] > 1, pile_up[at], w),
            "median": median(response[at], w),
            "resolution": resolution(response[at], w),
        }
        return (
            {name: metric.value for name, metric in found.items()}
            | {name: float(v[0]) for name, v in on.items()}
            | {
                "threshold": threshold_at(score[at], 0.1, w).value,
                "correlation": weighting.correlation(response[at], score[at], w),
                "width": weighting.width(response[at], w),
            }
        )

    found, wanted = every(np.arange(EVENTS), weights), every(places, None)
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    plain = every(np.arange(EVENTS), None)
    assert all(found[name] != plain[name] for name in found if name != "threshold"), "weights are heard"
    assert every(np.arange(EVENTS), np.full(EVENTS, 3.0)) == pytest.approx(plain, rel=1e-4, abs=1e-6)


def test_errors_go_by_the_effective_number():
    """Half of the events carry nearly all of the weight: the error is that of half as many. Spread over 300 samples."""
    rng = np.random.default_rng(5)
    weights = np.where(np.arange(EVENTS) % 2, 1.0, 1e-3)
    assert weighting.effective(weights, EVENTS) == pytest.approx(EVENTS / 2, rel=0.01)
    found = {name: [] for name in ("accuracy", "auc", "median", "share")}
    for _ in range(300):
        signal = rng.random(EVENTS) < 0.4
        score = rng.normal(size=EVENTS) + signal
        auc, influence = metrics.auc_influence(score, signal, weights)
        found["auc"].append((auc, np.sqrt((influence**2).sum())))
        two = np.column_stack([0.5 - score, score])
        for name, metric in {
            "accuracy": metrics.accuracy(two, signal.astype(np.int64), weights),
            "median": median(rng.normal(1, 0.1, EVENTS), weights),
            "share": share(score > 1, weights),
        }.items():
            found[name].append((metric.value, metric.error))
    for name, values in found.items():
        value, error = np.array(values).T
        assert 0.85 < error.mean() / value.std() < 1.15, name


def test_negative_weights_count_with_their_sign():
    right, weights = np.array([True, True, False, True]), np.array([2.0, -1.0, 1.0, 2.0])
    assert weighting.mean(right, weights) == pytest.approx(3 / 4)
    assert weighting.effective(weights, 4) == pytest.approx(16 / 10)
    assert weighting.median(np.array([1.0, 2.0, 3.0, 4.0]), weights) == 2.5  # the sum up to a value: 2, 2, 2, 4
