"""A bundle proven by somebody else: golden vectors through ONNX, emulator and RTL; archives that are not trusted."""

from __future__ import annotations

import json
import os
import stat
import zipfile

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from codesign.errors import InputError
from codesign.handoff import write_bundle
from codesign.handoff.archive import opened
from codesign.handoff.check import checksum
from codesign.handoff.proof import prove_bundle


@pytest.fixture
def bundle(run, trial, tmp_path):
    return write_bundle(run.path, trial, tmp_path / "bundle")


def forge(bundle, name, content):
    """Change a file and the manifest with it, as somebody would who means harm."""
    (bundle / name).write_bytes(content)
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["files"]:
        if entry["path"] == name:
            entry |= {"size": len(content), "sha256": checksum(bundle / name)}
    path.write_text(json.dumps(manifest))


def test_all_models_of_a_bundle_agree(bundle):
    assert prove_bundle(bundle, emulator=True, drawn=20_000) == {
        "onnx": 40,
        "onnx from features": 40,
        "emulator": 40,
        "emulator beside onnx, drawn": 20_000,
    }
    with pytest.raises(InputError, match="ask for the emulator"):
        prove_bundle(bundle, drawn=10)
    assert not list((bundle / "emulator").glob("*.so")), "a bundle is not changed by checking it"


@pytest.mark.slow  # Verilator compiles its run-time library anew: half a minute
def test_the_rtl_is_simulated_on_request(bundle):
    assert prove_bundle(bundle, rtl=True)["rtl"] == 40
    top = next((bundle / "firmware").rglob("codesign_top.v"))
    forge(
        bundle,
        top.relative_to(bundle).as_posix(),
        top.read_bytes().replace(b"assign model_out = ", b"assign model_out = ~", 1),
    )
    with pytest.raises(InputError, match="FAIL: 40 of 40 events differ"):
        prove_bundle(bundle, rtl=True)


def test_a_forged_network_is_found_by_the_golden_vectors(bundle):
    model = onnx.load(bundle / "onnx" / "codes.onnx")
    matrix = next(i for i in model.graph.initializer if len(i.dims) == 2 and min(i.dims) > 1)
    matrix.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(matrix), matrix.name))
    forge(bundle, "onnx/codes.onnx", model.SerializeToString())
    with pytest.raises(InputError, match=r"onnx differs from golden.npz on \d+ of 40 events, first on event \d+"):
        prove_bundle(bundle)


def test_a_forged_quantisation_is_found_too(bundle):
    model = onnx.load(bundle / "onnx" / "features.onnx")
    offset = next(i for i in model.graph.initializer if i.data_type == onnx.TensorProto.DOUBLE and len(i.dims) == 1)
    offset.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(offset) + 7.0, offset.name))
    forge(bundle, "onnx/features.onnx", model.SerializeToString())
    with pytest.raises(InputError, match=r"onnx/features.onnx does not give"):
        prove_bundle(bundle)


def test_golden_vectors_that_hold_objects_or_inflate_without_end_are_refused(bundle, tmp_path):
    np.savez(tmp_path / "objects.npz", inputs=np.array([object()]), outputs=np.zeros(1))
    forge(bundle, "golden.npz", (tmp_path / "objects.npz").read_bytes())
    with pytest.raises(InputError, match=r"golden\.npz"):
        prove_bundle(bundle)
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as bomb,
        bomb.open("inputs.npy", "w", force_zip64=True) as entry,
    ):
        for _ in range(1100):
            entry.write(bytes(1 << 20))
    forge(bundle, "golden.npz", (tmp_path / "bomb.npz").read_bytes())
    with pytest.raises(InputError, match="inflates to more than"):
        prove_bundle(bundle)


def test_an_archive_is_checked_as_its_folder_is(run, trial, tmp_path):
    with opened(write_bundle(run.path, trial, tmp_path / "b.zip")) as folder:
        assert prove_bundle(folder)["onnx"] == 40
    assert not folder.exists()


def archive(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content, mode in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            packed.writestr(entry, content)
    return path


FILE = stat.S_IFREG | 0o644


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ([("b/../../out.txt", b"x", FILE)], "leads out of the bundle"),
        ([("/etc/passwd", b"x", FILE)], "leads out of the bundle"),
        ([("b\\..\\out.txt", b"x", FILE)], "leads out of the bundle"),
        ([("b/link", b"/etc/passwd", stat.S_IFLNK | 0o777)], "is a link or a device"),
        ([("a/x", b"x", FILE), ("b/x", b"x", FILE)], "one folder at the top, found 2"),
        ([("b/zeros", bytes(3 << 20), FILE)], "inflates to more than 1 MiB"),
    ],
)
def test_hostile_archives_write_nothing(tmp_path, entries, match):
    path = archive(tmp_path / "b.zip", entries)
    before = set(os.listdir(tmp_path))
    with pytest.raises(InputError, match=match), opened(path, most=1 << 20):
        pass
    assert set(os.listdir(tmp_path)) == before


def test_an_archive_whose_contents_lie_about_their_size(tmp_path):
    path = archive(tmp_path / "b.zip", [("b/zeros", bytes(1 << 20), FILE)])
    content = path.read_bytes().replace((1 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be unpacked|inflates to more"), opened(path):
        pass


def test_damaged_archives_and_other_files(tmp_path):
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04 no zip")
    for name in ("b.zip", "nowhere"):
        with pytest.raises(InputError, match=name), opened(tmp_path / name):
            pass
