"""Products and squares of alkaid's signals: every pair of codes, of any widths, and no multiplier in the circuit."""

import numpy as np
import pytest
from alkaid.trace import FVArray, HWConfig, trace
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.flows.alkaid import alkaid_products
from codesign.flows.alkaid.alkaid_domain import Signals
from codesign.flows.alkaid.alkaid_passes import optimise

#: of alkaid's multiplier
MULTIPLIER = 7
DOMAIN = Signals()


def codes_of(kind):
    signed, integers, fractions = kind
    bits = signed + integers + fractions
    return (np.arange(1 << bits) - (signed << (bits - 1))) * 2.0**-fractions


def traced(kinds, function):
    """The circuit of a function of signals of types (k, i, f), (1, 1) each."""
    signal = FVArray.from_kif(*(np.array([column]) for column in zip(*kinds, strict=True)), HWConfig(1, -1, -1))
    parts = [signal[:, place : place + 1] for place in range(len(kinds))]
    return trace(signal, function(*parts), optimize=False)


def every_pair(a, b):
    return np.stack(np.meshgrid(codes_of(a), codes_of(b)), axis=-1).reshape(-1, 2)


def is_exact(a, b):
    """Whether the product is, of every pair of codes, as traced and as optimised."""
    circuit, values = traced((a, b), DOMAIN.multiply), every_pair(a, b)
    truth = values.prod(axis=1, keepdims=True)
    assert all(op.opcode != MULTIPLIER for op in circuit.ops)
    optimise(circuit, lambda c: np.array_equal(c.predict(values, n_threads=1), truth))
    return np.array_equal(circuit.predict(values, n_threads=1), truth)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((1, 0, 0), (1, 0, 0)), ((0, 1, 0), (1, 2, 3)), ((1, 2, 0), (1, 2, 0)), ((1, 3, 0), (0, 2, 2)),
        ((1, 6, 2), (1, 4, 4)), ((0, 9, 0), (1, 0, 4)), ((0, -2, 9), (1, 7, -3)), ((1, 9, 1), (1, 2, 3)),
    ],
)  # fmt: skip
def test_every_product_is_exact(a, b):
    assert is_exact(a, b)
    assert is_exact(b, a)


kinds = st.tuples(st.integers(0, 1), st.integers(-2, 5), st.integers(-2, 5)).filter(lambda t: 1 <= sum(t) <= 9)


@settings(max_examples=25, deadline=None)
@given(kinds, kinds)
def test_products_of_any_types_are_exact(a, b):
    assert is_exact(a, b)


@pytest.mark.parametrize("kind", [(1, 5, 3), (0, 4, 5), (1, 6, 5), (1, 0, 13), (0, 14, 0)])
def test_squares_of_any_width_are_exact_and_never_negative(kind):
    circuit, values = traced((kind,), DOMAIN.square), codes_of(kind)[:, None]
    assert np.array_equal(circuit.predict(values, n_threads=1), values**2)
    assert circuit.out_qint[0].min >= 0


def test_wide_products_at_their_ends():
    a, b = (1, 10, 9), (1, 3, 14)
    rng = np.random.default_rng(0)
    pairs = [np.concatenate([codes_of(k)[[0, 1, -1, -2]], rng.choice(codes_of(k), 200)]) for k in (a, b)]
    values = np.stack(np.meshgrid(*pairs), axis=-1).reshape(-1, 2)
    circuit = traced((a, b), DOMAIN.multiply)
    assert np.array_equal(circuit.predict(values, n_threads=1), values.prod(axis=1, keepdims=True))


def test_what_does_not_change_is_no_table():
    def product(x, y):
        return DOMAIN.multiply(DOMAIN.relu(-DOMAIN.relu(x)) + 1.5, y)  # 1.5 whatever x is

    circuit, values = traced(((1, 2, 0), (1, 2, 1)), product), every_pair((1, 2, 0), (1, 2, 1))
    assert np.array_equal(circuit.predict(values, n_threads=1), 1.5 * values[:, 1:])
    assert not circuit.lookup_tables


def test_a_planted_fault_is_seen(monkeypatch):
    """The sign of the highest digit, forgotten."""
    true = alkaid_products._digits
    monkeypatch.setattr(
        alkaid_products,
        "_digits",
        lambda x, bits: [*true(x, bits)[:-1], true(x, bits)[-1].quantize(0, int(x.kif[1]) + 1, int(x.kif[2]))],
    )
    values = every_pair((1, 6, 0), (1, 6, 0))
    circuit = traced(((1, 6, 0), (1, 6, 0)), DOMAIN.multiply)
    assert not np.array_equal(circuit.predict(values, n_threads=1), values.prod(axis=1, keepdims=True))
