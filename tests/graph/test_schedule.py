"""Folded networks, word by word and clock by clock, are their graphs; each way to get them wrong is seen: TRAPS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.graph.clockwork import evaluate, play
from codesign.graph.streams import Kind
from codesign.testing.graphs import GraphBuilder, design_of, kind_of
from tests.graph.folded_networks import EVENTS, clocks_of, differ, events_of, folded_of, with_gaps
from tests.graph.item_networks import KINDS, Network, network

#: ways to fold wrongly -> the tests, in the files of PLANTED, that plant them
TRAPS = {
    "slots without an item are counted, or fed with zeros": (
        "test_a_slot_without_an_item_that_is_counted_is_seen", "test_zeros_fed_into_slots_are_not_enough",
        "test_a_fault_in_what_is_written_is_seen",
    ),
    "a border is open at one of the convolutions": (
        "test_a_right_border_without_its_mask_is_seen_at_every_convolution",
    ),
    "an accumulator is read later than its one clock": ("test_an_accumulator_that_is_not_held_is_seen",),
    "an event's value is held once over two levels": ("test_an_event_value_held_once_over_two_levels_is_seen",),
    "events come closer than the interval": (
        "test_events_closer_than_the_interval_are_refused_and_would_be_wrong",
        "test_a_fault_in_what_is_written_is_seen",
    ),
    "a sum has the coarse type of a constant channel": ("test_types_hold_what_comes_with_a_constant_channel",),
    "ports are taken for the schedule's, not alkaid's": (
        "test_ports_of_a_module_are_alkaids_element_by_element", "test_ports_that_are_taken_for_the_schedules_are_seen",
    ),
    "a maximum below zero meets a zero, a mean the items that are there": (
        "test_a_maximum_below_zero_leaves_slots_out", "test_a_mean_over_the_items_that_are_there_is_refused",
    ),
    "products of signals become DSP slices": ("test_products_of_signals_are_no_multipliers",),
    "items come out of their order": ("test_items_out_of_their_order_are_seen_by_a_convolution",),
    "a constant is another item's": (
        "test_constants_of_each_item_are_read_word_by_word", "test_a_constant_of_another_item_is_seen",
        "test_a_scale_of_another_item_is_seen",
    ),
}  # fmt: skip
PLANTED = (
    "graph/test_schedule.py", "graph/test_schedule_faults.py", "graph/test_foldable.py", "flows/test_folding.py",
)  # fmt: skip


def test_every_trap_is_planted() -> None:
    texts = [(Path(__file__).parents[1] / file).read_text() for file in PLANTED]
    for tests in TRAPS.values():
        assert all(any(f"def {name}(" in text for text in texts) for name in tests), tests


@given(
    kind=st.sampled_from(sorted(KINDS)),
    items=st.integers(2, 14),
    interval=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
@settings(derandomize=True, deadline=None, max_examples=15, database=None)
def test_every_event_is_the_graphs_in_the_clock_that_is_stated(kind, items, interval, seed) -> None:
    items = 2 ** (items // 4 + 1) if kind.endswith("mean") else items  # a mean of a power of two alone is exact
    design = network(kind, items, 3, seed, width=4, outputs=3)
    values, truth = events_of(design)
    folded = folded_of(design, interval)
    assert folded.interval <= interval
    assert folded.interval == max(-(-p.items // p.lanes) for p in folded.phases)
    assert np.array_equal(evaluate(folded, values), truth)
    schedule = clocks_of(folded, seed)
    found = play(schedule, values, with_gaps(schedule, EVENTS, seed), np.random.default_rng(seed))
    assert np.array_equal(found, truth)


def test_ten_items_of_which_no_word_is_full_at_the_end() -> None:
    folded = folded_of(network("deep set, sum", 10), 4)
    assert [(p.kind, p.lanes, p.words, p.rest) for p in folded.phases] == [
        (Kind.ITEM, 3, 4, 1), (Kind.REDUCE, 3, 4, 1), (Kind.EVENT, 1, 1, 1),
    ]  # fmt: skip


def test_items_wait_where_they_have_the_fewest_bits() -> None:
    """x W is computed behind the delay of x, which has 18 bits an item, not 5 times as many."""
    folded = folded_of(network("JEDI-linear", 8, 3, width=16), 4)
    kinds = [p.kind for p in folded.phases]
    assert kinds == [Kind.ITEM, Kind.REDUCE, Kind.EVENT, Kind.ITEM, Kind.ITEM, Kind.REDUCE, Kind.EVENT]
    first, second, _ = (p for p in folded.phases if p.kind is Kind.ITEM)
    assert first.wires, "before the mean nothing is computed"
    assert all(folded.values[n].stream is not None for n in second.inputs)
    assert sum(t.width for n in second.inputs for t in folded.types[n]) == 18


@pytest.mark.parametrize("interval", [1, 4])
def test_what_is_made_of_the_event_meets_items_where_it_is_added_to_them(interval: int) -> None:
    """x W is made in the clocks before; neither it nor the event's value waits, or goes through registers for it."""
    folded = folded_of(network("JEDI-linear", 8, 3, width=16), interval)
    front, behind = [p for p in folded.phases if p.kind is Kind.ITEM][1:]
    of_event = next(p for p in folded.phases if p.kind is Kind.EVENT)
    assert (behind.front, behind.direct, front.direct) == (front.name, True, False)
    assert set(behind.inputs) == {*front.outputs, *of_event.outputs}
    latency = {p.name: 3 for p in folded.phases if p.is_module}
    schedule = folded.timed(latency)
    assert schedule.starts[front.name] == schedule.starts[behind.name] - latency[front.name] > 0
    assert {schedule.clocks[n] for n in front.outputs} == {schedule.starts[behind.name]}
    assert schedule.starts[behind.name] == schedule.clocks[of_event.outputs[0]] + (interval > 1)
    assert of_event.direct, "the sum is there in registers"


