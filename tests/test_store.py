"""The store gives back what was put into it, or nothing; it stays small, and holds nothing that could run."""

import os
from pathlib import Path

import pytest

from codesign.core import store
from codesign.core.errors import InputError
from codesign.core.store import Store
from codesign.core.trust.key import key_id

FILES = {"weights.safetensors": b"\x00\x01" * 40, "more/design.json": b"{}"}
KEY = store.digest({"a": 1})


PLUGIN = Path(__file__).parent / "search" / "plugin"


def entry(root, kind="weights", key=KEY):
    return Path(root) / kind / key_id() / key[:2] / f"{key}.zip"


@pytest.mark.parametrize("url", ["{}/store", "file://{}/store", "memory://{}/store"])
def test_what_was_put_comes_back(url, tmp_path):
    url = url.format(tmp_path)
    assert Store(url).get("weights", KEY, dict) is None
    Store(url).put("weights", KEY, FILES)
    assert Store(url).get("weights", KEY, dict) == FILES
    assert Store(url).get("firmware", KEY, dict) is None
    Store(url).put("weights", KEY, {"other": b""})
    assert Store(url).get("weights", KEY, dict) == FILES, "one that is there stays"


def test_the_key_is_of_the_content():
    assert store.digest({"a": 1, "b": 2}) == store.digest({"b": 2, "a": 1}) != store.digest({"a": 1, "b": 3})


def test_code_that_changes_is_other_code(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "codesign_some_plugin.py"
    module.write_text("A = 1\n")
    before = store.source_hash(module.stem)
    assert before == store.source_hash(module.stem)
    module.write_text("A = 2\n")
    store.source_hash.cache_clear()
    assert store.source_hash(module.stem) != before


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_entry_is_absent(damage, tmp_path):
    Store(str(tmp_path)).put("weights", KEY, FILES)
    content = bytearray(entry(tmp_path).read_bytes())
    if damage == "flipped":
        content[45] ^= 0xFF
    entry(tmp_path).write_bytes({"cut": content[:-30], "flipped": content, "empty": b""}[damage])
    assert Store(str(tmp_path)).get("weights", KEY, dict) is None


@pytest.mark.parametrize("name", ["../evil.json", "/etc/evil.json", "a/../../evil.json", "a\\..\\evil"])
def test_a_name_that_leads_out_is_refused(name, tmp_path):
    path = entry(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(store.seal_entry("weights", KEY, {name: b"{}"}))
    assert Store(str(tmp_path)).get("weights", KEY, dict) is None


def test_an_entry_that_inflates_too_far_is_refused(tmp_path, monkeypatch):
    Store(str(tmp_path)).put("weights", KEY, {"zeros": bytes(10_000)})
    monkeypatch.setattr(store, "MOST_ENTRY_BYTES", 5_000)
    assert Store(str(tmp_path)).get("weights", KEY, dict) is None


def test_a_local_store_stays_below_its_size_and_keeps_what_is_used(tmp_path):
    kept = Store(str(tmp_path), most=4_000)
    keys = [store.digest({"n": n}) for n in range(8)]
    for n, key in enumerate(keys):
        kept.put("weights", key, {"w": os.urandom(800)})
        if entry(tmp_path, key=key).exists():
            os.utime(entry(tmp_path, key=key), (n, n))
        kept.get("weights", keys[0], dict)  # used: its time is now
    there = [entry(tmp_path, key=key) for key in keys if entry(tmp_path, key=key).exists()]
    assert sum(p.stat().st_size for p in there) <= 4_000
    assert entry(tmp_path, key=keys[0]) in there
    assert entry(tmp_path, key=keys[1]) not in there
    assert entry(tmp_path, key=keys[-1]) in there


def test_a_store_that_cannot_be_written_costs_nothing(tmp_path):
    (tmp_path / "file").touch()
    kept = Store(str(tmp_path / "file"))
    kept.put("weights", KEY, FILES)
    assert kept.get("weights", KEY, dict) is None


def test_a_scheme_that_is_not_known_is_named():
    with pytest.raises(InputError, match="--store: cannot use 'nosuch://"):
        Store("nosuch://bucket")
