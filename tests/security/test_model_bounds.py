"""Models that would never end, take a machine's memory or reach for other files are refused before they are run."""

from __future__ import annotations

import struct

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from codesign.core.reading.tensor_file import tensors_of
from codesign.graph.reader import read_graph
from codesign.handoff.examination import prove_bundle
from codesign.handoff.inference import Session
from tests.security.refusal import refused
from tests.security.strangers import bundle_in, forge, run_in


def loop() -> onnx.ModelProto:
    """The model on which onnxruntime never ends: a loop of 2^62 turns."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["v"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.INT32, None),
        ],
        [
            helper.make_tensor_value_info("d", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", TensorProto.INT32, None),
        ],
    )
    nodes = [helper.make_node("Loop", ["n", "yes", "input_codes"], ["output_codes"], body=body)]
    return model(nodes, n=np.array(1 << 62), yes=np.array(True))


def model(nodes, size: int = 16, **constants) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input_codes", TensorProto.INT32, ["events", size])],
        [helper.make_tensor_value_info("output_codes", TensorProto.INT32, ["events", 5])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def branch():
    empty = helper.make_graph(
        [helper.make_node("Identity", ["input_codes"], ["x"])], "b", [], [helper.make_tensor_value_info("x", 6, None)]
    )
    return model(
        [helper.make_node("If", ["yes"], ["output_codes"], then_branch=empty, else_branch=empty)], yes=np.array(True)
    )


def function():
    made = model([helper.make_node("Twice", ["input_codes"], ["output_codes"], domain="local")])
    made.opset_import.append(helper.make_opsetid("local", 1))
    made.functions.append(
        helper.make_function(
            "local", "Twice", ["x"], ["y"], [helper.make_node("Twice", ["x"], ["y"], domain="local")],
            [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)],
        )
    )  # fmt: skip
    return made


def announced():
    made = model([helper.make_node("MatMul", ["input_codes", "w"], ["output_codes"])], w=np.zeros((16, 5), "i4"))
    made.graph.initializer[0].dims[0] = 1 << 60
    return made


def external():
    made = model([helper.make_node("MatMul", ["input_codes", "w"], ["output_codes"])], w=np.zeros((16, 5), "i4"))
    made.graph.initializer[0].ClearField("raw_data")
    made.graph.initializer[0].data_location = TensorProto.EXTERNAL
    made.graph.initializer[0].external_data.add(key="location", value="/etc/hostname")
    return made


def broadcast():
    """Tensors of 400 kB each, whose sum takes 40 GB."""
    nodes = [helper.make_node("Add", ["a", "b"], ["output_codes"])]
    return model(nodes, a=np.zeros((100_000, 1), "i4"), b=np.zeros((1, 100_000), "i4"))


def expand():
    return model([helper.make_node("Expand", ["input_codes", "s"], ["output_codes"])], s=np.array([1 << 40, 16]))


def drawn():
    return model([helper.make_node("RandomNormal", [], ["output_codes"], shape=[1 << 40])])


def deep() -> bytes:
    """Graphs within graphs, deeper than protobuf's own library writes."""

    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    graph = b""
    for _ in range(500):
        graph = field(1, field(4, b"If") + field(5, field(6, graph)))
    return field(7, graph)


def long():
    return model([helper.make_node("Identity", [f"x{i}"], [f"x{i + 1}"]) for i in range(30_000)])


MODELS = [loop, branch, function, announced, external, broadcast, expand, drawn, deep, long]


@pytest.mark.parametrize("make", MODELS)
def test_models(tmp_path, make):
    made = make()
    content = made if isinstance(made, bytes) else made.SerializeToString()
    (tmp_path / "model.onnx").write_bytes(content)
    with refused(r"model\.onnx"):
        Session(tmp_path / "model.onnx")
    if make is not drawn:
        with refused("m.onnx|operator"):
            read_graph(content, "m.onnx").run(np.zeros((1, 16)), None)


@pytest.mark.parametrize("content", [b"", b"\x08", b"not a model", bytes(1000), b"\x3a\xff\xff\xff\xff\x0f"])
def test_models_that_are_none(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with refused(r"model\.onnx"):
        Session(tmp_path / "model.onnx")
    with refused("m.onnx"):
        read_graph(content, "m.onnx")


def test_check_of_a_bundle_with_a_loop_ends(tmp_path):
    bundle = bundle_in(tmp_path)
    prove_bundle(bundle)  # what is written is read
    for name in ("codes", "features"):
        forge(bundle, f"onnx/{name}.onnx", loop().SerializeToString())
        report = prove_bundle(bundle)
        assert report.wrong, report.summary()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 20_000) + b"[" * 20_000,
        struct.pack("<Q", 62) + b'{"a":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,4]}}' + b"1234",
        struct.pack("<Q", 59) + b'{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,999999]}}' + b"1234",
    ],
)  # fmt: skip
def test_tensors(content):
    with refused("safetensors|nested|JSON", "w.safetensors"):
        tensors_of(content, "w.safetensors")


def test_a_name_in_onnx_that_is_no_text(tmp_path):
    run, number = run_in(tmp_path)
    content = (run / "trials" / f"{number:04d}" / "model.onnx").read_bytes()
    with refused("m.onnx: not an ONNX file"):
        read_graph(content.replace(b"features", b"feat\xb1res"), "m.onnx")
