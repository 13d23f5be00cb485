"""Checking a bundle that somebody else may have touched."""

from __future__ import annotations

import json

import pytest

from codesign.core.errors import InputError
from codesign.core.records import Verified
from codesign.handoff import check_bundle, read_manifest
from codesign.handoff.check import checksum
from codesign.handoff.manifest import BundleFile, InputSignal, Manifest, OutputSignal, TargetFacts

COMMON = {
    "name": "x",
    "type": "fixed<4,2>",
    "signed": True,
    "width": 4,
    "fraction_bits": 2,
    "high_bit": 3,
    "low_bit": 0,
}


@pytest.fixture
def bundle(tmp_path):
    """A small bundle, made by hand: what is checked is the folder, not the design."""
    folder = tmp_path / "bundle"
    (folder / "firmware").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"model")
    (folder / "firmware" / "top.v").write_bytes(b"module top; endmodule\n")
    files = [
        BundleFile(path=name, size=(folder / name).stat().st_size, sha256=checksum(folder / name))
        for name in ("firmware/top.v", "model.onnx")
    ]
    manifest = Manifest(
        format_version=2,
        study="s",
        task="t",
        family="mlp",
        flow="alkaid",
        target=TargetFacts(name="t", part="p", clock_mhz=360),
        trial=0,
        design="0" * 64,
        config={},
        seed=1,
        top="top",
        protocol="pipelined",
        sources=["firmware/top.v"],
        latency_cycles=3,
        inputs=[InputSignal(**COMMON, unit="GeV", offset=0, step=1, minimum=-8, maximum=7)],
        outputs=[OutputSignal(**COMMON)],
        metrics={},
        validation={},
        figures=[],
        verified=Verified(exact=True, events=1000),
        sample={},
        codesign="0.1.0",
        licence="Apache-2.0",
        files=files,
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return folder


def edit(bundle, change):
    path = bundle / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_a_whole_bundle_has_no_problem(bundle):
    assert check_bundle(bundle) == []


def test_a_changed_file(bundle):
    (bundle / "model.onnx").write_bytes(b"MODEL")
    assert check_bundle(bundle) == ["model.onnx: was changed (its SHA-256 is not the manifest's)"]
    (bundle / "model.onnx").write_bytes(b"longer")
    assert check_bundle(bundle) == ["model.onnx: has 6 bytes instead of 5"]


def test_a_missing_and_an_extra_file(bundle):
    (bundle / "model.onnx").unlink()
    (bundle / "firmware" / "more.v").write_text("")
    (bundle / ".hidden").write_text("")
    assert check_bundle(bundle) == [
        "model.onnx: missing", ".hidden: not in the manifest", "firmware/more.v: not in the manifest"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["../outside", "/etc/passwd", "firmware/../../outside", "C:\\x", "..\\outside", "C:x", "firmware//top.v", "."],
)
def test_a_path_that_leads_out(bundle, path):
    outside = bundle.parent / "outside"
    outside.write_text("")
    edit(bundle, lambda d: d["files"].append({"path": path, "size": 0, "sha256": checksum(outside)}))
    assert check_bundle(bundle) == [f"{path}: leads out of the bundle"]


def test_links(bundle):
    outside = bundle.parent / "same"
    outside.write_bytes(b"model")
    (bundle / "model.onnx").unlink()
    (bundle / "model.onnx").symlink_to(outside)
    (bundle / "extra").symlink_to(bundle.parent)
    assert check_bundle(bundle) == [
        "model.onnx: is a symbolic link, or lies behind one", "extra: is a symbolic link"
    ]  # fmt: skip


def test_a_linked_folder_and_a_linked_manifest(bundle):
    (bundle / "firmware").rename(bundle.parent / "firmware")
    (bundle / "firmware").symlink_to(bundle.parent / "firmware")
    assert "firmware/top.v: is a symbolic link, or lies behind one" in check_bundle(bundle)
    (bundle / "manifest.json").rename(bundle.parent / "manifest.json")
    (bundle / "manifest.json").symlink_to(bundle.parent / "manifest.json")
    assert check_bundle(bundle) == [f"{bundle} is not a bundle: it has no manifest.json"]


def test_a_file_listed_twice_and_a_source_not_listed(bundle):
    edit(bundle, lambda d: d["files"].append(d["files"][0]))
    edit(bundle, lambda d: d["sources"].append("firmware/other.v"))
    assert check_bundle(bundle) == [
        "firmware/top.v: listed twice", "firmware/other.v: a source that is not among the files"
    ]  # fmt: skip


@pytest.mark.parametrize("version", [1, 4, "2", True, 2.0, None])
def test_an_unknown_format_version(bundle, version):
    edit(bundle, lambda d: d.update(format_version=version))
    (problem,) = check_bundle(bundle)
    assert f"unknown format version {version!r}" in problem


@pytest.mark.parametrize("text", ["", "{", "[]", "[1]", '"x"', "{}", '{"format_version": 2}', "[" * 100_000])
def test_a_manifest_that_is_none(bundle, text):
    (bundle / "manifest.json").write_text(text)
    assert len(check_bundle(bundle)) == 1
    with pytest.raises(InputError):
        read_manifest(bundle)


def test_no_bundle_at_all(tmp_path):
    assert check_bundle(tmp_path / "nowhere") == [f"{tmp_path / 'nowhere'} is not a bundle: it has no manifest.json"]
