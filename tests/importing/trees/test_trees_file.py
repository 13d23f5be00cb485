"""The importer of trees keeps the contract of importers, for one file of each format."""

from pathlib import Path

import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.importing.base import Question
from codesign.importing.declared import DeclaredInputs
from codesign.importing.importers import importer_of
from codesign.importing.trees.trees_file import TreesFile
from codesign.testing import ImporterTests

FOLDER = Path(__file__).parent / "files"


class OfTrees(ImporterTests):
    inputs = DeclaredInputs(type="fixed<6,4>")
    name = ""

    @pytest.fixture
    def importer(self):
        return TreesFile()

    @pytest.fixture
    def sample(self):
        return FOLDER / self.name


class TestXgboost(OfTrees):
    name = "xgboost_two.json"


class TestUbj(OfTrees):
    name = "xgboost_number.ubj"


class TestLightgbm(OfTrees):
    name = "lightgbm_number.txt"


class TestOnnx(OfTrees):
    name = "sklearn_two.onnx"


class TestConifer(OfTrees):
    name = "conifer_two.json"


def test_trees_in_onnx_are_trees_and_their_types_are_asked_for():
    path = FOLDER / "sklearn_two.onnx"
    assert isinstance(importer_of(path), TreesFile)
    with pytest.raises(InputError, match=r"do not say the types of their inputs \(5: x0, .*--inputs"):
        TreesFile().read(path, Question())


def test_scale_and_offset_are_those_of_training():
    """Physical units: the same trees on 8-bit codes of 0 to 255 that stand for -4 to 3.97."""
    fields = [{"name": f"x{i}", "type": "ufixed<8,8>", "offset": -4.0, "scale": 1 / 32} for i in range(5)]
    found = TreesFile().read(FOLDER / "xgboost_two.json", Question(DeclaredInputs(fields=fields)))
    design = found.design()
    assert design.inputs.labels == ("x0", "x1", "x2", "x3", "x4")
    codes = np.random.default_rng(0).integers(0, 256, (500, 5))
    ((_, reference),) = found.references().items()
    assert len(np.unique(reference(codes))) > 10
    assert [c.what for c in found.report.changes][:2] == ["narrowed", "thresholds"]
