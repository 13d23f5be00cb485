"""Thresholds for a rate, and what a sample cannot tell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.tasks.anomalies import menu
from codesign.tasks.anomalies.level1_inputs import columns_of
from codesign.tasks.anomalies.rates import (
    CROSSINGS_KHZ,
    Threshold,
    efficiency,
    share,
    slope,
    supported,
    threshold_at,
)


def test_the_lhc_crosses_28_600_times_a_millisecond():
    assert pytest.approx(28607, abs=1) == CROSSINGS_KHZ


def test_rates_need_nine_events():
    assert supported(900) == ["1e-2"]
    assert supported(8999) == ["1e-2"]
    assert supported(9000) == ["1e-2", "1e-3"]
    assert supported(899) == []
    assert supported(10**6)[-1] == "1e-5"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=300), st.floats(0, 1))
def test_a_threshold_never_gives_more_than_its_rate_and_is_the_least_that_does(scores, rate):
    scores = np.array(scores, dtype=float)
    threshold = threshold_at(scores, rate)
    assert (scores >= threshold.value).mean() <= rate
    lower = scores[scores < threshold.value]
    if len(lower):
        assert (scores >= lower.max()).mean() > rate
    assert threshold.low <= threshold.value <= threshold.high


def test_the_errors_cover_what_repeated_samples_give():
    """Of thresholds set on samples of one size, efficiencies spread as their error says."""
    random = np.random.default_rng(4)
    found, errors = [], []
    for _ in range(200):
        usual, signal = random.exponential(1, 4000), random.exponential(2, 500)
        metric = efficiency(signal, threshold_at(usual, 0.01))
        found.append(metric.value)
        errors.append(metric.error)
    assert np.std(found) == pytest.approx(np.mean(errors), rel=0.2)
    assert np.mean(found) == pytest.approx(0.1, abs=0.003)  # exp(-ln(100) / 2)


def test_none_of_many_is_not_known_exactly():
    assert share(np.zeros(100, dtype=bool)).value == 0
    assert share(np.zeros(100, dtype=bool)).error > 0.005
    assert efficiency(np.zeros(50), Threshold(1, 1, 1)).value == 0


def test_slope_is_found_with_an_error_that_covers():
    random = np.random.default_rng(1)
    pulls = []
    for _ in range(150):
        pile_up = random.normal(46, 9, 5000)
        fired = random.random(5000) < 0.03 * (1 + 0.02 * (pile_up - 46))
        metric = slope(fired, pile_up)
        pulls.append((metric.value - 0.02) / metric.error)
    assert abs(np.mean(pulls)) < 0.3
    assert np.std(pulls) == pytest.approx(1, abs=0.2)
    assert slope(np.zeros(9, dtype=bool), np.arange(9.0)) is None
    assert slope(np.ones(9, dtype=bool), np.full(9, 46.0)) is None


def test_a_menu_reaches_its_rate_and_its_triggers_share_it():
    random = np.random.default_rng(2)
    values = {name: random.exponential(30, 20000) for name in menu.OBJECTS}
    weights = np.stack([np.ones(20000), random.poisson(1, 20000)])
    cuts = menu.menus(values, 0.02, weights)
    fired = menu.fires_by_row(values, cuts)
    assert np.array_equal(fired[0], menu.fires(values, {name: float(cut[0]) for name, cut in cuts.items()}))
    for place, (row, of) in enumerate(zip(fired, weights, strict=True)):
        assert 0.018 < np.average(row, weights=of) <= 0.02
        single = [np.average(values[n] >= cuts[n][place], weights=of) for n in menu.OBJECTS]
        assert max(single) < 1.3 * min(single)
    score = values["jet"] + random.exponential(5, 20000)
    half, threshold = menu.menus_and_score(values, score, 0.02, weights)
    fired = menu.fires_by_row(values, half)
    assert 0.009 < fired[0].mean() <= 0.01
    assert all(half[name][0] >= cuts[name][0] for name in menu.OBJECTS)
    assert 0.0195 < (fired[0] | (score >= threshold[0])).mean() <= 0.02


def test_two_and_four_objects_are_cut_on_by_the_softest():
    x = np.zeros((1, 57), np.float32)
    for kind, pts in {"muon": (60, 31), "eg": (50, 40), "jet": (200, 150, 120, 90)}.items():
        x[0, columns_of(kind, "pt")[: len(pts)]] = pts
    values = menu.objects(x)
    assert [float(values[name][0]) for name in ("muon", "double_muon", "double_eg", "quad_jet")] == [60, 31, 40, 90]
    assert menu.fires(values, {"muon": 61.0, "double_muon": 31.0}).all()
    assert not menu.fires(values, {"muon": 61.0}).any(), "a menu of old, without cuts on two"
