"""LightGBM: a trainer for who has installed it."""

from __future__ import annotations

from typing import Any

import numpy as np

from codesign.families.trees.lightgbm_text import read_lightgbm, write_lightgbm
from codesign.families.trees.own_margins import Margins, lightgbm_margins
from codesign.families.trees.trainer import Grown, Growth, Loss, Sorted, Trainer
from codesign.families.trees.tree_model import TreeModel

__all__ = ("LightGBMTrainer",)

_OBJECTIVES: dict[Loss, str] = {
    "two": "binary", "classes": "multiclass", "squared": "regression", "quantile": "quantile"
}  # fmt: skip
_MOST_LEAVES = 131072  # its own limit


class LightGBMTrainer(Trainer):
    """``lightgbm.train``, deterministic, one thread."""

    name = "lightgbm"
    module, distribution = "lightgbm", "lightgbm"

    def grow(
        self, loss: Loss, outputs: int, quantile: float, train: Sorted, validation: Sorted, growth: Growth
    ) -> Grown:
        """Grow the trees of one target."""
        import lightgbm

        how: dict[str, Any] = {
            "objective": _OBJECTIVES[loss], "max_depth": growth.depth, "learning_rate": growth.learning_rate,
            "num_leaves": min(growth.most_leaves or 1 << growth.depth, _MOST_LEAVES), "num_threads": 1,
            "min_data_in_leaf": max(1, round(growth.min_child_weight)), "seed": growth.seed, "deterministic": True,
            "force_row_wise": True, "verbosity": -1,
        }  # fmt: skip
        how |= {"num_class": outputs} if loss == "classes" else {}
        how |= {"alpha": quantile} if loss == "quantile" else {}
        seen = lightgbm.Dataset(train.x, train.y, weight=train.weights)
        more: dict[str, Any] = {}
        if growth.patience is not None:
            more["valid_sets"] = [seen.create_valid(validation.x, validation.y, weight=validation.weights)]
            more["callbacks"] = [lightgbm.early_stopping(growth.patience, first_metric_only=True, verbose=False)]
        booster = lightgbm.train(how, seen, growth.rounds, **more)
        last = booster.best_iteration if growth.patience is not None else None
        model = read_lightgbm(booster.model_to_string(num_iteration=last).encode(), "LightGBM's trees")
        each = len(model.outputs)
        rounds = tuple(model.trees[i : i + each] for i in range(0, len(model.trees), each))
        return Grown(rounds, np.zeros(each))

    def write(self, model: TreeModel, classes: bool) -> bytes:
        """Text, as ``save_model`` writes."""
        return write_lightgbm(model, classes)

    def read(self, content: bytes, source: str) -> TreeModel:
        """A model of LightGBM."""
        return read_lightgbm(content, source)

    def margins(self, content: bytes) -> tuple[str, Margins]:
        """``raw_score``."""
        return lightgbm_margins(content)
