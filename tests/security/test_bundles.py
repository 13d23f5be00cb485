"""Bundles from somebody who means harm, with fresh checksums: nothing of them runs, nothing false passes as checked.

All through the command line, so that what is seen is what a user would see.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from codesign.cli import app
from codesign.design import Design
from codesign.errors import CodesignError
from codesign.handoff import write_bundle
from codesign.handoff.check import checksum
from codesign.records import Front, TrialStatus
from tests.handoff.conftest import build
from tests.make_run import make_run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run, its trial, and the bundle of it, untouched."""
    folder = tmp_path_factory.mktemp("made")
    run = make_run(folder / "made-up", trials=12, front=3)
    trial = build(run)
    return run, trial, write_bundle(run.path, trial, folder / "bundle")


@pytest.fixture
def bundle(made, tmp_path):
    """A copy of the bundle, to be touched."""
    return Path(shutil.copytree(made[2], tmp_path / "bundle"))


def check(bundle, *options):
    """Exit code of ``codesign check``, its statements by name, and what it said where there is no report."""
    done = CliRunner().invoke(app, ["check", str(bundle), "--json", *map(str, options)])
    if isinstance(done.exception, CodesignError):
        assert "\n" not in str(done.exception)
        return 1, {}, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    report = json.loads(done.stdout)
    return done.exit_code, {s["name"]: s for s in report.get("statements", ())}, ""


def is_wrong(bundle, name, *options):
    """The check finds just this statement wrong; its detail."""
    code, statements, said = check(bundle, *options)
    assert code == 1, "it passed"
    assert [s["name"] for s in statements.values() if s["outcome"] == "wrong"] == [name], said or statements
    return statements[name]["detail"]


def is_refused(bundle, *options):
    """The check refuses the bundle in one line, or says that its files or design are wrong; the line."""
    code, statements, said = check(bundle, *options)
    assert code == 1, "it passed"
    return said or next(s["detail"] for s in statements.values() if s["outcome"] == "wrong")


def seal(bundle, change=None):
    """Write the manifest as one who means harm would: changed, and with the checksums of the files as they are now."""
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    if change is not None:
        change(manifest)
    files = sorted(p for p in bundle.rglob("*") if p.is_file() and p.name not in ("manifest.json", "manifest.json.sig"))
    manifest["files"] = [
        {"path": f.relative_to(bundle).as_posix(), "size": f.stat().st_size, "sha256": checksum(f)} for f in files
    ]
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def text_of(bundle):
    return (bundle / "manifest.json").read_text()


def rewritten(bundle, text):
    """The manifest with ``text`` in place of what stands there as a string of that name."""
    path = bundle / "manifest.json"
    path.write_text(path.read_text().replace('"@"', text))


def put(*keys, value):
    """A change of one value, deep in a manifest."""

    def change(data):
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value(data[keys[-1]]) if callable(value) else value

    return change


def test_the_untouched_bundle_passes(bundle):
    before = text_of(bundle)
    seal(bundle)  # what the tests forge differs in what they forge alone
    assert json.loads(text_of(bundle)) == json.loads(before)
    code, statements, _ = check(bundle)
    assert code == 0
    assert {s["outcome"] for s in statements.values()} == {"checked", "not checked"}
    assert statements["metrics"]["outcome"] == "not checked"


# the design


@pytest.mark.parametrize(
    "value",
    [
        "0" * 64,
        lambda h: h[::-1],
        lambda h: h[:-1] + ("0" if h[-1] != "0" else "1"),
        lambda h: ("0" if h[0] != "0" else "1") + h[1:],
        lambda h: h[1:] + h[0],
    ],
    ids=["zeros", "backwards", "last", "first", "turned"],
)
def test_another_design_hash(bundle, value):
    seal(bundle, put("design", value=value))
    assert "the manifest's hash is" in is_wrong(bundle, "design")


