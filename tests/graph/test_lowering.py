"""Sources with any scales and functions of real numbers: every domain gives the integers of real arithmetic."""

import os
from fractions import Fraction

import numpy as np
import onnx
import onnxruntime
import pytest

from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import FixedPoint
from codesign.graph.nodes import CHANNELS_LAST
from codesign.graph.obstacles import Obstacles
from tests.graph.everywhere import QUIET, exact_codes
from tests.graph.random_sources import tried
from tests.graph.sources import KIND, Source, codes_of, equal_to_reals, lowered_design

#: random sources of the default suite; the nightly run takes CODESIGN_RANDOM_SOURCES of them
COUNT = int(os.environ.get("CODESIGN_RANDOM_SOURCES", "12"))
FUNCTIONS = (
    "Sigmoid", "Tanh", "Exp", "Softplus", "Erf", "HardSigmoid", "HardSwish", "Softsign", "Elu", "Selu", "Mish", "Gelu",
)  # fmt: skip


def runtime(content, values, shape):
    session = onnxruntime.InferenceSession(content, QUIET, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": values.reshape(len(values), *shape).astype(np.float32)})[0].reshape(len(values), -1)


def test_functions_between_quantisers_are_tables_correctly_rounded():
    s = Source(1, opset=20)
    x = s.quant("x", 0.25, 5)
    every = [s.quant(s.quant(s.node(function, x), 0.09, 5), 0.125, 6) for function in FUNCTIONS]
    content = s.finish(s.node("Concat", *every, axis=1), len(FUNCTIONS))
    codes = np.arange(KIND.minimum, KIND.maximum + 1)[:, None]
    _, found, truth = equal_to_reals(content, (KIND,), codes)
    assert min(len(np.unique(column)) for column in truth.T) > 3
    assert sum("table" in line or "thresholds" in line for line in found.done) >= len(FUNCTIONS)


@pytest.mark.parametrize("name", ["Log", "Sqrt", "Reciprocal", "rsqrt", "square"])
def test_functions_of_positive_numbers_too(name):
    kind = FixedPoint(signed=False, integer_bits=3, fraction_bits=3)
    s = Source(1)
    y = s.node("Add", "x", np.float32(0.125))
    if name == "rsqrt":
        y = s.node("Reciprocal", s.node("Sqrt", y))
    elif name == "square":
        y = s.node("Pow", s.node("Mul", y, np.float32(0.3)), np.float32(2))
    else:
        y = s.node(name, y)
    content = s.finish(s.quant(s.quant(y, 0.11, 6, mode="HALF_UP"), 0.125, 7), 1)
    _, _, truth = equal_to_reals(content, (kind,), np.arange(64)[:, None])
    assert len(np.unique(truth)) > 8


def dense(rng, s, x, n, m, scale):
    """A layer as Brevitas exports it: a scale for each channel, a float bias, batch normalisation, ReLU, any scale."""
    each = np.float32(rng.uniform(0.05, 0.3, (m, 1)))
    weight = s.node("Quant", np.float32(rng.normal(size=(m, n)) * 0.3), each, np.float32(0), np.float32(3),
                    signed=1, narrow=1, rounding_mode="ROUND")  # fmt: skip
    y = s.node("Gemm", x, weight, np.float32(rng.normal(size=m) * 0.2), transB=1)
    gamma, beta, mean = (np.float32(rng.normal(size=m)) for _ in range(3))
    y = s.node("BatchNormalization", y, gamma, beta, mean, np.float32(rng.uniform(0.2, 2, m)), epsilon=1e-5)
    return s.quant(s.node("Relu", y), scale, 3, signed=0)


@pytest.mark.parametrize("seed", range(2))
def test_brevitas_with_any_scales_and_batch_normalisation(seed):
    rng = np.random.default_rng(seed)
    s = Source(5)
    y = dense(rng, s, s.quant("x", 0.37, 4), 5, 6, 0.21)
    y = dense(rng, s, y, 6, 3, 0.13)
    content = s.finish(s.node("BipolarQuant", s.node("Sub", y, np.float32(0.2)), np.float32(0.5)), 3)
    equal_to_reals(content, (KIND,) * 5, codes_of(KIND, 5, 300, seed), reals=40)


def test_integers_of_pytorch_with_zero_points():
    """QuantizeLinear and DequantizeLinear: int8 and uint8, zero points, a bias of int32."""
    rng = np.random.default_rng(1)
    s = Source(4)
    scale, zero = s.constant(0.041), s.constant(17, np.uint8)
    x = s.node("DequantizeLinear", s.node("QuantizeLinear", "x", scale, zero), scale, zero)
    each = np.float32(rng.uniform(0.01, 0.05, 3))
    weight = s.node("DequantizeLinear", s.constant(rng.integers(-20, 20, (3, 4)), np.int8), each,
                    s.constant(np.zeros(3), np.int8), axis=0)  # fmt: skip
    bias = s.node("DequantizeLinear", s.constant(rng.integers(-29, 29, 3), np.int32), np.float32(0.041) * each,
                  s.constant(np.zeros(3), np.int32), axis=0)  # fmt: skip
    y = s.node("Gemm", x, weight, bias, transB=1)
    scale, zero = s.constant(0.61), s.constant(3, np.int8)
    y = s.node("QuantizeLinear", y, scale, zero)
    content = s.finish(s.node("Mul", s.node("DequantizeLinear", y, s.constant(1.0), zero), np.float32(0.5)), 3)
    design, _, truth = equal_to_reals(content, (KIND,) * 4, codes_of(KIND, 4, 200), hardware=False, reals=60)
    codes = codes_of(KIND, 4, 200)
    theirs = runtime(content, design.inputs.values(codes), (4,))
    ours = design.outputs.values(truth)
    assert (ours != theirs).any(axis=1).mean() < 0.05, "onnxruntime's float32 rounds another way more often than it may"


@pytest.mark.parametrize("inputs", [5, 6])
@pytest.mark.parametrize("scale", [0.25, 0.3])
def test_truncation_is_qonnx_own(inputs, scale):
    s = Source(2)
    x = s.quant("x", scale, 6)
    rest = [np.float32(scale), np.float32(0), np.float32(6)]
    rest += [np.float32(3)] if inputs == 5 else [np.float32(scale * 4), np.float32(3)]
    y = s.node("Trunc", x, *rest, rounding_mode="FLOOR", **({"signed": 1, "narrow": 0} if inputs == 6 else {}))
    y = s.quant(y, 0.5, 6) if scale == 0.3 else y
    content = s.finish(y, 2)
    codes = np.stack([np.arange(KIND.minimum, KIND.maximum + 1)] * 2, axis=1)
    design, _, truth = equal_to_reals(content, (KIND,) * 2, codes)
    from qonnx.custom_op.general.quant import quant
    from qonnx.custom_op.general.trunc import trunc_v1, trunc_v2

    x = np.float32(design.inputs.values(codes))
    x = quant(x, *(np.float32(v) for v in (scale, 0, 6)), 1, 0, "ROUND")
    if inputs == 5:
        theirs = trunc_v1(x, *rest, "FLOOR")
    else:
        theirs = trunc_v2(x, rest[0], rest[1], rest[2], 0, 1, rest[3], rest[4], "FLOOR")
    if scale == 0.3:
        theirs = quant(theirs, *(np.float32(v) for v in (0.5, 0, 6)), 1, 0, "ROUND")
    assert np.array_equal(design.outputs.values(truth), theirs)


def test_thresholds_of_finn_off_the_grid_with_any_scale():
    rng = np.random.default_rng(5)
    s = Source(3)
    steps = np.sort(np.float32(rng.normal(size=(3, 7)) * 3), axis=1)
    y = s.node("MultiThreshold", "x", steps, out_scale=0.3, out_bias=-1.1, out_dtype="INT4")
    content = s.finish(s.quant(y, 0.25, 5), 3)
    equal_to_reals(content, (KIND,) * 3, codes_of(KIND, 3, 200))


def test_a_mean_over_ten_and_a_chain_of_factors():
    s = Source(10, 2)
    y = s.node("ReduceMean", "x", axes=[1], keepdims=0)
    y = s.node("Div", s.node("Mul", y, np.float32(1.7)), np.float32(3))
    content = s.finish(s.quant(s.node("Sub", np.float32(1), y), 0.0625, 6), 2)
    _, found, _ = equal_to_reals(content, (KIND,) * 20, codes_of(KIND, 20, 200))
    assert found.done


def test_shapes_computed_in_the_graph_are_constants():
    s = Source(2, 3, opset=9)
    count = s.node("Gather", s.node("Shape", "x"), s.constant(0, np.int64), axis=0)
    shape = s.node("Concat", s.node("Unsqueeze", count, axes=[0]), s.constant([-1], np.int64), axis=0)
    y = s.node("Reshape", "x", shape)
    size = s.node("Gather", s.node("Shape", y), s.constant(1, np.int64), axis=0)
    y = s.node("Div", y, s.node("Cast", size, to=1))
    content = s.finish(s.quant(y, 0.125, 4), 6)
    equal_to_reals(content, (KIND,) * 6, codes_of(KIND, 6, 50))
    bad = Source(2, 2)
    double = bad.node("Mul", bad.node("Shape", "x"), bad.constant([2, 1, 1], np.int64))
    content = bad.finish(bad.node("Reshape", "x", bad.node("Slice", double, bad.constant([0], np.int64),
                                                           bad.constant([2], np.int64))), 2)  # fmt: skip
    with pytest.raises(UnsupportedError, match="would mix events"):
        lowered_design(content, (KIND,) * 4)


@pytest.mark.parametrize("op", ["Expand", "Tile", "ConstantOfShape", "Pad"])
def test_what_grows_with_the_number_of_events_is_refused_and_not_made(op):
    s = Source(2)
    shape = s.node("Shape", "x")
    if op == "ConstantOfShape":
        y = s.node("Add", "x", s.node(op, shape))
    elif op == "Pad":
        y = s.node(op, "x", s.node("Concat", shape, shape, axis=0))
    else:
        y = s.node("Add", "x", s.node(op, np.float32([[1, 2]]), shape))
    with pytest.raises(UnsupportedError, match="depends on the number of events"):
        lowered_design(s.finish(y, 2), (KIND,) * 2)


def test_channels_last_of_qonnx_is_not_onnx_own():
    rng = np.random.default_rng(2)
    s = Source(4, 4, 3)
    weight = np.float32(rng.integers(-3, 4, (2, 2, 2, 3)))
    y = s.node("Conv", "x", weight, domain=CHANNELS_LAST, kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 0, 0],
               dilations=[1, 1], group=1)  # fmt: skip
    parameters = [np.float32(rng.uniform(0.5, 2, 2)) for _ in range(4)]
    y = s.node("BatchNormalization", y, *parameters, domain=CHANNELS_LAST, epsilon=1e-5)
    y = s.quant(y, 0.9, 4)
    y = s.node("MaxPool", y, domain=CHANNELS_LAST, kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 0, 0])
    content = s.finish(s.quant(y, 1.0, 4), 2, 2, 2)
    codes = codes_of(KIND, 48, 30)
    design, _, truth = equal_to_reals(content, (KIND,) * 48, codes, reals=6)
    from qonnx.custom_op.general.quant import quant

    x = design.inputs.values(codes).reshape(-1, 4, 4, 3)
    out = np.stack([
        sum(x[:, i : i + 3, j : j + 3] @ weight[f, i, j] for i in range(2) for j in range(2)) for f in range(2)
    ], axis=-1)  # fmt: skip
    gamma, beta, mean, variance = (p.astype(np.float64) for p in parameters)
    out = (out - mean) * gamma / np.sqrt(variance + float(np.float32(1e-5))) + beta
    out = quant(out, np.float64(np.float32(0.9)), np.float64(0), np.float64(4), 1, 0, "ROUND")
    out = np.max([out[:, i : i + 2, j : j + 2] for i in range(2) for j in range(2)], axis=0)
    theirs = quant(out, *(np.float64(v) for v in (1, 0, 4)), 1, 0, "ROUND").reshape(len(codes), -1)
    assert np.array_equal(design.outputs.values(truth), theirs)


