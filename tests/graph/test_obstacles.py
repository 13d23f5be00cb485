"""All that keeps a file from being exact is said at once, and nothing twice."""

import numpy as np
import pytest

from codesign.core.errors import UnsupportedError
from codesign.graph.obstacles import Obstacle, Obstacles
from codesign.graph.reader import obstacles, read_graph
from tests.graph.graphs import GraphBuilder


def test_every_obstacle_is_named_and_what_depends_on_one_is_not():
    b = GraphBuilder(2)
    lost = b.node("Relu", b.node("Sigmoid", "x"))
    nan = b.node("Mul", "x", b.constant([np.nan, 1.0]))
    cube = b.node("Pow", "x", b.constant(3.0))
    third = b.node("Div", b.node("Add", "x", "x"), b.constant(3.0))
    content = b.finish(b.node("Concat", lost, nan, cube, third, b.node("Det", "x"), axis=1), 10)
    found = obstacles(content)
    assert [(o.node, o.operator) for o in found] == [
        ("c0", ""), ("Det_n6", "Det"), ("Sigmoid_n0", "Sigmoid"), ("Pow_n3", "Pow"), ("Div_n5", "Div"),
    ]  # fmt: skip
    assert found[-1].advice == "divide by a power of two"
    with pytest.raises(UnsupportedError, match=r"tensor 'c0': nan .*; Det_n6: .*; supported: Abs") as e:
        read_graph(content)
    assert isinstance(e.value, Obstacles)
    assert [o.node for o in e.value.obstacles] == ["c0", "Det_n6"]


def test_a_graph_without_obstacles_has_none():
    b = GraphBuilder(2)
    assert obstacles(b.finish(b.node("Neg", "x"), 2)) == []


def test_an_obstacle_tells_what_would_do_from_what_was_seen():
    one = Obstacle.of("Div_3", "Div", UnsupportedError("Div_3: seen this; or that; do so"))
    assert one == Obstacle("Div_3", "Div", "seen this; or that", "do so")
    assert str(one) == "Div_3: seen this; or that; do so"
    assert Obstacle.of("a", "", UnsupportedError("only seen")) == Obstacle("a", "", "only seen", "")


def test_an_obstacle_is_one_line_whatever_a_file_calls_its_node():
    assert str(Obstacle("\ra\n\x1b[2J", "MatMul", "unknown")) == "\\ra\\n\\x1b[2J: unknown"