def test_a_module_is_one_where_no_product_is_in_front() -> None:
    """An event's value that is added before the product goes with it: a module in front would only be registers."""
    n = Network(0, 8, 3)
    x, g = n.block("items", 8, 3), n.block("event", 4)
    wide = n.node("Unsqueeze", n.dense(g, 4, 3), n.integers([1]))
    h = n.active(n.dense(n.active(n.node("Add", x, wide)), 3, 8))
    folded = folded_of(n.design(n.head(n.reduce("ReduceSum", h), 8)), 4)
    assert [p.kind for p in folded.phases if not p.wires] == [Kind.EVENT, Kind.ITEM, Kind.REDUCE, Kind.EVENT]
    assert not any(p.front for p in folded.phases)


def test_types_hold_what_comes_with_a_constant_channel() -> None:
    """A channel that is always 40 has a type of one bit; the sum of 10 of it needs one of its own."""
    b = GraphBuilder(30)
    x = b.node("Reshape", "x", b.constant([0, 10, 3], np.int64))
    matrix = np.array([[1, 0.0], [2, 0], [-1, 0]])
    h = b.node("Relu", b.layer(x, matrix, np.array([0.0, 40])))
    y = b.node("ReduceSum", h, b.constant([1], np.int64), keepdims=0)
    design = design_of(b.finish(y, 2), kind_of(4, True), 30)
    folded = folded_of(design, 3)
    values, truth = events_of(design)
    (part,) = (p for p in folded.phases if p.kind is Kind.REDUCE)
    alone, summed = folded.types[part.inputs[0]][1], folded.types[part.outputs[0]][1]
    assert (alone.width, alone.lsb) == (3, 8.0)
    assert (truth[:, 1] == 400).all()
    assert 400 / summed.lsb <= summed.maximum
    assert 400 / alone.lsb > alone.maximum, "the type of the parts would not hold the sum"
    assert np.array_equal(evaluate(folded, values), truth)


@pytest.mark.parametrize("interval", [3, 9])
@pytest.mark.parametrize("kind", [k for k in KINDS if k.startswith("conv2d") or k.endswith("strides and pools")])
def test_an_image_is_folded_by_rows(kind: str, interval: int) -> None:
    """Rows are the items; words have as many rows as the strides go into, and a row of neighbours waits."""
    design = network(kind, 18, 1, seed=3, width=4, outputs=3)
    folded = folded_of(design, interval)
    assert folded.interval <= interval
    first = next(p for p in folded.phases if p.kind is Kind.WINDOW)
    rows = folded.values[first.inputs[0]].stream
    assert (rows.items, rows.lanes % first.stride) == (18, 0)
    assert differ(folded, design) == 0
    values, truth = events_of(design)
    assert np.array_equal(evaluate(folded, values), truth)
