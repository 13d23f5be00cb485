"""What a domain does in a form of its own is what the composition of its primitives does."""

import numpy as np
import onnx
import onnxruntime
import pytest
from alkaid.trace import FVArray, HWConfig, trace
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from codesign.fixedpoint import FixedPoint
from codesign.graph.domain import Domain
from codesign.graph.exact import Exact
from codesign.graph.interval import Interval, Intervals
from codesign.graph.nodes import OPERATORS
from codesign.graph.standard import OPSET, StandardOperators, Wire
from codesign.handoff.emulator.circuit import Integers
from codesign.hardware.alkaid_domain import Signals
from tests.graph.everywhere import QUIET
from tests.graph.random_graphs import RandomGraph

KIND = FixedPoint(signed=True, integer_bits=2, fraction_bits=1)
#: name -> how it is applied to two signals (events, 3)
COMPOSED = {
    "square": lambda d, how, a, b: how(d, a),
    "negative": lambda d, how, a, b: how(d, a),
    "subtract": lambda d, how, a, b: how(d, a, b),
    "maximum": lambda d, how, a, b: how(d, a, b),
    "minimum": lambda d, how, a, b: how(d, a, b),
    "absolute": lambda d, how, a, b: how(d, a),
    "at_least": lambda d, how, a, b: how(d, a, b),
    "select": lambda d, how, a, b: how(d, d.at_least(a, np.array(0.0)), a, b),
    "total": lambda d, how, a, b: how(d, a),
    "largest": lambda d, how, a, b: how(d, a),
}


def codes():
    rng = np.random.default_rng(3)
    return rng.integers(KIND.minimum, KIND.maximum + 1, (200, 6)) * KIND.lsb


def of_exact(function):
    x = codes()
    return function(Exact(), x[:, :3], x[:, 3:])


def of_signals(function):
    one = np.ones((1, 6), dtype=np.int64)
    x = FVArray.from_kif(one * KIND.signed, one * KIND.integer_bits, one * KIND.fraction_bits, HWConfig(1, -1, -1))
    return trace(x, function(Signals(), x[:, :3], x[:, 3:]), optimize=False).predict(codes())


def of_standard(function):
    writer = StandardOperators()
    out = function(writer, Wire("a", (1, 3)), Wire("b", (1, 3)))
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["events", 3]) for n in "ab"]
    result = helper.make_tensor_value_info(out.name, TensorProto.FLOAT, ["events", out.shape[1]])
    graph = helper.make_graph(writer.nodes, "one", tensors, [result], writer.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), QUIET, providers=["CPUExecutionProvider"])
    x = codes().astype(np.float32)
    return session.run(None, {"a": x[:, :3], "b": x[:, 3:]})[0].astype(np.float64)


OVERRIDES = [(d, n) for d in (Exact, Intervals, StandardOperators, Signals, Integers) for n in COMPOSED if n in vars(d)]


@pytest.mark.parametrize(("domain", "name"), OVERRIDES, ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_an_override_is_the_composition(domain, name):
    apply = COMPOSED[name]

    def own(d, a, b):
        return apply(d, getattr(type(d), name), a, b)

    def composed(d, a, b):
        return apply(d, getattr(Domain, name), a, b)

    truth = of_exact(composed)
    if domain is Intervals:
        x = codes()
        ends = Interval(x.min(axis=0, keepdims=True), x.max(axis=0, keepdims=True), np.full((1, 6), KIND.lsb))
        parts = [Intervals().take(ends, np.arange(3 * i, 3 * i + 3), 1) for i in (0, 1)]
        found, wider = own(Intervals(), *parts), composed(Intervals(), *parts)
        for interval in (found, wider):
            assert (interval.low <= truth).all()
            assert (truth <= interval.high).all()
            assert not (truth % np.where(interval.step == 0, 1, interval.step)).any()
        assert (found.high - found.low <= wider.high - wider.low).all(), "a form of its own that knows less"
        return
    run = {Exact: of_exact, StandardOperators: of_standard, Signals: of_signals}.get(domain)
    if run is None:
        domain_, other = Integers(), Integers()
        sides = []
        for d, how in ((domain_, own), (other, composed)):
            x = np.array([[d.input(i, KIND) for i in range(6)]], dtype=object)
            sides.append(how(d, x[:, :3], x[:, 3:]))
        for ours, wider in zip(*map(np.ravel, sides), strict=True):
            ends = [(v.node.low * 2.0**v.exponent, v.node.high * 2.0**v.exponent) for v in (ours, wider)]
            assert ends[0][0] >= ends[1][0], "a form of its own that knows less"
            assert ends[0][1] <= ends[1][1]
        return
    assert np.array_equal(run(own), truth)
    assert np.array_equal(run(composed), truth)


def test_every_operator_is_in_the_random_graphs_or_named_here():
    """A new operator without a random test is a gap that this list makes visible."""
    grown = {(n.domain, n.op_type) for seed in range(400) for n in RandomGraph(seed).nodes}
    elsewhere = {
        "Mod", "Pow", "Dropout", "ReduceMean", "ReduceSumSquare", "GlobalAveragePool", "Split", "Squeeze", "Expand",
        "MultiThreshold", "IntQuant",
    }  # fmt: skip
    names = {op for _, op in OPERATORS} - {op for _, op in grown}
    assert names <= elsewhere, f"no random graph has {sorted(names - elsewhere)}"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(-60, 60), st.integers(1, 5), st.booleans(), st.integers(-2, 2))
def test_what_wraps_is_the_code_modulo_its_range(code, bits, signed, exponent):
    from codesign.graph.quantiser import Overflow, QuantSpec, RoundingMode

    spec = QuantSpec(np.array(exponent), np.array(bits), signed, False, RoundingMode.FLOOR, Overflow.WRAP)
    low = -(1 << (bits - 1)) if signed else 0
    found = Exact().quantise(np.array([code * 2.0**exponent]), spec)[0] / 2.0**exponent
    assert found == (code - low) % (1 << bits) + low
