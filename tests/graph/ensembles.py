"""Random ensembles of trees as attributes of the nodes of ``ai.onnx.ml``."""

from __future__ import annotations

import numpy as np
from onnx import helper, numpy_helper

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")


def random_trees(rng, features, trees, depth, step=0.25):
    """Trees as nested tuples (mode, feature, threshold, yes, no) or leaves (a number), thresholds on and off a grid."""

    def grow(left):
        if left == 0 or rng.random() < 0.15:
            return float(rng.integers(-7, 8) * step)
        threshold = float(rng.integers(-9, 10) / 2)
        if rng.random() < 0.3:
            threshold = float(np.float32(threshold + rng.normal() / 3))
        return (str(rng.choice(MODES)), int(rng.integers(features)), threshold, grow(left - 1), grow(left - 1))

    return [grow(depth) for _ in range(trees)]


def by_ids(trees, targets, owner="target", several=False, rng=None):
    """Attributes of TreeEnsembleRegressor (``owner`` class: Classifier) for trees, each of one target or of all."""
    found = {
        f"nodes_{n}": [] for n in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
    }
    found |= {f"{owner}_{n}": [] for n in ("treeids", "nodeids", "ids", "weights")}
    for number, tree in enumerate(trees):
        size = 0

        def write(node, number=number):
            nonlocal size
            mine, size = size, size + 1
            row = len(found["nodes_modes"])
            leaf = not isinstance(node, tuple)
            mode, feature, threshold = ("LEAF", 0, 0.0) if leaf else node[:3]
            for name, value in zip(found, (number, mine, feature, mode, threshold, 0, 0), strict=False):
                found[name].append(value)
            if leaf:
                for target in range(targets) if several else (number % targets,):
                    weight = node if not several else node + float(rng.integers(-3, 4))
                    for name, value in zip(
                        ("treeids", "nodeids", "ids", "weights"), (number, mine, target, weight), strict=True
                    ):
                        found[f"{owner}_{name}"].append(value)
                return mine
            found["nodes_truenodeids"][row] = write(node[3])
            found["nodes_falsenodeids"][row] = write(node[4])
            return mine

        write(tree)
    return found


def by_roots(trees, targets):
    """Attributes of TreeEnsemble, opset 5."""
    rows, leaves, roots = [], [], []

    def write(node, target):
        if not isinstance(node, tuple):
            leaves.append((node, target))
            return len(leaves) - 1, 1
        row = len(rows)
        rows.append(None)
        yes, no = write(node[3], target), write(node[4], target)
        rows[row] = (MODES.index(node[0]), node[1], node[2], *yes, *no)
        return row, 0

    for number, tree in enumerate(trees):
        whole = tree if isinstance(tree, tuple) else ("BRANCH_LEQ", 0, 0.0, tree, tree)  # one leaf
        roots.append(len(rows))
        write(whole, number % targets)
    modes, features, splits, yes, yes_leaf, no, no_leaf = zip(*rows, strict=True)
    values, ids = zip(*leaves, strict=True)
    return {
        "tree_roots": roots,
        "n_targets": targets,
        "nodes_modes": numpy_helper.from_array(np.array(modes, dtype=np.uint8), "modes"),
        "nodes_featureids": features,
        "nodes_splits": numpy_helper.from_array(np.array(splits, dtype=np.float32), "splits"),
        "nodes_truenodeids": yes,
        "nodes_trueleafs": yes_leaf,
        "nodes_falsenodeids": no,
        "nodes_falseleafs": no_leaf,
        "leaf_weights": numpy_helper.from_array(np.array(values, dtype=np.float32), "weights"),
        "leaf_targetids": ids,
    }


def ensemble_node(rng, x, output, features, opset, name="trees"):
    """A random node (NodeProto) of a version of ai.onnx.ml, 3 or 5, and how many scores it gives."""
    outputs = [output]
    targets, count = int(rng.integers(1, 4)), int(rng.integers(1, 6))
    trees = random_trees(rng, features, count, int(rng.integers(0, 4)))
    if rng.random() < 0.3:
        trees.append(trees[0])  # one tree twice
        targets = 1
    kind = 0 if opset == 5 else rng.integers(1, 3)
    aggregate = int(rng.choice([1, 1, 2, 3])) if targets <= len(trees) else 1
    if len(trees) in (1, 2, 4) and rng.random() < 0.3:
        aggregate = 0
    if kind == 0:
        attributes = by_roots(trees, targets) | {"aggregate_function": aggregate}
        return helper.make_node("TreeEnsemble", [x], outputs, name, domain="ai.onnx.ml", **attributes), targets
    base = [float(v) for v in rng.integers(-4, 5, targets) / 4]
    if kind == 1:
        attributes = by_ids(trees, targets, several=bool(rng.random() < 0.4), rng=rng)
        attributes |= {"n_targets": targets, "aggregate_function": ["AVERAGE", "SUM", "MIN", "MAX"][aggregate]}
        if rng.random() < 0.6 and targets <= len(trees):  # onnxruntime leaves out the base of what no tree gives to
            attributes["base_values"] = base
        return helper.make_node("TreeEnsembleRegressor", [x], outputs, name, domain="ai.onnx.ml", **attributes), targets
    targets = int(rng.integers(3, 5))
    attributes = by_ids(trees, targets, "class", bool(rng.random() < 0.5), rng)
    attributes["classlabels_int64s"] = [int(v) for v in rng.permutation(targets)]
    if rng.random() < 0.6:
        attributes["base_values"] = [*base, 0.5, -0.5, 0.25][:targets]
    outputs = [f"{output}_label", output]
    return helper.make_node("TreeEnsembleClassifier", [x], outputs, name, domain="ai.onnx.ml", **attributes), targets