def edit_design(bundle, change):
    path = bundle / "design.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data, indent=1))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(more="than a design"),
        lambda d: d["inputs"]["labels"].reverse(),
        lambda d: d["inputs"]["types"][0].update(fraction_bits=1),
        lambda d: d["inputs"].update(name="other"),
        lambda d: d.update(trigger=None),
    ],
    ids=["key", "labels", "type", "name", "trigger"],
)
def test_a_design_file_that_says_more_than_the_design_that_is_hashed(bundle, change):
    edit_design(bundle, change)
    seal(bundle)
    assert "more or other than the design" in is_wrong(bundle, "design")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["outputs"]["types"][0].update(fraction_bits=-1_000_000_000),
        lambda d: d["outputs"]["types"][0].update(integer_bits=1_000_000_000),
        lambda d: d["input_quantisation"]["types"][0].update(fraction_bits=10**30),
        lambda d: d["input_quantisation"]["offset"].__setitem__(0, 1e308 * 10),
        lambda d: d["input_quantisation"]["step"].__setitem__(0, -1.0),
        lambda d: d.pop("outputs"),
        lambda d: d["outputs"].update(labels=["one"]),
        lambda d: d.update(trigger="nothing"),
        lambda d: d.update(trigger=["g"]),
    ],
    ids=["fraction", "integer", "digits", "infinite", "negative", "none", "labels", "trigger", "list"],
)
def test_a_design_that_nothing_can_compute_with(bundle, change):
    edit_design(bundle, change)
    seal(bundle)
    assert "design.json" in is_refused(bundle)


# the interface


@pytest.mark.parametrize(
    ("port", "key", "value"),
    [
        ("inputs", "offset", lambda v: v + 0.3 * 0.125),
        ("inputs", "offset", lambda v: v + 1e-12),
        ("inputs", "step", lambda v: v * 2),
        ("inputs", "unit", "MeV"),
        ("inputs", "name", "feature_9"),
        ("inputs", "minimum", lambda v: v + 1),
        ("inputs", "maximum", lambda v: v - 1),
        ("outputs", "fraction_bits", lambda v: v + 1),
        ("outputs", "type", "fixed<9,9>"),
        ("outputs", "signed", lambda v: not v),
        ("outputs", "width", lambda v: v + 1),
        ("outputs", "low_bit", lambda v: v + 1),
        ("outputs", "high_bit", None),
        ("outputs", "name", "q"),
    ],
)
def test_another_scale_or_bit_of_a_port(bundle, port, key, value):
    seal(bundle, put(port, 0, key, value=value))
    code, statements, said = check(bundle)
    assert code == 1, "it passed"
    assert statements[port]["outcome"] == "wrong", said
    assert key in statements[port]["detail"]


@pytest.mark.parametrize(
    ("port", "key", "text"),
    [
        ("inputs", "offset", "NaN"),
        ("inputs", "offset", "-Infinity"),
        ("inputs", "offset", '"0.0"'),
        ("inputs", "offset", "1e999"),
        ("inputs", "step", "Infinity"),
        ("inputs", "step", "0"),
        ("inputs", "step", "1" * 5000),
        ("outputs", "fraction_bits", "-1000000000"),
        ("outputs", "fraction_bits", "1e30"),
        ("outputs", "fraction_bits", "0.5"),
        ("outputs", "width", "1" + "0" * 30),
    ],
)
def test_a_number_that_is_none_or_too_large(bundle, port, key, text):
    seal(bundle, put(port, 0, key, value="@"))
    rewritten(bundle, text)
    assert "manifest.json" in is_refused(bundle)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("latency_cycles", lambda v: v + 1),
        ("top", "codesign_core"),
        ("protocol", "axi-stream"),
        ("sources", lambda v: v[:-1]),
        ("sources", lambda v: [*v, "README.md"]),
    ],
)
def test_another_interface_than_the_firmware_has(bundle, key, value):
    def change(manifest):
        put(key, value=value)(manifest)
        manifest["verified"]["latency_cycles"] = manifest["latency_cycles"]

    seal(bundle, change)
    code, statements, _ = check(bundle)
    assert code == 1, "it passed"
    assert key in statements["interface"]["detail"]


# golden vectors


