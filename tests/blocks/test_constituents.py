"""A study on constituents, from the sample to the scores of files, by the command line, with a package of one's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from codesign.data.sample import Sample
from codesign.data.writers import write_sample
from codesign.physics.substructure import FEATURE_NAMES, FEATURE_UNITS, constituents_block
from tests.blocks.conftest import PLUGIN

pytestmark = pytest.mark.slow

CLASSES = ("g", "q", "w", "z", "t")
STUDY = {
    "name": "constituents",
    "task": "jet-tagging",
    "sample": {"file": "jets.parquet"},
    "splits": {"train": 0.4, "validation": 0.2, "test": 0.4},
    "view": ["constituents"],
    "family": "deep-set",
    "space": {"width": 3, "bits": {"low": 3, "high": 4}},
    "training": {"epochs": 4, "batch": 100, "learning_rate": 0.02},
    "flow": "alkaid",
    "target": "vu13p-360",
    "objectives": [{"name": "accuracy", "direction": "maximise"}, {"name": "lut", "direction": "minimise"}],
    "search": {"trials": 2, "sampler": "random"},
    "verification": {"gate_events": 1000, "rtl_events": 1000},
}


def jets(events=2600):
    """Toy jets, whose class is how many constituents they have and how wide they spread."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 5, events)
    items = np.zeros((events, 32, 3), np.float32)
    items[..., 0] = rng.exponential(20, (events, 32))
    items[..., 1:] = rng.normal(0, 0.05 + 0.05 * y[:, None, None], (events, 32, 2))
    items[np.arange(32) >= rng.integers(1, 8 + 5 * y)[:, None]] = 0
    features = rng.normal(size=(events, 16)).astype(np.float32)
    return Sample(features, y, FEATURE_NAMES, FEATURE_UNITS, CLASSES, (constituents_block(items),))


def codesign(*arguments, cwd):
    """Run the command, with the package on the path as an installed one is."""
    path = os.pathsep.join([str(PLUGIN), *sys.path])
    command = [sys.executable, "-m", "codesign.cli", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("constituents")
    for name in ("jets.parquet", "jets.root"):
        write_sample(jets(), made / name)
    (made / "study.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    codesign("run", "study.yaml", "--run", "run", cwd=made)
    return made


def read(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_front_is_proven_and_explained_by_field_and_item(folder):
    (point, *_) = read(folder / "run" / "front.json")["points"]
    assert point["verified"]["exact"]
    assert point["metrics"]["accuracy"]["value"] > 0.3, "the constituents tell the classes apart"
    trial = folder / "run" / "trials" / f"{point['trial']:04d}"
    (block,) = read(trial / "design.json")["inputs"]["blocks"]
    assert (block["shape"], len(block["types"]), block["absent"]) == ([32, 3], 3, "code")
    inputs = read(trial / "inputs.json")
    assert list(inputs["inputs"]) == [f"constituents.{f}" for f in ("pt", "deta", "dphi")]
    assert len(inputs["items"]) == 32
    assert len(read(trial / "explained.json")["events"][0]["shares"]) == 32
    codesign("report", "run", "-o", "page", cwd=folder)
    page = (folder / "page" / "index.html").read_text(encoding="utf-8")
    assert "constituents[0]" in page
    assert "constituents.deta" in page


def test_a_bundle_scores_files_with_constituents(folder):
    (point, *_) = read(folder / "run" / "front.json")["points"]
    codesign("handoff", "run", point["trial"], "-o", "bundle", cwd=folder)
    assert read(folder / "bundle" / "manifest.json")["blocks"][0]["shape"] == [32, 3]
    assert ", 0 wrong" in codesign("check", "bundle", "--emulator", cwd=folder)
    scores = {}
    for suffix in ("parquet", "root"):
        codesign("apply", "bundle", f"jets.{suffix}", "-o", f"{suffix}.parquet", cwd=folder)
        import pyarrow.parquet

        scores[suffix] = pyarrow.parquet.read_table(folder / f"{suffix}.parquet")
    assert len(scores["parquet"]) == len(jets())
    names = [n for n in scores["parquet"].column_names if n != "label"]
    assert names
    for name in names:
        assert scores["parquet"][name].equals(scores["root"][name]), name
