"""A family of scikit-learn, in a package of its own, is searched, proven and reported where there is no torch."""

import json
import sys
from pathlib import Path

import pytest

from codesign.core import plugins
from codesign.core.errors import UnsupportedError
from codesign.families.base import Family
from codesign.handoff import write_bundle
from codesign.report import write_report
from codesign.search.engine import run_study
from codesign.search.progress import Silent
from codesign.study.definition import parse_study
from codesign.tasks.heads import LossObjective
from codesign.testing import FamilyTests
from tests.testing.broken import said

PLUGIN = Path(__file__).parent / "plugin"

STUDY = """
name: ridge
task: blobs
sample: {events: 5000}
splits: {train: 0.4, validation: 0.2, test: 0.4}
family: ridge
space: {weight_bits: 4, input_bits: 4}
flow: alkaid
target: vu13p-360
objectives:
  - {name: accuracy, direction: maximise}
  - {name: lut, direction: minimise}
search: {trials: 1, sampler: random}
verification: {gate_events: 1000}
"""


@pytest.fixture(autouse=True, scope="module")
def plugin():
    sys.path.insert(0, str(PLUGIN))
    plugins.forget()
    yield
    sys.path.remove(str(PLUGIN))
    plugins.forget()


@pytest.fixture
def family():
    return plugins.load(Family, "ridge")


SPACE = {"weight_bits": {"low": 3, "high": 6}, "input_bits": [4, 6]}


class TestRidge(FamilyTests):
    objective = "cross-entropy"

    @pytest.fixture
    def space(self):
        return SPACE


def test_it_is_searched_proven_and_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("RIDGE_LOG", str(tmp_path / "log"))
    study = parse_study(STUDY, "ridge.yaml")
    front = run_study(study, tmp_path / "run", progress=Silent())
    (point,) = front.points
    folder = tmp_path / "run" / "trials" / "0000"
    verdict = json.loads((folder / "verify.json").read_text())
    assert (verdict["exact"], verdict["proven"], verdict["events"]) == (True, "RTL", 1000)
    assert (folder / "model.json").is_file()
    assert not (folder / "weights.safetensors").exists()
    assert point.metrics["accuracy"].value > 0.6
    assert set((tmp_path / "log").read_text().splitlines()) == {"torch is None, weights True"}
    assert "ridge" in write_report(tmp_path / "run", tmp_path / "report.html").read_text()
    bundle = write_bundle(tmp_path / "run", 0, tmp_path / "bundle")
    assert (bundle / "model.json").read_bytes() == (folder / "model.json").read_bytes()
    assert "`model.json`: the trained parameters" in (bundle / "README.md").read_text()


def test_a_family_says_before_the_search_what_it_cannot_learn(tmp_path, monkeypatch):
    from codesign_ridge import BlobsProblem

    monkeypatch.setattr(BlobsProblem, "objective", LossObjective("own", lambda outputs, target: outputs.mean()))
    with pytest.raises(UnsupportedError, match=r"family 'ridge' cannot learn this: it classifies, and .* is 'own'"):
        run_study(parse_study(STUDY, "ridge.yaml"), tmp_path / "run", progress=Silent())
    assert not (tmp_path / "run" / "trials").exists()


def test_an_inexact_reference_is_caught(family):
    """The suite of all families, without any network of torch: scikit-learn's integers are compared, too."""
    from codesign_ridge import Ridge, Rounded

    class Off(Rounded):
        def references(self):
            own = super().references()["scikit-learn"]
            return {"scikit-learn": lambda codes: own(codes) + 1}

    class Liar(Ridge):
        def pick(self, files, candidate, lesson):
            return Off.of(files["model.json"]).named(lesson)

    class Suite(FamilyTests):
        objective = "cross-entropy"

    words = said(Suite, "models_are_trained_and_exact", family=Liar(), space=SPACE)
    assert "ridge: scikit-learn differs from exact arithmetic on" in words
