"""scikit-learn's histogram trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from codesign.families.trees.branches import tree_of
from codesign.families.trees.nodes_file import read_nodes, write_nodes
from codesign.families.trees.own_margins import Margins, sklearn_margins
from codesign.families.trees.trainer import Grown, Growth, Loss, Sorted, Trainer
from codesign.families.trees.tree_model import TreeModel
from codesign.graph.forest import Tree

__all__ = ("HistogramTrainer",)


class HistogramTrainer(Trainer):
    """HistGradientBoostingClassifier and HistGradientBoostingRegressor."""

    name = "scikit-learn"
    module, distribution = "sklearn", "scikit-learn"

    def grow(
        self, loss: Loss, outputs: int, quantile: float, train: Sorted, validation: Sorted, growth: Growth
    ) -> Grown:
        """Grow the trees of one target."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        how: dict[str, Any] = {
            "max_iter": growth.rounds, "max_depth": growth.depth, "max_leaf_nodes": growth.most_leaves,
            "learning_rate": growth.learning_rate, "min_samples_leaf": max(1, round(growth.min_child_weight)),
            "early_stopping": growth.patience is not None, "n_iter_no_change": growth.patience or 1,
            "random_state": growth.seed, "categorical_features": None,
        }  # fmt: skip
        if loss in ("two", "classes"):
            model = HistGradientBoostingClassifier(**how)
        else:
            kind = {"loss": "quantile", "quantile": quantile} if loss == "quantile" else {"loss": "squared_error"}
            model = HistGradientBoostingRegressor(**how, **kind)
        held_out = {"X_val": validation.x, "y_val": validation.y, "sample_weight_val": validation.weights}
        model.fit(train.x, train.y, train.weights, **(held_out if growth.patience is not None else {}))
        found = model._predictors
        if growth.patience is not None:  # scores before the first round, and after each
            found = found[: max(1, int(np.argmax(model.validation_score_)))]
        rounds = tuple(
            tuple(_tree(one.nodes, f"round {number}", place) for place, one in enumerate(predictors))
            for number, predictors in enumerate(found)
        )
        return Grown(rounds, np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1))

    def write(self, model: TreeModel, classes: bool) -> bytes:
        """Plain JSON: scikit-learn has no format of its own that is no code."""
        return write_nodes(model)

    def read(self, content: bytes, source: str) -> TreeModel:
        """A model that :meth:`write` wrote."""
        return read_nodes(content, source)

    def margins(self, content: bytes) -> tuple[str, Margins]:
        """What its own predictors find."""
        return sklearn_margins(read_nodes(content, "the model"))


def _tree(nodes: Any, what: str, output: int) -> Tree:
    return tree_of(
        what,
        left=nodes["left"].tolist(),
        right=nodes["right"].tolist(),
        features=nodes["feature_idx"].tolist(),
        thresholds=nodes["num_threshold"].tolist(),
        values=nodes["value"].tolist(),
        leaves=nodes["is_leaf"].astype(bool).tolist(),
        goes_left="<=",
        output=output,
    )
