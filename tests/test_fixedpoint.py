import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port

KINDS = st.builds(
    FixedPoint, signed=st.booleans(), integer_bits=st.integers(-3, 8), fraction_bits=st.integers(-3, 8)
).filter(lambda k: k.width > 0)


@given(KINDS)
def test_a_type_holds_as_many_codes_as_its_bits_say(kind):
    assert kind.maximum - kind.minimum + 1 == 2**kind.width
    assert kind.minimum <= 0 <= kind.maximum


@given(KINDS, st.integers(0, 1000))
def test_codes_and_values_are_one_to_one(kind, seed):
    port = Port(name="p", types=(kind, kind), labels=("a", "b"))
    codes = np.random.default_rng(seed).integers(kind.minimum, kind.maximum + 1, (20, 2))
    assert np.array_equal(port.codes(port.values(codes)), codes)
    with pytest.raises(ValueError, match="range"):
        port.codes(port.values(np.full((1, 2), kind.maximum + 1)))
    with pytest.raises(ValueError, match="least significant bit"):
        port.codes(port.values(codes) + kind.lsb / 2)


@given(st.integers(3, 12), st.integers(0, 1000))
def test_input_codes_round_half_up_and_saturate(bits, seed):
    x = np.random.default_rng(seed).normal(3.0, 2.0, (500, 2))
    q = InputQuantisation.fit(x, ("a", "b"), ("GeV", "1"), bits)
    codes = q.codes(x)
    low, high = q.port.bounds
    assert codes.min() >= low[0]
    assert codes.max() <= high[0]
    inside = (codes > low) & (codes < high)
    back = codes * np.array(q.step) + np.array(q.offset)
    assert (np.abs(back - x)[inside] <= np.broadcast_to(np.array(q.step) / 2, x.shape)[inside] * (1 + 1e-9)).all()
    assert np.array_equal(q.codes(np.full((1, 2), 1e9)), [high])
    assert np.array_equal(q.codes(np.full((1, 2), -1e9)), [low])


def test_a_constant_feature_gives_code_zero():
    q = InputQuantisation.fit(np.full((10, 1), 7.0), ("a",), ("1",), 6)
    assert (q.codes(np.full((3, 1), 7.0)) == 0).all()
