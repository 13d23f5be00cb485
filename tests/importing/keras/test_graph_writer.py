"""What the readers of layers write, beside NumPy; no Keras is needed."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.graph.exact import Exact
from codesign.graph.interval import FLOAT64_EXACT, Interval, Intervals, tightest_type
from codesign.graph.quantiser import Overflow, RoundingMode
from codesign.graph.reader import read_graph
from codesign.handoff.inference import Session, codes_model
from codesign.importing.keras.graph_writer import FixedPoints, GraphWriter
from codesign.testing.graphs import port_of_one_kind

RNG = np.random.default_rng(5)


def whole(*shape):
    return RNG.integers(-7, 8, shape).astype(np.float64)


def run(graph, out, *inputs):
    """Outputs (events, ...) of a written graph."""
    found = read_graph(graph.finish([out])).run(np.concatenate([x.reshape(len(x), -1) for x in inputs], 1), Exact())
    return found.reshape(len(found), *out.shape)


@pytest.mark.parametrize(
    ("equation", "signal", "weights"),
    [
        ("bc,cC->bC", (3,), (3, 2)),
        ("bnc,cC->bnC", (4, 3), (3, 2)),
        ("bnc,nN->bNc", (4, 3), (4, 5)),
        ("bnc,n->bc", (4, 3), (4,)),
        ("bnc,nc->b", (4, 3), (4, 3)),
        ("bmnd,mn->bmd", (2, 4, 3), (2, 4)),
        ("abc,cde->abde", (4, 3), (3, 2, 2)),
        ("abcd,cde->abe", (4, 3, 2), (3, 2, 5)),
        ("bnc,cCk->bC", (4, 3), (3, 2, 2)),
        ("bc,c->bc", (3,), (3,)),
    ],
)
def test_einsum_with_weights(equation, signal, weights):
    graph, x, w = GraphWriter(), whole(5, *signal), whole(*weights)
    out = graph.einsum(equation, graph.input(signal), w)
    assert np.array_equal(run(graph, out, x), np.einsum(equation, x, w))


@pytest.mark.parametrize(
    ("equation", "first", "second"),
    [
        ("aecd,abcd->acbe", (4, 2, 3), (5, 2, 3)),
        ("acbe,aecd->abcd", (2, 5, 4), (4, 2, 3)),
        ("bnc,bmc->bnm", (4, 3), (2, 3)),
        ("bc,bc->b", (3,), (3,)),
        ("bn,bm->bmn", (3,), (2,)),
    ],
)
def test_einsum_of_signals(equation, first, second):
    graph, x, y = GraphWriter(), whole(5, *first), whole(5, *second)
    out = graph.einsum_of_signals(equation, graph.input(first), graph.input(second))
    assert np.array_equal(run(graph, out, x, y), np.einsum(equation, x, y))


@pytest.mark.parametrize("equation", ["bc,bC->bC", "cb,cC->bC", "bc,cC->Cb", "bcc,cC->bC"])
def test_what_mixes_events_is_refused(equation):
    graph = GraphWriter()
    with pytest.raises((UnsupportedError, ValueError)):
        graph.einsum(equation, graph.input((3,) if equation != "bcc,cC->bC" else (3, 3)), whole(3, 2))


@pytest.mark.parametrize("overflow", list(Overflow))
@pytest.mark.parametrize("rounding", [RoundingMode.RND, RoundingMode.FLOOR, RoundingMode.ROUND])
def test_a_type_for_each_element(overflow, rounding):
    graph = GraphWriter()
    k, i, f = np.array([1, 0, 1, 0]), np.array([2, 3, 1, -3]), np.array([0, 1, -1, 2])
    x = np.arange(-80, 80)[:, None] / 8 + np.zeros(4)
    out = graph.fixed(graph.input((4,)), FixedPoints(k, i, f, overflow, rounding))
    shift = {RoundingMode.RND: 0.5, RoundingMode.FLOOR: 0.0}.get(rounding)
    scaled = x * 2.0**f
    code = np.rint(scaled) if shift is None else np.floor(scaled + shift)
    width = np.maximum(k + i + f, 0)
    low = np.where(k == 1, -(2.0 ** (width - 1)), 0)
    high = 2.0 ** (width - k) - 1
    if overflow is Overflow.WRAP:
        code = np.mod(code - low, 2.0**width) + low
    else:
        code = np.clip(code, np.where(k == 1, -high, low) if overflow is Overflow.SAT_SYM else low, high)
    assert np.array_equal(run(graph, out, x), np.where(width > 0, code / 2.0**f, 0))
    assert graph.read_as[0] == [(1, 2, 0)]
    assert graph.read_as[3] == [(0, 0, 0)]  # without bits
    assert not graph.read_bare


def test_structure_knows_which_input_is_which():
    graph, x = GraphWriter(), whole(3, 4, 2)
    signal = graph.transpose(graph.input((4, 2)), [1, 0])
    signal = graph.take(graph.reshape(signal, (8,)), np.array([7, 0, 3]), 0)
    turned = x.transpose(0, 2, 1).reshape(3, 8)[:, [7, 0, 3]]
    assert np.array_equal(signal.origin, np.arange(8).reshape(4, 2).T.ravel()[[7, 0, 3]])
    assert np.array_equal(run(graph, graph.relu(signal), x), np.maximum(turned, 0))
    assert graph.read_bare == {7, 0, 6}


def test_a_weight_of_25_bits_is_refused():
    graph = GraphWriter()
    with pytest.raises(UnsupportedError, match="24 bits"):
        graph.einsum("bc,cC->bC", graph.input((1,)), np.array([[2.0**24 + 1]]))


@pytest.mark.parametrize("equation", ["bnc,nN->bNc", "bnc,ncN->bcN"])
def test_onnxruntime_takes_a_wide_product_of_what_was_transposed(equation):
    """In float64, where it would fuse both to an operator that it has for float32 only."""
    graph = GraphWriter()
    x = graph.input((3, 4))
    out = graph.einsum(equation, x, whole(*(3, 2) if equation == "bnc,nN->bNc" else (3, 4, 2)) * 2.0**16 + 1)
    quantisation = port_of_one_kind(FixedPoint(signed=True, integer_bits=7, fraction_bits=0), 12)
    content = graph.finish([out])
    found = read_graph(content).run(Interval.of_port(quantisation.port), Intervals(FLOAT64_EXACT))
    ends = zip(found.low[0], found.high[0], found.step[0], strict=True)
    types = tuple(tightest_type(*map(float, end)) for end in ends)
    design = Design(content, quantisation, Port(name="y", types=types, labels=tuple(f"y{i}" for i in range(8))))
    codes = RNG.integers(-128, 128, (50, 12))
    truth = design.outputs.codes(read_graph(content).run(codes.astype(np.float64), Exact()))
    assert np.array_equal(Session(codes_model(design)).run(codes.astype(np.int32))["output_codes"], truth)
