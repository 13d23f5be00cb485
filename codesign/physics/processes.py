"""Make pieces of a sample in subprocesses: each piece one request, kept as a file as soon as it is made.

A piece is decided by its request alone, so the sample is the same whatever the number of processes.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codesign.core.errors import InputError, ToolError
from codesign.core.process import SAFE_PATH

__all__ = ("Piece", "Progress", "make_pieces")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Piece:
    """A piece to be made.

    ``path``: its file; ``size``: jets or events in it; ``request``: what the worker is asked for, plain JSON with the
    maker's name as ``make`` (``worker.MAKERS``).
    """

    path: Path
    size: int
    request: dict[str, Any] = field(compare=False)


def make_pieces(pieces: Sequence[Piece], workers: int, total: int, progress: Progress | None = None) -> None:
    """Make all pieces; the first error ends all processes.

    ``total``: what there is in the end; ``progress(done, total)`` takes what is in no piece as done before.
    InputError or ToolError of whatever went wrong first.
    """
    todo: queue.SimpleQueue[Piece] = queue.SimpleQueue()
    for piece in pieces:
        todo.put(piece)
    news: queue.SimpleQueue[tuple[Piece | None, int, Exception | None]] = queue.SimpleQueue()
    done = dict.fromkeys(pieces, 0)
    before = total - sum(piece.size for piece in pieces)
    processes = [_Worker(todo, news) for _ in range(min(workers, len(pieces)))]
    running = len(processes)
    try:
        while running:
            made, count, error = news.get()
            if error is not None:
                raise error
            if made is None:
                running -= 1
                continue
            done[made] = count
            if progress is not None:
                progress(before + sum(done.values()), total)
    finally:
        for process in processes:
            process.stop()


class _Worker:
    """A subprocess and the thread that feeds it."""

    def __init__(self, todo: Any, news: Any) -> None:
        package = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(p for p in (package, os.environ.get("PYTHONPATH")) if p)
        # one thread each: the processes are the parallelism
        environment = os.environ | SAFE_PATH | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "codesign.physics.generator_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )
        self._thread = threading.Thread(target=self._serve, args=(todo, news), daemon=True)
        self._thread.start()

    def _serve(self, todo: Any, news: Any) -> None:
        try:
            while True:
                try:
                    piece = todo.get_nowait()
                except queue.Empty:
                    break
                for count in self._make(piece):
                    news.put((piece, count, None))
            news.put((None, 0, None))
        except Exception as error:
            news.put((None, 0, error))

    def _make(self, piece: Piece) -> Iterator[int]:
        """Have one piece made; yields how much of it there is so far."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(piece.request | {"path": str(piece.path)}) + "\n")
            stdin.flush()
            for line in stdout:
                reply = json.loads(line)
                if "error" in reply:
                    raise (InputError if reply["user"] else ToolError)(reply["error"])
                if "finished" in reply:
                    yield piece.size
                    return
                yield reply["done"]
        except OSError:
            pass
        raise ToolError(f"a process that generates jets or events ended early: {self._last_words()}")

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        # not FastJet's banner
        lines = [line.strip() for line in self._errors if line.strip() and not line.startswith("#")]
        return lines[-1][:300] if lines else f"exit code {code}"

    def stop(self) -> None:
        """End the process, at once if it is still at work."""
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # a pipe whose reader is gone cannot be flushed
                    continue
