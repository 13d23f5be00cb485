"""Passes that make a graph smaller: each finds what it is for, and none changes an integer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from codesign.core.design import Design
from codesign.core.errors import CodesignError
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port
from codesign.graph.cost import graph_cost
from codesign.graph.interval import FLOAT64_EXACT, Interval, Intervals, tightest_type
from codesign.graph.nodes import CODESIGN, QONNX
from codesign.graph.passes.base import GraphPass
from codesign.graph.passes.channels import Channels, DeadWeights
from codesign.graph.passes.constants import FoldedConstants, LeftOut, SharedNodes
from codesign.graph.passes.improvement import Improved, domain_codes, improve
from codesign.graph.passes.lines import line_of, ones
from codesign.graph.passes.narrowed import Narrowed
from codesign.graph.passes.open_graph import OpenGraph
from codesign.graph.passes.shrunk_tables import LongerTables, ShrunkTables
from codesign.graph.passes.thresholds import Lines, ThresholdRows
from codesign.graph.reader import read_graph
from tests.graph.everywhere import design_for
from tests.graph.kinds import BITS
from tests.graph.random_graphs import RandomGraph
from tests.importing.small import model, quant


def design(nodes: list[onnx.NodeProto], constants: dict[str, object], size: int = 2, kind: FixedPoint = BITS) -> Design:
    """A design of a graph with the input ``x`` of a few bits."""
    content = model(nodes, constants, shape=("n", size), domains=(QONNX, CODESIGN)).SerializeToString()
    names = tuple(f"x{i}" for i in range(size))
    inputs = InputQuantisation(
        features=names, units=("1",) * size, offset=(0.0,) * size, step=(1.0,) * size, types=(kind,) * size
    )
    found = read_graph(content).run(Interval.of_port(inputs.port), Intervals(FLOAT64_EXACT))
    types = tuple(tightest_type(float(a), float(b), float(s))
                  for a, b, s in zip(found.low[0], found.high[0], found.step[0], strict=True))  # fmt: skip
    return Design(content, inputs, Port(name="y", types=types, labels=tuple(f"y{i}" for i in range(len(types)))))


def passed(made: Design, *passes: GraphPass) -> Improved:
    found = improve(made, passes=passes)
    assert found.savings, "the pass finds nothing"
    assert all(s.whole and s.checked == 256 for s in found.savings)  # every code of two inputs of 4 bits
    return found


def operators(made: Design) -> list[str]:
    return [n.op_type for n in onnx.load_from_string(made.onnx).graph.node]


W = np.array([[1.0, -2.0, 0.0], [3.0, 1.0, 0.0]])


def test_constants_are_computed_and_neighbours_are_one() -> None:
    nodes = [
        helper.make_node("Add", ["a", "b"], ["c"], "of_constants"),
        helper.make_node("Add", ["x", "c"], ["h"], "one"),
        helper.make_node("Add", ["h", "a"], ["y"], "two"),
    ]
    found = passed(design(nodes, {"a": [[1.0, 2.0]], "b": [[2.0, 0.0]]}), FoldedConstants())
    assert operators(found.design) == ["Add"]


def test_equal_nodes_and_tensors_are_one() -> None:
    nodes = [
        quant("x", "q", "one", "two"), quant("x", "p", "same", "two"), helper.make_node("Add", ["q", "p"], ["y"], "sum")
    ]  # fmt: skip
    found = passed(design(nodes, {"one": 1.0, "same": 1.0, "two": 2.0, "zero": 0.0}), SharedNodes())
    assert operators(found.design) == ["Quant", "Add"]
    assert len(onnx.load_from_string(found.design.onnx).graph.initializer) == 3


def test_what_changes_nothing_is_left_out_and_what_bounds_is_not() -> None:
    nodes = [
        quant("x", "q", "one", "wide"), helper.make_node("Relu", ["q"], ["r"], "r1"),
        helper.make_node("Relu", ["r"], ["s"], "r2"), quant("s", "y", "one", "two", signed=0),
    ]  # fmt: skip
    found = passed(design(nodes, {"one": 1.0, "two": 2.0, "wide": 6.0, "zero": 0.0}), LeftOut())
    assert operators(found.design) == ["Relu", "Quant"]


def table(x: str, y: str, values: str, **kind: int) -> onnx.NodeProto:
    return helper.make_node(
        "Table", [x, values], [y], f"table_{y}", domain=CODESIGN, **({"k": 1, "i": 5, "f": 0} | kind)
    )


def test_tables_have_the_entries_that_are_read_and_equal_ones_are_one() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(-4, 5, (1, 2, 64)).astype(float)
    values[0, 1, 24:40] = values[0, 0, 24:40]  # what x can be: -8 to 7
    found = passed(design([table("x", "y", "v")], {"v": values}), ShrunkTables())
    (kept,) = onnx.load_from_string(found.design.onnx).graph.initializer
    assert onnx.numpy_helper.to_array(kept).tolist() == values[0, 0, 24:40].tolist()
    values[0, 1, 30] += 1
    found = passed(design([table("x", "y", "v")], {"v": values}), ShrunkTables())
    (kept,) = onnx.load_from_string(found.design.onnx).graph.initializer
    assert list(kept.dims) == [1, 2, 16]


def test_what_follows_a_table_is_read_from_it() -> None:
    values = np.arange(-32, 32.0) ** 2
    nodes = [table("x", "t", "v"), helper.make_node("Add", ["t", "b"], ["u"], "add"), quant("u", "y", "four", "four")]
    constants = {"v": values, "b": [[-20.0, 3.0]], "four": 4.0, "zero": 0.0}
    found = passed(design(nodes, constants), LongerTables())
    assert operators(found.design) == ["Table"]


THRESHOLDS = np.array([[-9.0, -7.0, -3.0, 1.0, 5.0, 30.0], [-20.0, -7.0, -3.0, 1.0, 5.0, 9.0]])


def counted(x: str, y: str, **more: float) -> onnx.NodeProto:
    return helper.make_node("MultiThreshold", [x, "t"], [y], f"count_{y}", domain=QONNX, **more)


def test_thresholds_out_of_reach_are_left_out_and_equal_rows_are_one() -> None:
    made = design([counted("x", "y", out_scale=0.5, out_bias=-1.0)], {"t": THRESHOLDS})
    found = passed(made, ThresholdRows())
    kept = [list(t.dims) for t in onnx.load_from_string(found.design.onnx).graph.initializer]
    assert kept == [[1, 4]]


def test_thresholds_on_a_line_are_a_multiplication() -> None:
    steps = np.ceil((np.arange(1, 16) - 7.3) / 0.27)
    wide = FixedPoint(signed=True, integer_bits=6, fraction_bits=0)
    made = design([counted("x", "y")], {"t": np.stack([steps, steps + 4])}, size=2, kind=wide)
    found = improve(made, passes=(Lines(),))
    assert [s.step for s in found.savings] == ["lines"]
    assert "MultiThreshold" not in operators(found.design)
    assert "FixedPoint" in operators(found.design)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.floats(0.003, 1.5), st.floats(-40, 40), st.integers(2, 40), st.integers(2, 9))
def test_a_line_counts_its_thresholds_for_every_number(slope: float, offset: float, number: int, bits: int) -> None:
    low, high = -(1 << bits), (1 << bits) - 1
    every = np.arange(low, high + 1)
    true = np.clip(np.floor(slope * every + offset), 0, number).astype(np.int64)
    steps = np.repeat(every[1:], np.diff(true))
    line = line_of(steps.tolist(), low, high)
    if not len(steps):
        assert line is None
    elif line is not None:
        assert np.array_equal(line.of(every), true - true[0])
        assert line.adders == ones(line.slope) + 1
    else:  # nothing but steps by several at once may be no line
        assert len(steps) != len(set(steps.tolist()))


def test_thresholds_on_no_line_stay() -> None:
    steps = np.array([[-8.0, 0.0, 1.0, 2.0, 3.0, 40.0, 41.0, 42.0]])
    wide = FixedPoint(signed=True, integer_bits=6, fraction_bits=0)
    made = design([counted("x", "y")], {"t": steps}, kind=wide)
    assert improve(made, passes=(Lines(),)).savings == ()


def network(bias: float = 0.0) -> Design:
    """2-3-1, of whose middle channels the last is always the same."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "first"), helper.make_node("Add", ["h", "b"], ["c"], "bias"),
        helper.make_node("Relu", ["c"], ["r"], "relu"), helper.make_node("MatMul", ["r", "v"], ["y"], "second"),
    ]  # fmt: skip
    return design(nodes, {"w": W, "b": [[0.0, 1.0, bias]], "v": [[1.0], [2.0], [4.0]]})


