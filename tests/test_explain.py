"""Why single events were kept: Shapley's values against what is known by hand."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_run import CLASSES, design

from codesign.data.sample import Part
from codesign.pipeline.explain import explain, shapley

CONFIG = {"widths": [8], "weight_bits": [4, 4], "activation_bits": [4], "input_bits": 7, "sparsity": 0.3}


def test_of_a_sum_every_input_adds_its_distance_from_the_mean():
    rng = np.random.default_rng(1)
    weights, background, event = np.array([2.0, -1.0, 0.0]), rng.integers(-9, 9, (40, 3)), np.array([3, 4, 5])
    values, errors, base = shapley(lambda codes: codes @ weights, event, background, rng)
    assert values == pytest.approx(weights * (event - background.mean(axis=0)))
    assert base == pytest.approx(float((background @ weights).mean()))
    assert errors[2] == 0


def test_of_a_product_both_factors_share_alike():
    rng = np.random.default_rng(2)
    values, errors, base = shapley(
        lambda codes: codes[:, 0] * codes[:, 1] * 1.0, np.array([4, 4]), np.zeros((50, 2), dtype=np.int64), rng
    )
    assert values == pytest.approx([8, 8])  # whichever comes second adds all; an order and its reverse give half each
    assert errors == pytest.approx([0, 0])
    assert base == 0


def test_background_events_are_even_in_number():
    with pytest.raises(ValueError, match="even number"):
        shapley(lambda codes: codes[:, 0] * 1.0, np.zeros(1, int), np.zeros((5, 1), int), np.random.default_rng(0))


@pytest.fixture
def part():
    rng = np.random.default_rng(5)
    made = design(CONFIG)
    n = made.inputs.size
    return Part("test", rng.normal(0, 4, (300, n)).astype(np.float32), rng.integers(0, 5, 300), None, {}, CLASSES)


def test_an_event_of_each_class_and_its_shares_add_up(part):
    made = design(CONFIG)
    found = explain(made, part, None, 3)
    assert found == explain(made, part, None, 3)
    assert 1 < len(found.events) <= 5
    assert len({e.output for e in found.events}) == len(found.events)
    for event in found.events:
        assert event.base + sum(m.value for m in event.shares.values()) == pytest.approx(event.score)
        assert event.score >= 0
        assert event.output != event.against
        assert event.label == CLASSES[part.y[event.place]]


def test_of_a_trigger_those_at_the_threshold(part):
    made = replace(design(CONFIG), trigger="W")
    found = explain(made, part, 0.5, 3)
    kept = [e for e in found.events if e.score >= 0.5]
    assert kept
    assert all(e.why.startswith("kept" if e in kept else "not kept") for e in found.events)
    assert {e.output for e in found.events} == {"W"}
    assert {e.threshold for e in found.events} == {0.5}


def test_of_a_regression_lowest_median_and_highest(part):
    found = explain(design(CONFIG), replace(part, class_names=("data",), y=part.y * 0), None, 3)
    scores = [e.score for e in found.events]
    assert scores == sorted(scores)
    assert [e.against for e in found.events] == [None] * 3
    assert explain(design(CONFIG), part.taken(np.arange(5)), None, 3) is None
