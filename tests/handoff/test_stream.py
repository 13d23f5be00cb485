"""A stream of crossings: rates, prescales, dead time, drift, budgets; the alarm when firmware and emulator differ."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.cli.operation import quantity
from codesign.core.errors import InputError
from codesign.handoff.apply import Scorer
from codesign.handoff.stream import StreamSettings, stream_bundle
from codesign.handoff.stream.budget import tuned_threshold
from codesign.handoff.stream.drift import drifts
from codesign.handoff.stream.orbit import CROSSINGS, Orbit
from codesign.handoff.stream.trigger_menu import RULES, DeadTime, Menu, Path, Prescales
from tests.handoff.conftest import features


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


def accepted_by_rules(crossings):
    """Slowly and plainly: no window of consecutive crossings holds more than its rule allows."""
    kept = []
    for now in crossings:
        if all(sum(now - before < width for before in kept) < n for n, width in RULES):
            kept.append(now)
    return kept


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
    reference, same = (np.round(rng.normal(0, 8, (3000, 2))).astype(int) for _ in range(2))
    assert not any(d.alarm for d in drifts(["a", "b"], reference, same))
    moved = same + np.array([0, 6])
    assert [d.alarm for d in drifts(["a", "b"], reference, moved)] == [False, True]


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


@pytest.fixture(scope="module")
def events(named_bundle, names, tmp_path_factory):
    import pyarrow

    x = features(4000, 7)
    path = tmp_path_factory.mktemp("stream") / "events.parquet"
    pyarrow.parquet.write_table(pyarrow.table({n: x[:, i] for i, n in enumerate(names)}), path)
    return path, x


def asked(events, **more):
    return StreamSettings(**({"files": (str(events[0]),), "rate_hz": 1e6, "seconds": 2.0, "budget_hz": 2e4} | more))


@pytest.fixture(scope="module")
def streamed(named_bundle, events, tmp_path_factory):
    folder = tmp_path_factory.mktemp("streamed") / "out"
    return stream_bundle(named_bundle, asked(events), folder), folder


def test_rates_are_those_of_the_events(named_bundle, events, streamed):
    record, folder = streamed
    (path,) = record.paths
    collisions = 1e6 * Orbit.trains().share
    scorer = Scorer(named_bundle)
    codes = scorer.rows(events[1])[f"{scorer.outputs[0]}_code"]
    expected = collisions * (codes >= record.menu.paths[0].threshold_code).mean()
    assert path.fires == pytest.approx(expected, abs=5 * np.sqrt(expected / 2))
    assert path.fires <= 2e4 + 5 * np.sqrt(2e4 / 2)
    assert path.accepted <= path.prescaled <= path.fires
    assert 0 < record.dead_time < 0.5
    assert [s.collisions for s in record.sections] == [round(collisions)] * 2
    assert json.loads((folder / "stream.json").read_text())["made_by"] == "codesign stream"
    assert "No alarm" in (folder / "index.html").read_text() or record.alarms


def test_firmware_and_emulator_agree(streamed):
    record, _ = streamed
    (compared,) = record.compared
    assert (compared.events, compared.integers_differ, compared.bits_differ) == (512, 0, 0)
    assert not [a for a in record.alarms if a.kind == "firmware differs"]


def test_kept_events_have_the_score_of_their_event(named_bundle, events, streamed):
    record, folder = streamed
    kept = pyarrow.parquet.read_table(folder / "kept.parquet")
    scorer = Scorer(named_bundle)
    scores = scorer.rows(events[1][kept["event"].to_numpy()])
    for name in scorer.outputs:
        assert np.array_equal(kept[f"{name}_code"].to_numpy(), scores[f"{name}_code"])
        assert np.array_equal(kept[name].to_numpy(), scores[name])
    assert len(kept) == sum(s.accepted for s in record.sections)
    assert set(kept["bunchCrossing"].to_numpy()) <= set(Orbit.trains().filled.tolist())
    crossing = kept["orbitNumber"].to_numpy() * CROSSINGS + kept["bunchCrossing"].to_numpy()
    assert accepted_by_rules(crossing[:500].tolist()) == crossing[:500].tolist()


@pytest.mark.parametrize("what", ["threshold", "weight"])
def test_what_is_changed_in_the_emulator_raises_the_alarm(named_bundle, events, tmp_path, what):
    record = stream_bundle(named_bundle, asked(events, plant=what, seconds=4.0), tmp_path / "out")
    (alarm,) = [a for a in record.alarms if a.kind == "firmware differs"]
    assert ("outputs" in alarm.said) == (what == "weight")
    (compared,) = record.compared
    assert compared.bits_differ + compared.integers_differ > 0
    assert (compared.integers_differ > 0) == (what == "weight")
    assert "Alarm: firmware differs" in (tmp_path / "out" / "index.html").read_text()


def test_a_menu_of_another_network_and_no_threshold_are_one_line(named_bundle, events, tmp_path):
    (tmp_path / "menu.yaml").write_text("paths:\n  - {name: a, output: nothing, threshold_code: 3}\n")
    with pytest.raises(InputError, match="path 'a': no output 'nothing'; there are g, q"):
        stream_bundle(named_bundle, asked(events, menu=str(tmp_path / "menu.yaml")), tmp_path / "out")
    with pytest.raises(InputError, match="fixes no threshold: give --rate-budget"):
        stream_bundle(named_bundle, asked(events, budget_hz=None), tmp_path / "out")


@pytest.mark.slow  # Verilator compiles its run-time library anew: half a minute
def test_a_slice_runs_through_the_verilog(named_bundle, events, tmp_path):
    record = stream_bundle(named_bundle, asked(events, rtl=200), tmp_path / "out")
    assert record.compared[1].how == "its Verilog in Verilator"
    assert (record.compared[1].events, record.compared[1].integers_differ) == (200, 0)
    planted = stream_bundle(named_bundle, asked(events, rtl=200, plant="weight"), tmp_path / "planted")
    assert planted.compared[1].integers_differ > 0