@pytest.mark.parametrize("bias", [0.0, 3.0])
def test_a_channel_that_is_always_the_same_is_gone_and_its_number_stays(bias: float) -> None:
    found = passed(network(bias), Channels())
    kept = {tuple(t.dims) for t in onnx.load_from_string(found.design.onnx).graph.initializer}
    assert (2, 2) in kept
    assert (2, 1) in kept
    assert ("Add" in operators(found.design)[4:]) == (bias != 0)


def test_a_channel_that_nothing_uses_is_gone_and_so_are_its_weights() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "first"), helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("MatMul", ["r", "v"], ["y"], "second"),
    ]  # fmt: skip
    made = design(nodes, {"w": W + 1, "v": [[1.0], [0.0], [4.0]]})
    for one in (DeadWeights(), Channels()):
        found = passed(made, one)
        first = onnx.load_from_string(found.design.onnx).graph.initializer
        assert any(np.count_nonzero(onnx.numpy_helper.to_array(t)) < 6 for t in first if t.dims[0] == 2)


def test_quantisers_have_the_bits_that_come_out() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], "relu"), quant("r", "q", "one", "six"),
        helper.make_node("FixedPoint", ["q", "k", "i", "f"], ["y"], "fixed", domain=CODESIGN, overflow="WRAP"),
    ]  # fmt: skip
    constants = {"one": 1.0, "six": 6.0, "zero": 0.0, "k": [[1.0, 1.0]], "i": [[9.0, 2.0]], "f": [[0.0, 0.0]]}
    found = passed(design(nodes, constants), Narrowed())
    lines = "; ".join(found.savings[0].done)
    assert "3 bits without a sign in place of 6" in lines
    assert "7 bits fewer in 1 of 2 lanes" in lines  # the other wraps


