"""Every rounding mode, range and width: our arithmetic, QONNX' own executor, and alkaid's circuit give one integer."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import FixedPoint
from codesign.graph.exact import Exact
from codesign.graph.interval import Interval, Intervals
from codesign.graph.quantiser import QUANT_MODES, Rounding, RoundingMode, exponents
from codesign.graph.reader import read_graph
from tests.graph.everywhere import alkaid_values
from tests.graph.graphs import GraphBuilder, all_codes, design_of, qonnx_values

MODES = [m.value for m in QUANT_MODES if m is not RoundingMode.HALF_EVEN]  # QONNX' older name of the same mode


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("signed", "narrow"), list(itertools.product((0, 1), (0, 1))))
def test_quant_is_the_same_everywhere(mode, signed, narrow):
    """All codes of a 7-bit input with 4 fraction bits, onto grids from coarser to finer than the input's."""
    kind = FixedPoint(signed=True, integer_bits=2, fraction_bits=4)
    for exponent, bits in itertools.product((-6, -4, -2, 0, 1), (2, 3, 6)):
        builder = GraphBuilder(1)
        content = builder.finish(builder.quant("x", 2.0**exponent, bits, signed, narrow, mode), 1)
        design = design_of(content, kind, 1)
        x = all_codes(kind)[:, None] * kind.lsb
        ours = read_graph(content).run(x, Exact())
        assert np.array_equal(ours, qonnx_values(content, x))
        assert np.array_equal(ours, alkaid_values(design, x))
        design.outputs.codes(ours)  # raises if a value lies outside the derived type


@given(
    st.integers(-(2**20), 2**20),
    st.integers(-12, 3),
    st.sampled_from(list(RoundingMode)),
)
def test_rounding_as_one_floor(code, log2_step, mode):
    """floor(x + constant + coefficient * bit) is the rounding, for any number on any grid."""
    step = 2.0**log2_step
    x = np.array([code * step])
    from codesign.graph.exact import _ROUND

    r = Rounding.of(mode, np.array([step]))
    bit = {"none": np.zeros(1), "negative": (x < 0) * 1.0, "odd": np.floor(x) % 2}[r.bit]
    assert np.floor(x + r.constant + r.coefficient * bit) == _ROUND[mode](x)


@given(
    st.lists(st.integers(-128, 127), min_size=2, max_size=2), st.integers(2, 8), st.sampled_from(MODES), st.booleans()
)
def test_interval_holds_every_value(ends, bits, mode, signed):
    """Interval arithmetic never loses a value: every quantised point lies within the quantised interval."""
    low, high = min(ends), max(ends)
    builder = GraphBuilder(1)
    graph = read_graph(builder.finish(builder.quant("x", 0.25, bits, int(signed), 0, mode), 1))
    lsb = 2.0**-4
    interval = graph.run(Interval(np.array([[low * lsb]]), np.array([[high * lsb]]), np.array([[lsb]])), Intervals())
    points = graph.run(np.arange(low, high + 1)[:, None] * lsb, Exact())
    assert points.min() >= interval.low
    assert points.max() <= interval.high
    assert (np.mod(points, interval.step) == 0).all()


def test_scale_that_is_no_power_of_two_is_refused_by_name():
    assert exponents(np.array([0.5, 4.0]), "q").tolist() == [-1, 2]
    with pytest.raises(UnsupportedError, match=r"q: scale 0\.3 is not a power of two"):
        exponents(np.array([0.5, 0.3]), "q")


def test_unknown_rounding_mode_is_refused_by_name():
    builder = GraphBuilder(1)
    content = builder.finish(builder.quant("x", 0.5, 4, mode="STOCHASTIC"), 1)
    with pytest.raises(UnsupportedError, match="rounding mode 'STOCHASTIC'"):
        read_graph(content).run(np.zeros((1, 1)), Exact())


def test_zero_point_is_refused():
    builder = GraphBuilder(1)
    content = builder.finish(builder.quant("x", 0.5, 4, zero=3.0), 1)
    with pytest.raises(UnsupportedError, match="zero point"):
        read_graph(content).run(np.zeros((1, 1)), Exact())


@pytest.mark.parametrize("scale", [0.25, 2.0])
def test_bipolar(scale):
    kind = FixedPoint(signed=True, integer_bits=1, fraction_bits=3)
    builder = GraphBuilder(1)
    content = builder.finish(builder.node("BipolarQuant", "x", builder.constant(scale)), 1)
    x = all_codes(kind)[:, None] * kind.lsb
    ours = read_graph(content).run(x, Exact())
    assert set(ours.ravel()) == {-scale, scale}
    assert np.array_equal(ours, qonnx_values(content, x))
    assert np.array_equal(ours, alkaid_values(design_of(content, kind, 1), x))
