"""Bundles that are too large, damaged, or no plain files: each is refused in one line, and nothing hangs."""

from __future__ import annotations

import json
import os
import struct
import zipfile

import pytest

from tests.security.bundles.forging import is_refused, seal, text_of


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
