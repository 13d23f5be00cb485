"""What alkaid 0.8.2 miscompiles silently, caught: quantisers that wrap, a lost axis of the events, wide constants."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from codesign.core.design import Design
from codesign.core.errors import ToolError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.alkaid.alkaid_domain import Signals
from codesign.flows.alkaid.alkaid_passes import _LADDER
from codesign.flows.alkaid.flow import Alkaid
from codesign.graph.interval import FLOAT64_EXACT, Interval, Intervals, tightest_type
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
    return design_of(graph.finish([out]), 3)


def design_of(content, size):
    quantisation = port_of_one_kind(KIND, size)
    found = read_graph(content).run(Interval.of_port(quantisation.port), Intervals(FLOAT64_EXACT))
    ends = zip(found.low[0], found.high[0], found.step[0], strict=True)
    types = tuple(tightest_type(*map(float, end)) for end in ends)
    return Design(content, quantisation, Port(name="y", types=types, labels=tuple(f"y{i}" for i in range(len(types)))))


def test_the_ladder_leaves_the_guilty_pass_out(tmp_path, monkeypatch):
    design, target = wrapping(), load_target("vu13p-240")
    codes = probe_codes(design.inputs)
    truth = exact_codes(design, codes)
    flow = Alkaid()
    firmware = flow.compile(design, target, tmp_path / "checked")
    assert any("canonicalize_msb_wraps" in note for note in firmware.notes)
    assert np.array_equal(flow.predict(firmware, codes), truth)
    # planted: where nothing is checked, the first rung is taken, and it is wrong
    name = "codesign.flows.alkaid.flow._best_circuit"
    monkeypatch.setattr(name, lambda graph, inputs, values, _: (_unchecked(graph, inputs), []))
    wrong = flow.compile(design, target, tmp_path / "unchecked")
    assert not np.array_equal(flow.predict(wrong, codes), truth)


@pytest.mark.parametrize(("node", "wide"), [("MatMul", [[2.0**24 + 1], [3.0]]), ("Add", [2.0**24 + 1, 5.0])])
def test_a_constant_of_25_bits_is_refused_where_float32_would_round_it(node, wide, tmp_path):
    """alkaid casts constants to float32."""
    sizes = {"x": 2, "y": np.shape(wide)[-1]}
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["events", n]) for name, n in sizes.items()]
    constants = [numpy_helper.from_array(np.array(wide), "wide")]
    graph = helper.make_graph([helper.make_node(node, ["x", "wide"], ["y"])], "g", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(ToolError, match="outputs differ from the QONNX graph"):
        Alkaid().compile(design_of(model.SerializeToString(), 2), load_target("vu13p-240"), tmp_path / "firmware")


def test_a_lost_axis_of_the_events_is_refused(tmp_path, monkeypatch):
    """alkaid's converter of Keras reshapes without it: of the right size, and other elements."""
    graph = GraphWriter()
    rows = graph.reshape(graph.input((6,)), (3, 2))
    out = graph.reshape(graph.einsum("bnc,cC->bnC", rows, np.array([[1.0, 2.0], [0.0, 1.0]])), (6,))
    design, target, flow = design_of(graph.finish([out]), 6), load_target("vu13p-240"), Alkaid()
    codes = probe_codes(design.inputs)
    firmware = flow.compile(design, target, tmp_path / "right")
    assert np.array_equal(flow.predict(firmware, codes), exact_codes(design, codes))
    monkeypatch.setattr(Signals, "reshape", lambda self, x, shape: x.transpose().reshape(1, *shape))
    with pytest.raises(ToolError, match="outputs differ from the QONNX graph"):
        flow.compile(design, target, tmp_path / "wrong")


def _unchecked(graph, inputs):
    from alkaid.trace import FVArray, HWConfig, trace

    kinds = [[getattr(t, name) for t in inputs.types] for name in ("signed", "integer_bits", "fraction_bits")]
    signal = FVArray.from_kif(*(np.array([k], dtype=np.int64) for k in kinds), HWConfig(1, -1, -1))
    return _LADDER[0][1](trace(signal, graph.run(signal, Signals()), optimize=False))
