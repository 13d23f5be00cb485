"""A small version of the shipped study on toy files, by its command line: search, proof of the trigger bit, report."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from codesign.core.resources import locate


@pytest.fixture(scope="module")
def run(toy_settings, tmp_path_factory):
    root = tmp_path_factory.mktemp("anomaly")
    study = yaml.safe_load(locate("search", "l1-anomaly").read_text(encoding="utf-8"))
    study |= {"name": "toy-anomaly", "sample": toy_settings, "training": {"epochs": 4, "batch": 256}}
    study["space"] |= {
        "width": 6,
        "latent": 2,
        "square_bits": 4,
        "input_bits": 5,
        "weight_bits": 3,
        "sparsity": {"low": 0.7, "high": 0.8},
    }
    study["objectives"][0]["name"] = "tpr_mean_1e-2"
    study["search"] = {"trials": 1, "sampler": "random"}
    study["verification"] = {"gate_events": 1000, "rtl_events": 1000}
    (root / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    command = Path(sys.executable).with_name("codesign")
    done = subprocess.run(
        [command, "run", "study.yaml", "--run", "run"], cwd=root, capture_output=True, text=True, timeout=1200
    )
    assert done.returncode == 0, done.stderr
    return root / "run"


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_score_and_trigger_bit_are_exact_at_the_threshold_of_validation(run):
    points = read(run / "front.json")["points"]
    assert points
    for point in points:
        trial = run / "trials" / f"{point['trial']:04d}"
        verdict = read(trial / "verify.json")
        assert verdict["exact"], verdict["first_difference"]
        assert verdict["events"] == 1000
        assert {"brevitas", "qonnx", "interpreter"} <= set(verdict["compared"])
        fixed, design = read(trial / "metrics.json")["points"], read(trial / "design.json")
        assert design["trigger"] == "score"
        lsb = 2.0 ** -design["outputs"]["types"][0]["fraction_bits"]
        assert len(verdict["thresholds"]) == len(verdict["fired"]) == 2
        assert verdict["thresholds"][1] * lsb == fixed["threshold"]
        assert not any(name.startswith("menu_") for name in fixed), "too few events for the cuts of a menu"
        figures = {(f["quantity"], f["fidelity"]): f["value"] for f in point["figures"]}
        assert figures["latency_ns", "simulated"] <= 50
        assert figures["initiation_interval", "simulated"] == 1
        metrics = point["metrics"]
        assert metrics["auc_mean"]["error"] > 0
        assert metrics["fpr_1e-2"]["value"] == pytest.approx(0.01, abs=0.012)
        assert "tpr_mean_1e-3" not in metrics


def test_signals_are_in_no_training_split(run):
    facts = read(run / "sample.json")
    assert facts["held_out"] == ["hard", "muonic"]
    study = yaml.safe_load((run.parent / "study.yaml").read_text(encoding="utf-8"))
    zero_bias_only = round(9000 * study["splits"]["train"])
    assert facts["splits"]["train"] == zero_bias_only


def test_every_baseline_stands_in_the_record_and_the_report(run):
    baseline = read(run / "baseline.json")
    named = [baseline["name"], *(b["name"] for b in baseline["others"])]
    assert len(named) == 10
    for record in (baseline, *baseline["others"]):
        assert record["metrics"]["tpr_mean_1e-2"]["error"] > 0
    page = (run.parent / "reports" / run.name / "index.html").read_text(encoding="utf-8")
    for words in ("isolation forest", "single jet", "Trigger rate against threshold", "Trigger rate against pile-up"):
        assert words in page
