"""Standard ONNX in plain onnxruntime gives the firmware's integers, also out of a Triton model repository."""

from __future__ import annotations

import itertools
import re

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_run import design as mlp_design
from onnx import numpy_helper

from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.probes import probe_codes
from codesign.graph.exact import Exact
from codesign.graph.quantiser import QUANT_MODES, RoundingMode
from codesign.graph.reader import read_graph
from codesign.handoff.inference import Session, codes_model, features_model, write_repository
from tests.graph.graphs import GraphBuilder, all_codes, design_of
from tests.graph.reader_graphs import KIND, squares

CONFIG = {"widths": [8, 6], "weight_bits": [4, 4, 4], "activation_bits": [4, 4], "input_bits": 6, "sparsity": 0.5}


def exact_codes(design, codes):
    return design.outputs.codes(read_graph(design.onnx).run(design.inputs.values(codes), Exact()))


def equal(design, codes):
    found = Session(codes_model(design)).run(codes.astype(np.int32))["output_codes"]
    assert found.dtype == np.int32
    assert np.array_equal(found, exact_codes(design, codes))


@pytest.mark.parametrize("mode", [m.value for m in QUANT_MODES if m is not RoundingMode.HALF_EVEN])
@pytest.mark.parametrize(("signed", "narrow"), list(itertools.product((0, 1), (0, 1))))
def test_every_rounding_mode_is_exact(mode, signed, narrow):
    kind = FixedPoint(signed=True, integer_bits=2, fraction_bits=4)
    for exponent, bits in itertools.product((-6, -2, 1), (2, 6)):
        builder = GraphBuilder(1)
        design = design_of(builder.finish(builder.quant("x", 2.0**exponent, bits, signed, narrow, mode), 1), kind, 1)
        equal(design, all_codes(kind)[:, None])


@given(st.integers(0, 2**31 - 1), st.integers(2, 6), st.integers(1, 12))
@settings(max_examples=15, deadline=None)
def test_random_networks_are_exact(seed, bits, width):
    design = mlp_design(CONFIG | {"widths": [width, 6], "input_bits": bits}, seed)
    equal(design, probe_codes(design.inputs, events=300, seed=seed))


def test_what_is_no_matrix_product_is_exact_too():
    """Bipolar, a product of two signals, joining, reshaping, transposing, and a constant joined to signals."""
    kind = FixedPoint(signed=True, integer_bits=2, fraction_bits=1)
    b = GraphBuilder(4)
    sign = b.node("BipolarQuant", "x", b.constant(0.5))
    square = b.node("Mul", "x", "x")
    both = b.node("Concat", sign, square, axis=1)
    table = b.node("Transpose", b.node("Reshape", both, b.constant([0, 2, 4], np.int64)), perm=[0, 2, 1])
    flat = b.node("Flatten", table, axis=1)
    design = design_of(b.finish(b.node("Sub", flat, b.constant(np.arange(8) / 4)), 8), kind, 4)
    equal(design, probe_codes(design.inputs, events=200))


def test_squares_and_products_are_exact():
    design = design_of(squares(np.random.default_rng(5)), KIND, 6)
    equal(design, probe_codes(design.inputs, events=200))


def test_physical_features_give_the_same_integers():
    design = mlp_design(CONFIG)
    q = design.input_quantisation
    rng = np.random.default_rng(3)
    middle, step = np.asarray(q.offset), np.asarray(q.step)
    x = (middle + step * rng.normal(0, 40, (4000, design.inputs.size))).astype(np.float32)
    x[:500] = (middle + step * (rng.integers(-40, 40, (500, design.inputs.size)) + 0.5)).astype(np.float32)  # ties
    found = Session(features_model(design)).run(x)
    codes = exact_codes(design, q.codes(x))
    assert np.array_equal(found["output_codes"], codes)
    assert found["scores"].dtype == np.float32
    assert np.array_equal(found["scores"], design.outputs.values(codes))


def test_only_standard_operators_and_labels_travel_along():
    model = onnx.load_from_string(features_model(mlp_design(CONFIG)))
    assert {o.domain for o in model.opset_import} == {""}
    properties = {p.key: p.value for p in model.metadata_props}
    assert properties["design"] == mlp_design(CONFIG).hash
    assert len(properties["inputs"].splitlines()) == 16


def test_the_same_design_gives_the_same_bytes():
    assert codes_model(mlp_design(CONFIG)) == codes_model(mlp_design(CONFIG))


def test_a_changed_weight_is_seen():
    """The comparison above could fail: one weight off by one unit changes an integer."""
    design = mlp_design(CONFIG)
    model = onnx.load_from_string(codes_model(design))
    matrices = [i for i in model.graph.initializer if len(i.dims) == 2 and min(i.dims) > 1]
    weight = numpy_helper.to_array(matrices[-1]).copy()
    weight[np.nonzero(weight)] *= 2
    matrices[-1].CopyFrom(numpy_helper.from_array(weight, matrices[-1].name))
    codes = probe_codes(design.inputs, events=300).astype(np.int32)
    found = Session(model.SerializeToString()).run(codes)["output_codes"]
    assert not np.array_equal(found, exact_codes(design, codes))


def test_a_triton_repository_serves_what_its_configuration_says(tmp_path):
    design = mlp_design(CONFIG)
    model = write_repository(design, "made-up", tmp_path / "triton", version=3)
    config = (model / "config.pbtxt").read_text()
    assert config.count("{") == config.count("}")
    session = Session(model / "3" / "model.onnx")
    named = {
        name: (kind, int(size))
        for name, kind, size in re.findall(r'name: "(\w+)" data_type: TYPE_(\w+) dims: \[ (\d+) \]', config)
    }
    assert named == {
        "features": ("FP32", design.inputs.size),
        "scores": ("FP32", design.outputs.size),
        "output_codes": ("INT32", design.outputs.size),
    }
    x = np.zeros((5, design.inputs.size), dtype=np.float32)
    served = session.run(x)
    assert list(session.blocks) == ["features"]
    assert set(served) == {"scores", "output_codes"}
    assert np.array_equal(served["output_codes"], exact_codes(design, design.input_quantisation.codes(x)))
    assert len((model / "labels.txt").read_text().splitlines()) == design.outputs.size


@pytest.mark.parametrize("name", ["", "../up", "a/b", 'x"y'])
def test_a_name_that_is_no_folder_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="no name for a model"):
        write_repository(mlp_design(CONFIG), name, tmp_path)


def test_a_file_that_is_no_model_and_a_wrong_shape_are_refused(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(InputError, match=r"bad\.onnx"):
        Session(tmp_path / "bad.onnx")
    with pytest.raises(InputError, match=r"takes \(events, 16\)"):
        Session(codes_model(mlp_design(CONFIG))).run(np.zeros((2, 3), dtype=np.int32))