def test_a_residual_of_one_scale_and_a_pool_of_pending_factors():
    rng = np.random.default_rng(3)
    s = Source(2, 4)
    a = s.quant("x", 0.3, 4)
    b = s.quant(s.node("Mul", "x", np.float32(0.7)), 0.3, 4)
    y = s.node("MaxPool", s.node("Add", a, b), kernel_shape=[2], strides=[2])
    y = s.node("MatMul", s.node("Flatten", y, axis=1), np.float32(rng.normal(size=(4, 2))))
    refused = s.finish(s.quant(y, 0.25, 5), 2)
    with pytest.raises(UnsupportedError, match="not quantised"):
        lowered_design(refused, (KIND,) * 8)
    del s.nodes[-2:]
    weight = s.quant(np.float32(rng.normal(size=(4, 2))), 0.17, 4)
    y = s.node("MatMul", s.nodes[-2].output[0], weight)
    content = s.finish(s.quant(y, 0.25, 5), 2)
    equal_to_reals(content, (KIND,) * 8, codes_of(KIND, 8, 100))


@pytest.mark.parametrize("opset", [7, 11, 13, 18, 22])
def test_opsets_in_which_nodes_changed(opset):
    s = Source(2, 3, opset=opset)
    y = s.node("Mul", "x", np.float32(0.3))
    if opset < 11:
        y = s.node("Clip", y, min=-0.7, max=1.1)
        y = s.node("Pad", y, pads=[0, 0, 1, 0, 0, 0], value=0.4)
    else:
        y = s.node("Clip", y, np.float32(-0.7), np.float32(1.1))
        y = s.node("Pad", y, s.constant([0, 0, 1, 0, 0, 0], np.int64), np.float32(0.4))
    y = s.node("Dropout", s.quant(y, 0.125, 5), **({"ratio": 0.5} if opset < 12 else {}))
    axes = [1]
    y = s.node("Unsqueeze", y, axes=axes) if opset < 13 else s.node("Unsqueeze", y, s.constant(axes, np.int64))
    y = s.node("Squeeze", y, axes=axes) if opset < 13 else s.node("Squeeze", y, s.constant(axes, np.int64))
    y = s.node("ReduceMean", y, axes=[2], keepdims=0) if opset < 18 else s.node(
        "ReduceMean", y, s.constant([2], np.int64), keepdims=0
    )  # fmt: skip
    content = s.finish(s.quant(y, 0.0625, 6, mode="FLOOR"), 2)
    equal_to_reals(content, (KIND,) * 6, codes_of(KIND, 6, 60))


