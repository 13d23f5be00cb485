"""The FINN process stays warm, and is replaced when it is lost; a loss costs the job at hand only."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from codesign.core.errors import ToolError
from codesign.core.own_environment import OwnEnvironment
from codesign.flows.finn.client import FinnProcess
from codesign.flows.finn.environment import FINN, environment
from tests.flows.finn.small_networks import small
from tests.processes import alive, wait_for, wait_until_gone


@pytest.fixture
def process(finn):
    made = FinnProcess()
    yield made
    made.close()


def test_a_failed_job_says_why_and_the_process_lives(process):
    reasons = []
    for _ in range(2):
        with pytest.raises(ToolError, match="finn: FileNotFoundError") as error:
            process.ask({"job": "execute", "graph": "absent.onnx", "integers": "absent.npy", "result": "absent.npy"})
        reasons.append((str(error.value), process.pid))
    assert reasons[0] == reasons[1]
    assert "\n" not in reasons[0][0]


def fifo(tmp_path):
    """A job that never ends: it waits for somebody to write into a pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    return {"job": "execute", "graph": "none", "integers": str(pipe), "result": "none"}


def in_mid_job(job):
    """Wait until somebody reads the job's pipe. What is returned keeps the job waiting for its content."""
    opened = []

    def reads():
        try:
            opened.append(os.open(job["integers"], os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody yet
            return False
        return True

    wait_for(reads)
    return opened[0]


def test_killed_in_mid_job(process, tmp_path):
    with pytest.raises(ToolError):
        process.ask({"job": "none"})
    first = process.pid
    job, held = fifo(tmp_path), []

    def kill():
        held.append(in_mid_job(job))
        os.kill(first, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ToolError, match=r"was ended by signal SIGKILL, in mid-job"):
        process.ask(job)
    killer.join()
    os.close(held[0])
    wait_until_gone(first)
    with pytest.raises(ToolError, match="KeyError"):
        process.ask({"job": "none"})
    assert process.pid != first


def test_too_slow(process, tmp_path):
    with pytest.raises(ToolError):
        process.ask({"job": "none"})
    first = process.pid
    with pytest.raises(ToolError, match=r"stopped after 0\.5 s"):
        process.ask(fifo(tmp_path), timeout=0.5)
    wait_until_gone(first)
    assert process.pid is None


def test_it_ends_with_the_process_that_started_it(finn, tmp_path):
    job = fifo(tmp_path)
    code = (
        "from codesign.flows.finn.client import shared_client\n"
        "import threading, time\n"
        f"threading.Thread(target=shared_client().ask, args=({job!r},), daemon=True).start()\n"
        "while shared_client().pid is None: time.sleep(0.05)\n"
        "print(shared_client().pid, flush=True)\n"
        "time.sleep(1000)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)
    held = in_mid_job(job)
    parent.kill()
    parent.wait()
    wait_until_gone(child)
    os.close(held)


def test_absent_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    from codesign.flows.finn.flow import Finn

    state = Finn().available()
    assert not state.available
    assert "codesign doctor --install finn" in state.reason
    with pytest.raises(ToolError, match="not set up"):
        environment()


def test_a_failed_installation_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    monkeypatch.setattr(OwnEnvironment, "pinned", lambda _: "no-such-package-of-ours==0.0.0\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ToolError, match="pip: exit code 1"):
        FINN.install()
    assert [p.name for p in Path(tmp_path).iterdir() if p.is_dir()] == []


def test_the_shared_process_serves_flow_and_flow(finn, tmp_path):
    from codesign.core.targets import load_target
    from codesign.flows.finn.client import shared_client

    finn.compile(small(), load_target("vu13p-240"), tmp_path / "a")
    first = shared_client().pid
    finn.compile(small(seed=1), load_target("pynq-z2"), tmp_path / "b")
    assert shared_client().pid == first
