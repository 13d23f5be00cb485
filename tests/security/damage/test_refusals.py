"""Read-only run folders, full disks and missing permissions: one line that says of which file, and what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from codesign.core.errors import CodesignError, SystemRefusal, system_errors
from codesign.core.runfolder import write_atomically
from tests.security.damage.damage import ended

WRITING = {
    "verify": ["verify", "RUN", "T", "--again"],
    "synth": ["synth", "RUN", "T"],
    "flows": ["flows", "RUN", "T", "--again"],
    "bitstream": ["bitstream", "RUN", "T", "--target", "ulx3s-85f"],
}
READING = {
    "verify": ["verify", "RUN", "T"],
    "beside": ["verify", "RUN", "T", "--again", "-o", "OUT/verified"],
    "report": ["report", "RUN", "-o", "OUT/report.html"],
    "handoff": ["handoff", "RUN", "T", "-o", "OUT/bundle"],
}


def filled_in(command: list[str], run: Path, number: int, out: Path) -> list[str]:
    return [a.replace("RUN", str(run)).replace("OUT", str(out)) if a != "T" else str(number) for a in command]


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of 16 MB of its own; skips where this user may not mount one."""
    place.mkdir()
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(place)], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {tried.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    if shutil.which("mount") is None:
        pytest.skip("no 'mount' here to make a small file system with")
    with small_disk(tmp_path / "disk") as place:
        yield place


def test_a_read_only_run_is_read_and_what_would_write_says_so(disk, made, without_tools, tmp_path):
    run, number = disk / "made-up", made[1]
    shutil.copytree(made[0], run)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for name, command in READING.items():
        assert ended(filled_in(command, run, number, tmp_path)) == "", name
    for name, command in WRITING.items():
        said = ended(filled_in(command, run, number, tmp_path))
        assert "Read-only file system: work on a copy" in said, (name, said)
        assert str(run) in said, (name, said)
    assert (tmp_path / "verified" / "verify.json").is_file()
    assert (tmp_path / "verified" / "golden.npz").is_file()


def test_a_full_disk_is_one_line_and_the_last_verdict_stays(disk, made, without_tools):
    run, number = disk / "made-up", made[1]
    shutil.copytree(made[0], run)
    verdict = run / "trials" / f"{number:04d}" / "verify.json"
    before = verdict.read_bytes()
    with contextlib.suppress(OSError), (disk / "filling").open("wb", buffering=0) as filling:
        while True:
            filling.write(bytes(4096))
    for command in [*WRITING.values(), *(READING[name] for name in ("beside", "report", "handoff"))]:
        said = ended(filled_in(command, run, number, disk))
        assert "No space left on device: make room" in said, (command, said)
        assert str(disk) in said, (command, said)
    assert verdict.read_bytes() == before
    assert not (disk / "bundle").exists()


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.EACCES])
def test_whatever_the_system_refuses_names_file_reason_and_advice(number, made, without_tools, tmp_path, monkeypatch):
    """Permission bits do not bind an administrator, and a quota is hard to come by: the refusal is made up here."""
    run = tmp_path / "made-up"
    shutil.copytree(made[0], run)

    def refuse(*_: object, dir: Path, prefix: str, **__: object) -> tuple[int, str]:
        raise OSError(number, os.strerror(number), str(Path(dir) / prefix))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    for name, command in WRITING.items():
        said = ended(filled_in(command, run, made[1], tmp_path))
        assert os.strerror(number) in said, (name, said)
        assert str(run) in said, (name, said)
        assert ": " in said.split(os.strerror(number))[1], (name, said)


def test_a_write_without_a_name_is_given_one(tmp_path, monkeypatch):
    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SystemRefusal, match=r"figures\.json: No space left"), system_errors():
        write_atomically(tmp_path / "figures.json", b"x")


def test_what_is_no_refusal_of_the_system_passes():
    with pytest.raises(KeyError), system_errors():
        raise KeyError("a bug")
    with pytest.raises(CodesignError, match="no route"), system_errors():
        raise OSError("no route")  # as libraries raise it: with their own words


@pytest.mark.parametrize(
    "command",
    [
        ["report", "RUN", "-o", "OUT/deep/x.html"],
        ["handoff", "RUN", "T", "-o", "OUT/deep/x.zip"],
        ["verify", "RUN", "T", "-o", "OUT/deep/x"],
        ["bitstream", "RUN", "T", "--target", "ulx3s-85f", "-o", "OUT/deep/x.bit"],
        ["data", "make", "jets-13tev", "--events", "10", "-o", "OUT/deep/x.parquet"],
        ["data", "response", "RUN", "-o", "OUT/deep/x"],
        ["init", "RUN", "-o", "OUT/deep/x.yaml"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_mistyped_path_makes_no_folders(command, made, tmp_path):
    said = ended(filled_in(command, made[0], made[1], tmp_path))
    assert "deep does not exist: make it first" in said
    assert list(tmp_path.iterdir()) == []


def test_a_simulation_is_not_written_among_other_things(made, without_tools, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "holds other things" in ended(["verify", str(made[0]), str(made[1]), "-o", str(tmp_path)])
