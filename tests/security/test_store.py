"""A store that others write to: nothing of theirs is used, and what is damaged is made again."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from codesign.core import plugins, store
from codesign.core.errors import InputError
from codesign.core.figures import Fidelity, Figure
from codesign.core.probes import probe_codes
from codesign.core.runfolder import TrialFolder
from codesign.core.store import Store
from codesign.core.targets import load_target
from codesign.core.trust import key as keys
from codesign.families.base import Family
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.base import Flow
from codesign.pipeline import kept

TARGET = load_target("vu13p-360")


def compile_(design, folder, root):
    """Firmware of a design by way of the store at ``root``, and whether it was taken from there."""
    store.use(str(root))
    return kept.compiled(plugins.load(Flow, "alkaid"), design, TARGET, folder, None, probe_codes(design.inputs))


def entries(root, pattern="*.zip"):
    return sorted(Path(root).rglob(pattern))


def text_of(firmware):
    return {str(s): (firmware.folder / s).read_text() for s in firmware.sources}


def rewritten(path, change):
    """An entry with its files changed, as whoever has no key can write it."""
    with zipfile.ZipFile(path) as archive:
        files = {i.filename: archive.read(i) for i in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in change(files).items():
            archive.writestr(name, content)


# ------------------------------------------------------------------------------------------------------------ two users
def test_two_users_of_one_folder_use_their_own_entries_only(become, tiny, tmp_path):
    root = tmp_path / "store"
    taken = []
    for round_ in range(2):
        for user in ("ann", "bob"):
            become(user)
            taken.append(compile_(tiny, tmp_path / f"{user}{round_}", root)[1])
    assert taken == [False, False, True, True]
    assert len(entries(root)) == 2
    assert len({p.relative_to(root).parts[1] for p in entries(root)}) == 2


def test_a_key_that_is_shared_on_purpose_shares_the_entries(become, tiny, tmp_path):
    compile_(tiny, tmp_path / "a", tmp_path / "store")
    shutil.copytree(tmp_path / "home-ann", tmp_path / "home-cleo")
    become("cleo")
    assert compile_(tiny, tmp_path / "c", tmp_path / "store")[1]


def _before_there_were_seals(path, theirs):
    files = path.read_bytes()
    plain = Path(str(path).replace(f"/{path.parts[-3]}/", "/"))
    plain.parent.mkdir(parents=True, exist_ok=True)
    path.unlink()
    plain.write_bytes(files)


def _unsealed(path, theirs):
    pass  # as it was rewritten


def _with_their_seal(path, theirs):
    with zipfile.ZipFile(path) as archive:
        files = {i.filename: archive.read(i) for i in archive.infolist()}
    path.write_bytes(theirs(path.stem, files))


def _with_the_old_seal(path, theirs):
    content = path.read_bytes()
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"0" * 64
    path.write_bytes(path.read_bytes()[:-64] + content[-64:])


def _through_a_link(path, theirs):
    aside = path.with_suffix(".there")
    path.rename(aside)
    path.symlink_to(aside)


ATTACKS = [_before_there_were_seals, _unsealed, _with_their_seal, _with_the_old_seal, _through_a_link]


@pytest.mark.parametrize("place", ATTACKS)
def test_verilog_that_somebody_else_put_there_is_not_used(place, become, tiny, tmp_path, marker):
    root = tmp_path / "store"
    honest = text_of(compile_(tiny, tmp_path / "first", root)[0])
    (path,) = entries(root)
    attack = f'initial $system("touch {marker}");\nendmodule'.encode()
    rewritten(path, lambda files: {n: c.replace(b"endmodule", attack) for n, c in files.items()})

    def theirs(key, files):
        become("bob")
        try:
            return store.seal_entry("firmware", key, files)
        finally:
            become("ann")

    place(path, theirs)
    firmware, taken = compile_(tiny, tmp_path / "second", root)
    assert not taken
    assert text_of(firmware) == honest


@pytest.mark.parametrize("swap", ["another design's", "another kind's"])
def test_an_own_entry_in_the_place_of_another_is_not_used(swap, become, tiny, tmp_path):
    kept_ = Store(str(tmp_path / "store"))
    kept_.put("firmware", "a" * 64, {"x": b"1"})
    kept_.put("weights", "b" * 64, {"x": b"1"})
    (path,) = entries(tmp_path / "store/firmware")
    kind, key = ("firmware", "c" * 64) if swap == "another design's" else ("synthesis", "a" * 64)
    there = Path(kept_._path(kind, key))
    there.parent.mkdir(parents=True)
    shutil.copy(path, there)
    assert kept_.get(kind, key, dict) is None
    assert kept_.get("firmware", "a" * 64, dict) == {"x": b"1"}


# -------------------------------------------------------------------------------------------------------------- figures
@pytest.mark.parametrize("claim", ["lut", "fmax", "version", "their seal", "text"])
def test_a_figure_that_somebody_else_put_there_is_not_believed(claim, become, tiny, tmp_path):
    root = tmp_path / "store"
    firmware, _ = compile_(tiny, tmp_path / "f", root)
    true = [Figure.of("lut", 321, Fidelity.SYNTHESISED, "yosys", "0.70")]
    assert kept.synthesised(firmware, 60, lambda: true, "synthesis") == true
    assert kept.synthesised(firmware, 60, lambda: [], "synthesis") == true, "this user's own is taken"
    (path,) = entries(root / "synthesis")
    false = {
        "lut": [Figure.of("lut", 1, Fidelity.SYNTHESISED, "yosys", "0.70")],
        "fmax": [Figure.of("fmax", 99_999, Fidelity.SYNTHESISED, "yosys", "0.70")],
        "version": [Figure.of("lut", 321, Fidelity.SYNTHESISED, "yosys", "9.99")],
    }.get(claim, [Figure.of("lut", 2, Fidelity.SYNTHESISED, "yosys", "0.70")])
    content = json.dumps([f.model_dump(mode="json") for f in false]).encode()
    if claim == "their seal":
        become("bob")
        path.write_bytes(store.seal_entry("synthesis", path.stem, {"figures.json": content}))
        become("ann")
    elif claim == "text":
        path.write_bytes(content)
    else:
        rewritten(path, lambda files: {"figures.json": content})
    assert kept.synthesised(firmware, 60, lambda: true, "synthesis") == true
    (said,) = store.put_aside()
    assert "damaged" in said
    assert store.put_aside() == [], "said once"


# -------------------------------------------------------------------------------------------------------------- damaged
def _whole_but(files, **change):
    return {
        n: c for n, c in ({**files, **{k.replace("__", "."): v for k, v in change.items()}}).items() if c is not None
    }


DAMAGE = {
    "no zip": lambda key, files: b"no zip at all" * 20,
    "cut": lambda key, files: store.seal_entry("firmware", key, files)[:-200],
    "a byte": lambda key, files: bytes(b ^ (i == 900) for i, b in enumerate(store.seal_entry("firmware", key, files))),
    "a file less": lambda key, files: store.seal_entry("firmware", key, _whole_but(files, firmware__json=None)),
    "wrong JSON": lambda key, files: store.seal_entry("firmware", key, _whole_but(files, firmware__json=b"{")),
    "wrong type": lambda key, files: store.seal_entry(
        "firmware",
        key,
        _whole_but(files, firmware__json=json.dumps(json.loads(files["firmware.json"]) | {"lut": "many"}).encode()),
    ),
    "another design": lambda key, files: store.seal_entry(
        "firmware",
        key,
        _whole_but(files, firmware__json=json.dumps(json.loads(files["firmware.json"]) | {"design": "0"}).encode()),
    ),
    "no program": lambda key, files: store.seal_entry(
        "firmware", key, {n: b"\x1f\x8bnothing" if n.endswith(".gz") else c for n, c in files.items()}
    ),
    "empty": lambda key, files: b"",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_made_again_and_put_aside(damage, become, tiny, tmp_path):
    root = tmp_path / "store"
    honest = text_of(compile_(tiny, tmp_path / "first", root)[0])
    (path,) = entries(root)
    with zipfile.ZipFile(path) as archive:
        files = {i.filename: archive.read(i) for i in archive.infolist()}
    wrong = DAMAGE[damage](path.stem, files)
    path.write_bytes(wrong)
    firmware, taken = compile_(tiny, tmp_path / "second", root)
    assert (taken, text_of(firmware)) == (False, honest)
    (aside,) = entries(root, "*.damaged")
    assert aside.read_bytes() == wrong
    (said,) = store.put_aside()
    assert str(aside) in said
    assert "\n" not in said
    assert compile_(tiny, tmp_path / "third", root)[1], "it was made again, and is whole"
    assert store.put_aside() == []


@pytest.mark.parametrize("wrong", ["onnx", "safetensors", "more", "less"])
def test_damaged_weights_are_trained_again(wrong, become, tiny, tmp_path):
    from safetensors.numpy import load, save

    store.use(str(tmp_path / "store"))
    folder, key = TrialFolder(tmp_path / "0000"), "d" * 64
    tiny.save(folder.path)
    (folder.path / "weights.safetensors").write_bytes(save({"w": np.ones((3, 2), np.float32)}))
    mlp = plugins.load(Family, "mlp")
    kept.keep_training(key, folder, mlp)

    def read():
        from codesign.core.design import Design
        from codesign.graph.exact import Exact
        from codesign.graph.reader import read_graph

        design = Design.load(folder.path)
        read_graph(design.onnx).run(np.zeros((1, design.inputs.size)), Exact())
        if load((folder.path / "weights.safetensors").read_bytes())["w"].shape != (3, 2):
            raise ValueError("of another shape")
        return design.hash

    assert kept.kept_model(key, folder, mlp, read) == tiny.hash
    (path,) = entries(tmp_path / "store")
    with zipfile.ZipFile(path) as archive:
        files = {i.filename: archive.read(i) for i in archive.infolist()}
    files |= {
        "onnx": {"model.onnx": b"\x08\x08\x12\x00 no graph"},
        "safetensors": {"weights.safetensors": save({"w": np.ones((4, 2), np.float32)})},
        "more": {"evil.py": b"raise SystemExit"},
        "less": {},
    }[wrong]
    if wrong == "less":
        del files["design.json"]
    path.write_bytes(store.seal_entry("weights", key, files))
    assert kept.kept_model(key, folder, mlp, read) is None
    assert not (folder.path / "evil.py").exists()
    assert len(store.put_aside()) == 1


def test_a_full_disk_is_no_fault_of_an_entry(become, tmp_path):
    kept_ = Store(str(tmp_path))
    kept_.put("weights", "a" * 64, {"x": b"1"})

    def full(files):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        kept_.get("weights", "a" * 64, full)
    assert kept_.get("weights", "a" * 64, dict) == {"x": b"1"}


# -------------------------------------------------------------------------------------------------------------- the key
def test_a_key_is_made_once_and_for_its_user_alone(become, tmp_path):
    made = keys.key()
    path = keys.key_path()
    assert path.read_bytes() == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["key"]
    keys._key.cache_clear()
    assert keys.key() == made
    assert keys.key_id() not in (made.hex(), made.hex()[:16])
    become("bob")
    assert keys.key() != made


def test_of_those_who_make_a_key_at_once_one_does(become):
    path, found = keys.key_path(), []

    def make():
        keys._make(path)
        found.append(keys._read(path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("fault", ["group", "others", "link", "short", "long", "pipe", "folder"])
def test_a_key_that_is_none_is_refused_in_a_line(fault, become, tmp_path):
    path = keys.key_path()
    path.parent.mkdir(parents=True)
    if fault in ("pipe", "folder"):
        os.mkfifo(path, 0o600) if fault == "pipe" else path.mkdir(0o700)
    else:
        path.write_bytes(bytes({"short": 31, "long": 33}.get(fault, 32)))
        path.chmod({"group": 0o640, "others": 0o604}.get(fault, 0o600))
    if fault == "link":
        path.rename(tmp_path / "real")
        path.symlink_to(tmp_path / "real")
    with pytest.raises(InputError, match=r"the key .*key ") as caught:
        Store(str(tmp_path / "store"))
    assert "\n" not in str(caught.value)


def test_where_no_key_can_be_made_nothing_older_is_trusted(become, tmp_path, tiny, monkeypatch):
    compile_(tiny, tmp_path / "a", tmp_path / "store")
    (tmp_path / "file").touch()
    monkeypatch.setenv("CODESIGN_KEY", str(tmp_path / "file" / "key"))
    assert [compile_(tiny, tmp_path / x, tmp_path / "store")[1] for x in "bc"] == [False, True]
    keys._key.cache_clear()
    assert not compile_(tiny, tmp_path / "d", tmp_path / "store")[1]


def test_the_key_is_in_nothing_that_is_written(become, tiny, tmp_path):
    firmware, _ = compile_(tiny, tmp_path / "f", tmp_path / "store")
    key = keys.key()
    for path in (*firmware.folder.rglob("*"), *entries(tmp_path / "store")):
        if path.is_file():
            content = path.read_bytes()
            assert key not in content
            assert key.hex().encode() not in content


def test_the_flow_is_asked_only_where_the_store_has_nothing(become, tiny, tmp_path, monkeypatch):
    """That an own entry is as fast as it was: not compiled a second time."""
    compile_(tiny, tmp_path / "a", tmp_path / "store")
    monkeypatch.setattr(Alkaid, "compile", lambda *_, **__: pytest.fail("compiled again"))
    assert compile_(tiny, tmp_path / "b", tmp_path / "store")[1]


@pytest.mark.slow
def test_a_candidate_survives_a_store_that_is_damaged_through_and_through(become, tmp_path):
    """Trained and compiled for real; then every entry is nonsense: the candidate comes out the same, and says so."""
    from codesign.core.runfolder import RunFolder
    from codesign.data.sample import Part
    from codesign.pipeline import evaluation
    from codesign.study.definition import load_study
    from tests.small_candidate import CONFIG

    study = load_study("jet-tagger")
    study = study.model_copy(
        update={"training": study.training.model_copy(update={"epochs": 2, "batch": 64}), "sample": study.sample}
    )
    run = RunFolder(tmp_path / "run")
    facts = {"feature_names": [f"f{i}" for i in range(16)], "units": ["1"] * 16, "class_names": list("gqwzt")}
    run.write("sample.json", facts | {"hash": "0" * 64})
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 1800)
    x = (rng.normal(size=(1800, 16)) + np.eye(16)[y] * 2).astype(np.float32)
    parts = Part("train", x[:1200], y[:1200]), Part("validation", x[1200:], y[1200:])
    config = plugins.load(Family, "mlp").config.model_validate(CONFIG)
    store.use(str(tmp_path / "store"))

    def evaluated(number):
        return evaluation.evaluate(study, config, run.trial(number), 3, *parts, lambda stage: None)

    first = evaluated(0)
    assert len(entries(tmp_path / "store")) == 2
    for path in entries(tmp_path / "store"):
        path.write_bytes(b"nonsense")
    second, third = evaluated(1), evaluated(2)
    assert {r.design_hash for r in (first, second, third)} == {first.design_hash}
    assert first.metrics == second.metrics == third.metrics
    assert len([n for n in second.notes if "damaged entry" in n]) == 2
    assert {"trained weights from the store", "firmware from the store"} <= set(third.notes)
    assert not any("damaged" in n for n in third.notes)
