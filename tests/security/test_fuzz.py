"""A small, fixed part of the fuzz run, and that its watcher sees what it is there for."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from codesign.errors import InputError
from tests.security.fuzz import SUBJECTS, _in_child, fuzz

CASES = 33


def test_nothing_runs_hangs_or_ends_in_a_traceback():
    found = fuzz(range(CASES), seed=0)
    assert found["bad"] == []
    assert (found["executions"], found["hangs"], found["tracebacks"]) == (0, 0, 0)
    assert found["refused"] + found["read"] == found["cases"] == CASES
    assert found["refused"] > CASES // 4  # the damage is real
    assert set(found["by kind"]) == set(SUBJECTS)


def process(path):
    subprocess.run([sys.executable, "-c", ""], check=True)


def shell(path):
    os.system("true")


def connection(path):
    with socket.socket() as connected:
        connected.connect_ex(("127.0.0.1", 9))


def library(path):
    ctypes.CDLL(None)


def written(path):
    (path.parents[1] / "elsewhere").write_text("x")


@pytest.mark.parametrize("door", [process, shell, connection, library, written])
def test_an_execution_is_seen(tmp_path, door):
    work = tmp_path / "work"
    work.mkdir()
    assert _in_child(work, door, work / "file", 0)["seen"]


def test_what_stays_inside_is_none(tmp_path):
    found = _in_child(tmp_path, lambda path: path.write_text("x"), tmp_path / "file", 0)
    assert (found["outcome"], found["seen"]) == ("read", [])


def raised(error):
    def door(path: Path) -> None:
        raise error

    return door


def spins(path):
    while True:
        pass


def crashes(path):
    ctypes.string_at(0)


@pytest.mark.parametrize(
    ("door", "outcome"),
    [
        (raised(InputError("file: wrong: do this")), "refused"),
        (raised(InputError("two\nlines")), "traceback"),
        (raised(KeyError("x")), "traceback"),
        (raised(RecursionError()), "traceback"),
        (raised(MemoryError()), "traceback"),
        (lambda path: bytearray(64 << 30), "traceback"),
        (crashes, "traceback"),
        (spins, "hang"),
    ],
)
def test_outcomes(tmp_path, door, outcome):
    assert _in_child(tmp_path, door, tmp_path / "file", -2)["outcome"] == outcome
