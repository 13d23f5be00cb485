"""Small networks behind a preparation, and what they are in exact arithmetic."""

from __future__ import annotations

import numpy as np

from codesign.core.design import Design
from codesign.core.fixedpoint import Port
from codesign.graph.exact import Exact
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.reader import read_graph
from tests.graph.graphs import GraphBuilder


def network(prepared, raw, bits=6):
    """A small design of the prepared inputs."""
    q = prepared.input_quantisation(prepared.prepared(raw), bits)
    rng = np.random.default_rng(1)
    b = GraphBuilder(q.port.size)
    hidden = b.quant(b.layer("x", rng.integers(-7, 8, (q.port.size, 6)) / 8), 0.25, 6, 0, 0, "HALF_UP")
    content = b.finish(b.layer(hidden, rng.integers(-7, 8, (6, 2)) / 4), 2)
    found = read_graph(content).run(Interval.of_port(q.port), Intervals())
    types = tuple(tightest_type(*map(float, v)) for v in zip(found.low[0], found.high[0], found.step[0], strict=True))
    return Design(content, q, Port(name="y", types=types, labels=("y0", "y1")), trigger="y0")


def exact(design, given_codes):
    return design.outputs.codes(read_graph(design.onnx).run(design.inputs.values(given_codes), Exact()))
