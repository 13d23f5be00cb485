"""Small designs of trees."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from codesign.core.fixedpoint import FixedPoint
from codesign.core.targets import load_target
from codesign.importing.trees import read_trees
from codesign.testing.graphs import kind_of, port_of_one_kind
from tests.graph.ensembles import random_trees
from tests.graph.everywhere import design_for
from tests.graph.tree_graphs import TREE, graph_of, one, regressor

FILES = Path(__file__).parents[1] / "importing" / "trees" / "files"


INPUTS = port_of_one_kind(kind_of(6, True, 2), 5)


TARGET = load_target("vu13p-360")


def imported(name, bits=10):
    return read_trees(FILES / name).design(INPUTS, bits)


def mixed(seed=0):
    """Several outputs of each leaf, inputs of every type, one of them unused, an output without a tree."""
    rng = np.random.default_rng(seed)
    trees = [*random_trees(rng, 4, 5, 4), TREE, TREE, 0.5]
    content = graph_of([regressor(trees, 5, 3, several=True, n_targets=4, base_values=[0.5, -0.25, 0.0, 1.0])], 5, 4)
    kinds = [(True, 5, 2), (False, 3, 1), (True, 2, 0), (False, 1, 0), (True, 4, 4)]
    return design_for(content, [FixedPoint(signed=s, integer_bits=b - s - f, fraction_bits=f) for s, b, f in kinds])


DESIGNS = {
    "two": lambda: imported("xgboost_two.json"),
    "five": lambda: imported("lightgbm_five.txt"),
    "number": lambda: imported("sklearn_number.onnx"),
    "mixed": mixed,
    # of one bit, -1 and 0, beside a wider one: in a register between stages its sign is told by a place
    "one bit": lambda: design_for(one([("BRANCH_LT", 0, 0.25, -0.25, 0.0), TREE, TREE], 2), [kind_of(4, True, 2)] * 2),
    "one decision": lambda: design_for(one([("BRANCH_LT", 0, 0.25, 1.0, -2.0)], 1), [kind_of(3, True, 1)]),
}
