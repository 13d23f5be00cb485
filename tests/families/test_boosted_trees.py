"""The family of boosted trees: grown, cut, pruned, rounded, and equal to what its library finds of its own file."""

from importlib.util import find_spec

import pytest

from codesign.families.trees.family import BoostedTrees
from codesign.tasks.heads import LossObjective
from codesign.testing import FamilyTests
from codesign.training.lesson import Subject

SPACE = {
    "depth": {"low": 2, "high": 3},
    "rounds": {"low": 2, "high": 4},
    "min_child_weight": 5.0,
    "pruning": [0.0, 0.2],
    "input_bits": {"low": 4, "high": 6},
    "leaf_bits": {"low": 4, "high": 8},
    "leaf_rounding": ["nearest", "carried"],
}
TRAINERS = {"scikit-learn": "sklearn", "xgboost": "xgboost", "lightgbm": "lightgbm"}


class _OfTrees(FamilyTests):
    @pytest.fixture
    def family(self):
        return BoostedTrees()

    @pytest.fixture(params=list(TRAINERS))
    def space(self, request):
        if find_spec(TRAINERS[request.param]) is None:
            pytest.skip(f"{request.param} is not installed")
        return SPACE | {"trainer": request.param}


class TestNumbers(_OfTrees):
    objective = "squared"


class TestClasses(_OfTrees):
    objective = "cross-entropy"


class TestTwoClasses(_OfTrees):
    objective, outputs = "cross-entropy", 2


class TestQuantiles(_OfTrees):
    objective, outputs = "quantile", 2

    def _subject(self):
        return Subject.of_sizes(self.inputs, self.outputs, LossObjective("quantile", quantiles=(0.2, 0.8)))

    @staticmethod
    def _target(head, x, first):
        return first[:, 0]
