"""What a stream is made of: the orbit, rules, prescales, drift, pile-up, drawn collisions, thresholds for a rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.cli.operation import pile_up_of, quantity
from codesign.core.errors import InputError
from codesign.handoff.reference_distribution import distribution_of
from codesign.handoff.stream.budget import tuned_threshold
from codesign.handoff.stream.drawn_collisions import CountedCollisions, EveryCollision
from codesign.handoff.stream.drift import DriftWatch
from codesign.handoff.stream.event_pool import EventPool
from codesign.handoff.stream.fill import FillPileUp
from codesign.handoff.stream.orbit import CROSSINGS, Orbit
from codesign.handoff.stream.processors import Processor
from codesign.handoff.stream.trigger_menu import DeadTime, Menu, Path, Prescales
from tests.handoff.trigger_rules import accepted_by_rules


def menu_of(*prescales):
    return Menu(
        paths=tuple(Path(name=f"p{i}", output="x", threshold_code=i, prescale=n) for i, n in enumerate(prescales))
    )


def test_the_orbit_has_trains_and_gaps():
    orbit = Orbit.trains()
    assert (np.diff(orbit.filled) >= 1).all()
    assert 0.6 < orbit.share < 0.8
    assert orbit.filled[-1] < CROSSINGS - 119
    gaps = set(np.diff(orbit.filled).tolist())
    assert gaps == {1, 8, 32}
    n = len(orbit.filled)
    assert orbit.crossing(np.array([0, n, 2 * n + 3])).tolist() == [0, CROSSINGS, 2 * CROSSINGS + 3]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=120), st.integers(0, 119))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_dead_time_is_that_of_the_rules_also_across_sections(steps, cut):
    crossings = np.cumsum(steps).astype(np.int64)
    dead = DeadTime()
    kept = np.concatenate([dead.keep(crossings[:cut]), dead.keep(crossings[cut:])])
    assert crossings[kept].tolist() == accepted_by_rules(crossings.tolist())


def test_prescales_count_on_from_section_to_section():
    counter, bits = Prescales(menu_of(1, 3)), np.ones((5, 2), dtype=bool)
    left = np.concatenate([counter.keep(bits), counter.keep(bits)])
    assert left[:, 0].all()
    assert np.flatnonzero(left[:, 1]).tolist() == [2, 5, 8]


def test_drift_is_seen_and_no_drift_is_not():
    rng = np.random.default_rng(3)
    reference, same = (np.round(rng.normal(0, width, (3000, 2))).astype(int) for width in (8, 8))
    known = distribution_of(["a", "b"], reference, "a sample")
    assert not any(d.alarm for d in DriftWatch(known, same).drifts())
    moved = same + np.array([0, 6])
    assert [d.alarm for d in DriftWatch(known, moved).drifts()] == [False, True]
    weights = np.where(same[:, 1] > 0, 3.0, 1.0)
    assert [d.alarm for d in DriftWatch(known, same).drifts(weights)] == [False, True], "weights move it as well"
    wide = np.round(rng.normal(0, 900, (3000, 1))).astype(int)
    (histogram,) = distribution_of(["wide"], wide, "a sample").quantities
    assert (len(histogram.counts), sum(histogram.counts)) == (128, 3000)


@given(st.lists(st.integers(-300, 300), min_size=2, max_size=400), st.integers(1, 50))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_sample_does_not_drift_from_itself(codes, repeats):
    sample = np.tile(np.array(codes)[:, None], (repeats, 1))
    (found,) = DriftWatch(distribution_of(["x"], sample, "itself"), sample).drifts()
    assert (found.psi, found.ks, found.alarm) == (0.0, 0.0, False)


def test_pile_up_falls_over_a_fill_and_chooses_events_by_it():
    fill = FillPileUp(56, 34)
    assert (fill.mean(0), fill.mean(1)) == (56, pytest.approx(34))
    collisions = np.random.default_rng(1).poisson(45, 60_000)
    for share in (0.0, 0.5, 1.0):
        weights = fill.weights(collisions, share)
        assert weights.sum() == pytest.approx(1)
        mean = (weights * collisions).sum()
        assert mean == pytest.approx(fill.mean(share), rel=0.01)
        assert (weights * (collisions - mean) ** 2).sum() == pytest.approx(mean, rel=0.1), "Poisson's"
    with pytest.raises(InputError, match=r"cover \d+ % of crossings with 200.0 on average"):
        FillPileUp(200, 100).weights(collisions, 0.0)
    with pytest.raises(InputError, match="pile-up is above 0"):
        FillPileUp(0, 10)
    assert pile_up_of("62:28") == (62, 28)
    assert pile_up_of("62") == (62, 62)
    with pytest.raises(InputError, match="give one as 62:28"):
        pile_up_of("much")


class Doubles(Processor):
    """A network of one input: its output is the input."""

    how = "the input"

    def predict(self, codes):
        return codes[:, :1]


@pytest.mark.parametrize("way", [CountedCollisions, EveryCollision])
@pytest.mark.parametrize("weighted", [False, True])
def test_both_ways_draw_the_same_distribution(way, weighted):
    pool = EventPool(np.arange(1000, dtype=np.int32)[:, None], np.arange(1000), 1000, "made up")
    menu = Menu(
        paths=(Path(name="high", output="x", threshold_code=900), Path(name="low", output="x", threshold_code=800))
    )
    weights = np.where(np.arange(1000) >= 900, 3.0, 1.0) / 1200 if weighted else None
    drawn = way(pool, Doubles(), menu, ("x",), seed=5)
    fired = drawn.fired(200_000, weights)
    assert (np.diff(fired.when) > 0).all()
    assert fired.when[-1] < 200_000
    high = int((fired.which >= 900).sum())
    expected = 200_000 * (0.25 if weighted else 0.1)
    assert abs(high - expected) < 5 * np.sqrt(expected)
    low = len(fired.which) - high
    expected = 200_000 * (100 / 1200 if weighted else 0.1)
    assert abs(low - expected) < 5 * np.sqrt(expected)
    assert fired.which.min() >= 800
    counts = np.bincount(fired.which[fired.which >= 900] - 900, minlength=100)
    assert counts.min() > 0.6 * counts.mean()
    assert drawn.computed == (200_000 if way is EveryCollision else 1000)
    halves = np.histogram(fired.when, 2, (0, 200_000))[0]
    assert abs(halves[0] - halves[1]) < 5 * np.sqrt(len(fired.when))


def test_every_collision_is_not_for_objects():
    pool = EventPool(np.zeros((4, 1), np.int32), np.array([0, 0, 1, 1]), 2, "made up")
    with pytest.raises(InputError, match="--every is for networks that judge events"):
        EveryCollision(pool, Doubles(), menu_of(1), ("x",), 1)


def test_a_threshold_for_a_rate_and_how_well_it_is_known():
    codes = np.arange(10_000)
    tuned = tuned_threshold("p", codes, collisions_hz=1e6, budget_hz=1e4)
    assert tuned.threshold_code == 9_900
    assert (tuned.above, tuned.rate_hz) == (100, 1e4)
    assert tuned.rate_error_hz == pytest.approx(1e3, rel=0.01)
    assert (tuned.low_code, tuned.high_code) == (9_890, 9_910)
    with pytest.raises(
        InputError, match=r"one in 10,000 collisions: 10,000 events cannot tell it; give 90,000 at least"
    ):
        tuned_threshold("p", codes, 1e6, 1e2)


def test_a_threshold_of_weighted_events():
    weights = np.where(np.arange(10_000) % 2, 1.5, 0.5) / 10_000
    tuned = tuned_threshold("p", np.arange(10_000), collisions_hz=1e6, budget_hz=1e4, weights=weights)
    assert (tuned.threshold_code, tuned.above) == (9_900, 100)
    assert tuned.rate_hz == pytest.approx(1e4)
    assert tuned.rate_error_hz == pytest.approx(1e3 * np.sqrt(1.25), rel=0.02)
    with pytest.raises(InputError, match="of equal weight, cannot tell it"):
        tuned_threshold("p", np.arange(10_000), 1e6, 1e3, weights)


def test_a_threshold_between_equal_codes_stays_within_the_budget():
    tuned = tuned_threshold("p", np.repeat([1, 2, 3], [900, 80, 20]), 1e6, 5e4)
    assert (tuned.threshold_code, tuned.above) == (3, 20)


@pytest.mark.parametrize(
    ("text", "unit", "value"), [("40MHz", "hz", 4e7), ("1 kHz", "hz", 1e3), ("60s", "s", 60), ("2min", "s", 120)]
)
def test_quantities(text, unit, value):
    assert quantity(text, unit) == value
    for wrong in ("fast", "-1s", "3 furlongs", "40MHz" if unit == "s" else "60s"):
        with pytest.raises(InputError, match="give one as"):
            quantity(wrong, unit)
