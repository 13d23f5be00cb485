"""Thresholds for a rate, and what a sample cannot tell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.tasks.anomalies import menu
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
    cuts = menu.menu_at(values, 0.02)
    assert 0.018 < menu.fires(values, cuts).mean() <= 0.02
    single = [(values[name] >= cuts[name]).mean() for name in menu.OBJECTS]
    assert max(single) < 1.3 * min(single)
    half, threshold = menu.together_at(values, values["jet"] + random.exponential(5, 20000), 0.02)
    assert 0.009 < menu.fires(values, half).mean() <= 0.01
    assert all(half[name] >= cuts[name] for name in menu.OBJECTS)
    assert np.isfinite(threshold)
