"""What a domain does in a form of its own is what the composition of its primitives does."""

import numpy as np
import onnx
import onnxruntime
import pytest
from alkaid.trace import FVArray, HWConfig, trace
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from codesign.core.errors import UnsupportedError
from codesign.flows.alkaid.alkaid_domain import Signals
from codesign.graph.exact import Exact
from codesign.graph.interval import Interval, Intervals
from codesign.graph.nodes import OPERATORS
from codesign.graph.standard import OPSET, StandardOperators, Wire
from codesign.handoff.emulator.circuit import Integers
from codesign.testing.domain_tests import Bounds, DomainTests, exactly
from tests.graph.everywhere import QUIET
from tests.graph.random_graphs import RandomGraph
from tests.graph.random_sources import RandomSource

KIND = DomainTests.kind


class TestExact(DomainTests):
    @pytest.fixture
    def domain(self):
        return Exact

    def evaluate(self, domain, apply, values):
        return exactly(apply(domain, values[:, :3], values[:, 3:]))


class TestSignals(DomainTests):
    """Of alkaid, through its interpreter."""

    @pytest.fixture
    def domain(self):
        return Signals

    def evaluate(self, domain, apply, values):
        one = np.ones((1, 6), dtype=np.int64)
        x = FVArray.from_kif(one * KIND.signed, one * KIND.integer_bits, one * KIND.fraction_bits, HWConfig(1, -1, -1))
        return exactly(trace(x, apply(domain, x[:, :3], x[:, 3:]), optimize=False).predict(values))


class TestStandardOperators(DomainTests):
    """Written, and run by onnxruntime."""

    @pytest.fixture
    def domain(self):
        return StandardOperators

    def evaluate(self, domain, apply, values):
        out = apply(domain, Wire("a", (1, 3)), Wire("b", (1, 3)))
        tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["events", 3]) for n in "ab"]
        result = helper.make_tensor_value_info(out.name, TensorProto.FLOAT, ["events", *out.shape[1:]])
        graph = helper.make_graph(domain.nodes, "one", tensors, [result], domain.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model)
        session = onnxruntime.InferenceSession(model.SerializeToString(), QUIET, providers=["CPUExecutionProvider"])
        x = values.astype(np.float32)
        return exactly(session.run(None, {"a": x[:, :3], "b": x[:, 3:]})[0].astype(np.float64))


class TestIntervals(DomainTests):
    exact = False

    @pytest.fixture
    def domain(self):
        return Intervals

    def evaluate(self, domain, apply, values):
        low, high = values.min(axis=0, keepdims=True), values.max(axis=0, keepdims=True)
        ends = Interval(low, high, np.full((1, 6), KIND.lsb))
        found = apply(domain, *(domain.take(ends, np.arange(3 * i, 3 * i + 3), 1) for i in (0, 1)))
        return Bounds(found.low, found.high, found.step)


class TestIntegers(DomainTests):
    """Of the emulator: the bounds of every integer of its circuit."""

    exact = False

    @pytest.fixture
    def domain(self):
        return Integers

    def evaluate(self, domain, apply, values):
        x = np.array([[domain.input(i, KIND) for i in range(6)]], dtype=object)
        found = apply(domain, x[:, :3], x[:, 3:])
        signals = [domain.lift(v) for v in found.ravel()]
        ends = [[v.node.low * 2.0**v.exponent, v.node.high * 2.0**v.exponent] for v in signals]
        low, high = np.array(ends).T.reshape(2, *found.shape)
        return Bounds(low, high)


