"""The whole chain on real tools, by its command line: jets, search, proof, store, report, hand-off."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml

from codesign.cli.schemas import schema
from codesign.core.errors import InputError
from codesign.core.records import TrialStatus
from codesign.core.resources import locate
from codesign.core.runfolder import RunFolder
from codesign.pipeline.trial_comparison import compare_trials
from codesign.search.engine import run_study
from codesign.study.definition import load_study


def codesign(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    command = Path(sys.executable).with_name("codesign")
    return subprocess.run([command, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=1200)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of a small version of the shipped study."""
    root = tmp_path_factory.mktemp("chain")
    study = yaml.safe_load(locate("search", "jet-tagger").read_text(encoding="utf-8"))
    study |= {"name": "small", "splits": {"train": 0.4, "validation": 0.2, "test": 0.4}}
    study["sample"]["events"] = 3000
    study["training"] = {"epochs": 15, "batch": 128, "learning_rate": 0.01}
    study["space"] |= {"depth": 1, "width": [4, 8], "weight_bits": 3, "activation_bits": {"low": 2, "high": 3}}
    study["search"] = {"trials": 3, "sampler": "nsga2", "population": 4}
    (root / "small.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    done = codesign("run", "small.yaml", "--workers", 1, "--run", "run", "--store", "store", cwd=root)
    assert done.returncode == 0, done.stderr
    return root


def read(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_point_of_the_front_is_exact_and_judged_on_test(run):
    front = read(run / "run" / "front.json")
    jsonschema.validate(front, schema("front.json"))
    assert front["points"]
    for point in front["points"]:
        verdict = point["verified"]
        assert verdict["exact"]
        assert verdict["events"] >= 1000
        assert verdict["initiation_interval"] == 1
        assert {"brevitas", "qonnx", "interpreter"} <= set(verdict["compared"])
        assert point["metrics"]["accuracy"]["error"] > 0
        assert point["metrics"] != point["validation"]
        figures = {(f["quantity"], f["fidelity"]): f["value"] for f in point["figures"]}
        assert figures["latency_cycles", "compiled"] == figures["latency_cycles", "simulated"]
        assert figures["lut", "synthesised"] > 0
        folder = run / "run" / "trials" / f"{point['trial']:04d}"
        assert read(folder / "layers.json")["layers"][-1]["latency_cycles"] == verdict["latency_cycles"]
        assert len(read(folder / "explained.json")["events"]) > 1
        assert len(read(folder / "inputs.json")["inputs"]) == 16
        assert figures["latency_ns", "simulated"] == pytest.approx(verdict["latency_cycles"] * 1e3 / 360, rel=1e-4)
    test = read(run / "run" / "sample.json")["splits"]["test"]
    assert read(run / "run" / "trials" / f"{front['points'][0]['trial']:04d}" / "test.json")["events"] == test


def test_the_same_command_again_does_nothing_twice(run):
    before = (run / "run" / "front.json").read_bytes()
    stamps = {p: p.stat().st_mtime_ns for p in (run / "run" / "trials").rglob("model.onnx")}
    again = codesign("run", "small.yaml", "--run", "run", cwd=run)
    assert again.returncode == 0, again.stderr
    assert (run / "run" / "front.json").read_bytes() == before
    assert {p: p.stat().st_mtime_ns for p in (run / "run" / "trials").rglob("model.onnx")} == stamps


def test_designs_are_compared_on_the_same_events(run):
    folder = RunFolder(run / "run")
    point, baseline = read(run / "run" / "front.json")["points"][0], read(run / "run" / "baseline.json")
    beside = read(folder.trial(point["trial"]).path / "comparisons.json")
    jsonschema.validate(beside, schema("comparisons.json"))
    gap = beside["compared"][0]["metrics"]["accuracy"]
    one, other = (found["metrics"]["accuracy"] for found in (point, baseline))
    assert gap["value"] == pytest.approx(one["value"] - other["value"])
    assert 0 < gap["error"] < 1.2 * np.hypot(one["error"], other["error"])
    assert (gap["better"] > 0.5) == (gap["value"] > 0)
    trained = [t.number for t in folder.trials() if (t.path / "design.json").is_file()]
    found = compare_trials(folder, trained[0], folder, trained[1])
    judged = [
        read(folder.trial(t).path / "test.json") for t in trained[:2] if (folder.trial(t).path / "test.json").is_file()
    ]
    assert found.events == read(run / "run" / "sample.json")["splits"]["test"]
    if len(judged) == 2:
        values = [j["metrics"]["auc_mean"]["value"] for j in judged]
        assert found.compared[0].metrics["auc_mean"].value == pytest.approx(values[0] - values[1])
    with pytest.raises(InputError, match="was given twice"):
        compare_trials(folder, trained[0], folder, trained[0])


def test_the_same_study_in_a_second_folder_makes_nothing_again(run, monkeypatch):
    """In the second folder the means to train, compile and synthesise are taken away."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "search" / "plugin"))
    kept = run / "store"
    front = run_study(load_study(run / "small.yaml"), run / "second", store=str(kept), pipeline="without-tools")
    first, second = (read(run / name / "front.json")["points"] for name in ("run", "second"))
    assert [[p[k] for k in ("trial", "config", "metrics", "figures")] for p in first] == [
        [p[k] for k in ("trial", "config", "metrics", "figures")] for p in second
    ]
    assert all(p.verified.exact for p in front.points), "it was simulated again"
    for trial in RunFolder(run / "second").trials():
        status = trial.read("status.json", TrialStatus)
        assert {"trained weights from the store", "firmware from the store"} <= set(status.notes)
        for name in ("weights.safetensors", "model.onnx", "design.json", "firmware/src/codesign_top.v"):
            assert (trial.path / name).read_bytes() == (run / "run" / "trials" / trial.path.name / name).read_bytes()
    kinds = {p.relative_to(kept).parts[0] for p in kept.rglob("*.zip")}
    assert kinds == {"weights", "firmware", "synthesis"}
    suffixes = {Path(n).suffix for p in kept.rglob("*.zip") for n in zipfile.ZipFile(p).namelist()}
    assert suffixes <= {".safetensors", ".json", ".onnx", ".gz", ".v", ".vh", ".sv", ".tcl", ".xdc", ".sdc"}


def test_golden_vectors_are_the_network_on_test_events(run):
    """The vectors that leave the house: QONNX' own executor gives them again from what is on disk."""
    from codesign.core.design import Design
    from codesign.training.export import qonnx_codes

    point = read(run / "run" / "front.json")["points"][0]
    folder = run / "run" / "trials" / f"{point['trial']:04d}"
    golden = np.load(folder / "golden.npz", allow_pickle=False)
    assert np.array_equal(qonnx_codes(Design.load(folder), golden["inputs"]), golden["outputs"])


def test_bundle_and_its_check(run):
    trial = read(run / "run" / "front.json")["points"][0]["trial"]
    made = codesign("handoff", "run", trial, "-o", "bundle", cwd=run)
    assert made.returncode == 0, made.stderr
    assert codesign("check", "bundle", cwd=run).returncode == 0
    source = next((run / "bundle" / "firmware").rglob("logic0.v"))
    source.write_text(source.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    tampered = codesign("check", "bundle", cwd=run)
    assert tampered.returncode == 1
    assert "logic0.v" in tampered.stdout + tampered.stderr


def test_report_holds_every_trial(run):
    page = (run / "reports" / "run" / "index.html").read_text(encoding="utf-8")
    assert "boosted decision trees" in page
    assert page.count("bit-exact") >= len(read(run / "run" / "front.json")["points"])