def golden(bundle, change, **dtypes):
    with np.load(bundle / "golden.npz") as stored:
        arrays = {name: stored[name].copy() for name in stored.files}
    arrays = {name: array.astype(dtypes.get(name, array.dtype)) for name, array in arrays.items()}
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    (bundle / "golden.npz").write_bytes(buffer.getvalue())
    seal(bundle)


def at(name, value):
    """A change of one integer; a cast to 32 bits would make of 2**40 more than it is what it was."""

    def change(arrays):
        array = arrays[name]
        array[3, 0] = value(array[3, 0]) if callable(value) else value

    return change


@pytest.mark.parametrize(
    ("change", "dtype"),
    [
        (at("inputs", lambda v: v + (1 << 40)), np.int64),
        (at("inputs", lambda v: v - (1 << 32)), np.int64),
        (at("outputs", lambda v: v + (1 << 40)), np.int64),
        (at("inputs", 0.5), np.float64),
        (at("inputs", np.nan), np.float64),
        (lambda a: a.update(inputs=a["inputs"].astype(np.float64)), np.int64),
        (lambda a: a.update(inputs=a["inputs"].astype(np.uint64) + np.uint64(1 << 63)), np.int64),
        (lambda a: a.update(inputs=a["inputs"].astype("U9")), np.int64),
    ],
    ids=["2^40", "-2^32", "output", "half", "nan", "floats", "unsigned", "text"],
)
def test_golden_vectors_that_are_no_codes(bundle, change, dtype):
    golden(bundle, change, inputs=dtype)
    assert "golden.npz" in is_wrong(bundle, "golden vectors")


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.update({k: v[:20] for k, v in a.items()}),
        lambda a: a.update({k: v[:1] for k, v in a.items()}),
        lambda a: a.update({k: np.concatenate([v, v]) for k, v in a.items()}),
    ],
    ids=["half", "one", "twice"],
)
def test_golden_vectors_that_are_not_as_many_as_verified(bundle, change):
    golden(bundle, change)
    code, statements, _ = check(bundle)
    assert code == 1, "it passed"
    assert "40 events are said to be verified" in statements["golden vectors"]["detail"]


@pytest.mark.parametrize(
    ("key", "value"), [("exact", False), ("events", 1_000_000), ("events", 0), ("latency_cycles", 99)]
)
def test_another_verdict_than_the_golden_vectors(bundle, key, value):
    seal(bundle, put("verified", key, value=value))
    code, statements, _ = check(bundle)
    assert code == 1, "it passed"
    assert statements["golden vectors"]["outcome"] == "wrong"


def test_golden_vectors_that_the_design_does_not_give(bundle):
    golden(bundle, at("outputs", lambda v: v - 1 if v > 0 else v + 1))
    code, statements, _ = check(bundle)
    assert code == 1
    assert statements["model.onnx"]["detail"].startswith("differs from golden.npz on 1 of 40 events, first on event 3")


def repacked(made, folder, offset, step):
    """The bundle of a trial whose inputs have these scales."""
    run = make_run(folder / "made-up", trials=12, front=3)
    trial = run.trial(run.read("front.json", Front).points[0].trial)
    design = Design.load(trial.path)
    n = design.inputs.size
    scales = {"offset": tuple([offset] * n), "step": tuple([step] * n)}
    other = Design(design.onnx, design.input_quantisation.model_copy(update=scales), design.outputs)
    other.save(trial.path)
    trial.write("status.json", trial.read("status.json", TrialStatus).model_copy(update={"design": other.hash}))
    return write_bundle(run.path, build(run), folder / "repacked")


@pytest.mark.parametrize(("offset", "step", "usable"), [(1e6, 1e-6, 0), (16.0, 1e-7, None)])
def test_events_that_were_not_compared_are_not_counted(made, tmp_path, offset, step, usable):
    code, statements, _ = check(repacked(made, tmp_path, offset, step))
    assert code == 0
    found = statements["onnx/features.onnx, run"]
    if usable == 0:
        assert found["outcome"] == "not checked"
        assert found["events"] is None
        assert "0 of 40 events usable" in found["detail"]
    else:
        assert found["outcome"] == "not checked" or found["events"] < 40


