"""Response, closure and resolution: the errors cover, and a bias that is put in comes out."""

import numpy as np
import pytest

from codesign.tasks.jets.response import bin_response, closure, median, resolution, resolution_mean


@pytest.mark.parametrize("jets", [100, 2000])
def test_errors_cover(jets):
    rng = np.random.default_rng(3)
    trials = [np.exp(rng.normal(0.1, 0.15, jets)) for _ in range(400)]
    for measure, truth in ((median, np.exp(0.1)), (resolution, np.sinh(0.15 * 0.99446))):
        found = [measure(t) for t in trials]
        pulls = [(m.value - truth) / m.error for m in found]
        assert abs(np.mean(pulls)) < 0.25
        assert 0.85 < np.std(pulls) < 1.2


def test_a_bias_in_one_bin_is_found():
    rng = np.random.default_rng(4)
    pt, eta = rng.uniform(30, 600, 60_000), rng.uniform(-4.7, 4.7, 60_000)
    response = rng.normal(1, 0.1, 60_000)
    response[(pt > 90) & (pt < 130) & (np.abs(eta) < 1.3)] += 0.05
    bins = bin_response(response, pt, eta)
    found = closure(bins)
    assert found["closure_worst"].value == pytest.approx(0.05, abs=4 * found["closure_worst"].error)
    assert found["closure_mean"].value < 0.01
    assert resolution_mean(bins).value == pytest.approx(0.1 * 0.99446, abs=4 * resolution_mean(bins).error)


def test_a_bin_with_too_few_jets_is_absent():
    pt, eta, response = np.full(99, 50.0), np.zeros(99), np.ones(99)
    assert bin_response(response, pt, eta) == []
    assert closure([]) == {}
    assert resolution_mean([]) is None
