"""The raw margins that each library finds of its own file: what a design of it must equal, integer by integer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.families.trees.tree_model import TreeModel

__all__ = ("Margins", "lightgbm_margins", "sklearn_margins", "xgboost_margins")

#: values (events, features) float64, as the source is given them, to raw margins (events, outputs)
Margins: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.floating[Any]]]


def xgboost_margins(content: bytes) -> tuple[str, Margins]:
    """XGBoost's name and version, and ``output_margin`` of a JSON file."""
    import xgboost

    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(content))

    def margins(x: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        matrix = xgboost.DMatrix(x.astype(np.float32), nthread=1)
        found: NDArray[np.floating[Any]] = booster.predict(matrix, output_margin=True)
        return found.reshape(len(x), -1)

    return f"XGBoost {xgboost.__version__}", margins


def lightgbm_margins(content: bytes) -> tuple[str, Margins]:
    """LightGBM's name and version, and ``raw_score`` of a text file."""
    import lightgbm

    booster = lightgbm.Booster(model_str=content.decode())

    def margins(x: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        return np.asarray(booster.predict(x, raw_score=True, num_threads=1)).reshape(len(x), -1)

    return f"LightGBM {lightgbm.__version__}", margins


def sklearn_margins(model: TreeModel) -> tuple[str, Margins]:
    """scikit-learn's name and version, and what its histogram trees find with the nodes of ``model``.

    A model of it is fitted to nothing, and its nodes are put in place of those: ``_raw_predict`` walks them.
    """
    import sklearn
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

    count, size = len(model.outputs), len(model.features)
    empty = HistGradientBoostingRegressor(max_iter=1, early_stopping=False)
    empty.fit(np.zeros((2, size)), np.zeros(2))
    rounds: list[list[Any]] = [[] for _ in range(count)]
    nothing = np.zeros((0, 8), dtype=np.uint32)
    for tree in model.trees:
        nodes = np.zeros(len(tree.features), dtype=PREDICTOR_RECORD_DTYPE)
        nodes["value"], nodes["is_leaf"] = tree.values, tree.leaves
        nodes["feature_idx"] = np.maximum(tree.features, 0)
        nodes["num_threshold"] = np.nextafter(tree.thresholds, -np.inf)  # x <= it: x does not reach the next number
        nodes["left"], nodes["right"] = np.maximum(tree.below, 0), np.maximum(tree.reached, 0)
        rounds[tree.output].append(TreePredictor(nodes, nothing, nothing))
    empty.n_trees_per_iteration_ = count
    empty._baseline_prediction = model.base[None]
    empty._predictors = list(map(list, zip(*rounds, strict=True)))

    def margins(x: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        seen = x.astype(np.float32).astype(np.float64) if model.single else x
        return np.asarray(empty._raw_predict(seen, n_threads=1))

    return f"scikit-learn {sklearn.__version__}", margins