# what is claimed


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two key pairs."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@example.org", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    return folder


@pytest.fixture(scope="module")
def signed_once(made, keys, tmp_path_factory):
    run, trial, _ = made
    return hand_off(run, trial, tmp_path_factory.mktemp("signed") / "bundle", keys / "ours")


def hand_off(run, trial, output, key):
    done = CliRunner().invoke(app, ["handoff", str(run.path), str(trial), "-o", str(output), "--sign", str(key)])
    assert done.exit_code == 0, (done.output, done.exception)
    return output


@pytest.fixture
def signed(signed_once, tmp_path):
    return Path(shutil.copytree(signed_once, tmp_path / "signed"))


FORGED = {
    "metrics": put("metrics", "accuracy", "value", value=0.999),
    "validation": put("validation", "accuracy", "error", value=0.0),
    "baseline": put("baseline", "accuracy", "value", value=0.1),
    "synthesised": lambda d: [f.update(value=1.0) for f in d["figures"] if f["fidelity"] == "synthesised"],
    "sample": put("sample", "events", value=10**9),
    "verified": put("verified", "tool", value="ModelSim"),
    "licence": put("licence", value="MIT"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_claim_is_named_as_not_checked_and_breaks_the_signature(signed, keys, name):
    seal(signed, FORGED[name])
    code, statements, _ = check(signed)
    statement = {"validation": "metrics", "baseline": "metrics", "synthesised": "figures, others"}.get(name, name)
    statement = {"verified": "verification"}.get(statement, statement)
    assert statements[statement]["outcome"] == "not checked"
    assert "claimed by the maker" in statements[statement]["detail"]
    code, _, said = check(signed, "--key", keys / "ours.pub")
    assert code == 1
    assert "signature is not one of this manifest" in said


@pytest.mark.parametrize(
    "change",
    [
        lambda d: [f.update(value=1.0) for f in d["figures"] if f["fidelity"] == "compiled" and f["quantity"] == "lut"],
        lambda d: [f.update(version="9") for f in d["figures"] if f["fidelity"] == "compiled"],
        lambda d: [f.update(unit="kLUT") for f in d["figures"] if f["fidelity"] == "compiled"],
        lambda d: d.update(figures=[f for f in d["figures"] if f["fidelity"] != "compiled"]),
        lambda d: d["figures"].append(d["figures"][-4] | {"quantity": "dsp", "fidelity": "compiled"}),
    ],
    ids=["value", "version", "unit", "none", "more"],
)
def test_a_forged_figure_of_the_compiler(bundle, change):
    seal(bundle, change)
    code, statements, _ = check(bundle)
    assert code == 1, "it passed"
    assert statements["figures, compiled"]["outcome"] == "wrong"


# signatures


def test_a_signature_says_whose_it_is(signed, keys, tmp_path):
    code, statements, _ = check(signed, "--key", keys / "ours.pub")
    assert code == 0
    assert statements["metrics"]["outcome"] == "signed"
    assert "ours@example.org" in statements["metrics"]["detail"]
    assert "SHA256:" in statements["signature"]["detail"]
    allowed = tmp_path / "allowed_signers"
    allowed.write_text(f"# ours\nalice@example.org,bob {(keys / 'ours.pub').read_text()}")
    _, statements, _ = check(signed, "--key", allowed)
    assert "alice@example.org" in statements["signature"]["detail"]


def test_the_same_key_signs_the_same_bytes(made, keys, tmp_path):
    run, trial, _ = made
    one, two = (hand_off(run, trial, tmp_path / name / "b.zip", keys / "ours") for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert check(one, "--key", keys / "ours.pub")[0] == 0


@pytest.mark.parametrize("what", ["none", "others", "purpose", "another bundle", "empty", "link", "other allowed"])
def test_what_is_not_signed_by_the_key_is_refused(signed, bundle, keys, tmp_path, what):
    signature, key = signed / "manifest.json.sig", keys / "ours.pub"

    def sign(name, purpose, manifest):
        command = ["ssh-keygen", "-Y", "sign", "-n", purpose, "-f", str(keys / name)]
        done = subprocess.run(command, input=manifest.read_bytes(), capture_output=True, check=True)
        signature.write_bytes(done.stdout)

    match what:
        case "none":
            signature.unlink()
        case "others":
            sign("theirs", "codesign-bundle", signed / "manifest.json")
        case "purpose":
            sign("ours", "git", signed / "manifest.json")
        case "another bundle":
            seal(bundle, put("seed", value=7))
            sign("ours", "codesign-bundle", bundle / "manifest.json")
        case "empty":
            signature.write_bytes(b"")
        case "link":
            signature.rename(tmp_path / "elsewhere")
            signature.symlink_to(tmp_path / "elsewhere")
        case "other allowed":
            key = tmp_path / "allowed"
            key.write_text(f'alice namespaces="git" {(keys / "ours.pub").read_text()}')
    code, statements, said = check(signed, "--key", key)
    assert (code, statements) == (1, {})
    assert "sign" in said or "link" in said
    done = CliRunner().invoke(
        app, ["apply", str(signed), "events.root", "-o", str(tmp_path / "x.root"), "--key", str(key)]
    )
    assert isinstance(done.exception, CodesignError)
    assert str(done.exception) == said


@pytest.mark.parametrize("content", ["ssh-ed25519", "", "# nothing\n", "\0\1", "-----BEGIN OPENSSH PRIVATE KEY-----\n"])
def test_a_file_of_keys_that_holds_none(signed, tmp_path, content):
    (tmp_path / "key").write_text(content)
    code, _, said = check(signed, "--key", tmp_path / "key")
    assert code == 1
    assert "key" in said


def test_names_that_look_like_options(made, keys, signed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("-f", "-Y"):
        shutil.copyfile(keys / "ours", name)
        shutil.copyfile(keys / "ours.pub", f"{name}.pub")
        Path(name).chmod(0o600)
    run, trial, _ = made
    made_here = hand_off(run, trial, tmp_path / "again", "-f")
    assert (made_here / "manifest.json.sig").read_bytes() == (signed / "manifest.json.sig").read_bytes()
    assert check(signed, "--key=-Y.pub")[0] == 0


def test_without_ssh_keygen_it_is_said_how_to_get_it(signed, keys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, said = check(signed, "--key", keys / "ours.pub")
    assert code == 1
    assert "openssh-client" in said


# code


def marker(tmp_path, text):
    """Code that leaves a file behind where it runs, and where that file would be."""
    place = tmp_path / "it-ran"
    return text.replace("@", str(place)).encode(), place


EMULATOR = {
    "made_up_v1.cpp": '#include <cstdlib>\nstatic int x = std::system("touch @");\n',
    "made_up_v1.h": '#include <cstdlib>\nstatic int y = std::system("touch @");\n',
    "emulator.h": '#include <cstdio>\nstatic auto* z = std::fopen("@", "w");\n',
    "Makefile": "X := $(shell touch @)\n",
    "GNUmakefile": "all:\n\ttouch @\n%.so:\n\ttouch @\n",
}


def infect(bundle, tmp_path, file):
    """Put code into a file of the emulator; where it would leave its mark."""
    content, place = marker(tmp_path, EMULATOR[file])
    path = bundle / "emulator" / file
    path.write_bytes(content + (path.read_bytes() if path.exists() else b""))
    seal(bundle)
    return place


@pytest.mark.parametrize("file", EMULATOR)
def test_no_code_of_an_emulator_is_built_to_check_it(bundle, tmp_path, file):
    place = infect(bundle, tmp_path, file)
    assert f"emulator/{file}" in is_wrong(bundle, "emulator/", "--emulator")
    assert not place.exists()


def test_no_code_of_an_emulator_is_built_to_apply_it(bundle, tmp_path):
    places = [infect(bundle, tmp_path, file) for file in EMULATOR]
    names = json.loads((bundle / "design.json").read_text())["inputs"]["labels"]
    table = pyarrow.table({name: np.zeros(3, np.float32) for name in names})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    arguments = ["apply", bundle, tmp_path / "x.parquet", "-o", tmp_path / "scores.parquet", "--emulator"]
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    assert not any(place.exists() for place in places)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("firmware/src/codesign_top.v", 'module x; initial $system("touch @"); endmodule\n'),
        ("firmware/src/codesign_top.v", 'module x; initial $c("system(\\"touch @\\");"); endmodule\n'),
        ("firmware/src/static/mux.v", '`include "/etc/passwd"\n'),
        ("firmware/src/logic0.v", 'module x; integer f; initial f = $fopen("@", "w"); endmodule\n'),
        ("firmware/src/more.v", 'import "DPI-C" function int system(string x);\n'),
        ("firmware/build_vivado_prj.tcl", "exec touch @\n"),
        ("firmware/firmware.json", " "),
        ("firmware/program.json.gz", "no program"),
    ],
)
def test_no_verilog_of_a_bundle_is_simulated(bundle, tmp_path, file, text):
    content, place = marker(tmp_path, text)
    path = bundle / file
    path.write_bytes((path.read_bytes() if path.exists() else b"") + content)

    def listed(manifest):
        if file.endswith("more.v"):
            manifest["sources"].append(file)

    seal(bundle, listed)
    code, statements, _ = check(bundle, "--rtl")
    assert code == 1, "it passed"
    assert file in statements["firmware/"]["detail"]
    assert "not simulated" in statements["firmware/, run"]["detail"]
    assert not place.exists()


@pytest.mark.parametrize(
    "files",
    [
        ("testbench/tb.sv", "axi/codesign_axi.v", "vivado/build.tcl", "triton/made-up/config.pbtxt", "run-me.sh"),
        ("testbench/inputs.mem", "axi/more.v", "vivado/ooc.tcl", "triton/made-up/1/model.py", "setup/install.py"),
    ],
)
def test_a_file_that_is_not_what_codesign_writes(bundle, files):
    for file in (*files, "README.md"):
        path = bundle / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n# exec touch it-ran\n")
    seal(bundle)
    code, statements, _ = check(bundle)
    assert code == 1, "it passed"
    wrong = {name: s["detail"] for name, s in statements.items() if s["outcome"] == "wrong"}
    assert list(wrong) == ["other files", "README.md", "triton/", "axi/", "testbench/", "vivado/"]
    assert all(any(file in detail for detail in wrong.values()) for file in files)


def test_parts_that_are_missing(bundle):
    folders = ("testbench", "axi", "vivado", "emulator", "triton")
    for folder in folders:
        shutil.rmtree(bundle / folder)
    seal(bundle)
    code, statements, _ = check(bundle)
    assert code == 1, "it passed"
    assert all("is missing" in statements[f"{folder}/"]["detail"] for folder in folders)


# ONNX that hangs


def endless(size):
    """A model that loops for ever, with the inputs and outputs of a bundle's."""

    def scalar(name, kind):
        return helper.make_tensor_value_info(name, kind, [])

    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [scalar("i", TensorProto.INT64), scalar("go", TensorProto.BOOL)],
        [scalar("on", TensorProto.BOOL)],
    )
    nodes = [
        helper.make_node("Loop", ["", "always"], [], body=body),
        helper.make_node("Identity", ["input_codes"], ["output_codes"]),
    ]
    ends = [
        helper.make_tensor_value_info(n, TensorProto.INT32, ["events", size]) for n in ("input_codes", "output_codes")
    ]
    always = helper.make_tensor("always", TensorProto.BOOL, [], [True])
    graph = helper.make_graph(nodes, "endless", ends[:1], ends[1:], [always])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.mark.parametrize("file", ["onnx/codes.onnx", "onnx/features.onnx", "model.onnx"])
@pytest.mark.parametrize("version", ["0.1.0", "0.0.9"])
def test_a_network_that_never_ends(bundle, file, version):
    (bundle / file).write_bytes(endless(16))
    seal(bundle, put("codesign", value=version))
    code, statements, said = check(bundle)
    if file == "model.onnx":
        assert code == 1
        assert "a loop or a branch" in statements["design"]["detail"], said
    elif version == "0.1.0":
        assert statements["onnx/"]["outcome"] == "wrong"
    else:
        assert "a loop or a branch" in statements[f"{file}, run"]["detail"]


# what is read at all


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text + " " * (17 << 20),
        lambda text: text.replace('"notes": []', '"notes": [NaN]'),
        lambda text: text.replace('"seed":', '"seed": 1, "seed":'),
        lambda text: text.replace('"config": {', '"config": {"x": ' + "[" * 100 + "]" * 100 + ","),
        lambda text: text.replace('"config": {', '"config": {"x": ' + "[" * 100_000 + "]" * 100_000 + ","),
        lambda text: text.replace('"config": {', '"config": {"x": ' + "7" * 5000 + ","),
        lambda text: text.replace('"config": {', '"config": {"x": "\\ud800",'),
        lambda text: text.replace('"trial": ', '"trial": "1", "was": '),
        lambda text: text.replace("{", "\ufeff{", 1),
    ],
    ids=["size", "nan", "twice", "deep", "deeper", "digits", "surrogate", "text", "mark"],
)
def test_a_manifest_out_of_bounds(bundle, write):
    text = write(text_of(bundle))
    assert text != text_of(bundle)
    (bundle / "manifest.json").write_text(text)
    assert "manifest.json" in is_refused(bundle)


