"""Graphs of small trees."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from tests.graph.ensembles import by_ids

#: x[0] <= 0.3: x[1] < -1: 1.5 else -0.25; else x[0] > 2: 3 else 0.5
TREE = ("BRANCH_LEQ", 0, 0.3, ("BRANCH_LT", 1, -1.0, 1.5, -0.25), ("BRANCH_GT", 0, 2.0, 3.0, 0.5))


def graph_of(nodes, features, outputs, opset=3, initial=()):
    graph = helper.make_graph(
        nodes,
        "trees",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["events", features])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["events", outputs])],
        initial,
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


def regressor(trees, features=3, targets=1, several=False, output="y", **attributes):
    given = by_ids(trees, targets, several=several, rng=np.random.default_rng(1)) | {"n_targets": targets}
    kept = {k: v for k, v in (given | attributes).items() if v is not None}
    return helper.make_node("TreeEnsembleRegressor", ["x"], [output], "trees", domain="ai.onnx.ml", **kept)


def one(trees, features=3, targets=1, **attributes):
    return graph_of([regressor(trees, features, targets, **attributes)], features, targets)
