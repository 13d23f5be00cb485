"""A lock is held alone or shared, says who holds it, and dies with its process."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from codesign.core.errors import InputError
from codesign.core.lock import FOREVER, Locked, hold, hold_shared
from codesign.core.runfolder import RunFolder
from codesign.search.alone import alone

HOLDER = """
import sys, time
from pathlib import Path
from codesign.core import lock
with getattr(lock, sys.argv[2])(Path(sys.argv[1]), wait=10):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock, alone or shared."""
    started = []

    def start(how):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, tmp_path / "lock", how], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_lock_is_held_by_one_and_dies_with_it(holder, tmp_path):
    process = holder("hold")
    for other in (hold, hold_shared):
        with pytest.raises(Locked) as refused, other(tmp_path / "lock", wait=0.0):
            pass
        assert refused.value.owner == str(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    with hold(tmp_path / "lock", wait=FOREVER):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    with hold(tmp_path / "lock"):
        pass


def test_who_shares_a_lock_keeps_those_out_who_want_it_alone(holder, tmp_path):
    process = holder("hold_shared")
    with hold_shared(tmp_path / "lock", wait=0.0):
        pass
    with pytest.raises(Locked), hold(tmp_path / "lock"):
        pass
    os.kill(process.pid, signal.SIGKILL)
    with hold(tmp_path / "lock", wait=30):
        pass


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    for how in (hold, hold_shared):
        with pytest.raises(OSError, match="symbolic"), how(tmp_path / "lock", wait=0.0):
            pass
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_file_system_without_locks_is_said(monkeypatch, tmp_path):
    def refuse(handle, operation):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(InputError, match=r"on a file system without locks.*another"), alone(RunFolder(tmp_path / "r")):
        pass
    assert not list(tmp_path.rglob("*.soft")), "no lock that outlives its holder"
