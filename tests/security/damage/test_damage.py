"""Damaged run folders and bundles: whatever is wrong in whatever file, a command ends in one line."""

from __future__ import annotations

import hashlib
import json
import shutil
import traceback
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.security.damage.damage import Damage, damages, ended, spoilt
from tests.security.damage.damages import chosen, of_run

#: what each file of a run folder is read by; ``T`` stands for the trial's number
RUN_READERS: dict[str, tuple[str, ...]] = {
    "study.yaml": ("report", "verify", "synth", "flows", "handoff", "dashboard", "run"),
    "sample.json": ("report", "verify", "handoff", "run"),
    "target.json": ("report", "handoff", "run"),
    "baseline.json": ("report", "handoff", "compare"),
    "front.json": ("report", "flows", "compare"),
    "flows.json": ("flows",),
    "search.json": ("report", "dashboard", "run"),
    "study.journal": ("dashboard", "run"),
    "parts/train.npz": ("verify",),
    "parts/validation.npz": ("verify", "handoff"),
    "parts/test.npz": ("verify", "again", "handoff"),
    "parts/baselines-test.npz": ("judged",),
    "trials/T/config.json": ("report", "again", "other target", "handoff"),
    "trials/T/status.json": ("report", "verify", "handoff"),
    "trials/T/metrics.json": ("report", "verify", "handoff"),
    "trials/T/test.json": ("report", "handoff"),
    "trials/T/figures.json": ("report", "verify", "handoff", "synth"),
    "trials/T/verify.json": ("report", "verify", "again", "handoff"),
    "trials/T/plots.json": ("report",),
    "trials/T/inputs.json": ("report",),
    "trials/T/explained.json": ("report",),
    "trials/T/layers.json": ("report",),
    "trials/T/design.json": ("report", "verify", "synth", "flows", "handoff"),
    "trials/T/model.onnx": ("report", "verify", "flows", "handoff"),
    "trials/T/weights.safetensors": ("again", "handoff"),
    "trials/T/golden.npz": ("flows", "handoff"),
    "trials/T/firmware/firmware.json": ("verify", "synth", "handoff"),
    "trials/T/firmware/program.json.gz": ("verify", "flows", "handoff"),
    "trials/T/firmware/src/codesign_top.v": ("synth", "handoff"),
}

#: files of a bundle; ``check`` reads each
BUNDLE_FILES = (
    "manifest.json", "design.json", "model.onnx", "weights.safetensors", "golden.npz", "onnx/codes.onnx",
    "onnx/features.onnx", "firmware/firmware.json", "firmware/program.json.gz", "README.md", "testbench/tb.sv",
)  # fmt: skip


#: of the default suite: so many damages of each file, chosen once and for all; the slow test has them all
_FEW = 2


def arguments(command: str, run: Path, number: int, scratch: Path, whole: Path | None = None) -> list[str]:
    out = scratch / "out"
    return {
        "report": ["report", f"{run}", "-o", f"{out}.html"],
        "compare": ["report", f"{run}", f"{whole}", "-o", f"{out}.html"],
        "verify": ["verify", f"{run}", f"{number}"],
        "again": ["verify", f"{run}", f"{number}", "--again"],
        "judged": ["verify", f"{run}", f"{number}"],
        "synth": ["synth", f"{run}", f"{number}"],
        "other target": ["synth", f"{run}", f"{number}", "--target", "vu9p-200"],
        "flows": ["flows", f"{run}", f"{number}", "--again"],
        "handoff": ["handoff", f"{run}", f"{number}", "-o", f"{out}-bundle"],
        "dashboard": ["dashboard", f"{run}"],
    }[command]


def faults(base: Path, damage: Damage, commands: list[list[str]], scratch: Path) -> Iterator[str]:
    """What is wrong with how commands end on a damaged copy of ``base``, in ``scratch``."""
    for command in commands:
        with spoilt(base, damage, scratch):
            try:
                said = ended(command)
            except Exception as error:
                frames = traceback.extract_tb(error.__traceback__)
                ours = next((f for f in reversed(frames) if "/codesign/" in f.filename), frames[-1])
                place = f"{ours.filename.rpartition('/codesign/')[2]}:{ours.lineno}"
                yield f"{damage}: {command[0]}: {type(error).__name__}: {error!s:.100} ({place})"
                continue
            if len(said) > 2000:
                yield f"{damage}: {command[0]}: says {len(said)} characters"


