"""What a file may say that a careless reader takes for something else: the same integers as its runner, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import codesign
from codesign.core.errors import CodesignError
from codesign.graph.nodes import QONNX
from codesign.importing.onnx_runners import _by_events
from codesign.importing.source_agreement import exact_codes
from tests.importing.small import mlp, model, quant, saved

QUANT = {"zero": 0.0, "four": 4.0, "in": 0.25}
NORMAL = ("gamma", "beta", "mean", "variance")


def normalised(epsilon: float | None, opset: int = 13) -> onnx.ModelProto:
    """BatchNormalization of a small variance, so that epsilon decides, before a quantiser."""
    more = {} if epsilon is None else {"epsilon": epsilon}
    nodes = [
        quant("x", "q", "in"),
        helper.make_node("BatchNormalization", ["q", *NORMAL], ["n"], "normal", **more),
        quant("n", "y", "in", "eight"),
    ]
    constants = {
        "zero": 0.0, "four": 4.0, "eight": 8.0, "in": 0.25, "gamma": [0.1, 0.2, -0.3, 0.4], "beta": [0.0, 1.0, 0.5, -1],
        "mean": [0.5, -0.5, 0.0, 0.25], "variance": [1e-3, 2e-3, 1e-4, 5e-3],
    }  # fmt: skip
    return model(nodes, constants, opset=opset)


def shared_weight() -> onnx.ModelProto:
    """One tensor that is a matrix in one place, and a bias and a scale in others."""
    nodes = [
        quant("x", "q", "in"), helper.make_node("MatMul", ["q", "w"], ["m"], "m"),
        helper.make_node("Add", ["m", "row"], ["a"], "a"), quant("a", "r", "act", "eight"),
        helper.make_node("MatMul", ["r", "w"], ["n"], "n"), helper.make_node("Mul", ["n", "row"], ["y"], "y"),
    ]  # fmt: skip
    rng = np.random.default_rng(2)
    constants = {
        "zero": 0.0, "four": 4.0, "eight": 8.0, "in": 0.25, "act": 0.5, "w": rng.integers(-3, 4, (4, 4)) * 1.0,
        "row": [[0.5, 1.0, 2.0, 0.25]],
    }  # fmt: skip
    return model(nodes, constants)


def several_outputs() -> onnx.ModelProto:
    """Two heads, of which the second comes first in the graph, and the first is the input of another node, too."""
    nodes = [
        quant("x", "q", "in"), helper.make_node("MatMul", ["q", "w"], ["b"], "b"),
        helper.make_node("Relu", ["b"], ["r"], "r"), helper.make_node("MatMul", ["r", "v"], ["a"], "a"),
    ]  # fmt: skip
    constants = {"zero": 0.0, "four": 4.0, "in": 0.25, "w": np.eye(4)[:, :3], "v": np.ones((3, 2))}
    return model(nodes, constants, outputs=("a", "b"))


def as_inputs() -> onnx.ModelProto:
    """Initialisers that stand among the inputs, as older files have them."""
    made = mlp()
    for tensor in made.graph.initializer:
        made.graph.input.insert(0, helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    return made


def flat(axis: int) -> onnx.ModelProto:
    """Flatten of two axes."""
    nodes = [
        quant("x", "q", "in"), helper.make_node("Flatten", ["q"], ["f"], "flat", axis=axis),
        helper.make_node("MatMul", ["f", "w"], ["y"], "m"),
    ]  # fmt: skip
    constants = {"zero": 0.0, "four": 4.0, "in": 0.25, "w": np.arange(12.0).reshape(6, 2)}
    return model(nodes, constants, shape=("n", 2, 3))


def softmax(opset: int, axis: int | None) -> onnx.ModelProto:
    """A last Softmax, whose default axis is another since opset 13."""
    end = helper.make_node("Softmax", ["s"], ["p"], "last", **({} if axis is None else {"axis": axis}))
    return mlp([end], "p", opset=opset)


def with_sparse() -> onnx.ModelProto:
    """A weight that is stored sparsely."""
    made = mlp()
    values = numpy_helper.from_array(np.array([0.5, 1.0], np.float32), "w1")
    places = numpy_helper.from_array(np.array([3, 7], np.int64), "places")
    kept = [t for t in made.graph.initializer if t.name != "w1"]
    del made.graph.initializer[:]
    made.graph.initializer.extend(kept)
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4, 5]))
    return made


def with_weight(value: float) -> onnx.ModelProto:
    """A weight that is no number."""
    made = mlp()
    for tensor in made.graph.initializer:
        if tensor.name == "w2":
            array = numpy_helper.to_array(tensor).copy()
            array[2, 1] = value
            tensor.CopyFrom(numpy_helper.from_array(array, "w2"))
    return made


def with_text() -> onnx.ModelProto:
    made = mlp()
    made.graph.initializer.append(helper.make_tensor("names", TensorProto.STRING, [1], [b"a"]))
    return made


def with_external() -> onnx.ModelProto:
    made = mlp()
    for tensor in made.graph.initializer:
        if tensor.name == "w1":
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="/etc/passwd")
    return made


def beside(folder: Path) -> onnx.ModelProto:
    """The same with a weight in a file beside it, as torch.onnx.export writes it."""
    made = mlp()
    for tensor in made.graph.initializer:
        if tensor.name == "w1":
            (folder / "m.onnx.data").write_bytes(b"another tensor  " + tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", "m.onnx.data"), ("offset", "16"), ("length", "80")):
                tensor.external_data.add(key=key, value=value)
    return made


def channels_last() -> onnx.ModelProto:
    """A convolution, a pool and a normalisation of QONNX' own domain, whose channels are the last axis."""
    last = "qonnx.custom_op.channels_last"
    rng = np.random.default_rng(4)
    constants = {
        "zero": 0.0, "four": 4.0, "eight": 8.0, "in": 0.25, "w": rng.integers(-2, 3, (3, 2, 2, 2)) * 0.5,
        "gamma": [0.5, 1.0, 2.0], "beta": [0.0, 0.5, -0.5], "mean": [0.0, 0.0, 0.0], "variance": [0.25, 1.0, 1.0],
    }  # fmt: skip
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], "turned", perm=[0, 2, 3, 1]),
        quant("t", "q", "in"),
        helper.make_node("Conv", ["q", "w"], ["c"], "conv", domain=last, kernel_shape=[2, 2]),
        helper.make_node(
            "BatchNormalization", ["c", "gamma", "beta", "mean", "variance"], ["b"], "normal", domain=last, epsilon=0.0
        ),
        quant("b", "r", "in", "eight"),
        helper.make_node("MaxPool", ["r"], ["y"], "pool", domain=last, kernel_shape=[2, 1], strides=[1, 1]),
    ]
    made = model(nodes, constants, shape=("n", 2, 3, 2), domains=(QONNX, last))
    for name, shape in (("c", ["n", 2, 1, 3]), ("b", ["n", 2, 1, 3])):
        made.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    return made


