"""Trees as plain JSON, node by node: what a training gives of any trainer, and the model's file of scikit-learn's.

scikit-learn has no file format of its own but pickles, which are code.
"""

from __future__ import annotations

import json
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from codesign.core.errors import InputError
from codesign.core.reading.json import json_of
from codesign.core.validation import validate
from codesign.families.trees.tree_model import TreeModel
from codesign.graph.forest import MOST_TREE_NODES, Tree

__all__ = ("NODES", "read_nodes", "write_nodes")

#: the format's name, which stands in each file
NODES = "codesign-trees"


class _Tree(BaseModel):
    """Where ``values of inputs[features] >= thresholds`` on to ``reached``, else to ``below``; -1 at a leaf."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: int = Field(ge=0, lt=10_000)
    features: tuple[int, ...] = Field(min_length=1, max_length=MOST_TREE_NODES)
    thresholds: tuple[float, ...]
    reached: tuple[int, ...]
    below: tuple[int, ...]
    values: tuple[float, ...]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["codesign-trees"]
    source: str = Field(max_length=100)
    objective: str = Field(max_length=100)
    features: tuple[str, ...] = Field(min_length=1, max_length=100_000)
    outputs: tuple[str, ...] = Field(min_length=1, max_length=10_000)
    base: tuple[float, ...]
    trees: tuple[_Tree, ...]


def write_nodes(model: TreeModel) -> bytes:
    """The trees of a model of any origin; :func:`read_nodes` gives the same."""
    trees = [
        {
            "output": tree.output,
            "features": tree.features.tolist(),
            "thresholds": tree.thresholds.tolist(),
            "reached": tree.reached.tolist(),
            "below": tree.below.tolist(),
            "values": tree.values.tolist(),
        }
        for tree in model.trees
    ]
    head = {"format": NODES, "source": model.source, "objective": model.objective, "features": list(model.features)}
    whole = head | {"outputs": list(model.outputs), "base": model.base.tolist(), "trees": trees}
    return json.dumps(whole, allow_nan=False).encode()


def read_nodes(content: bytes, source: str) -> TreeModel:
    """A model that :func:`write_nodes` wrote; InputError: damaged."""
    file = validate(_File, json_of(content, source), source)
    trees = []
    for number, tree in enumerate(file.trees):
        what, count = f"{source}: tree {number}", len(tree.features)
        if any(len(given) != count for given in (tree.thresholds, tree.reached, tree.below, tree.values)):
            raise InputError(f"{what}: its arrays have different lengths: the file is damaged")
        if max(map(abs, (*tree.features, *tree.reached, *tree.below))) > MOST_TREE_NODES:
            raise InputError(f"{what}: a branch leads to a node that is not there: the file is damaged")
        trees.append(
            Tree(
                np.array(tree.features, dtype=np.int64),
                np.array(tree.thresholds, dtype=np.float64),
                np.array(tree.reached, dtype=np.int64),
                np.array(tree.below, dtype=np.int64),
                np.array(tree.values, dtype=np.float64),
                tree.output,
            )
        )
    return TreeModel(
        kind="nodes",
        source=file.source,
        content=content,
        objective=file.objective,
        features=file.features,
        outputs=file.outputs,
        trees=tuple(trees),
        base=np.array(file.base, dtype=np.float64),
        single=False,
    )
