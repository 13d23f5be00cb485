"""alkaid 0.8.2 miscompiles what HGQ2 trains, silently: a wrapping quantiser of one bit without a sign. It is caught."""

from __future__ import annotations

import numpy as np

from codesign.core.design import Design
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.alkaid.alkaid_passes import _LADDER
from codesign.flows.alkaid.flow import Alkaid
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.quantiser import Overflow, RoundingMode
from codesign.graph.reader import read_graph
from codesign.importing.keras.graph_writer import FixedPoints, GraphWriter
from codesign.testing.graphs import port_of_one_kind
from tests.graph.everywhere import exact_codes

KIND = FixedPoint(signed=True, integer_bits=6, fraction_bits=0)
MATRIX, BIAS = [[-0.125, 0.0], [0.0, -0.375], [0.25, 0.125]], [-2.0, 0.5]
INTEGERS, FRACTIONS = [4, 3], [-2, -2]
SECOND, LAST = [[-3.0, 2.0], [3.0, 3.0]], ([1, 0], [5, 5], [-3, -4])


def wrapping():
    """Two quantisers that round half up and wrap, as the mixers of HGQ2 have them."""
    graph = GraphWriter()

    def fixed(signal, k, i, f):
        types = FixedPoints(np.array(k), np.array(i), np.array(f), Overflow.WRAP, RoundingMode.RND)
        return graph.fixed(signal, types)

    sums = graph.add(graph.einsum("bc,cC->bC", graph.input((3,)), np.array(MATRIX)), np.array(BIAS))
    hidden = fixed(sums, [0, 0], INTEGERS, FRACTIONS)
    out = fixed(graph.einsum("bc,cC->bC", hidden, np.array(SECOND)), *LAST)
    content = graph.finish([out])
    quantisation = port_of_one_kind(KIND, 3)
    found = read_graph(content).run(Interval.of_port(quantisation.port), Intervals())
    ends = zip(found.low[0], found.high[0], found.step[0], strict=True)
    types = tuple(tightest_type(float(low), float(high), float(step)) for low, high, step in ends)
    return Design(content, quantisation, Port(name="y", types=types, labels=("y0", "y1")))


def test_the_ladder_leaves_the_guilty_pass_out(tmp_path, monkeypatch):
    design, target = wrapping(), load_target("vu13p-240")
    codes = probe_codes(design.inputs)
    truth = exact_codes(design, codes)
    flow = Alkaid()
    firmware = flow.compile(design, target, tmp_path / "checked")
    assert any("canonicalize_msb_wraps" in note for note in firmware.notes)
    assert np.array_equal(flow.predict(firmware, codes), truth)
    # planted: where nothing is checked, the first rung is taken, and it is wrong
    name = "codesign.flows.alkaid.flow._optimised"
    monkeypatch.setattr(name, lambda graph, inputs, values, _: (_unchecked(graph, inputs), []))
    wrong = flow.compile(design, target, tmp_path / "unchecked")
    assert not np.array_equal(flow.predict(wrong, codes), truth)


def _unchecked(graph, inputs):
    from alkaid.trace import FVArray, HWConfig, trace

    from codesign.flows.alkaid.alkaid_domain import Signals

    kinds = [[getattr(t, name) for t in inputs.types] for name in ("signed", "integer_bits", "fraction_bits")]
    signal = FVArray.from_kif(*(np.array([k], dtype=np.int64) for k in kinds), HWConfig(1, -1, -1))
    return _LADDER[0][1](trace(signal, graph.run(signal, Signals()), optimize=False), lambda _: True)
