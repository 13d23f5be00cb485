"""A bundle of a design that triggers: its threshold travels along, and offline scores have the firmware's bit."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import uproot

from codesign.cli import schemas
from codesign.core.design import Design
from codesign.core.records import Front, Metrics, TrialStatus
from codesign.handoff import read_manifest, write_bundle
from codesign.handoff.apply import apply_bundle
from codesign.handoff.examination import Asked, prove_bundle
from codesign.handoff.statement import Finding

THRESHOLD = 2.3


@pytest.fixture
def bundle(run, request, tmp_path):
    """The smallest front point of the made-up run, its first output compared with a threshold."""
    folder = run.trial(run.read("front.json", Front).points[0].trial)
    design = Design.load(folder.path)
    triggering = Design(design.onnx, design.input_quantisation, design.outputs, trigger=design.outputs.labels[0])
    triggering.save(folder.path)
    folder.write("status.json", folder.read("status.json", TrialStatus).model_copy(update={"design": triggering.hash}))
    searched = folder.read("metrics.json", Metrics)
    folder.write("metrics.json", searched.model_copy(update={"points": {"threshold": THRESHOLD}}))
    return write_bundle(run.path, request.getfixturevalue("trial"), tmp_path / "bundle")


def test_the_threshold_is_in_the_manifest_and_the_ports_in_the_readme(bundle):
    manifest = read_manifest(bundle)
    design = Design.load(bundle)
    lsb = design.outputs.types[0].lsb
    assert manifest.trigger.output == "g"
    assert manifest.trigger.threshold == THRESHOLD
    assert (manifest.trigger.threshold_code - 1) * lsb < THRESHOLD <= manifest.trigger.threshold_code * lsb
    jsonschema.validate(json.loads((bundle / "manifest.json").read_text()), schemas.schema("manifest.json"))
    text = (bundle / "README.md").read_text()
    assert f"| `threshold` | input | {design.outputs.types[0].width} |" in text
    assert f"code {manifest.trigger.threshold_code} (value 2.3)" in text
    report = prove_bundle(bundle, Asked(emulator=True))
    assert report.wrong == ()
    assert report.of("trigger").outcome is Finding.CHECKED
    assert report.of("emulator/, run").events == 40


@pytest.mark.slow  # Verilator compiles its run-time library anew: half a minute
def test_the_test_bench_checks_the_bit(bundle):
    assert prove_bundle(bundle, Asked(rtl=True)).of("firmware/, run").events == 40


def test_offline_scores_have_the_firmwares_bit(bundle, tmp_path):
    manifest = read_manifest(bundle)
    features = np.random.default_rng(1).normal(3, 20, (3000, 16)).astype(np.float32)
    columns = {s.name: features[:, i] for i, s in enumerate(manifest.inputs)}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "rows.parquet")
    apply_bundle(bundle, [tmp_path / "rows.parquet"], tmp_path / "scores.root")
    with uproot.open(tmp_path / "scores.root") as file:
        codes, bit = (file["Events"][f"codesign_{name}"].array(library="np") for name in ("g_code", "trigger"))
    assert np.array_equal(bit, Design.load(bundle).fires(codes[:, None], manifest.trigger.threshold_code))
    assert 0 < bit.sum() < len(bit)
