"""A bundle proven by somebody else: golden vectors through ONNX, emulator and RTL; archives that are not trusted."""

from __future__ import annotations

import json
import os
import re
import stat
import zipfile

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from codesign.core.errors import InputError
from codesign.handoff import received, write_bundle
from codesign.handoff.archive import open_bundle
from codesign.handoff.claims import FIELDS
from codesign.handoff.examination import Asked, prove_bundle
from codesign.handoff.manifest import Manifest
from codesign.handoff.statement import Finding
from tests.security.strangers import forge


def wrong(bundle, *asked):
    """Names of what is wrong, and the first detail."""
    found = prove_bundle(bundle, *asked).wrong
    return [s.name for s in found], found[0].detail if found else ""


def test_all_models_of_a_bundle_agree(bundle):
    report = prove_bundle(bundle, Asked(emulator=True, drawn=20_000))
    assert report.wrong == ()
    assert {s.name: s.events for s in report.statements if s.events is not None} == {
        "golden vectors": 40,
        "model.onnx": 40,
        "onnx/codes.onnx, run": 40,
        "onnx/features.onnx, run": 40,
        "emulator/, run": 40,
        "emulator/ beside onnx/": 20_000,
    }
    with pytest.raises(InputError, match="ask for the emulator"):
        prove_bundle(bundle, Asked(drawn=10))
    assert not list((bundle / "emulator").glob("*.so")), "a bundle is not changed by checking it"


def test_what_nobody_can_compute_again_is_named_as_not_checked(bundle):
    report = prove_bundle(bundle)
    unknown = {s.name for s in report.statements if s.outcome is Finding.NOT_CHECKED}
    assert unknown == {
        *("maker", "metrics", "verification", "figures, others", "sample", "notes", "licence", "weights.safetensors"),
        "signature",
    }
    assert "claimed by the maker" in report.of("metrics").detail
    assert "not checked" in report.summary()


def test_every_field_of_a_manifest_stands_in_a_statement(bundle):
    assert set(FIELDS) == set(Manifest.model_fields)
    assert set(FIELDS.values()) <= {s.name for s in prove_bundle(bundle).statements} | {"trigger"}


@pytest.mark.slow  # Verilator compiles its run-time library anew: half a minute
def test_the_rtl_is_simulated_on_request_and_only_what_was_compiled_here(bundle):
    assert prove_bundle(bundle, Asked(rtl=True)).of("firmware/, run").events == 40
    top = next((bundle / "firmware").rglob("codesign_top.v"))
    forge(
        bundle,
        top.relative_to(bundle).as_posix(),
        top.read_bytes().replace(b"assign model_out = ", b"assign model_out = ~", 1),
    )
    report = prove_bundle(bundle, Asked(rtl=True))
    assert [s.name for s in report.wrong] == ["firmware/"]
    assert "is not simulated" in report.of("firmware/, run").detail


def test_a_forged_network_is_found(bundle):
    model = onnx.load(bundle / "onnx" / "codes.onnx")
    matrix = next(i for i in model.graph.initializer if len(i.dims) == 2 and min(i.dims) > 1)
    matrix.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(matrix), matrix.name))
    forge(bundle, "onnx/codes.onnx", model.SerializeToString())
    assert wrong(bundle) == (["onnx/"], "onnx/codes.onnx is not what codesign makes of the design")
    made_by_another(bundle)
    names, detail = wrong(bundle)
    assert names == ["onnx/codes.onnx, run"]
    assert re.match(r"differs from golden.npz on \d+ of 40 events, first on event \d+", detail)


def test_a_forged_quantisation_is_found_too(bundle):
    model = onnx.load(bundle / "onnx" / "features.onnx")
    offset = next(i for i in model.graph.initializer if i.data_type == onnx.TensorProto.DOUBLE and len(i.dims) == 1)
    offset.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(offset) + 7.0, offset.name))
    forge(bundle, "onnx/features.onnx", model.SerializeToString())
    assert wrong(bundle) == (["onnx/"], "onnx/features.onnx is not what codesign makes of the design")
    made_by_another(bundle)
    assert wrong(bundle)[0] == ["onnx/features.onnx, run"]


def made_by_another(bundle):
    """As if another version of codesign had written it."""
    path = bundle / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"codesign": "0.0.9"}))


def test_the_code_of_another_version_is_not_run_but_its_onnx_is(bundle):
    """Equal bytes are proven whoever wrote them; of others, integers are compared only where no code runs for it."""
    source = next((bundle / "emulator").glob("*.cpp"))
    forge(bundle, source.relative_to(bundle).as_posix(), source.read_bytes() + b"// as it was written then\n")
    model = onnx.load(bundle / "onnx" / "codes.onnx")
    model.doc_string = "as it was written then"
    forge(bundle, "onnx/codes.onnx", model.SerializeToString())
    made_by_another(bundle)
    report = prove_bundle(bundle, Asked(emulator=True))
    assert report.wrong == ()
    assert "made by codesign 0.0.9" in report.of("emulator/").detail
    assert report.of("emulator/").outcome is report.of("emulator/, run").outcome is Finding.NOT_CHECKED
    assert report.of("onnx/").outcome is Finding.NOT_CHECKED
    assert report.of("onnx/codes.onnx, run").events == 40
    assert report.of("firmware/").outcome is Finding.CHECKED


def test_a_bundle_of_the_format_before_is_read(bundle):
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["tools"], manifest["target"]["whole"]
    path.write_text(json.dumps(manifest | {"format_version": 2}))
    report = prove_bundle(bundle)
    assert report.wrong == ()
    assert report.of("firmware/").outcome is Finding.CHECKED


def test_golden_vectors_that_hold_objects_or_inflate_without_end_are_refused(bundle, tmp_path, monkeypatch):
    np.savez(tmp_path / "objects.npz", inputs=np.array([object()]), outputs=np.zeros(1))
    forge(bundle, "golden.npz", (tmp_path / "objects.npz").read_bytes())
    assert wrong(bundle)[0] == ["golden vectors"]
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as bomb,
        bomb.open("inputs.npy", "w", force_zip64=True) as entry,
    ):
        entry.write(bytes(2 << 20))
    monkeypatch.setattr(received, "_MOST_GOLDEN", 1 << 20)
    forge(bundle, "golden.npz", (tmp_path / "bomb.npz").read_bytes())
    assert "inflates to more than" in wrong(bundle)[1]


def test_an_archive_is_checked_as_its_folder_is(run, trial, tmp_path):
    with open_bundle(write_bundle(run.path, trial, tmp_path / "b.zip")) as folder:
        assert prove_bundle(folder).wrong == ()
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
    with pytest.raises(InputError, match=match), open_bundle(path, most=1 << 20):
        pass
    assert set(os.listdir(tmp_path)) == before


def test_an_archive_whose_contents_lie_about_their_size(tmp_path):
    path = archive(tmp_path / "b.zip", [("b/zeros", bytes(1 << 20), FILE)])
    content = path.read_bytes().replace((1 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be unpacked|inflates to more"), open_bundle(path):
        pass


def test_damaged_archives_and_other_files(tmp_path):
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04 no zip")
    for name in ("b.zip", "nowhere"):
        with pytest.raises(InputError, match=name), open_bundle(tmp_path / name):
            pass
