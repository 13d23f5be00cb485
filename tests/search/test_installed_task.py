"""A task of a separate package, installed with pip, runs in the search as the shipped ones do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "rings"
version = "1.0"

[project.entry-points."codesign.tasks"]
rings = "rings:Rings"
"""

MODULE = '''
from functools import cached_property

import numpy as np

from codesign.data.sample import Sample
from codesign.core.records import Metric, Plot, Series
from codesign.tasks.base import Problem, Task
from codesign.tasks.heads import Head, LossObjective


class Radius:
    name = "radius, as it is"

    def __call__(self, part):
        return np.hypot(part.x[:, :1], part.x[:, 1:2]).astype(np.float64)


class Rings(Task):
    """Regresses the squared distance from the middle; a working point and a class held out, too."""

    name = "rings"

    def open(self, settings, seed, progress=None):
        return RingsProblem(settings)


class RingsProblem(Problem):
    metrics = {"error": "minimise", "found": "maximise"}
    trigger = "squared_radius"

    def __init__(self, chosen):
        self.chosen = chosen

    @cached_property
    def sample(self):
        random = np.random.default_rng(self.chosen["seed"])
        x = random.normal(size=(self.chosen["events"], 3)).astype(np.float32)
        y = (random.random(len(x)) < 0.1).astype(np.int64)
        x[y == 1] *= 1.5
        return Sample(
            x, y, ("x", "y", "z"), ("mm",) * 3, ("near", "far"),
            targets=(x[:, :2] ** 2).sum(axis=1, keepdims=True), target_names=("r2",), target_units=("mm2",),
            truth={"z": x[:, 2]}, held_out=("far",),
        )

    def heads(self, sample):
        return (Head("radius", ("squared_radius",), LossObjective("own", self.loss)),)

    def target(self, part):
        return {"radius": part.targets}

    def loss(self, outputs, target):
        return (outputs - target).square().mean()

    def working_points(self, scores, validation):
        return {"threshold": float(np.quantile(scores[validation.y == 0], 0.9, method="higher"))}

    def judge(self, scores, part, points):
        assert "z" in part.truth
        wrong = np.abs(scores - part.targets).mean()
        found = (scores[part.y == 1] >= points["threshold"]).mean()
        return {"error": Metric(value=float(wrong), error=0.01), "found": Metric(value=float(found), error=0.05)}

    def baselines(self, train, seed):
        assert not train.y.any()
        return [Radius()]

    def plots(self, scores, part, baselines, points):
        line = Series(label="fit", x=part.targets[:50, 0].tolist(), y=scores[:50, 0].tolist())
        return [Plot(name="fit", title="Fit of the rings", x_label="true", y_label="fitted", series=[line])]
'''

STUDY = {
    "name": "rings",
    "task": "rings",
    "sample": {"events": 4000, "seed": 5},
    "splits": {"train": 0.4, "validation": 0.3, "test": 0.3},
    "family": "mlp",
    "space": {"depth": 1, "width": 8, "weight_bits": [4, 5], "activation_bits": 4, "input_bits": 6},
    "training": {"epochs": 40, "batch": 128, "learning_rate": 0.02},
    "target": "vu13p-360",
    "objectives": [{"name": "error", "direction": "minimise"}, {"name": "lut", "direction": "minimise"}],
    "search": {"trials": 1, "sampler": "random"},
    "verification": {"gate_events": 1000, "rtl_events": 1000},
}


def test_it_is_searched_proven_and_reported(tmp_path):
    package, target = tmp_path / "package", tmp_path / "installed"
    (package / "rings").mkdir(parents=True)
    (package / "pyproject.toml").write_text(PROJECT)
    (package / "rings" / "__init__.py").write_text(MODULE)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(package)], check=True, capture_output=True, timeout=600)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [Path(sys.executable).with_name("codesign"), "run", "study.yaml", "--run", "run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=1200,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    front = json.loads((tmp_path / "run" / "front.json").read_text())
    for point in front["points"]:
        assert point["verified"]["exact"]
        assert len(point["verified"]["fired"]) == 2
        assert point["metrics"]["error"]["value"] < 1.0
    assert json.loads((tmp_path / "run" / "baseline.json").read_text())["name"] == "radius, as it is"
    assert "Fit of the rings" in (tmp_path / "reports" / "run" / "index.html").read_text()
