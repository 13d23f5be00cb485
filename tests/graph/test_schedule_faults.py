"""Ways to fold a network wrongly, each planted and seen in what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.graph import clockwork
from codesign.graph.clockwork import compute, play
from codesign.graph.schedule import FoldedGraph, FoldPhase, Schedule
from codesign.graph.streams import Combine, Kind
from codesign.testing.graphs import GraphBuilder, design_of, kind_of
from tests.graph.folded_networks import EVENTS, clocks_of, differ, events_of, folded_of, items_graph, with_gaps
from tests.graph.item_networks import network


def planted(folded: FoldedGraph, change: Callable[[FoldPhase], FoldPhase]) -> FoldedGraph:
    return replace(folded, phases=tuple(change(p) for p in folded.phases))


def test_a_slot_without_an_item_that_is_counted_is_seen() -> None:
    design = network("deep set, sum", 10)
    folded = folded_of(design, 4)
    full = planted(folded, lambda p: replace(p, items=p.lanes * p.words) if p.kind is Kind.REDUCE else p)
    assert differ(folded, design) == 0
    assert differ(full, design) > EVENTS // 2


def test_zeros_fed_into_slots_are_not_enough(monkeypatch) -> None:
    """relu(b) of zero is not zero: what is masked is the module's output, as the reduction does."""
    design = network("deep set, sum", 10)
    folded = folded_of(design, 4)
    full = planted(folded, lambda p: replace(p, items=p.lanes * p.words) if p.kind is Kind.REDUCE else p)
    values, truth = events_of(design)
    slots = np.concatenate([values.reshape(-1, 10, 3), np.zeros((len(values), 2, 3))], axis=1)
    items = replace(folded.values["items"], stream=replace(folded.values["items"].stream, items=12))
    fed = replace(full, values={**folded.values, "items": items}, given={"items": (12, 3)})
    schedule = clocks_of(fed)
    found = play(schedule, slots.reshape(len(values), -1), with_gaps(schedule), np.random.default_rng(1))
    assert (found != truth).any()


def test_a_right_border_without_its_mask_is_seen_at_every_convolution() -> None:
    design = network("conv1d", 10)
    folded = folded_of(design, 4)
    windows = [p for p in folded.phases if p.kind is Kind.WINDOW]
    assert len(windows) == 2
    for window in windows:
        name = window.inputs[0]
        stream = replace(folded.values[name].stream, items=12)
        open_ = replace(folded, values={**folded.values, name: replace(folded.values[name], stream=stream)})
        assert differ(open_, design) > 0
    assert differ(folded, design) == 0


def test_an_accumulator_that_is_not_held_is_seen(monkeypatch) -> None:
    design = network("JEDI-linear", 10)
    folded = folded_of(design, 4)
    monkeypatch.setattr(Schedule, "holds", lambda *_: ())
    assert differ(folded, design) > EVENTS // 2


def test_an_event_value_held_once_over_two_levels_is_seen(monkeypatch) -> None:
    design = network("event beside items", 10)
    folded = folded_of(design, 2)
    held, several = Schedule.holds, []

    def once(self, name, start, words):
        loads = held(self, name, start, words)
        several.append(len(loads))
        return loads[:1]

    assert differ(folded, design) == 0
    monkeypatch.setattr(Schedule, "holds", once)
    assert differ(folded, design) > EVENTS // 2
    assert max(several) > 1


def test_events_closer_than_the_interval_are_refused_and_would_be_wrong() -> None:
    design = network("JEDI-linear", 10)
    schedule = clocks_of(folded_of(design, 4))
    values, truth = events_of(design)
    close = np.arange(len(values)) * (schedule.interval - 1)
    with pytest.raises(InputError, match="closer than the schedule's interval of 4 clocks"):
        play(schedule, values, close, np.random.default_rng(0))
    assert (play(schedule, values, close, np.random.default_rng(0), check=False) != truth).any()


