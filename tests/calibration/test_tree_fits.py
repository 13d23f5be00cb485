"""The calibration of trees: fits are those of its table, of their own kind and flow, and no bound is too strict."""

import json
from pathlib import Path

import pytest

from codesign.calibration.tree_fits import fits_of_trees, table_of_trees, tree_plan
from codesign.families.mlp.config import MLPConfig
from codesign.families.trees.config import TreesConfig
from codesign.families.trees.family import BoostedTrees
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.expected import TREE_FITS, expect
from codesign.flows.trees.flow import Trees
from codesign.graph.cost import graph_cost

MADE = json.loads(
    (Path(__file__).resolve().parents[2] / "reports" / "reference" / "tree_calibration.json").read_text("utf-8")
)


def test_the_shipped_fits_are_those_of_the_table():
    assert len(MADE["ensembles"]) >= 30
    assert fits_of_trees(table_of_trees(MADE["ensembles"])) == json.loads(TREE_FITS.read_text(encoding="utf-8"))
    plan = tree_plan()[: len(MADE["ensembles"])]
    assert [BoostedTrees().read(row["config"], "table") for row in MADE["ensembles"]] == [one.config for one in plan]


def test_an_ensemble_of_the_plan_is_the_one_that_was_measured():
    """The same design, by its cost, and the same count of look-up tables."""
    one = min(tree_plan()[:30], key=lambda m: m.config.cost(16, m.outputs))
    row = MADE["ensembles"][one.number]
    assert graph_cost(one.design()).bit_operations == row["ebops"]


def test_fits_say_nothing_of_another_kind_or_flow():
    assert expect("lut", 500, "xcup", "trees", "trees").source.startswith("calibration on 31 ensembles of trees")
    assert expect("lut", 500, "xcup", "trees", "alkaid").value < expect("lut", 500, "xcup").value
    assert expect("lut", 500, "xcup", "network", "trees") is None
    assert expect("lut", 500, "ecp5", "trees", "trees") is None
    assert expect("lut", 500, "xcup", None) is None
    assert expect("lut", 1e5, "xcup", "trees", "trees") is None


def test_a_bound_before_training_is_of_its_own_kind():
    """And lies far below each of the ensembles that were measured, for those whose trees take turns take less."""
    assert (MLPConfig.kind, TreesConfig.kind) == ("network", "trees")
    assert Alkaid().least_lut(1e6, "trees") is None
    assert Trees().least_lut(1e6) is None
    for row in MADE["ensembles"]:
        assert Trees().least_lut(row["expected"], "trees").value < 0.25 * row["measured"]["compiled-trees"]["lut"]


@pytest.mark.parametrize("flow", ["trees", "alkaid"])
def test_the_error_that_is_stated_is_that_of_the_table(flow):
    fit = next(p for p in MADE["predictors"] if (p["flow"], p["predictor"]["stage"]) == (flow, "compiled"))
    assert fit["error_fitted"] < 0.13
    assert fit["spearman"] > 0.98
