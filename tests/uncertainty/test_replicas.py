"""The bootstrap against independent samples, and its parts against numpy, scikit-learn and scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from codesign.core.records import PairedDifference
from codesign.statistics import rowwise, weighted
from codesign.statistics.comparison import differences, reading, spread, summary
from codesign.statistics.intervals import ONE_SIGMA, clopper_pearson, efficiency, of_share
from codesign.statistics.replicas import Replicas, WorkingPoints
from codesign.tasks import metrics
from codesign.tasks.anomalies.rates import threshold_at
from codesign.tasks.jets.turn_on import threshold


def rows(seed, events=300):
    rng = np.random.default_rng(seed)
    weights = np.stack([np.ones(events), rng.poisson(1, events), rng.integers(0, 3, events) * 0.5])
    return rng, weights


@given(st.integers(0, 2**32 - 1))
@settings(derandomize=True, max_examples=30, deadline=None)
def test_every_row_is_what_it_is_alone(seed):
    rng, weights = rows(seed)
    score, signal = np.round(rng.normal(size=300), 1), rng.random(300) < 0.4
    along, other = rng.normal(50, 5, 300), rng.normal(size=300)
    fired = np.stack([score > 1] * 3)
    quantiles = rowwise.quantiles(other, (0.16, 0.5, 0.84), weights)
    areas, rejected = rowwise.areas_and_rejections(score, signal, (0.3, 0.8), weights)
    cuts = rowwise.thresholds(score, (0.1, 0.02), weights)
    related = rowwise.correlations(along, other, weights)
    for row, w in enumerate(weights):
        there = w > 0
        assert quantiles[row] == pytest.approx(weighted.quantile(other[there], np.array([0.16, 0.5, 0.84]), w[there]))
        assert areas[row] == pytest.approx(roc_auc_score(signal, score, sample_weight=w))
        for place, share in enumerate((0.3, 0.8)):
            wanted = metrics.rejection(score[there], signal[there], share, w[there])
            assert rejected[row, place] == pytest.approx(wanted.value)
        for place, rate in enumerate((0.1, 0.02)):
            assert weighted.mean(score >= cuts[row, place], w) <= rate + 1e-12
            assert (
                weighted.mean(score >= score[score < cuts[row, place]].max(), w) > rate
                or not w[score == score[score < cuts[row, place]].max()].sum()
            )
        assert rowwise.means(fired, weights)[row] == pytest.approx(weighted.mean(score > 1, w))
        assert related[row] == pytest.approx(weighted.correlation(along, other, w))
    assert rowwise.shares_above(score, cuts[:, 0], weights) == pytest.approx(
        [weighted.mean(score >= c, w) for c, w in zip(cuts[:, 0], weights, strict=True)]
    )


def test_replicas_are_those_of_the_part_and_of_no_other():
    found = [Replicas.of(name, 50, number=30).collect(lambda r: {"n": r.weights.sum(axis=1)})["n"] for name in "aab"]
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    assert found[0][0] == 50
    drawn = Replicas.of("test", 2000, number=400).collect(lambda r: {"v": r.weights.var(axis=1)})["v"][1:]
    assert drawn.mean() == pytest.approx(1, abs=0.01)  # Poisson
    together = Replicas.of("test", 6, np.array([7, 7, 7, 1, 1, 1]), number=20)
    for block in together.blocks():
        assert (block.weights[:, :3] == block.weights[:, :1]).all()
        assert (block.weights[:, 3:] == block.weights[:, 3:4]).all()
    heavy = Replicas.of("test", 3, weights=np.array([1.0, 2, 4]), number=5)
    first, *others = heavy.blocks()
    assert first.weights.tolist() == [[1, 2, 4]]
    assert set((others[0].weights / [1, 2, 4]).ravel()) <= set(range(9))
    assert Replicas.of("test", 10**9).number == 100


def test_a_thresholds_own_spread_is_in_the_error():
    """Ratio of stated error to spread over 150 pairs of samples: 1 with it, far less without."""
    stated, blind, found = [], [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        usual, signal = rng.exponential(1, 2000), rng.exponential(2, 4000)
        fixed = Replicas.of("validation", 2000, number=100).collect(
            lambda r, usual=usual: {"t": rowwise.thresholds(usual, [0.01], r.weights)[:, 0]}
        )
        assert float(fixed["t"][0]) == threshold_at(usual, 0.01).value
        for errors, points in ((stated, WorkingPoints.of(fixed)), (blind, {"t": float(fixed["t"][0])})):
            judged = Replicas.of("test", 4000, number=100).collect(
                lambda r, s=signal, p=points: {"e": rowwise.shares_above(s, r.point(p, "t"), r.weights)}
            )
            errors.append(spread(judged["e"]))
        found.append(float(judged["e"][0]))
    assert np.mean(stated) / np.std(found) == pytest.approx(1, abs=0.15)
    assert np.mean(blind) / np.std(found) < 0.6


def test_pairs_know_more_than_two_values():
    rng = np.random.default_rng(3)
    signal = rng.random(3000) < 0.5
    one = rng.normal(size=3000) + signal
    other = one + rng.normal(0, 0.4, 3000)
    drawn = Replicas.of("test", 3000)
    areas = [drawn.collect(lambda r, s=s: {"auc": rowwise.areas(s, signal, r.weights)}) for s in (one, other)]
    found = differences(areas[0], areas[1], {"auc": "maximise"})["auc"]
    alone = [summary(a)["auc"].error for a in areas]
    assert found.error < 0.6 * np.hypot(*alone)
    assert found.value > 3 * found.error
    assert (found.better, reading(found)) == (1.0, "beats")
    back = differences(areas[1], areas[0], {"auc": "maximise"})["auc"]
    assert reading(back) == "is beaten by"
    assert reading(PairedDifference(value=0.1, error=0.1, better=0.9, replicas=400)) == "equals"
    assert differences(areas[0], {"auc": areas[1]["auc"][:50]}, {"auc": "maximise"}) == {}, "of other replicas"


@given(st.integers(1, 60), st.integers(0, 60))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_intervals_are_scipys(number, passed):
    passed = min(passed, number)
    wanted = binomtest(passed, number).proportion_ci(ONE_SIGMA, "exact")
    assert clopper_pearson(passed / number, number) == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    found = efficiency(np.arange(number) < passed)
    assert found.value == passed / number
    assert found.low <= found.value <= found.high
    assert found.error > 0
    wide = of_share(passed / number, number, 3 * found.error)
    assert wide.error == pytest.approx(3 * found.error)
    assert wide.high - wide.low >= found.high - found.low


def test_efficiencies_of_events_with_weights_go_by_their_effective_number():
    weights = np.where(np.arange(100) % 2, 1.0, 1e-6)
    assert efficiency(np.arange(100) < 50, weights).error == pytest.approx(
        efficiency(np.arange(50) < 25).error, rel=0.01
    )
    assert efficiency(np.zeros(0, dtype=bool)).high == 1


def test_a_turn_ons_threshold_is_the_same_in_a_row_of_its_own():
    rng = np.random.default_rng(1)
    reference = np.exp(rng.uniform(np.log(20), np.log(600), 4000))
    corrected = reference * np.exp(rng.normal(0, 0.15, 4000))
    assert threshold(corrected, reference, reference) == threshold(corrected, reference, reference, np.full(4000, 2.0))
