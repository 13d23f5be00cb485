"""XGBoost's model files, JSON and UBJ of every version since 1.0.

A leaf's value stands among the thresholds. The base score is what predictions start from: up to 3.0 one number, since
3.1 one for each output. The objective says what it is: a probability of a logistic one, a mean of a logarithmic one,
else a margin (``ProbToMargin`` in XGBoost's ``src/objective``).
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, RootModel

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.reading.json import json_of
from codesign.core.validation import validate
from codesign.families.trees.branches import tree_of
from codesign.families.trees.tree_model import Kind, TreeModel
from codesign.families.trees.ubjson import ubjson_of
from codesign.graph.forest import Tree

__all__ = ("read_xgboost", "write_xgboost", "xgboost_json")

#: objective -> what its base score is
_MARGIN = (
    "reg:squarederror", "reg:linear", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror",
    "reg:quantileerror", "reg:expectileerror", "multi:softmax", "multi:softprob", "binary:hinge", "rank:pairwise",
    "rank:ndcg", "rank:map",
)  # fmt: skip
_PROBABILITY = ("binary:logistic", "binary:logitraw", "reg:logistic")
_MEAN = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _TreeParam(_Part):
    num_nodes: int
    size_leaf_vector: int = 1


class _Tree(_Part):
    left_children: tuple[int, ...]
    right_children: tuple[int, ...]
    split_indices: tuple[int, ...]
    split_conditions: tuple[float, ...]
    default_left: tuple[int, ...]
    split_type: tuple[int, ...] = ()
    tree_param: _TreeParam


class _TreesParam(_Part):
    num_parallel_tree: int = 1


class _Trees(_Part):
    gbtree_model_param: _TreesParam = _TreesParam()
    tree_info: tuple[int, ...]
    trees: tuple[_Tree, ...]

    @property
    def num_parallel_tree(self) -> int:
        """Trees of one output in a round."""
        return self.gbtree_model_param.num_parallel_tree


class _Booster(_Part):
    name: str
    model: _Trees | None = None


class _Objective(_Part):
    name: str


class _Param(_Part):
    base_score: str = Field(max_length=100_000)
    num_class: int = 0
    num_feature: int = Field(ge=1, le=100_000)
    num_target: int = 1


class _Learner(_Part):
    attributes: dict[str, str] = {}
    feature_names: tuple[str, ...] = ()
    gradient_booster: _Booster
    learner_model_param: _Param
    objective: _Objective


class _File(_Part):
    learner: _Learner
    version: tuple[int, int, int]


class _Scores(RootModel[tuple[float, ...]]):
    pass


def read_xgboost(content: bytes, source: str, kind: Kind) -> TreeModel:
    """A model that ``save_model`` wrote; InputError: damaged. UnsupportedError: linear or dart boosters, categories,
    leaves of several outputs, an objective that is not known here."""
    data = json_of(content, source) if kind == "xgboost-json" else ubjson_of(content, source)
    file = validate(_File, data, source)
    learner, param = file.learner, file.learner.learner_model_param
    booster = learner.gradient_booster
    if booster.name != "gbtree" or booster.model is None:
        raise UnsupportedError(f"{source}: booster '{booster.name[:40]}' has no exact form here: train with gbtree")
    outputs = max(1, param.num_class, param.num_target)
    if outputs > 10_000 or len(booster.model.tree_info) != len(booster.model.trees):
        raise InputError(f"{source}: {outputs} outputs, {len(booster.model.trees)} trees: the file is damaged")
    trees = []
    for number, (tree, output) in enumerate(zip(booster.model.trees, booster.model.tree_info, strict=True)):
        what = f"{source}: tree {number}"
        if tree.tree_param.size_leaf_vector > 1:
            raise UnsupportedError(
                f"{what} has leaves of several outputs: train with multi_strategy=one_output_per_tree"
            )
        leaves = [n == -1 for n in tree.left_children]
        if any(kind and not leaf for kind, leaf in zip(tree.split_type, leaves, strict=False)):
            raise UnsupportedError(f"{what} splits by categories: give each category its own input of 0 and 1")
        split = np.array(tree.split_conditions, dtype=np.float32).astype(np.float64).tolist()
        trees.append(
            tree_of(
                what,
                left=tree.left_children,
                right=tree.right_children,
                features=tree.split_indices,
                thresholds=split,
                values=split,
                leaves=leaves,
                goes_left="<",
                output=output,
            )
        )
    names = learner.feature_names or tuple(f"f{i}" for i in range(param.num_feature))
    if len(names) != param.num_feature:
        raise InputError(f"{source}: {len(names)} names of {param.num_feature} features")
    return TreeModel(
        kind=kind,
        source=f"XGBoost {'.'.join(map(str, file.version))}",
        content=content,
        objective=learner.objective.name,
        features=names,
        outputs=("margin",) if outputs == 1 else tuple(f"class_{i}" for i in range(outputs)),
        trees=tuple(trees),
        base=_base(param.base_score, outputs, learner.objective.name, source),
        single=True,
        notes=_stopping(learner.attributes, len(trees) // (outputs * max(1, booster.model.num_parallel_tree))),
    )


def _stopping(attributes: dict[str, str], rounds: int) -> tuple[str, ...]:
    best = attributes.get("best_iteration")
    if best is None or not best.isdecimal() or int(best[:9]) + 1 >= rounds:
        return ()
    return (
        f"early stopping names round {int(best[:9])} the best of {rounds}: all rounds are taken, as Booster.predict "
        "does; save booster[:best_iteration + 1] for what the scikit-learn interface predicts",
    )


def _base(given: str, outputs: int, objective: str, source: str) -> NDArray[np.float64]:
    """The base score as a margin for each output."""
    data = json_of(given, f"{source}: base_score")
    scores = validate(_Scores, data if isinstance(data, list) else [data], f"{source}: base_score").root
    if len(scores) not in (1, outputs):
        raise InputError(f"{source}: {len(scores)} base scores of {outputs} outputs")
    base = np.array(scores if len(scores) == outputs else scores * outputs, dtype=np.float32)
    one = np.float32(1)
    if objective in _MARGIN:
        found = base
    elif objective in _PROBABILITY:
        if ((base <= 0) | (base >= 1)).any():
            raise InputError(f"{source}: the base score of {objective} is a probability, not {given[:40]}")
        found = -np.log(one / base - one)
    elif objective in _MEAN:
        if (base <= 0).any():
            raise InputError(f"{source}: the base score of {objective} is a mean above 0, not {given[:40]}")
        found = np.log(base)
    else:
        known = ", ".join(sorted((*_MARGIN, *_PROBABILITY, *_MEAN)))
        raise UnsupportedError(
            f"{source}: objective '{objective[:40]}': what its base score is is not known here; known: {known}"
        )
    return found.astype(np.float64)


def xgboost_json(model: TreeModel) -> bytes:
    """The model's own file, written anew as JSON from what was checked, with the trees that ``model`` has.

    The base score becomes that of margin 0, and what it was goes to the first tree of each output: no other margin
    stands exactly in the file.
    """
    data = json_of(model.content, "model") if model.kind == "xgboost-json" else ubjson_of(model.content, "model")
    file = validate(_File, data, "model")
    param = file.learner.learner_model_param
    several = param.base_score.lstrip().startswith("[")
    return _write(model, param.num_class, param.num_target, several, file.version)


def write_xgboost(model: TreeModel, classes: bool, version: tuple[int, int, int]) -> bytes:
    """Trees of any origin as a file of XGBoost 3: of ``classes`` by softmax, or of as many numbers."""
    count = len(model.outputs)
    named = replace(model, objective="multi:softprob" if classes else "reg:squarederror")
    return _write(named, count if classes else 0, 1 if classes else count, True, version)


def _write(model: TreeModel, classes: int, targets: int, several: bool, version: tuple[int, int, int]) -> bytes:
    left = dict(enumerate(model.base.tolist()))
    trees = [_nodes(tree, number, left.pop(tree.output, 0.0)) for number, tree in enumerate(model.trees)]
    for tree in trees:
        tree["tree_param"] |= {"num_feature": str(len(model.features))}
    zero = 0.5 if model.objective in _PROBABILITY else 1.0 if model.objective in _MEAN else 0.0
    score = json.dumps([zero] * len(model.outputs)) if several else json.dumps(zero)
    objective: dict[str, Any] = {"name": model.objective}
    if model.objective.startswith("multi:"):
        objective["softmax_multiclass_param"] = {"num_class": str(classes)}
    written = {
        "learner": {
            "attributes": {}, "feature_names": [], "feature_types": [],
            "gradient_booster": {
                "model": {
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(trees))},
                    "tree_info": [t.output for t in model.trees],
                    "iteration_indptr": list(range(0, len(trees) + 1, len(model.outputs))),
                    "trees": trees,
                },
                "name": "gbtree",
            },
            "learner_model_param": {
                "base_score": score, "boost_from_average": "1", "num_class": str(classes),
                "num_feature": str(len(model.features)), "num_target": str(targets),
            },
            "objective": objective,
        },
        "version": list(version),
    }  # fmt: skip
    return json.dumps(written).encode()


def _nodes(tree: Tree, number: int, base: float) -> dict[str, Any]:
    """One tree, its nodes in their order; a value is never missing, so where that would go is the same for all."""
    count = len(tree.features)
    leaves = tree.leaves.tolist()
    left = [-1 if leaf else n for leaf, n in zip(leaves, tree.below.tolist(), strict=True)]
    right = [-1 if leaf else n for leaf, n in zip(leaves, tree.reached.tolist(), strict=True)]
    parents = [2147483647] * count
    for node, (a, b) in enumerate(zip(left, right, strict=True)):
        if a != -1:
            parents[a] = parents[b] = node
    conditions = np.where(tree.leaves, tree.values + base, tree.thresholds).astype(np.float32)
    return {
        "base_weights": [0.0] * count,
        "categories": [], "categories_nodes": [], "categories_segments": [], "categories_sizes": [],
        "default_left": [0] * count,
        "id": number,
        "left_children": left,
        "loss_changes": [0.0] * count,
        "parents": parents,
        "right_children": right,
        "split_conditions": conditions.astype(np.float64).tolist(),
        "split_indices": np.maximum(tree.features, 0).tolist(),
        "split_type": [0] * count,
        "sum_hessian": [1.0] * count,
        "tree_param": {"num_deleted": "0", "num_nodes": str(count), "size_leaf_vector": "1"},
    }  # fmt: skip
