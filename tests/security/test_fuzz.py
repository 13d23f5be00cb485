"""A small, fixed part of the fuzz run, and that its watcher sees what it is there for."""

from __future__ import annotations

import ctypes
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core import caching, serialize

from codesign.core.errors import InputError
from codesign.core.process import run_tool
from tests.security.fuzz import SUBJECTS, fuzz
from tests.security.fuzzing.watch import in_child, until_a_tool

#: every second kind, once: sealed anew, bundles packed anew, tables, and most forms of samples
CASES = range(1, len(SUBJECTS), 2)


def test_nothing_runs_hangs_or_ends_in_a_traceback():
    found = fuzz(CASES, seed=0)
    assert found["bad"] == []
    assert (found["executions"], found["hangs"], found["tracebacks"]) == (0, 0, 0)
    assert found["refused"] + found["read"] == found["cases"] == len(CASES)
    assert found["refused"] > len(CASES) // 4  # the damage is real
    assert list(found["by kind"]) == list(SUBJECTS)[1::2]


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
    assert in_child(work, door, work / "file", 0)["seen"]


def unpickled(path):
    pickle.loads(pickle.dumps(Path("x")))


def kernel_out_of_the_folder(path):
    """What numba reads from where a damaged file may lie is a stranger's."""
    kept = caching.IndexDataCacheFile(str(path.parent), "kernel", 0)
    kept.save("key", Path("x"))
    kept.load("key")


class Through:
    """What numba's own way of unpickling is to hide."""

    def __reduce__(self):
        return serialize._numba_unpickle, (0, pickle.dumps(Path("x")), b"")


def kernel_that_hides_what_it_unpickles(path):
    kept = caching.IndexDataCacheFile(str(path.parent), "kernel", 0)
    kept.save("key", Through())
    kept.load("key")


def test_what_passes_through_numbas_own_unpickling_is_seen(tmp_path):
    found = in_child(tmp_path, kernel_that_hides_what_it_unpickles, tmp_path / "file", 0)
    assert any("pathlib" in event for event in found["seen"])


def test_unpickling_is_seen_but_of_numbas_own_kernels(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    assert in_child(work, unpickled, work / "file", 0)["seen"]
    assert in_child(work, kernel_out_of_the_folder, work / "file", 0)["seen"]
    own = caching.IndexDataCacheFile(str(tmp_path), "kernel", 0)
    own.save("key", Path("x"))
    found = in_child(work, lambda path: own.load("key"), work / "file", 0)
    assert found["outcome"] == "read"
    assert found["seen"] == []


def test_what_stays_inside_is_none(tmp_path):
    found = in_child(tmp_path, lambda path: path.write_text("x"), tmp_path / "file", 0)
    assert (found["outcome"], found["seen"]) == ("read", [])


@pytest.mark.parametrize("where", ["given", "beside what is given", "in its folder"])
@pytest.mark.parametrize("whose", ["damaged", "other"])
def test_a_tool_that_would_be_given_what_is_damaged(tmp_path, where, whose):
    tools, sources = tmp_path / "tools", tmp_path / "sources"
    for folder in (tools, sources):
        folder.mkdir()
    (sources / "top.v").write_text("other")
    place = {"given": sources / "top.v", "beside what is given": sources / "core.v", "in its folder": tools / "a.mk"}
    place[where].write_text(whose)

    def door(path):
        until_a_tool(lambda: run_tool(["tool", "../sources/top.v"], tools, 10))

    found = in_child(tmp_path, door, tmp_path, 0, b"damaged")
    assert (found["outcome"], bool(found["seen"])) == ("read", whose == "damaged")


def test_a_refusal_before_a_tool_is_one(tmp_path):
    assert in_child(tmp_path, lambda path: until_a_tool(lambda: refuse()), tmp_path, 0)["outcome"] == "refused"


def refuse():
    raise InputError("file: wrong: do this")


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
    assert in_child(tmp_path, door, tmp_path / "file", -2)["outcome"] == outcome