def test_every_operator_is_in_the_random_graphs_or_named_here():
    """A new operator without a random test is a gap that this list makes visible."""
    grown = {(n.domain, n.op_type) for seed in range(400) for n in RandomGraph(seed).nodes}
    grown |= {(n.domain, n.op_type) for seed in range(100) for n in RandomSource(seed).nodes}
    elsewhere = {
        "Mod", "Pow", "Dropout", "ReduceSumSquare", "GlobalAveragePool", "Split", "Squeeze", "Expand", "IntQuant",
        "Size", "ConstantOfShape", "Shape", "Log", "Sqrt", "Reciprocal", "Softsign", "HardSigmoid", "Selu",
    }  # fmt: skip
    refused = {"Softmax", "LogSoftmax", "Hardmax", "LayerNormalization", "GRU", "LSTM", "RNN"}
    names = {op for _, op in OPERATORS} - {op for _, op in grown}
    assert names <= elsewhere | refused, f"no random graph has {sorted(names - elsewhere)}"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(-60, 60), st.integers(1, 5), st.booleans(), st.integers(-2, 2))
def test_what_wraps_is_the_code_modulo_its_range(code, bits, signed, exponent):
    from codesign.graph.quantiser import Overflow, QuantSpec, RoundingMode

    spec = QuantSpec(np.array(exponent), np.array(bits), signed, False, RoundingMode.FLOOR, Overflow.WRAP)
    low = -(1 << (bits - 1)) if signed else 0
    found = Exact().quantise(np.array([code * 2.0**exponent]), spec)[0] / 2.0**exponent
    assert found == (code - low) % (1 << bits) + low


def test_a_sum_of_more_bits_than_can_be_counted_is_refused():
    tiny = Interval(np.zeros((1, 1)), np.full((1, 1), 5e-324), np.full((1, 1), 5e-324))
    with pytest.raises(UnsupportedError, match="a sum may need over 1024 bits"):
        Intervals().add(tiny, np.ones((1, 1)))


@pytest.mark.parametrize("kinds", [((True, 0, 0),) * 6, ((True, 0, 0), *((False, 1, 0),) * 6, (False, 3, 0))])
def test_sign_bits_of_one_bit_times_a_matrix(kinds):
    """alkaid's tables of six single bits read a sign bit as if it counted upwards."""
    signed, integer, fraction = np.array(kinds, dtype=np.int64).T[:, None, :]
    x = FVArray.from_kif(signed, integer, fraction, HWConfig(1, -1, -1))
    matrix = np.random.default_rng(3).integers(-7, 8, (len(kinds), 3)).astype(np.float64)
    values = np.random.default_rng(4).integers(0, 2 ** integer[0], (200, len(kinds))) - np.where(
        signed[0], np.random.default_rng(5).integers(0, 2, (200, len(kinds))), 0
    )
    circuit = trace(x, Signals().matmul(x, matrix), optimize=False)
    assert (circuit.predict(values.astype(np.float64)) == values @ matrix).all()


@pytest.mark.parametrize("number", [6, 7, 13])
def test_bits_that_are_kept_as_what_they_lack_times_a_matrix(number):
    """alkaid's tables of six single bits are read backwards where all of the six have a negative factor."""
    none, one = np.zeros((1, number), np.int64), np.ones((1, number), np.int64)
    x = FVArray.from_kif(none, one, none, HWConfig(1, -1, -1))
    matrix = np.random.default_rng(3).integers(-7, 8, (number, 3)).astype(np.float64)
    values = np.random.default_rng(4).integers(0, 2, (200, number)).astype(np.float64)
    domain = Signals()
    circuit = trace(x, domain.matmul(domain.subtract(np.ones((1, number)), x), matrix), optimize=False)
    assert (circuit.predict(values) == (1 - values) @ matrix).all()


def test_numbers_that_are_joined_to_signals_are_signals():
    """As a padding's are, in whatever order they lie in memory: what comes next asks each for its type."""
    x = FVArray.from_kif(*np.array([[[1] * 4], [[2] * 4], [[1] * 4]]), HWConfig(1, -1, -1))
    domain = Signals()
    turned = domain.transpose(domain.reshape(x, (2, 2)), (0, 2, 1))
    wide = domain.concat([turned, np.full((1, 1, 2), 0.5)], 1)
    circuit = trace(x, domain.reshape(domain.sign(wide, np.array(1.0)), (6,)), optimize=False)
    assert circuit.predict(np.array([[-1.5, 0.0, 0.5, -0.5]])).tolist() == [[-1, 1, 1, -1, 1, 1]]
