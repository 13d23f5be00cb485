"""The trainers that there are, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from codesign.families.trees.histogram_trainer import HistogramTrainer
from codesign.families.trees.lightgbm_trainer import LightGBMTrainer
from codesign.families.trees.trainer import Trainer
from codesign.families.trees.xgboost_trainer import XGBoostTrainer

__all__ = ("TRAINERS",)

#: installed or not
TRAINERS: Mapping[str, Trainer] = MappingProxyType(
    {t.name: t for t in (HistogramTrainer(), XGBoostTrainer(), LightGBMTrainer())}
)