def test_a_stride_that_is_forgotten_is_seen() -> None:
    design = network("conv2d, strides and pools", 18, 1, seed=3, width=4, outputs=3)
    folded = folded_of(design, 9)

    def forget(phase: FoldPhase) -> FoldPhase:
        steps = tuple(replace(s, offsets=tuple(o + (s.stride > 1) for o in s.offsets)) for s in phase.steps)
        return replace(phase, steps=steps)

    assert differ(folded, design) == 0
    assert differ(planted(folded, forget), design) > 0


def _own_constants(b: GraphBuilder, x: str, axis: int = 1) -> str:
    """Addends, bounds and factors of each of eight items."""
    rng = np.random.default_rng(5)
    x = b.node("Add", x, b.constant(rng.integers(-9, 10, (8, 1)).astype(float)))
    x = b.node("Max", x, b.constant(rng.integers(-9, 10, (1, 8, 3)).astype(float)))
    x = b.node("Mul", x, b.constant(2.0 ** rng.integers(-1, 2, (8, 3))))
    return b.node("ReduceSum", x, b.constant([axis], np.int64), keepdims=0)


def test_constants_of_each_item_are_read_word_by_word() -> None:
    design = items_graph(_own_constants, 3)
    for interval in (2, 3, 8):
        folded = folded_of(design, interval)
        assert [p.kind for p in folded.phases] == [Kind.ITEM, Kind.REDUCE]
        assert {t.shape for t in folded.tables.values()} == {(8, 1, 1), (8, 1, 3)}
        assert differ(folded, design) == 0
        for name, table in folded.tables.items():  # a word too late
            moved = np.roll(table, folded.phases[0].lanes, axis=0)
            assert differ(replace(folded, tables={**folded.tables, name: moved}), design) > EVENTS // 2


def test_constants_of_each_item_are_there_at_once_where_all_items_are() -> None:
    design = items_graph(_own_constants, 3)
    folded = folded_of(design, 1)
    assert not folded.tables
    assert differ(folded, design) == 0


def test_a_maximum_below_zero_leaves_slots_out(monkeypatch) -> None:
    """A slot that counts as zero is the maximum of items that all are negative."""
    b = GraphBuilder(20)
    x = b.node("Reshape", "x", b.constant([0, 10, 2], np.int64))
    h = b.layer(x, np.array([[1.0, 2], [1, -1]]), np.array([-40.0, -40]))
    design = design_of(b.finish(b.node("ReduceMax", h, b.constant([1], np.int64), keepdims=0), 2), kind_of(4, True), 20)
    folded = folded_of(design, 4)
    assert (events_of(design)[1] < 0).all()
    assert differ(folded, design) == 0
    over = {**clockwork._OVER, Combine.MAX: lambda x, axis: np.maximum(x.max(axis=axis), 0)}
    monkeypatch.setattr(clockwork, "_OVER", over)
    assert differ(folded, design) == EVENTS


def test_items_out_of_their_order_are_seen_by_a_convolution() -> None:
    design = network("conv1d", 8)
    folded = folded_of(design, 4)
    values, truth = events_of(design)
    order = np.random.default_rng(0).permutation(8)
    moved = values.reshape(len(values), 8, 3)[:, order].reshape(len(values), -1)
    schedule = clocks_of(folded)
    assert (play(schedule, moved, with_gaps(schedule), np.random.default_rng(1)) != truth).any()


def test_a_module_one_clock_late_is_seen(monkeypatch) -> None:
    design = network("JEDI-linear", 10)
    folded = folded_of(design, 4)
    values, truth = events_of(design)
    schedule = clocks_of(folded)
    late = replace(schedule, clocks={n: c + (n == folded.outputs[0]) for n, c in schedule.clocks.items()})
    assert (play(late, values, with_gaps(schedule), np.random.default_rng(1)) != truth).any()


def test_a_wrong_integer_of_a_module_is_seen(monkeypatch) -> None:
    design = network("deep set, max", 10)

    def wrong(folded, phase, inputs):
        return {name: x + (phase.kind is Kind.EVENT) for name, x in compute(folded, phase, inputs).items()}

    monkeypatch.setattr(clockwork, "compute", wrong)
    assert differ(folded_of(design, 4), design) == EVENTS