class Wrong(GraphPass):
    """Leaves a weight of 3 at 2."""

    name: ClassVar[str] = "wrong"

    def change(self, graph: OpenGraph) -> Iterator[str]:
        node = graph.working()[0]
        if graph.constants[node.input[1]].max() == 3:
            node.input[1] = graph.constant(np.minimum(graph.constants[node.input[1]], 2.0))
            yield "planted"


def test_a_pass_that_changes_an_integer_is_found() -> None:
    with pytest.raises(CodesignError, match=r"the pass 'wrong' changes .* rows: it is at fault"):
        improve(network(), passes=(Wrong(),))


def test_a_pass_that_costs_more_is_taken_back() -> None:
    before = network(3.0)
    found = improve(before, measure=lambda made: float(len(made.onnx) if made.onnx == before.onnx else 10**6))
    assert found.design.onnx == before.onnx
    assert found.put_back
    assert all("is taken back" in why for why in found.put_back)


def test_few_codes_are_all_tried() -> None:
    codes, whole = domain_codes(network())
    assert whole
    assert len(np.unique(codes, axis=0)) == len(codes) == 256


def test_random_graphs_keep_every_integer() -> None:
    """Every pass is compared with what it was given, by :func:`improve` itself, which raises where one is at fault."""
    changed = 0
    for seed in range(40):
        grown = RandomGraph(seed)
        try:
            made = design_for(grown.content(), grown.kinds)
        except CodesignError:  # intervals refuse it
            continue
        found = improve(made)
        changed += bool(found.savings)
        assert found.design.outputs == made.outputs
    assert changed > 5


def test_bit_operations_of_a_matrix_for_each_place_of_some_axes() -> None:
    rng = np.random.default_rng(0)
    weights = rng.integers(1, 2, (2, 3, 4)).astype(float)  # bits: 1 each
    nodes = [
        helper.make_node("Reshape", ["x", "to"], ["r"], "to"), helper.make_node("MatMul", ["r", "w"], ["m"], "m"),
        helper.make_node("Flatten", ["m"], ["y"], "flat"),
    ]  # fmt: skip
    made = design(nodes, {"to": np.array([0, 2, 2, 3]), "w": weights}, size=12)
    assert graph_cost(made).bit_operations == 12 * 4 * 4  # signals of 4 bits, 4 products each
