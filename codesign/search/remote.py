"""Jobs of a search in processes and folders of their own, anywhere: files and words in, files and words out.

``carry_out`` runs where the cluster puts it, and needs nothing there but codesign: neither the run's folder nor the
search's database. The job is done by another process (``python -m codesign.search.remote FOLDER``), so that a candidate
that hangs, runs out of memory or crashes takes no cluster worker along. Such a process loads what a search needs, which
takes seconds, and its sample once, and then waits for the next job of the same search, as a local worker does.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from codesign.core.store import pack, unpack

__all__ = ("carry_out", "files_below", "write_files")

#: a process that has had nothing to do for so long goes
_IDLE_SECONDS = 60.0

_SEARCH, _ERRORS = "search.json", "errors.txt"


def files_below(root: Path, *paths: Path) -> dict[str, bytes]:
    """Content of the files among and below ``paths``, by their path relative to ``root``."""
    every = [p for path in paths for p in ([path] if path.is_file() else sorted(path.rglob("*")))]
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in every if p.is_file() and not p.is_symlink()}


def write_files(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files at their relative paths."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _unpack(content: bytes) -> dict[str, bytes]:
    files = unpack(content)
    assert files is not None, "the driver sends whole archives"
    return files


class _Gone(Exception):
    """The process ended before it began the job."""


class _Process:
    """A process that does jobs of one search, one after the other, in a folder that holds the search's sample."""

    def __init__(self, search: str, shared: bytes) -> None:
        from codesign.core.process import SAFE_PATH
        from codesign.search.pool import ONE_THREAD

        self._place = tempfile.TemporaryDirectory(prefix="codesign-job-", ignore_cleanup_errors=True)
        self._root = Path(self._place.name)
        files = _unpack(shared)
        self._shared = {self._root / "run" / name for name in files}
        write_files(self._root / "run", files)
        (self._root / _SEARCH).write_text(search, encoding="utf-8")
        self._connection, theirs = Pipe()
        with theirs, (self._root / _ERRORS).open("wb") as errors:
            # standard input is never written to: it closes with this process, however that ends, and the other ends too
            self._process = subprocess.Popen(
                [
                    sys.executable, "-P", "-m", "codesign.search.remote",
                    str(self._root), str(theirs.fileno()), str(_IDLE_SECONDS),
                ],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, pass_fds=[theirs.fileno()],
                env=os.environ | ONE_THREAD | SAFE_PATH | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
                start_new_session=True,
            )  # fmt: skip

    def do(self, job: str, files: bytes, seconds: float | None) -> tuple[dict[str, Any], bytes]:
        """What came of a job, and the files that are new.

        It has so many seconds from its beginning, which loading what the search needs precedes. _Gone where the process
        had ended before that.
        """
        own = _unpack(files)
        run = self._root / "run"
        for path in self._rest():
            path.unlink()
        write_files(run, own)
        answer = self._ask(job, seconds)
        after = files_below(run, *self._rest())
        return answer, pack({name: content for name, content in after.items() if own.get(name) != content})

    def _rest(self) -> list[Path]:
        """What lies in the run folder beside the search's own files."""
        return [p for p in sorted((self._root / "run").rglob("*")) if p.is_file() and p not in self._shared]

    def _ask(self, job: str, seconds: float | None) -> dict[str, Any]:
        ends: float | None = None
        begun = False
        try:
            self._connection.send_bytes(job.encode())
            while True:
                if not self._connection.poll(None if ends is None else max(0.0, ends - time.monotonic())):
                    return {"died": f"took longer than {seconds:g} s", "late": True}
                said: dict[str, Any] = json.loads(self._connection.recv_bytes())
                if "answer" in said:
                    return dict(said["answer"])
                if not begun and seconds is not None:
                    ends = time.monotonic() + seconds
                begun = True
        except (EOFError, OSError):
            if not begun:
                raise _Gone from None
            return self.death()

    def death(self) -> dict[str, Any]:
        """How the process ended, which it has or is about to."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(60)
        code = self._process.poll()
        if code is not None and code < 0:
            return {"died": f"was killed by {signal.Signals(-code).name}"}
        last = (self._root / _ERRORS).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        said = last[-1][:300] if last else "nothing said"
        return {"broken": f"a process of the cluster ended with exit code {code}: {said}"}

    def end(self) -> None:
        """End it, with the tools that it runs, and remove its folder."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()
        self._place.cleanup()