@pytest.mark.parametrize(
    ("paths", "size"),
    [
        ([f"x/{i}" for i in range(20_000)], 0),
        (["huge"], 1 << 50),
        (["a" * 5000], 0),
        (["README.md/x"], 0),
        (["a/\ud7ff\x1b[2J"], 0),
    ],
    ids=["many", "huge", "long", "below a file", "escape"],
)
def test_files_that_are_declared(bundle, paths, size):
    manifest = json.loads(text_of(bundle))
    manifest["files"] += [{"path": p, "size": size, "sha256": "0" * 64} for p in paths]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    assert "\x1b" not in is_refused(bundle)


@pytest.mark.parametrize(
    "name", ["manifest.json", "golden.npz", "README.md", "manifest.json.sig", "more", "firmware/x"]
)
def test_pipes_do_not_hang(bundle, name):
    seal(bundle)
    (bundle / name).unlink(missing_ok=True)
    os.mkfifo(bundle / name)
    assert name in is_refused(bundle)


@pytest.mark.parametrize(
    "name", ["manifest.json", "golden.npz", "weights.safetensors", "firmware", "manifest.json.sig"]
)
def test_links_are_not_followed(bundle, tmp_path, name):
    if (bundle / name).exists():
        (bundle / name).rename(tmp_path / "elsewhere")
    else:
        (tmp_path / "elsewhere").write_text("")
    (bundle / name).symlink_to(tmp_path / "elsewhere")
    assert name in is_refused(bundle)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("readme.md", "README.md"),
        ("MANIFEST.json", "manifest.json"),
        ("Firmware/x.v", "firmware"),
        ("weights.safetensor\u017f", "weights.safetensors"),
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_names_that_are_one_elsewhere(bundle, one, other):
    for name in (one, other):
        path = bundle / name
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_text("")
    seal(bundle)
    assert "on other systems" in is_refused(bundle)


def test_an_archive_of_too_many_entries(tmp_path):
    """Its table of contents is made by hand: writing so many entries takes longer than refusing them may."""
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 3) + bytes(16) + b"b/x"
    table = entry * 200_000
    for count in (200_000 & 0xFFFF, 1):
        end = b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, count, count, len(table), 0, 0)
        (tmp_path / "b.zip").write_bytes(table + end)
        assert "more than 10000 files" in is_refused(tmp_path / "b.zip")


def test_two_bundles_in_one_archive_name(bundle, tmp_path):
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as packed:
        packed.write(bundle / "manifest.json", "b/manifest.json")
        with pytest.warns(UserWarning, match="Duplicate name"):
            packed.writestr("b/manifest.json", "{}")
    assert "twice" in is_refused(tmp_path / "b.zip")
