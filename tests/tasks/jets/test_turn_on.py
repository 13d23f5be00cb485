"""Turn-on curves at a fixed rate, and dijet balance."""

import numpy as np
import pytest

from codesign.statistics.comparison import summary
from codesign.statistics.replicas import Replicas
from codesign.tasks.jets.dijet import BalanceBins, balance
from codesign.tasks.jets.turn_on import efficiency, spectrum_weights, threshold, turn_ons


def turn_on(passed, offline, number=100):
    found = Replicas.of("test", len(offline), number=number)
    return summary(found.collect(lambda rows: turn_ons(np.tile(passed, (len(rows.weights), 1)), offline, rows.weights)))


def _jets(width, n=60_000, seed=1):
    rng = np.random.default_rng(seed)
    reference = np.exp(rng.uniform(np.log(20), np.log(600), n))
    return reference * np.exp(rng.normal(0, width, n)), reference


def test_the_spectrum_falls_as_it_should():
    pt = np.exp(np.random.default_rng(1).uniform(np.log(20), np.log(640), 200_000))
    weights = spectrum_weights(pt)
    low, high = (weights[(pt > a) & (pt < 2 * a)].sum() for a in (40, 160))
    assert low / high == pytest.approx(4**4, rel=0.05)


def test_a_perfect_jet_has_the_offline_threshold_and_a_worse_one_a_higher():
    _, reference = _jets(0)
    assert threshold(reference, reference, reference) == pytest.approx(100, abs=0.5)
    measured, _ = _jets(0.2)
    assert threshold(measured, reference, reference) > 105


def test_width_and_middle_are_those_put_in():
    measured, reference = _jets(0.15)
    found = turn_on(measured > 100, reference, 20)
    assert found["turn_on_width"].value == pytest.approx(0.15, abs=4 * found["turn_on_width"].error)
    assert found["turn_on_95"].value == pytest.approx(100 * np.exp(1.645 * 0.15), abs=4 * found["turn_on_95"].error)
    assert found["turn_on_95"].error < 2


def test_errors_of_the_turn_on_cover():
    pulls = []
    for seed in range(100, 160):
        measured, reference = _jets(0.15, 3000, seed)
        m = turn_on(measured > 100, reference)["turn_on_95"]
        pulls.append((m.value - 100 * np.exp(1.6449 * 0.15)) / m.error)
    assert 0.7 < np.std(pulls) < 1.35
    assert abs(np.mean(pulls)) < 0.5


def test_no_turn_on_without_jets_on_both_sides():
    offline = np.linspace(60, 90, 500)
    assert turn_on(offline > 100, offline) == {}


def test_efficiency_intervals_stay_within_bounds():
    offline = np.linspace(40, 200, 1000)
    x, y, low, high = efficiency(offline > 100, offline, np.linspace(40, 200, 9))
    assert (low >= 0).all()
    assert (high <= 1).all()
    assert y[0] == 0
    assert y[-1] == 1
    assert (x > 40).all()


@pytest.fixture
def dijets():
    rng = np.random.default_rng(2)
    n = 20_000
    pt = rng.uniform(60, 300, n)
    eta = np.stack([rng.uniform(-1.3, 1.3, n), rng.uniform(-4.7, 4.7, n)], axis=1)
    phi = rng.uniform(-np.pi, np.pi, n)
    phis = np.stack([phi, phi + np.pi], axis=1)
    return pt, eta, phis, np.repeat(np.arange(n), 2)


def test_balance_finds_the_response_of_the_forward_region(dijets):
    pt, eta, phi, event = dijets
    rng = np.random.default_rng(3)
    response = np.where(np.abs(eta) > 2.5, 0.9, 1.0)
    measured = (pt[:, None] * response * rng.normal(1, 0.1, eta.shape)).ravel()
    found = balance(measured, eta.ravel(), phi.ravel(), event)
    for b in found:
        truth = 0.9 if b.eta[0] >= 2.5 else 1.0
        assert b.response.value == pytest.approx(truth, abs=4 * b.response.error + 0.002)
    bins = BalanceBins.of(measured, eta.ravel(), phi.ravel(), event)
    drawn = Replicas.of("test", len(measured), event, number=20).collect(bins.measure)
    assert bins.metrics(drawn)["balance_mean"][0] == pytest.approx(0.1 / np.sqrt(2), abs=0.01)


def test_events_with_a_third_jet_or_without_balance_are_left_out(dijets):
    pt, eta, phi, event = dijets
    two = np.repeat(pt, 2)
    assert balance(two, eta.ravel(), np.zeros(len(two)), event) == []
    third = np.concatenate([two, 0.5 * pt])
    more = [np.concatenate([v.ravel(), np.zeros(len(pt))]) for v in (eta, phi)]
    assert balance(third, more[0], more[1], np.concatenate([event, np.arange(len(pt))])) == []
    assert balance(two[:0], two[:0], two[:0], event[:0]) == []
