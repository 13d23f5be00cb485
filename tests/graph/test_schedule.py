"""Folded networks, word by word and clock by clock, are their graphs; each way to get them wrong is seen: TRAPS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.core.design import Design
from codesign.core.errors import InputError, UnsupportedError
from codesign.graph import clockwork
from codesign.graph.clockwork import compute, evaluate, play
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.graph.schedule import FoldedGraph, FoldPhase, Schedule, fold
from codesign.graph.streams import CannotFold, Combine, Kind
from codesign.testing.graphs import GraphBuilder, design_of, kind_of, weights
from tests.graph.item_networks import KINDS, Network, network

EVENTS = 24
#: ways to fold wrongly -> the tests, here or in tests/flows/test_folding.py, that plant them
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


def test_every_trap_is_planted() -> None:
    texts = [Path(__file__).read_text(), Path(__file__).parents[1].joinpath("flows", "test_folding.py").read_text()]
    for tests in TRAPS.values():
        assert all(any(f"def {name}(" in text for text in texts) for name in tests), tests


def events_of(design: Design, number: int = EVENTS, seed: int = 0):
    """Values of random events, and what the graph gives."""
    low, high = design.inputs.bounds
    values = design.inputs.values(np.random.default_rng(seed).integers(low, high + 1, (number, design.inputs.size)))
    return values, read_graph(design.onnx).run(values, Exact())


def folded_of(design: Design, interval: int) -> FoldedGraph:
    return fold(read_graph(design.onnx), design.inputs, interval)


def clocks_of(folded: FoldedGraph, seed: int = 0) -> Schedule:
    """A schedule whose modules take any number of clocks."""
    rng = np.random.default_rng(seed)
    return folded.timed(
        {p.name: int(rng.integers(1, 7)) for p in folded.phases if p.is_module}, int(rng.integers(2, 5))
    )


def with_gaps(schedule: Schedule, number: int = EVENTS, seed: int = 0):
    """Clocks of events, some at once behind another, some after a gap."""
    rng = np.random.default_rng(seed)
    gaps = schedule.interval + rng.integers(0, 2, number) * rng.integers(0, 2 * schedule.interval, number)
    return np.cumsum(gaps)


def differ(folded: FoldedGraph, design: Design, number: int = EVENTS) -> int:
    """Events that come out wrong."""
    values, truth = events_of(design, number)
    schedule = clocks_of(folded)
    found = play(schedule, values, with_gaps(schedule, number), np.random.default_rng(1))
    return int((found != truth).any(axis=1).sum())


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


# ---------------------------------------------------------------------------------------------- faults that are planted
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


# ------------------------------------------------------------------------------------------------------------- refusals
def items_graph(build: Callable[[GraphBuilder, str], str], outputs: int) -> Design:
    b = GraphBuilder(24)
    x = b.node("Reshape", "x", b.constant([0, 8, 3], np.int64))
    return design_of(b.finish(build(b, x), outputs), kind_of(4, True), 24)


def _summed(b: GraphBuilder, x: str, axis: int = 1) -> str:
    return b.node("ReduceSum", x, b.constant([axis], np.int64), keepdims=0)


def _pairs(b: GraphBuilder, x: str) -> str:
    scores = b.node("MatMul", x, b.node("Transpose", x, perm=[0, 2, 1]))
    return _summed(b, b.node("ReduceSum", scores, b.constant([2], np.int64), keepdims=0))


def _own_weights(b: GraphBuilder, x: str) -> str:
    apart = b.node("Reshape", x, b.constant([0, 8, 1, 3], np.int64))
    made = b.node("MatMul", apart, b.constant(np.arange(72.0).reshape(8, 3, 3)))
    return b.node("Reshape", made, b.constant([0, 8, 3], np.int64))


REFUSED: dict[str, tuple[Callable[[GraphBuilder, str], str], str]] = {
    "gather": (lambda b, x: _summed(b, b.node("Gather", x, b.constant([0, 2, 4], np.int64), axis=1)), "takes some of"),
    "weights": (lambda b, x: _summed(b, _own_weights(b, x)), "from item to item"),
    "pool": (
        lambda b, x: _summed(
            b, b.node("MaxPool", b.node("Transpose", x, perm=[0, 2, 1]), kernel_shape=[3], strides=[2], pads=[1, 1]), 2
        ),
        "pools 3 of 8 items, and what is beyond the border",
    ),
    "wide stride": (
        lambda b, x: _summed(
            b, b.node("Conv", b.node("Transpose", x, perm=[0, 2, 1]), b.constant(np.ones((3, 3, 2))), strides=[67]), 2
        ),
        "a stride of 67 over words of 3 items",
    ),
    "concat": (lambda b, x: _summed(b, b.node("Concat", x, x, axis=1)), "items are put behind items"),
    "pairs": (_pairs, "pairs of items"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_the_same_for_every_item_is_refused_by_its_node(case) -> None:
    build, why = REFUSED[case]
    design = items_graph(build, 1 if case == "pairs" else 3)
    with pytest.raises(CannotFold, match=why) as error:
        folded_of(design, 3)
    assert error.value.node in {n.name for n in read_graph(design.onnx).nodes}
    assert isinstance(error.value, UnsupportedError)


def test_a_network_without_items_works_once_an_event() -> None:
    rng = np.random.default_rng(0)
    b = GraphBuilder(6)
    design = design_of(b.finish(b.layer("x", weights(rng, (6, 2), 4)), 2), kind_of(4, True), 6)
    folded = folded_of(design, 9)
    assert (folded.interval, [p.kind for p in folded.phases]) == (1, [Kind.EVENT])


def test_items_flattened_before_a_dense_layer_are_collected() -> None:
    rng = np.random.default_rng(0)

    def flat(b: GraphBuilder, x: str) -> str:
        h = b.quant(b.node("Relu", b.layer(x, weights(rng, (3, 2), 3))), 1.0, 5, signed=0)
        return b.layer(b.node("Flatten", h), weights(rng, (16, 3), 3))

    design = items_graph(flat, 3)
    folded = folded_of(design, 3)
    assert [p.kind for p in folded.phases] == [Kind.ITEM, Kind.COLLECT, Kind.EVENT]
    assert differ(folded, design) == 0


def _scaled(b: GraphBuilder, x: str) -> str:
    """A layer of all items, each of which is then rounded to a grid of its own."""
    h = b.node("Relu", b.layer(x, weights(np.random.default_rng(0), (3, 3), 3)))
    return _summed(b, b.quant(h, 2.0 ** (np.arange(8.0)[:, None] % 4), 5, signed=0))


def test_quantisers_of_each_item_have_them_all() -> None:
    """What learned precision gives a mixer behind its last layer, where fields take turns."""
    design = items_graph(_scaled, 3)
    folded = folded_of(design, 3)
    assert [p.kind for p in folded.phases] == [Kind.ITEM, Kind.COLLECT, Kind.EVENT]
    assert differ(folded, design) == 0


def test_a_scale_of_another_item_is_seen() -> None:
    design = items_graph(_scaled, 3)
    folded = folded_of(design, 3)
    (scales,) = [n for n, values in folded.constants.items() if values.shape == (8, 1)]
    folded.constants[scales] = np.roll(folded.constants[scales], 1, axis=0)  # type: ignore[index]
    assert differ(folded, design) > EVENTS // 2


def test_outputs_of_every_item_are_collected() -> None:
    rng = np.random.default_rng(0)

    def each(b: GraphBuilder, x: str) -> str:
        return b.node("Flatten", b.layer(x, weights(rng, (3, 2), 3)))

    design = items_graph(each, 16)
    assert differ(folded_of(design, 3), design) == 0


def test_of_an_input_the_first_items_alone_are_taken() -> None:
    """The others take no clock."""
    made = Network(3, 4, 2)
    x = made.block("items", 12, 3)
    some = made.node("Slice", x, *(made.integers([v]) for v in (0, 6, 1)))
    design = made.design(made.head(made.reduce("ReduceSum", made.active(made.dense(some, 3, 4))), 4))
    folded = folded_of(design, 3)
    assert (folded.given["items"], [p.items for p in folded.phases if p.kind is Kind.ITEM]) == ((12, 3), [6])
    assert differ(folded, design) == 0


def test_other_items_than_the_first_are_refused() -> None:
    made = Network(3, 4, 2)
    x = made.block("items", 12, 3)
    some = made.node("Slice", x, *(made.integers([v]) for v in (2, 8, 1)))
    design = made.design(made.head(made.reduce("ReduceSum", made.active(made.dense(some, 3, 4))), 4))
    with pytest.raises(CannotFold, match="Slice takes or adds items"):
        folded_of(design, 3)


def test_a_mean_over_the_items_that_are_there_is_refused() -> None:
    """It would divide by data; a mean over all of them, the absent ones 0, does not."""
    made = Network(3, 4, 4)
    x = made.block("items", 8, 4, valid=True)
    there = made.node("Slice", x, *(made.integers([v]) for v in (3, 4, 2)))
    fields = made.node("Slice", x, *(made.integers([v]) for v in (0, 3, 2)))
    present = made.node("Mul", made.active(made.dense(fields, 3, 4)), there)
    total, number = made.reduce("ReduceSum", present), made.reduce("ReduceSum", there)
    with pytest.raises(UnsupportedError, match="Div"):
        folded_of(made.design(made.node("Div", total, number)), 4)