def swept(base: Path, number: int, name: str, scratch: Path, few: int | None) -> list[str]:
    """Faults of all commands that read a file of a run, for all its damages or a few, one command each."""
    every = list(damages(base, of_run(name, number)))
    found = []
    readers = [r for r in RUN_READERS[name] if r != "run"]
    for place, damage in enumerate(every if few is None else chosen(every, few)):
        told = readers if few is None else [readers[place % len(readers)]]
        found += faults(base, damage, [arguments(r, scratch / base.name, number, scratch, base) for r in told], scratch)
        for left in scratch.glob("out*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return found


#: files whose model comes with :mod:`codesign.rtl.firmware_record`
_OF_FIRMWARE = pytest.mark.skipif(
    find_spec("codesign.rtl.firmware_record") is None, reason="firmware/ has no model of its record here"
)
NAMES = [
    pytest.param(name, marks=_OF_FIRMWARE) if "/firmware/" in name else name
    for name in RUN_READERS
    if name != "study.journal"
]


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_run_is_refused_in_one_line(name, made, tmp_path, without_tools):
    assert swept(made[0], made[1], name, tmp_path, _FEW) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_damage_of_a_run(name, made, tmp_path, without_tools):
    assert swept(made[0], made[1], name, tmp_path, None) == []


def forged(bundle: Path) -> None:
    """Make the manifest say of each file what it is now, as one would who damages on purpose."""
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["files"]:
        file = bundle / entry["path"]
        if file.is_file():
            content = file.read_bytes()
            entry |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    path.write_text(json.dumps(manifest))


def swept_bundle(bundle: Path, name: str, scratch: Path, few: int | None) -> list[str]:
    every = list(damages(bundle, name))
    found = []
    for damage in every if few is None else chosen(every, few):
        for honest in (True, False) if name != "manifest.json" else (True,):

            def do(path: Path, damage: Damage = damage, honest: bool = honest) -> None:
                damage.do(path)
                if not honest:
                    forged(scratch / bundle.name)

            done = Damage(name, damage.how + ("" if honest else ", forged"), do)
            found += faults(bundle, done, [["check", str(scratch / bundle.name)]], scratch)
    return found


@pytest.mark.parametrize("name", ["manifest.json", "golden.npz", "onnx/codes.onnx", "onnx/features.onnx"])
def test_a_damaged_bundle_is_refused_in_one_line(name, bundle, tmp_path, without_tools):
    assert swept_bundle(bundle, name, tmp_path, 4 if name == "manifest.json" else _FEW) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_every_damage_of_a_bundle(name, bundle, tmp_path, without_tools):
    assert swept_bundle(bundle, name, tmp_path, None) == []


def test_damage_is_done_and_a_fault_is_seen(made, tmp_path):
    """The sweep itself: each damage changes the file, and what is no error of ours is reported."""
    name = of_run("trials/T/verify.json", made[1])
    file, whole = tmp_path / "verify.json", (made[0] / name).read_bytes()
    for damage in damages(made[0], name):
        file.write_bytes(whole)
        damage.do(file)
        assert not file.is_file() or file.read_bytes() != whole, str(damage)
        shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)

    class Broken:
        def __call__(self, arguments: list[str]) -> str:
            return str(1 / 0)

    damage = next(damages(made[0], name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.security.damage.test_damage.ended", Broken())
        (said,) = faults(made[0], damage, [["report"]], tmp_path)
    assert "ZeroDivisionError" in said


def test_other_trials_stay_usable(made, tmp_path, without_tools):
    """With every record of one trial damaged, the report shows the others, and the others are verified."""
    run, number = tmp_path / "made-up", made[1]
    shutil.copytree(made[0], run)
    for path in (run / "trials" / f"{made[2]:04d}").glob("*.json"):
        path.write_bytes(b"\xff damaged")
    assert ended(["report", str(run), "-o", str(tmp_path / "r.html")]) == ""
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert f"trials/{made[2]:04d}/status.json" in text
    assert f"trial-{number}" in text
    assert ended(["verify", str(run), str(number)]) == ""
    assert ended(["handoff", str(run), str(number), "-o", str(tmp_path / "b")]) == ""
    assert f"trials/{made[2]:04d}/" in ended(["verify", str(run), str(made[2])])


@pytest.mark.parametrize(
    ("name", "field", "value", "command"),
    [
        ("sample.json", "feature_names", "x", "verify"),
        ("baseline.json", "metrics", 3, "handoff"),
        ("search.json", "name", [1], "dashboard"),
        ("trials/T/design.json", "outputs", None, "verify"),
        ("trials/T/config.json", "widths", "wide", "again"),
    ],
)
def test_the_line_names_file_and_field(name, field, value, command, made, tmp_path, without_tools):
    where = of_run(name, made[1])

    def do(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))

    with spoilt(made[0], Damage(where, field, do), tmp_path) as run:
        said = ended(arguments(command, run, made[1], tmp_path))
    assert where in said
    assert f"'{field}" in said
