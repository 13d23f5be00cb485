"""The worker processes, as the driver sees them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection as connections
from types import TracebackType
from typing import Any, Self

from codesign.core.process import SAFE_PATH
from codesign.search import messages
from codesign.search.worker import main

__all__ = ("ONE_THREAD", "Died", "Pool", "Worker")

#: one thread per process: with more, the workers take each other's cores
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)

_SECONDS_TO_LEAVE = 2.0

#: the one clock by which jobs are timed: no change of the time of day sets it back
now = time.monotonic


@dataclass(frozen=True)
class Died:
    """A worker is gone without having been told to go, or because its job took too long (``late``).

    ``begun``: the job itself was under way. A worker that dies before, while it starts, says nothing about its job.
    """

    job: Any
    how: str
    late: bool = False
    begun: bool = True


class Worker:
    """One worker process and the job that it has."""

    def __init__(self, number: int, settings: messages.Settings) -> None:
        context = multiprocessing.get_context("spawn")
        self.number = number
        self.job: Any = None
        self._began: float | None = None
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=main, args=(theirs, settings), name=f"codesign-worker-{number}")
        # blocked signals stay so in the child: Ctrl-C must not reach it even before it has a group of its own
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with _environment(ONE_THREAD | SAFE_PATH):
                self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def give(self, job: Any) -> None:
        """Hand over a job; that a worker is gone shows when it is waited for."""
        self.job, self._began = job, None
        self.say(job)

    def begin(self) -> None:
        """The job's time runs from here: what came before, a new process and a draw, is not the job's."""
        self._began = now()

    def late(self, seconds: float | None) -> bool:
        """Whether its job has been running for longer than that."""
        return seconds is not None and self._began is not None and now() - self._began > seconds

    def end(self, seconds: float) -> Died:
        """End the process because its job took longer than so many seconds."""
        self._kill()
        return Died(self.job, f"took longer than {seconds:g} s", late=True)

    def say(self, message: Any) -> None:
        """Send a message."""
        with contextlib.suppress(OSError):
            self.connection.send(message)

    def hear(self) -> Any:
        """Next message; Died where the worker is gone."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self._process.join(_SECONDS_TO_LEAVE)
            self._kill()
            return Died(self.job, self._how(), begun=self._began is not None)

    def _how(self) -> str:
        code = self._process.exitcode
        if code is None or code >= 0:
            return f"ended with exit code {code}"
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-code).name}"
        return f"was killed by signal {-code}"

    def _kill(self) -> None:
        # the group: a tool that the worker was running must not go on writing into the trial's folder
        with contextlib.suppress(ProcessLookupError, PermissionError):
            assert self._process.pid, "the process was started"
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.is_alive():  # too young to have its own group
            self._process.kill()
        self._process.join()

    def stop(self) -> None:
        """End the process: politely where it is idle, at once where it is not."""
        if self.job is None:
            self.say(None)
            self._process.join(_SECONDS_TO_LEAVE)
        self._kill()
        self.connection.close()


class Pool:
    """A number of workers, and new ones for those that die."""

    def __init__(self, size: int, settings: messages.Settings) -> None:
        self._settings = settings
        self._started = 0
        self.workers: list[Worker] = []
        self._size = size

    def __enter__(self) -> Self:
        try:
            for _ in range(self._size):
                self.add()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        for worker in self.workers:
            worker.stop()
        self.workers.clear()

    def add(self) -> None:
        """Start one more worker."""
        self.workers.append(Worker(self._started, self._settings))
        self._started += 1

    def remove(self, worker: Worker) -> None:
        """Forget a worker that died."""
        worker.connection.close()
        self.workers.remove(worker)

    def hear(self, seconds: float, gone: Sequence[Worker] = ()) -> Iterator[tuple[Worker, Any]]:
        """Yield what the workers say, but those ``gone``, waiting at most so long for the first to speak."""
        heard = [w for w in self.workers if w not in gone]
        ready = connections.wait([w.connection for w in heard], timeout=0 if gone else seconds)
        for worker in [w for w in heard if w.connection in ready]:
            yield worker, worker.hear()


@contextlib.contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
