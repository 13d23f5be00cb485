"""Networks folded, played by the clock, and compared with their graphs on random events."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from codesign.core.design import Design
from codesign.graph.clockwork import play
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.graph.schedule import FoldedGraph, Schedule, fold
from codesign.testing.graphs import GraphBuilder, design_of, kind_of

#: random events of a comparison
EVENTS = 24


def events_of(design: Design, number: int = EVENTS, seed: int = 0):
    """Values of random events, and what the graph gives."""
    low, high = design.inputs.bounds
    values = design.inputs.values(np.random.default_rng(seed).integers(low, high + 1, (number, design.inputs.size)))
    return values, read_graph(design.onnx).run(values, Exact())


def folded_of(design: Design, interval: int) -> FoldedGraph:
    """The design in at most so many clocks an event."""
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


def items_graph(build: Callable[[GraphBuilder, str], str], outputs: int) -> Design:
    """What ``build`` makes of eight items of three fields, of four signed bits each."""
    b = GraphBuilder(24)
    x = b.node("Reshape", "x", b.constant([0, 8, 3], np.int64))
    return design_of(b.finish(build(b, x), outputs), kind_of(4, True), 24)
