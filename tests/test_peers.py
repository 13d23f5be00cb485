"""How `make bench-peers` compares two fronts."""

import numpy as np
import pytest

from tests.benchmarks.peers.fronts import Side, chosen, compare, hypervolume, lut_ratio


def test_ratio_of_a_front_with_itself_and_with_one_twice_as_dear():
    lut, accuracy = np.array([100.0, 300.0, 1000.0]), np.array([0.6, 0.65, 0.7])
    assert lut_ratio((lut, accuracy), (lut, accuracy)) == pytest.approx(1)
    assert lut_ratio((2 * lut, accuracy), (lut, accuracy)) == pytest.approx(2)
    assert np.isnan(lut_ratio((lut, accuracy), (lut, accuracy + 0.2)))  # no accuracy that both reach
    # a point that a cheaper one equals on test changes nothing
    more = np.array([100.0, 200.0, 300.0, 1000.0]), np.array([0.6, 0.59, 0.65, 0.7])
    assert lut_ratio(more, (lut, accuracy)) == pytest.approx(1)


def test_hypervolume_is_the_area_under_the_staircase():
    lut, accuracy = np.array([100.0, 1000.0]), np.array([0.6, 0.7])
    expected = 0.4 * np.log(10) + 0.5 * np.log(2)
    assert hypervolume(lut, accuracy, 2000, 50, 0.2) == pytest.approx(expected)
    assert hypervolume(lut / 2, accuracy, 2000, 50, 0.2) > expected


def test_the_front_is_made_on_validation_alone():
    rng = np.random.default_rng(0)
    right = rng.random((3, 2000)) < np.array([0.6, 0.9, 0.65])[:, None]
    side = Side([300.0, 200.0, 100.0], [0.7, 0.5, 0.6], right)
    assert side.kept == [2, 0]  # the second is best on test, yet validation does not take it
    assert side.lut.tolist() == [100, 300]
    assert side.accuracy() == pytest.approx(right.mean(axis=1)[[2, 0]])


def test_comparison_says_where_we_lose():
    rng = np.random.default_rng(0)
    draw = rng.random(4000)
    ours = Side([100.0, 400.0], [0.6, 0.65], draw < np.array([[0.6], [0.65]]))
    theirs = Side([50.0, 200.0, 800.0], [0.6, 0.65, 0.7], draw < np.array([[0.6], [0.65], [0.7]]))
    found = compare(ours, theirs, 0.2)
    assert found["lut_ratio_at_equal_accuracy"] == pytest.approx(2, abs=0.01)
    assert found["lut_ratio_error"] < 0.1
    assert found["hypervolume_ratio"] < 1
    assert found["lut_at_hgq2s_accuracies"][-1]["codesign_lut"] is None  # we do not reach their best
    assert found["best_accuracy"]["codesign"] < found["best_accuracy"]["hgq2"]


def test_choice_of_checkpoints_takes_the_last_of_each_step():
    assert chosen([10, 110, 150, 190, 900], 100, 400, 2) == [3]
    assert chosen([110, 150, 210, 390], 100, 400, 2) == [1, 3]
