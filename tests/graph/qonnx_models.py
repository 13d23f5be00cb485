"""QONNX models of a few nodes."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from codesign.graph.nodes import QONNX


def constant(name, value, dtype=np.float32):
    return numpy_helper.from_array(np.asarray(value, dtype=dtype), name)


def model(nodes, constants=(), shape=("events", 4), out=("events", 4), opset=20, functions=(), extra=()):
    graph = helper.make_graph(
        [helper.make_node(op, inputs, outputs, **attributes) for op, inputs, outputs, attributes in nodes],
        "case",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, list(out))],
        list(constants),
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(QONNX, 2), *(helper.make_opsetid(*e) for e in extra)]
    made = helper.make_model(graph, opset_imports=imports, functions=list(functions))
    made.ir_version = 10
    return made.SerializeToString()
