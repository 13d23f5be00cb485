"""Our clean-up of an exported graph writes the very bytes that QONNX' own does."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.cleanup import cleanup_model

from codesign.graph import clean
from codesign.testing.cases import FAMILIES, family_design

#: beside the smallest of each family: what makes an exporter share constants, or not
MORE = {
    "mlp": {"widths": (9, 6, 5), "weight_bits": (5, 2, 3, 5), "activation_bits": (3, 3, 4), "input_bits": 3},
    "mlp-learned": {"widths": (7, 6, 5)},
}


def same_bytes(exported):
    theirs = cleanup_model(ModelWrapper(onnx.load_from_string(exported))).model
    ours = clean.clean_model(onnx.load_from_string(exported))
    assert ours.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)
    return ours


@pytest.mark.parametrize(
    ("family", "config", "outputs"),
    [(n, c, o) for n, (c, o) in FAMILIES.items()] + [(n, FAMILIES[n][0] | c, 5) for n, c in MORE.items()],
)
def test_a_family_is_cleaned_as_by_qonnx(family, config, outputs, monkeypatch):
    raw, ours = [], clean.clean_model

    def seen(exported):
        raw.append(exported.SerializeToString())
        return ours(exported)

    monkeypatch.setattr(clean, "clean_model", seen)
    family_design(family, config, outputs)
    monkeypatch.undo()
    assert len(same_bytes(raw[0]).graph.node) < len(onnx.load_from_string(raw[0]).graph.node)


def test_what_is_no_plain_constant_is_folded_by_qonnx():
    """A product of constants, a transposed weight behind its quantiser, and a constant that nothing takes."""

    def constant(name, value):
        tensor = numpy_helper.from_array(np.array(value, dtype=np.float32))
        return helper.make_node("Constant", [], [name], value=tensor)

    nodes = [
        constant("unread", 1.0),
        constant("half", 0.5),
        constant("scale", 0.25),
        helper.make_node("Mul", ["half", "half"], ["quarter"]),
        constant("zero", 0.0),
        constant("bits", 4.0),
        helper.make_node("Quant", ["w", "scale", "zero", "bits"], ["wq"], signed=1, narrow=1, rounding_mode="ROUND"),
        helper.make_node("Transpose", ["wq"], ["wt"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "wt"], ["m"]),
        helper.make_node("Mul", ["quarter", "m"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3) / 4, "w")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx.custom_op.general", 2)]
    ours = same_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())
    assert [n.op_type for n in ours.graph.node] == ["Quant", "MatMul", "Mul"]
