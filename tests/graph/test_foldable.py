"""What is the same for every item is folded, what is not is refused by its node or has all items at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from codesign.core.errors import UnsupportedError
from codesign.graph.reader import read_graph
from codesign.graph.streams import CannotFold, Kind
from codesign.testing.graphs import GraphBuilder, design_of, kind_of, weights
from tests.graph.folded_networks import EVENTS, differ, folded_of, items_graph
from tests.graph.item_networks import Network


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
