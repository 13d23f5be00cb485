"""Random graphs: every domain gives the same integers, by its own forms, by compositions, and in compiled C++."""

from unittest.mock import patch

import numpy as np
import pytest

from codesign.core.errors import UnsupportedError
from codesign.flows.alkaid.alkaid_domain import Signals
from codesign.graph.exact import Exact
from codesign.graph.interval import Interval, Intervals
from codesign.graph.operators.elementwise import whole_spec
from codesign.graph.quantiser import RoundingMode
from codesign.graph.reader import read_graph
from codesign.handoff.emulator import source
from tests.graph.everywhere import design_for
from tests.graph.random_graphs import RandomGraph
from tests.graph.tried import known, tried

#: graphs of the default suite; ``tests.graph.many`` takes more
COUNT, PER_TEST = 100, 50


@pytest.mark.parametrize("first", range(0, COUNT, PER_TEST))
def test_random_graphs_are_equal_everywhere(first):
    found = tried(range(first, min(first + PER_TEST, COUNT)))
    assert not found.faults
    assert len(found.equal) > PER_TEST // 2, found.refused


def test_what_is_refused_is_refused_in_every_domain_alike():
    """A graph that intervals refuse gives no design, whatever else could compute it."""
    refused = 0
    for seed in range(60):
        grown = RandomGraph(seed)
        try:
            design_for(grown.content(), grown.kinds)
        except UnsupportedError:
            refused += 1
            read_graph(grown.content())  # it is the numbers, not the operators, that are refused
    assert refused < 40


def test_a_reason_that_is_not_on_the_list_is_a_fault():
    assert known(UnsupportedError("the output 'y' does not depend on the input")) == "does not depend on the input"
    with pytest.raises(AssertionError, match="not on the list: it rains"):
        known(UnsupportedError("it rains"))


def shifted(method):
    return lambda self, *operands: method(self, *operands) + 1


@pytest.mark.parametrize(
    ("owner", "name", "liar", "where"),
    [
        (Signals, "relu", shifted(Signals.relu), "alkaid"),
        (Exact, "maximum", shifted(Exact.maximum), "ValueError"),
        (source, "_join", " - ".join, "C++ emulator"),
    ],
    ids=["alkaid", "exact", "emulator"],
)
def test_a_domain_that_lies_is_caught(owner, name, liar, where):
    with patch.object(owner, name, liar):
        faults = tried(range(8)).faults
    assert any(where in fault for fault in faults.values()), faults


def test_a_dead_signal_stays_dead_in_every_rounding():
    dead = Interval(*(np.zeros((1, 2)) for _ in range(3)))
    for mode in RoundingMode:
        found = Intervals().quantise(dead, whole_spec(mode))
        assert not found.low.any(), mode
        assert not found.high.any(), mode
