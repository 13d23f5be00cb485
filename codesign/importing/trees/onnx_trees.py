"""Trees in ONNX, as skl2onnx and onnxmltools write them: one ensemble, and around it what does not change its order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.reading.onnx import onnx_model
from codesign.families.trees.tree_model import TreeModel
from codesign.graph.ensemble import ML, ensemble_of, node_of
from codesign.graph.forest import Tree

__all__ = ("onnx_margins", "read_onnx_trees")

_TREES = ("TreeEnsemble", "TreeEnsembleRegressor", "TreeEnsembleClassifier")
_BEFORE = ("Identity", "Cast")
#: cut behind the scores: their order stays, or they are only written otherwise
_BEHIND = ("Identity", "Cast", "ZipMap", "Sigmoid", "Softmax", "ArgMax", "Reshape", "Flatten", "Normalizer", "Squeeze")


def _whole(model: onnx.ModelProto, source: str) -> onnx.NodeProto:
    """The one ensemble of a model."""
    found = [n for n in model.graph.node if n.op_type in _TREES and n.domain == ML]
    if len(found) != 1:
        raise UnsupportedError(f"{source}: {len(found)} ensembles of trees in one graph; one is read")
    node = found[0]
    producers = {o: n for n in model.graph.node for o in n.output}
    given = {i.name for i in model.graph.input}
    name, steps = node.input[0] if node.input else "", 0
    while name not in given:
        above = producers.get(name)
        steps += 1
        if above is None or above.op_type not in _BEFORE or steps > len(model.graph.node):
            what = "nothing" if above is None else f"{above.op_type} '{above.name[:40]}'"
            raise UnsupportedError(
                f"{source}: the trees read {what}, not the inputs themselves: import the trees alone, and do what is "
                "in front of them upstream"
            )
        name = above.input[0]
    other = [n for n in model.graph.node if n is not node and n.op_type not in (*_BEFORE, *_BEHIND)]
    if other:
        raise UnsupportedError(
            f"{source}: {other[0].op_type} '{other[0].name[:40]}' beside the trees changes their scores: it is not read"
        )
    return node


def read_onnx_trees(content: bytes, source: str) -> TreeModel:
    """The raw scores of an ensemble; a softmax or logistic function behind them is cut, and named in ``objective``."""
    model = onnx_model(content, source)
    proto = _whole(model, source)
    found = ensemble_of(node_of(proto, source))
    part = 1.0
    if found.aggregate == "AVERAGE":
        part = 1.0 / found.average_of
    elif found.aggregate != "SUM":
        raise UnsupportedError(f"{source}: aggregate_function {found.aggregate}: sums and averages are read")
    inputs = [i for i in model.graph.input if i.name not in {t.name for t in model.graph.initializer}]
    if len(inputs) != 1:
        raise UnsupportedError(f"{source}: {len(inputs)} inputs; one of (events, features) is read")
    tensor = inputs[0].type.tensor_type
    used = max((int(t.features.max(initial=-1)) for t in found.trees), default=-1) + 1
    dims = tensor.shape.dim
    size = dims[1].dim_value if len(dims) == 2 and dims[1].dim_value > 0 else used
    if not used <= size <= 100_000:
        raise InputError(f"{source}: decisions on {used} features of {size}: the file is damaged")
    labels = [str(label) for label in found.labels]
    outputs = tuple(labels) if len(labels) == found.outputs else ("margin",)
    if len(outputs) != found.outputs:
        outputs = tuple(f"y{i}" for i in range(found.outputs))
    producer = " ".join(f"{model.producer_name[:40]} {model.producer_version[:20]}".split())
    return TreeModel(
        kind="onnx",
        source=producer or "ONNX",
        content=content,
        objective=f"{proto.op_type}, post_transform {found.transform}",
        features=tuple(f"x{i}" for i in range(size)),
        outputs=outputs,
        trees=tuple(_scale(t, part) for t in found.trees) if part != 1.0 else found.trees,
        base=found.base,
        single=tensor.elem_type != TensorProto.DOUBLE,
        notes=(f"the {found.transform} behind the sums is cut: their order stays",)
        if found.transform != "NONE"
        else (),
    )


def _scale(tree: Tree, part: float) -> Tree:
    return replace(tree, values=tree.values * part)


def onnx_margins(model: TreeModel) -> bytes:
    """The ensemble's own nodes with the leaves and base values that ``model`` has, as ONNX of one node.

    UnsupportedError for a TreeEnsemble of opset 5, whose leaves stand in another order.
    """
    proto = _whole(onnx_model(model.content, "model"), "model")
    if proto.op_type == "TreeEnsemble":
        raise UnsupportedError("TreeEnsemble: leaves are written back into a Regressor or Classifier only")
    attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
    owner = "class" if proto.op_type == "TreeEnsembleClassifier" else "target"
    tree_ids, node_ids = list(attributes["nodes_treeids"]), list(attributes["nodes_nodeids"])
    starts: dict[int, int] = {}
    for row, tree in enumerate(tree_ids):
        starts.setdefault(tree, row)
    place = {(t, n): row - starts[t] for row, (t, n) in enumerate(zip(tree_ids, node_ids, strict=True))}
    voters = list(zip(*(list(attributes[f"{owner}_{what}"]) for what in ("treeids", "nodeids", "ids")), strict=True))
    one = len(model.outputs) == 1
    order = sorted({(starts[t], 0 if one else o) for t, _, o in voters})
    trees = dict(zip(order, model.trees, strict=True))
    weights, seen = [], set()
    for tree, node, output in voters:
        found = trees[starts[tree], 0 if one else output]
        weights.append(0.0 if (tree, node, output) in seen else float(found.values[place[tree, node]]))
        seen.add((tree, node, output))
    kept = {n: v for n, v in attributes.items() if n.startswith("nodes_") and "hitrates" not in n}
    rewritten = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain=ML, n_targets=len(model.outputs),
        base_values=[float(b) for b in model.base], target_treeids=[t for t, _, _ in voters],
        target_nodeids=[n for _, n, _ in voters], target_ids=[0 if one else o for _, _, o in voters],
        target_weights=[float(np.float32(w)) for w in weights], **kept,
    )  # fmt: skip
    kind = TensorProto.FLOAT if model.single else TensorProto.DOUBLE
    graph = helper.make_graph(
        [rewritten],
        "margins",
        [helper.make_tensor_value_info("x", kind, ["events", len(model.features)])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["events", len(model.outputs)])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(ML, 3)]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return content
