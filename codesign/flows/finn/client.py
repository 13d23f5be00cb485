"""The warm FINN process of this process: started with the first job, and again after it was lost."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from codesign.core.errors import ToolError, UnsupportedError
from codesign.core.process import last_words
from codesign.flows.finn.environment import environment

__all__ = ("FinnProcess", "ask", "shared_client")

#: a job takes 0.1 s, the first one 4 s; a folding of the largest networks some seconds
TIMEOUT = 600.0


class FinnProcess:
    """A FINN process and the way to ask it; one job at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._log: Any = None
        self._scratch = ""

    @property
    def pid(self) -> int | None:
        """Process id while there is a process."""
        return None if self._process is None else self._process.pid

    def ask(self, job: dict[str, Any], timeout: float = TIMEOUT) -> dict[str, Any]:
        """Do a job and return its result.

        UnsupportedError where FINN has no hardware for it; ToolError where FINN failed, died or needed longer than
        ``timeout`` seconds. A process that died or was too slow is gone; the next job gets a new one.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._end()
                self._start()
            assert self._process is not None
            try:
                answer = self._exchange(job, timeout)
            except BaseException:
                self._end()
                raise
        if answer["ok"]:
            return {**answer["result"], "version": answer["version"]}
        if answer["unsupported"]:
            raise UnsupportedError(f"flow finn: {answer['reason']}")
        raise ToolError(f"finn: {answer['reason']}")

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _start(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed in _end
        self._scratch = tempfile.mkdtemp(prefix="codesign-finn-")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "codesign.flows.finn.finn_worker"],
            env={**os.environ, **environment(), "FINN_BUILD_DIR": self._scratch},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # a group of its own, so that all of it can be ended
        )

    def _exchange(self, job: dict[str, Any], timeout: float) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        line, deadline = b"", time.monotonic() + timeout
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                left = deadline - time.monotonic()
                if left <= 0 or not ready.select(left):
                    raise ToolError(f"finn: stopped after {timeout:g} s, in mid-job")
                piece = os.read(process.stdout.fileno(), 1 << 16)
                if not piece:
                    raise ToolError(f"finn: its process {self._how_it_ended()}, in mid-job")
                line += piece
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _how_it_ended(self) -> str:
        assert self._process is not None
        code = self._process.wait(60)
        if code < 0:
            return f"was ended by signal {signal.Signals(-code).name}"
        self._log.seek(0)
        return f"ended with exit code {code} ({last_words(self._log.read().decode('utf-8', errors='replace'))})"

    def _end(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._process = None


_processes: dict[int, FinnProcess] = {}


def shared_client() -> FinnProcess:
    """The FINN process of this process; a forked child gets one of its own."""
    own = os.getpid()
    if own not in _processes:
        _processes.clear()
        _processes[own] = FinnProcess()
        atexit.register(_processes[own].close)
    return _processes[own]


def ask(job: dict[str, Any], timeout: float = TIMEOUT) -> dict[str, Any]:
    """Ask the shared process."""
    return shared_client().ask(job, timeout)
