"""A search over boosted trees, in workers that have no torch: trained, proven in RTL, reported and handed off."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.runfolder import RunFolder
from codesign.families.trees.config import TreesConfig
from codesign.families.trees.family import BoostedTrees
from codesign.handoff import write_bundle
from codesign.report import write_report
from codesign.search.engine import run_study
from codesign.search.progress import Silent
from codesign.study.definition import load_study, parse_study

PLUGIN = Path(__file__).parent / "plugin"

STUDY = """
name: trees
task: blobs
sample: {events: 5000}
splits: {train: 0.4, validation: 0.2, test: 0.4}
family: trees
space: {depth: 3, input_bits: 6, rounds: {low: 2, high: 4}, leaf_bits: {low: 4, high: 8}, leaf_rounding: carried}
training: {epochs: 4}
flow: trees
target: vu13p-360
objectives:
  - {name: accuracy, direction: maximise}
  - {name: lut, direction: minimise}
search: {trials: 3, sampler: random}
verification: {gate_events: 1000}
"""


@pytest.fixture(autouse=True)
def plugin():
    """The task ``blobs``, which takes torch away from every worker that imports it."""
    sys.path.insert(0, str(PLUGIN))
    plugins.forget()
    yield
    sys.path.remove(str(PLUGIN))
    plugins.forget()


@pytest.mark.slow
def test_it_is_searched_proven_and_reported_without_torch(tmp_path):
    front = run_study(parse_study(STUDY, "trees.yaml"), tmp_path / "run", progress=Silent())
    assert len(front.points) > 0
    run = RunFolder(tmp_path / "run")
    assert len(list((run.path / "trainings").glob("*.zip"))) == 1, "three candidates of one training"
    for point in front.points:
        folder = run.trial(point.trial).path
        verdict = json.loads((folder / "verify.json").read_text(encoding="utf-8"))
        assert (verdict["exact"], verdict["proven"], verdict["events"]) == (True, "RTL", 1000)
        assert point.metrics["accuracy"].value > 0.6
        config = TreesConfig.model_validate(
            {
                k: v
                for k, v in json.loads((folder / "config.json").read_text("utf-8")).items()
                if k in TreesConfig.model_fields
            }
        )
        design = Design.load(folder)
        files = {name: (folder / name).read_bytes() for name in BoostedTrees.files}
        ((_, reference),) = BoostedTrees().load(files, config, design).references().items()
        codes = np.load(folder / "golden.npz")["inputs"].astype(np.int64)
        assert np.array_equal(reference(codes), np.load(folder / "golden.npz")["outputs"])
    assert "trees" in write_report(tmp_path / "run", tmp_path / "report.html").read_text(encoding="utf-8")
    bundle = write_bundle(tmp_path / "run", front.points[0].trial, tmp_path / "bundle")
    first = run.trial(front.points[0].trial).path
    for name in BoostedTrees.files:
        assert (bundle / name).read_bytes() == (first / name).read_bytes()
        assert f"`{name}`: the trained parameters" in (bundle / "README.md").read_text(encoding="utf-8")


def test_the_shipped_study_is_one_of_its_space():
    """Every dimension of the study is one of the family's, and holds candidates."""
    from codesign.flows.trees.flow import Trees
    from codesign.search.foresight import must_hold_candidates

    study = load_study("jet-tagger-trees")
    family, flow = BoostedTrees(), Trees()
    space = family.space.model_validate(study.space)
    must_hold_candidates(family, space, flow, flow.space(), "jet-tagger-trees")
