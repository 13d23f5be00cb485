"""XGBoost: a trainer for who has installed it."""

from __future__ import annotations

from typing import Any

from codesign.families.trees.own_margins import Margins, xgboost_margins
from codesign.families.trees.trainer import Grown, Growth, Loss, Sorted, Trainer
from codesign.families.trees.tree_model import TreeModel
from codesign.families.trees.xgboost_file import read_xgboost, write_xgboost

__all__ = ("XGBoostTrainer",)

_OBJECTIVES: dict[Loss, str] = {
    "two": "binary:logistic", "classes": "multi:softprob", "squared": "reg:squarederror",
    "quantile": "reg:quantileerror",
}  # fmt: skip
#: the version whose form a file is written in
_FORM = (3, 2, 0)


class XGBoostTrainer(Trainer):
    """``xgboost.train`` with histograms, one thread."""

    name = "xgboost"
    module, distribution = "xgboost", "xgboost"

    def grow(
        self, loss: Loss, outputs: int, quantile: float, train: Sorted, validation: Sorted, growth: Growth
    ) -> Grown:
        """Grow the trees of one target."""
        import xgboost

        how: dict[str, Any] = {
            "objective": _OBJECTIVES[loss], "tree_method": "hist", "max_depth": growth.depth,
            "max_leaves": growth.most_leaves or 0, "eta": growth.learning_rate, "nthread": 1, "verbosity": 0,
            "min_child_weight": growth.min_child_weight, "seed": growth.seed,
        }  # fmt: skip
        how |= {"num_class": outputs} if loss == "classes" else {}
        how |= {"quantile_alpha": quantile} if loss == "quantile" else {}
        seen, held_out = (
            xgboost.DMatrix(part.x, label=part.y, weight=part.weights, nthread=1) for part in (train, validation)
        )
        stopping: dict[str, Any] = {}
        if growth.patience is not None:
            stopping = {"evals": [(held_out, "validation")], "early_stopping_rounds": growth.patience}
        booster = xgboost.train(how, seen, growth.rounds, verbose_eval=False, **stopping)
        if growth.patience is not None:
            booster = booster[: booster.best_iteration + 1]
        model = read_xgboost(bytes(booster.save_raw("json")), "XGBoost's trees", "xgboost-json")
        each = len(model.outputs)
        rounds = tuple(model.trees[i : i + each] for i in range(0, len(model.trees), each))
        return Grown(rounds, model.base)

    def write(self, model: TreeModel, classes: bool) -> bytes:
        """JSON, as ``save_model`` writes."""
        return write_xgboost(model, classes, _FORM)

    def read(self, content: bytes, source: str) -> TreeModel:
        """A model of XGBoost."""
        return read_xgboost(content, source, "xgboost-json")

    def margins(self, content: bytes) -> tuple[str, Margins]:
        """``output_margin``."""
        return xgboost_margins(content)