def two_at_once() -> onnx.ModelProto:
    """A file that was exported for two events, and takes no other number."""
    nodes = [
        quant("x", "q", "in"), helper.make_node("Reshape", ["q", "to"], ["f"], "flat"),
        helper.make_node("MatMul", ["f", "w"], ["y"], "m"),
    ]  # fmt: skip
    constants = {"zero": 0.0, "four": 4.0, "in": 0.25, "to": np.array([2, 4]), "w": np.arange(8.0).reshape(4, 2)}
    return model(nodes, constants, shape=(2, 2, 2))


def rounded_softmax() -> onnx.ModelProto:
    """What quantises after training writes: a last Softmax between QuantizeLinear and DequantizeLinear."""
    ends = [
        helper.make_node("Softmax", ["s"], ["p"], "last", axis=1),
        helper.make_node("QuantizeLinear", ["p", "step", "none"], ["pq"], "rounded"),
        helper.make_node("DequantizeLinear", ["pq", "step", "none"], ["pd"], "back"),
    ]
    return mlp(ends, "pd", more={"step": 1 / 256, "none": np.array(0, np.uint8)})


def with_function(name: str) -> onnx.ModelProto:
    """A function of the file's own, with the name of an operator, that doubles and negates."""
    made = mlp()
    node = next(n for n in made.graph.node if n.op_type == "Relu")
    node.op_type, node.domain = name, "mine"
    body = [helper.make_node("Neg", ["a"], ["b"]), helper.make_node("Add", ["b", "b"], ["c"])]
    opsets = [helper.make_opsetid("", 13)]
    made.functions.append(helper.make_function("mine", name, ["a"], ["c"], body, opsets))
    made.opset_import.append(helper.make_opsetid("mine", 1))
    made.graph.node.remove(node)
    made.graph.node.insert(2, node)
    return made


