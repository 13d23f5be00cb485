"""A design taken apart into integer matrices and thresholds is the same function, for any rounding mode."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.probes import probe_codes
from codesign.flows.finn.finn_layers import MOST_BITS, layers_of
from codesign.graph.exact import Exact
from codesign.graph.quantiser import QUANT_MODES
from codesign.graph.reader import read_graph
from tests.families.learned_networks import exported, scattered
from tests.families.mlp_networks import CONFIGS
from tests.flows.finn.small_networks import KIND, small
from tests.flows.small_designs import design_of as trained
from tests.graph.graphs import GraphBuilder, design_of

MODES = [mode.value for mode in QUANT_MODES]


def same(design, codes=None):
    codes = probe_codes(design.inputs) if codes is None else np.concatenate([probe_codes(design.inputs), codes])
    truth = read_graph(design.onnx).run(design.inputs.values(codes), Exact())
    layers = layers_of(design)
    assert np.array_equal(design.outputs.values(layers.run(codes)), truth)
    for layer in layers.steps:
        if layer.thresholds is not None:
            assert (np.diff(layer.thresholds, axis=1) >= 0).all()
    return layers


@pytest.mark.parametrize("config", CONFIGS)
def test_trained_networks(config):
    _, design, codes = trained(config)
    same(design, codes)


def test_widths_of_every_weight_neuron_and_input_of_their_own():
    design, codes = exported(scattered("weight"))
    same(design, codes)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    mode=st.sampled_from(MODES),
    bits=st.integers(2, 9),
    signed=st.integers(0, 1),
    narrow=st.integers(0, 1),
    width=st.integers(1, 8),
    positive=st.booleans(),
)
def test_any_rounding_mode_and_width(seed, mode, bits, signed, narrow, width, positive):
    kind = FixedPoint(signed=not positive and width > 1, integer_bits=1, fraction_bits=width - 1 - (not positive))
    if kind.width < 1 or (kind.signed and kind.width < 2):
        kind = FixedPoint(signed=False, integer_bits=1, fraction_bits=0)
    same(small(seed, mode, bits, signed, kind, narrow))


def test_an_input_quantiser_that_rounds_becomes_thresholds():
    build = GraphBuilder(2)
    x = build.quant("x", 0.5, 4, 1, 0, "ROUND")  # coarser than the codes that come in
    x = build.node("MatMul", x, build.constant([[1.0], [-0.5]]))
    layers = same(design_of(build.finish(x, 1), KIND, 2))
    assert layers.steps[0].weights is None
    assert layers.steps[0].thresholds.shape == (2, 15)


def test_dead_neurons_and_constant_outputs():
    build = GraphBuilder(3)
    x = build.quant("x", KIND.lsb, KIND.width)
    weights = np.array([[1.0, 0.0, -0.5], [0.25, 0.0, 0.0], [0.0, 0.0, 2.0]])
    x = build.node("Add", build.node("MatMul", x, build.constant(weights)), build.constant([0.0, 0.3125, 0.0]))
    x = build.quant(build.node("Relu", x), 0.25, 4, 0)
    x = build.node("MatMul", x, build.constant([[0.5, 0.0], [1.0, 0.0], [-0.25, 0.0]]))
    x = build.node("Add", x, build.constant([0.0, 1.5]))
    same(design_of(build.finish(x, 2), KIND, 3))


def test_signs_as_activations():
    build = GraphBuilder(3)
    x = build.quant("x", KIND.lsb, KIND.width)
    x = build.node("MatMul", x, build.constant(np.array([[1.0, -1.0], [0.5, 0.25], [-2.0, 0.5]])))
    x = build.node("BipolarQuant", x, build.constant(0.5))
    x = build.node("MatMul", x, build.constant([[1.0], [3.0]]))
    same(design_of(build.finish(x, 1), KIND, 3))


def chain(*nodes):
    """A network with other nodes than layers between its two matrices."""
    build = GraphBuilder(4)
    x = build.node("MatMul", build.quant("x", KIND.lsb, KIND.width), build.constant(np.eye(4)))
    for node in nodes:
        x = node(build, x)
    x = build.node("MatMul", x, build.constant(np.ones((4, 2))))
    return design_of(build.finish(x, 2), KIND, 4)


def halves(build, x):
    """Two features, and two more, joined again."""
    pieces = [build.node("Gather", x, build.constant(places, np.int64), axis=1) for places in ([0, 1], [2, 3])]
    return build.node("Concat", *pieces, axis=1)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (lambda b, x: b.node("Add", b.quant(x, 0.25, 4), x), "sum of two signals"),
        (halves, "a choice of elements"),
        (lambda b, x: b.node("Relu", x), "without a quantiser"),
        (lambda b, x: b.quant(x, 2.0**-10, MOST_BITS + 4, 1), "bits on one grid"),
    ],
)
def test_what_has_no_layer_is_refused_by_name(node, words):
    with pytest.raises(UnsupportedError, match=f"flow finn: .*{words}"):
        layers_of(chain(node))
