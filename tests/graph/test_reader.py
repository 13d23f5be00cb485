"""The reader: each operator against onnxruntime through QONNX' executor, and what it must refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.graph.exact import Exact
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.reader import read_graph
from tests.graph.everywhere import alkaid_values
from tests.graph.graphs import GraphBuilder, design_of, qonnx_values
from tests.graph.reader_graphs import KIND, everything, squares


def inputs(events, n, seed=0):
    return np.random.default_rng(seed).integers(KIND.minimum, KIND.maximum + 1, (events, n)) * KIND.lsb


@pytest.mark.parametrize("seed", range(4))
def test_all_operators_equal_qonnx_and_circuit(seed):
    content = everything(np.random.default_rng(seed))
    x = inputs(500, 6, seed)
    ours = read_graph(content).run(x, Exact())
    one = np.concatenate([qonnx_values(content, x[i : i + 1]) for i in range(50)])  # Reshape was traced with one event
    assert np.array_equal(ours[:50], one)
    design = design_of(content, KIND, 6)
    assert np.array_equal(ours, alkaid_values(design, x))
    design.outputs.codes(ours)


@pytest.mark.parametrize("seed", range(6))
def test_squares_and_products_equal_qonnx_and_circuit(seed):
    content = squares(np.random.default_rng(seed))
    x = np.concatenate([inputs(500, 6, seed), np.full((1, 6), KIND.minimum * KIND.lsb)])
    ours = read_graph(content).run(x, Exact())
    assert np.array_equal(ours, qonnx_values(content, x))
    design = design_of(content, KIND, 6)
    assert not any(t.signed for t in design.outputs.types[:10]), "a square is never negative"
    assert design.outputs.types[2].width == 0
    assert np.array_equal(ours, alkaid_values(design, x))
    design.outputs.codes(ours)


@pytest.mark.parametrize("bits", range(1, 13))
def test_every_square_is_exact(bits):
    for signed in (True, False) if bits > 1 else (False,):
        kind = FixedPoint(signed=signed, integer_bits=2 - signed, fraction_bits=bits - 2)
        b = GraphBuilder(1)
        content = b.finish(b.node("Mul", "x", "x"), 1)
        x = np.arange(kind.minimum, kind.maximum + 1)[:, None] * kind.lsb
        assert np.array_equal(alkaid_values(design_of(content, kind, 1), x), x**2)


def test_squares_and_powers_without_exact_hardware_are_refused():
    b = GraphBuilder(1)
    content = b.finish(b.node("Mul", "x", "x"), 1)
    huge = FixedPoint(signed=True, integer_bits=12, fraction_bits=1)
    with pytest.raises(UnsupportedError, match=r"a square may need 28 bits"):
        design_of(content, huge, 1)
    cube = GraphBuilder(1)
    with pytest.raises(UnsupportedError, match="power 3 has no exact hardware"):
        read_graph(cube.finish(cube.node("Pow", "x", cube.constant(3.0)), 1)).run(np.zeros((1, 1)), Exact())
    mixed = GraphBuilder(2)
    content = mixed.finish(mixed.node("ReduceSum", "x", mixed.constant([0], np.int64)), 2)
    with pytest.raises(UnsupportedError, match="over axis 0 would mix events"):
        read_graph(content).run(np.zeros((3, 2)), Exact())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 5), st.integers(2, 6), st.integers(1, 6))
def test_random_layers_are_exact(seed, n, m, weight_bits, activation_bits):
    rng = np.random.default_rng(seed)
    b = GraphBuilder(n)
    scale = 2.0 ** rng.integers(-5, 2, (m, 1))
    w = b.quant(b.constant(rng.normal(size=(m, n)) * (rng.random((m, n)) < 0.7)), scale, weight_bits, 1, 1, "ROUND")
    x = b.node("Gemm", "x", w, b.constant(rng.integers(-64, 64, m) * 2.0 ** rng.integers(-6, 1)), transB=1)
    x = b.quant(b.node("Relu", x), 2.0 ** rng.integers(-4, 3), activation_bits, 0, 0, "FLOOR")
    content = b.finish(x, m)
    values = inputs(200, n, seed)
    ours = read_graph(content).run(values, Exact())
    assert np.array_equal(ours, qonnx_values(content, values))
    assert np.array_equal(ours, alkaid_values(design_of(content, KIND, n), values))


def test_unsupported_operator_is_named():
    b = GraphBuilder(2)
    content = b.finish(b.node("Det", "x"), 2)
    with pytest.raises(UnsupportedError, match=r"'Det' has no exact hardware here; supported: Abs, Add,"):
        read_graph(content)


def test_product_of_signals_in_matmul_is_refused():
    b = GraphBuilder(2)
    content = b.finish(b.node("MatMul", "x", "x"), 2)
    with pytest.raises(UnsupportedError, match="MatMul of two signals"):
        read_graph(content).run(np.zeros((2, 2)), Exact())


def test_constant_output_is_refused():
    b = GraphBuilder(2)
    content = b.finish(b.node("Add", b.constant([1.0, 2.0]), b.constant([1.0, 2.0])), 2)
    with pytest.raises(UnsupportedError, match="does not depend on the input"):
        read_graph(content).run(np.zeros((2, 2)), Exact())


@pytest.mark.parametrize("content", [b"", b"not onnx at all", b"\x08\x07"])
def test_not_onnx(content):
    with pytest.raises(InputError):
        read_graph(content)


def test_accumulator_beyond_float32_is_refused():
    b = GraphBuilder(64)
    content = b.finish(b.node("MatMul", "x", b.constant(np.full((64, 1), 2.0**17 - 1))), 1)
    kind = FixedPoint(signed=True, integer_bits=3, fraction_bits=4)
    port = Port(name="x", types=(kind,) * 64, labels=tuple(map(str, range(64))))
    with pytest.raises(UnsupportedError, match=r"accumulator may need .* bits"):
        read_graph(content).run(Interval.of_port(port), Intervals())


@given(st.integers(-1000, 1000), st.integers(0, 1000), st.integers(-6, 6))
def test_tightest_type_holds_the_range_and_no_more(low, width, exponent):
    step = 2.0**exponent
    kind = tightest_type(low * step, (low + width) * step, step)
    assert kind.minimum <= low
    assert kind.maximum >= low + width
    if kind.width > 1:
        narrower = FixedPoint(signed=kind.signed, integer_bits=kind.integer_bits - 1, fraction_bits=kind.fraction_bits)
        assert narrower.minimum > low or narrower.maximum < low + width


def test_a_graph_is_read_once_and_nobody_changes_what_others_read():
    def content(offset):
        b = GraphBuilder(2)
        return b.finish(b.node("Add", "x", b.constant([1.0, offset])), 2)

    graph = read_graph(content(2.0))
    assert read_graph(content(2.0)) is graph
    assert read_graph(content(3.0)).run(np.zeros((1, 2)), Exact()).tolist() == [[1.0, 3.0]]
    with pytest.raises(ValueError, match="read-only"):
        next(iter(graph.constants.values()))[0] = 5.0
    assert read_graph(content(2.0)).run(np.zeros((1, 2)), Exact()).tolist() == [[1.0, 2.0]]