class _Idle:
    """The processes of this cluster worker that wait for a job, of whatever search."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, _Process]] = []

    def take(self, key: str) -> _Process | None:
        """One that waits for a job of this search. Otherwise one of another search ends, to make room."""
        with self._lock:
            found = next((entry for entry in self._waiting if entry[0] == key), None)
            gives_way = found or next(iter(self._waiting), None)
            if gives_way is not None:
                self._waiting.remove(gives_way)
        if found is None and gives_way is not None:
            gives_way[1].end()
        return found[1] if found else None

    def put(self, key: str, process: _Process) -> None:
        """Let one wait."""
        with self._lock:
            self._waiting.append((key, process))


_idle = _Idle()


def carry_out(search: str, job: str, files: bytes, shared: bytes, seconds: float | None) -> tuple[str, bytes]:
    """Do a job of a search (JSON, both) on files and the search's files (zips); what came of it (JSON), and new files.

    After ``seconds`` it is ended. The answer has ``died`` where the process did not come to its end, ``late`` where it
    was ended, and ``begun`` false where that was before the job.
    """
    key = hashlib.sha256(search.encode() + b"\0" + shared).hexdigest()
    process = _idle.take(key)
    if process is not None:
        try:
            return _done(key, process, job, files, seconds)
        except _Gone:
            process.end()  # it had waited too long: not this job's fault
    process = _Process(search, shared)
    try:
        return _done(key, process, job, files, seconds)
    except _Gone:
        answer = process.death() | {"begun": False}
        process.end()
        return json.dumps(answer), pack({})


def _done(key: str, process: _Process, job: str, files: bytes, seconds: float | None) -> tuple[str, bytes]:
    try:
        answer, new = process.do(job, files, seconds)
    except BaseException as error:
        if not isinstance(error, _Gone):
            process.end()
        raise
    if "died" in answer or "broken" in answer:
        process.end()
    else:
        _idle.put(key, process)
    return json.dumps(answer), new


# ------------------------------------------------------------------------------------------------ in the other process
def _end_with_parent(root: Path) -> None:
    sys.stdin.read()
    shutil.rmtree(root, ignore_errors=True)
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _main(root: Path, connection: Connection, idle: float) -> None:
    from codesign.core import store
    from codesign.core.errors import CodesignError
    from codesign.core.runfolder import RunFolder
    from codesign.search import messages
    from codesign.search.bench import Bench
    from codesign.study.definition import parse_study

    threading.Thread(target=_end_with_parent, args=(root,), daemon=True).start()

    def say(what: dict[str, Any]) -> None:
        connection.send_bytes(json.dumps(what).encode())

    search = json.loads((root / _SEARCH).read_text(encoding="utf-8"))
    run = RunFolder(root / "run")
    study = parse_study(search.pop("study"), "study.yaml")
    settings = messages.Settings(study, str(run.path), None, **search)
    bench = Bench(settings, run, lambda stage: say({"stage": stage.name}))
    while connection.poll(idle):
        try:
            job = json.loads(connection.recv_bytes())
            store.use(settings.store)
            answer = bench.carry_out(job)
        except EOFError:
            return
        except CodesignError as error:
            answer = {"broken": str(error)}
        say({"answer": answer})


if __name__ == "__main__":
    handle = int(sys.argv[2])
    os.set_inheritable(handle, False)  # a tool that outlives this process must not keep its end of the line open
    _main(Path(sys.argv[1]), Connection(handle), float(sys.argv[3]))
