"""conifer's model files (``model.save``): trees by round and class, with a weight of each input in each decision."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.reading.json import json_of
from codesign.core.validation import validate
from codesign.families.trees.branches import tree_of
from codesign.families.trees.tree_model import TreeModel

__all__ = ("conifer_dict", "read_conifer")


class _Tree(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    feature: tuple[int, ...]
    weight: tuple[tuple[float, ...], ...] | None = None
    threshold: tuple[float, ...]
    value: tuple[float, ...]
    children_left: tuple[int, ...]
    children_right: tuple[int, ...]


class _MetaData(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str = Field(default="", max_length=40)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    n_classes: int = Field(ge=1, le=10_000)
    n_features: int = Field(ge=1, le=100_000)
    init_predict: tuple[float, ...]
    norm: float = 1.0
    library: str = ""
    splitting_convention: Literal["<", "<="]
    feature_map: dict[str, int] = {}
    trees: tuple[tuple[_Tree, ...], ...] = Field(min_length=1)
    metadata: tuple[_MetaData, ...] = ()


def read_conifer(content: bytes, source: str) -> TreeModel:
    """A model of conifer; InputError: damaged. UnsupportedError: decisions on sums of inputs (oblique)."""
    file = validate(_File, json_of(content, source), source)
    outputs = len(file.trees[0])
    if not outputs or any(len(trees) != outputs for trees in file.trees):
        raise InputError(f"{source}: rounds with different numbers of trees: the file is damaged")
    if len(file.init_predict) != outputs and len(set(file.init_predict)) > 1:
        raise InputError(f"{source}: {len(file.init_predict)} values of init_predict for {outputs} outputs")
    names = {place: name for name, place in file.feature_map.items()}
    trees = []
    for number, (trees_of_round, output) in enumerate((r, o) for r in file.trees for o in range(outputs)):
        tree, what = trees_of_round[output], f"{source}: tree {number}"
        if tree.weight is not None:
            for feature, weights in zip(tree.feature, tree.weight, strict=False):
                alone = [i for i, w in enumerate(weights) if w]
                if feature >= 0 and (alone != [feature] or weights[feature] != 1):
                    raise UnsupportedError(f"{what} decides on a sum of inputs, which has no exact form here")
        trees.append(
            tree_of(
                what,
                left=tree.children_left,
                right=tree.children_right,
                features=tree.feature,
                thresholds=tree.threshold,
                values=[v * file.norm for v in tree.value],
                leaves=[f == -2 for f in tree.feature],
                goes_left=file.splitting_convention,
                output=output,
            )
        )
    base = file.init_predict if len(file.init_predict) == outputs else file.init_predict[:1] * outputs
    version = next((m.version for m in file.metadata if m.version), "")
    return TreeModel(
        kind="conifer",
        source=f"conifer {version}".strip(),
        content=content,
        objective=file.library[:40],
        features=tuple(names.get(i, f"f{i}") for i in range(file.n_features)),
        outputs=("margin",) if outputs == 1 else tuple(f"class_{i}" for i in range(outputs)),
        trees=tuple(trees),
        base=np.array(base, dtype=np.float64) * file.norm,
        single=False,
    )


def conifer_dict(model: TreeModel) -> dict[str, Any]:
    """The model's own file as a dictionary, with the leaves that ``model`` has."""
    file = validate(_File, json_of(model.content, "model"), "model")
    data = file.model_dump(mode="json", exclude={"metadata"})
    data |= {"init_predict": model.base.tolist(), "norm": 1, "max_depth": 1, "n_trees": len(file.trees)}
    waiting = iter(model.trees)
    for trees in data["trees"]:
        for tree in trees:
            tree["value"] = next(waiting).values.tolist()
            features = len(model.features)
            tree["weight"] = [[float(i == f) for i in range(features)] for f in tree["feature"]]
    return data