TAKEN: dict[str, Any] = {
    "epsilon": lambda: normalised(1e-2),
    "epsilon, its default": lambda: normalised(None),
    "one tensor in several places": shared_weight,
    "several outputs": several_outputs,
    "initialisers among the inputs": as_inputs,
    "Flatten from the front": lambda: flat(1),
    "Flatten from behind": lambda: flat(-2),
    "Softmax of opset 11": lambda: softmax(11, None),
    "Softmax of opset 13": lambda: softmax(13, None),
    **{f"opset {n}": (lambda n=n: mlp(opset=n)) for n in (7, 9, 12, 17, 22)},
    "channels last": channels_last,
    "two events at once": two_at_once,
    "a quantiser behind the last Softmax": rounded_softmax,
    "a function with a new name": lambda: with_function("Mine"),
    "a function with the name of an operator": lambda: with_function("Relu"),
}
REFUSED: dict[str, tuple[Any, str]] = {
    "NaN": (lambda: with_weight(np.nan), r"tensor 'w2': nan at \[2, 1\]"),
    "infinity": (lambda: with_weight(np.inf), r"tensor 'w2': inf at \[2, 1\]"),
    "a sparse initialiser": (with_sparse, "sparse"),
    "text": (with_text, "'names' holds neither numbers nor bits"),
    "a tensor in another file": (with_external, "'w1' lies in another file"),
    "two open axes": (lambda: model([quant("x", "y", "in")], QUANT, ("n", "m")), "axis of unknown length"),
    "Softmax over the events": (lambda: softmax(13, 0), "last"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_taken_it_is_what_its_runner_says(name: str, tmp_path: Path) -> None:
    made = TAKEN[name]()
    imported = codesign.import_model(saved(made, tmp_path / "m.onnx"))
    (agreement,) = imported.report.agreement
    assert agreement.tried > 1000
    assert agreement.equal + agreement.explained == agreement.tried


def test_tensors_of_a_file_beside_it_are_read_and_kept(tmp_path: Path) -> None:
    path = saved(beside(tmp_path), tmp_path / "m.onnx")
    imported = codesign.import_model(path)
    whole = codesign.import_model(saved(mlp(), tmp_path / "whole.onnx"))
    assert imported.design().hash == whole.design().hash
    assert imported.files()["m.onnx.data"] == (tmp_path / "m.onnx.data").read_bytes()
    assert [c.where for c in imported.report.changes if c.what == "folded"] == ["m.onnx.data"]
    (tmp_path / "m.onnx.data").write_bytes(b"short")
    with pytest.raises(CodesignError, match="ends before it"):
        codesign.import_model(path)
    (tmp_path / "m.onnx.data").unlink()
    (tmp_path / "m.onnx.data").symlink_to("/etc/passwd")
    with pytest.raises(CodesignError, match=r"'w1' lies in another file .*link"):
        codesign.import_model(path)


def test_channels_that_are_taken_for_the_first_axis_are_seen(tmp_path: Path) -> None:
    made = channels_last()
    for node in made.graph.node:
        if node.op_type == "BatchNormalization":
            node.domain = ""
    with pytest.raises(CodesignError):
        codesign.import_model(saved(made, tmp_path / "m.onnx"))


def test_epsilon_and_the_order_of_outputs_count(tmp_path: Path) -> None:
    """That the files above could be misread: what they say changes the integers."""
    designs = [codesign.import_model(saved(normalised(e), tmp_path / "m.onnx")).design() for e in (None, 1e-2)]
    codes = np.random.default_rng(0).integers(-8, 8, (200, 4))
    assert not np.array_equal(*(exact_codes(d, codes) for d in designs))
    heads = codesign.import_model(saved(several_outputs(), tmp_path / "m.onnx")).design()
    found = heads.outputs.values(exact_codes(heads, np.array([[4, -4, 2, 0]])))
    assert found.tolist() == [[1.5, 1.5, 1.0, -1.0, 0.5]]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_it_is_named(name: str, tmp_path: Path) -> None:
    made, reason = REFUSED[name]
    with pytest.raises(CodesignError, match=reason) as caught:
        codesign.import_model(saved(made(), tmp_path / "m.onnx"))
    assert "\n" not in str(caught.value)


def test_events_that_float32_rounds_otherwise_are_counted_and_each_is_explained(tmp_path: Path) -> None:
    """A tie in exact arithmetic, which a product in float32 misses."""
    nodes = [
        quant("x", "q", "in"), helper.make_node("MatMul", ["q", "w"], ["m"], "m"),
        helper.make_node("Mul", ["m", "third"], ["t"], "t"), quant("t", "y", "fine", "eight"),
    ]  # fmt: skip
    third = float(np.float32(0.3))
    constants = {
        "zero": 0.0, "four": 4.0, "eight": 8.0, "in": 0.25, "third": third, "fine": third / 4,
        "w": np.array([[1.0], [2.0], [3.0], [1.0]]),
    }  # fmt: skip
    report = codesign.import_model(saved(model(nodes, constants), tmp_path / "m.onnx")).report
    (agreement,) = report.agreement
    assert agreement.equal + agreement.explained == agreement.tried
    assert agreement.largest_gap < 1.5


@pytest.mark.parametrize(("off", "alone"), [(1e-7, False), (0.5, True)])
def test_many_events_at_once_are_one_by_one_but_for_the_order_of_float32_sums(off: float, alone: bool) -> None:
    """A file of batch 1: a last bit is no other meaning, half of the value is one."""
    made = model([helper.make_node("Relu", ["x"], ["y"], "relu")], {}, shape=(1, 4), domains=())
    sizes: list[int] = []

    def prepare(opened: onnx.ModelProto) -> Any:
        events = opened.graph.input[0].type.tensor_type.shape.dim[0].dim_value

        def run(inputs: list[Any]) -> list[Any]:
            sizes.append(events)
            return [inputs[0] * (1 + off * (events > 1))]

        return run

    x = np.linspace(1, 2, 24).reshape(6, 4)
    (found,) = _by_events(prepare, made, prepare)([x])
    assert np.array_equal(found.reshape(6, 4), x if alone else x * (1 + off))
    assert max(sizes) == 6
