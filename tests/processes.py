"""Whether a process is there, and waiting for what another process does: bounded, generous, never a look alone."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

#: how long a machine with too much to do may take for what takes an idle one a moment
PATIENCE = 120.0


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # the second where it goes while its file is read
        return False


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until the condition holds; AssertionError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s"
        time.sleep(0.01)


def wait_until_gone(pid: int) -> None:
    """Wait until a process has ended: a signal is no more than sent when ``kill`` returns."""
    wait_for(lambda: not alive(pid))