@pytest.mark.parametrize("first", range(0, COUNT, 12))
def test_random_sources_are_equal_everywhere_and_to_real_arithmetic(first):
    outcomes = [tried(seed) for seed in range(first, min(first + 12, COUNT))]
    assert outcomes.count("equal") > len(outcomes) // 3, outcomes


REFUSED = {
    "a bare function": (lambda s: s.node("Sigmoid", "x"), "sigmoid.*put a quantiser behind Sigmoid_n0"),
    "a factor without a quantiser": (lambda s: s.node("Mul", "x", np.float32(0.3)), "behind|behind Mul_n0"),
    "a root into a matrix": (
        lambda s: s.node("MatMul", s.node("Sqrt", s.node("Abs", "x")), np.ones((2, 2), np.float32)),
        "sqrt",
    ),
    "softmax inside": (lambda s: s.quant(s.node("Softmax", "x"), 0.1, 4), "Softmax is a function of many real numbers"),
    "the logarithm of 0": (lambda s: s.quant(s.node("Log", "x"), 0.1, 4), "logarithm of -8"),
    "training": (
        lambda s: s.node("BatchNormalization", "x", *([np.ones(2, np.float32)] * 4), training_mode=1),
        "training mode",
    ),
    "a huge slope, which is none": (
        lambda s: s.quant(s.node("Mul", s.node("Sigmoid", s.node("Mul", "x", np.float32(2**14 + 1))), "x"), 0.125, 4),
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_advice(name):
    made, reason = REFUSED[name]
    s = Source(2)
    content = s.finish(made(s), 2)
    if reason is None:
        equal_to_reals(content, (KIND,) * 2, codes_of(KIND, 2, 30))
        return
    with pytest.raises(Obstacles, match=reason):
        lowered_design(content, (KIND,) * 2)


def test_a_wide_signal_that_neither_rises_nor_falls_is_refused_with_its_width():
    kind = FixedPoint(signed=True, integer_bits=17, fraction_bits=0)
    s = Source(1)
    y = s.node("Mul", s.node("Tanh", "x"), "x")
    content = s.finish(s.quant(y, 0.3, 4), 1)
    with pytest.raises(Obstacles, match="signal of 18 bits; a table takes at most 16 bits"):
        lowered_design(content, (kind,))


def test_functions_that_grow_without_a_quantiser_are_bounded():
    """Of each node as large as of all before it together: evaluated, that takes for ever."""
    s = Source(1)
    y = s.node("Tanh", "x")
    for _ in range(60):
        y = s.node("Mul", y, y)
    with pytest.raises(Obstacles, match="more than 512 steps; put quantisers between them"):
        lowered_design(s.finish(s.quant(y, 0.125, 4), 1), (KIND,))
    s = Source(1)
    y = "x"
    for _ in range(3000):
        y = s.node("Mul", y, np.float32(1.1))
    with pytest.raises(Obstacles, match="more than 512 steps"):
        lowered_design(s.finish(s.quant(y, 0.125, 4), 1), (KIND,))


def test_every_obstacle_of_a_lowering_at_once():
    s = Source(2)
    a = s.quant(s.node("Softmax", "x"), 0.1, 4)
    b = s.node("MatMul", s.node("Tanh", "x"), np.ones((2, 2), np.float32))
    c = s.node("Det", "x")
    content = s.finish(s.node("Concat", a, b, c, axis=1), 6)
    with pytest.raises(Obstacles) as error:
        lowered_design(content, (KIND,) * 2)
    assert [o.node for o in error.value.obstacles] == ["Det_n4", "Softmax_n0", "MatMul_n3"]
    assert "put a quantiser behind Tanh_n2" in error.value.obstacles[2].advice


def test_the_order_alone_lets_the_end_be_left_out():
    s = Source(3)
    y = s.node("MatMul", s.quant("x", 0.3, 4), np.float32(0.7) * np.eye(3, dtype=np.float32))
    content = s.finish(s.node("Softmax", s.node("Add", y, np.float32(0.1)), axis=-1), 3)
    with pytest.raises(UnsupportedError, match="Softmax"):
        lowered_design(content, (KIND,) * 3)
    design, found = lowered_design(content, (KIND,) * 3, order_only=True)
    assert [d.what for d in found.dropped] == ["Softmax", "what MatMul_n1 does to all outputs alike"]
    codes = codes_of(KIND, 3, 100)
    ours = exact_codes(design, codes)
    theirs = runtime_softmax(content, design.inputs.values(codes))
    for a in range(3):
        for b in range(3):
            clear = np.abs(theirs[:, a] - theirs[:, b]) > 1e-6
            assert np.array_equal((ours[:, a] > ours[:, b])[clear], (theirs[:, a] > theirs[:, b])[clear])
    uneven = Source(2)
    y = uneven.node("Mul", uneven.quant("x", 0.3, 4), np.float32([0.3, 0.7]))
    with pytest.raises(UnsupportedError, match="no power of two"):
        lowered_design(uneven.finish(y, 2), (KIND,) * 2, order_only=True)


def runtime_softmax(content, x):
    codes = np.clip(np.rint(x / np.float64(np.float32(0.3))), -8, 7)
    scores = codes * 0.3 * 0.7
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def test_what_needs_nothing_stays_as_it_is():
    s = Source(3, opset=20)
    y = s.node("Relu", s.node("MatMul", s.quant("x", 0.5, 4), np.float32(np.eye(3))))
    content = s.finish(s.quant(y, 0.25, 3, signed=0, mode="FLOOR"), 3)
    _, found = lowered_design(content, (KIND,) * 3)
    assert [n.op_type for n in onnx.load_from_string(found.content).graph.node] == ["Quant", "MatMul", "Relu", "Quant"]
    assert not found.done
    assert not found.dropped


def test_float32_rounds_another_way_where_a_tie_is_near_and_the_design_does_not():
    """The quotient by 0.1 as float32 has it is below whole numbers; float32 itself rounds it up to them."""
    kind = FixedPoint(signed=False, integer_bits=4, fraction_bits=2)
    s = Source(1)
    content = s.finish(s.quant("x", np.float32(0.1), 8, signed=0, mode="FLOOR"), 1)
    with pytest.raises(UnsupportedError, match="no power of two"):
        lowered_design(content, (kind,))
    s = Source(1)
    y = s.node("Quant", "x", np.float32(0.1), np.float32(0), np.float32(8), signed=0, narrow=0, rounding_mode="FLOOR")
    content = s.finish(s.node("Quant", s.node("Mul", y, np.float32(10)), np.float32(1), np.float32(0), np.float32(8),
                              signed=0, narrow=0, rounding_mode="FLOOR"), 1)  # fmt: skip
    codes = np.arange(64)[:, None]
    design, _, truth = equal_to_reals(content, (kind,), codes)
    tenth = Fraction(float(np.float32(0.1)))
    inner = [min(int(Fraction(c, 4) / tenth), 255) for c in range(64)]
    assert truth[:, 0].tolist() == [int(c * tenth * 10) for c in inner]
    assert design.outputs.size == 1
