"""A process of its own for one damaged file, watched by what it does: an audit hook, and limits of time and memory."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from numba.core import caching, dispatcher, serialize

from codesign.core.errors import CodesignError, ToolError

__all__ = ("HANG", "Stopped", "in_child", "until_a_tool")

#: s of processor time above that of the undamaged file
HANG = 2
#: bytes of memory above what the process has before
_BYTES = 4 << 30
_TOOL = "codesign.fuzz.tool"
_WATCHED = (
    "subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.forkpty", "pty.spawn",
    "socket.connect", "ctypes.dlopen", "pickle.find_class", _TOOL,
)  # fmt: skip
#: what no tool is to be given in this process: the content of the damaged file, and where it lies
_forbidden: list[bytes] = []


class Stopped(ToolError):
    """A tool would have been started here."""


def until_a_tool(door: Callable[[], object]) -> None:
    """Go through a door up to where it starts a tool; a tool that could read a damaged source is an execution.

    Returns where a tool was reached, whatever the door makes of that it was not started.
    """
    reached: list[str] = []

    def popen(args: Sequence[Any], cwd: Any = None, **_: Any) -> NoReturn:
        reached.append(str(args[0]))
        _look(args, Path(cwd or "."))
        raise Stopped("stopped before a tool")

    subprocess.Popen = popen  # type: ignore[assignment, misc]  # in this process, which ends with the door
    try:
        door()
    except CodesignError:
        if not reached:
            raise


def _look(args: Sequence[Any], cwd: Path) -> None:
    """Whether the damaged file is among what a tool is given: its arguments, what lies beside them, and around it."""
    work = Path.cwd()
    given = [(cwd / str(arg)).resolve() for arg in args if len(str(arg)) < 4096]
    places = {place for path in given for place in (path, path.parent) if work in place.parents and place.exists()}
    for place in {*places, cwd}:
        for path in [place, *place.rglob("*")] if place.is_dir() else [place]:
            if path.is_file() and not path.is_symlink() and path.read_bytes() in _forbidden:
                sys.audit(_TOOL, f"{args[0]} with {path}")


def _of_kernels(work: Path) -> bool:
    """Whether it is numba that unpickles or writes: where it keeps compiled kernels, unless a damaged file can lie
    there, or what a kernel of this process, or one that it compiles just now, has in itself."""
    own = {(dispatcher.__file__, "_compile_for_args"), (serialize.__file__, "_numba_unpickle")}
    frame: FrameType | None = sys._getframe()
    found = False
    while frame is not None:  # to its end: what is read from a damaged file may pass through numba's own on its way
        code, kept = frame.f_code, frame.f_locals.get("self")
        place = ""
        if code.co_filename == caching.__file__ and isinstance(kept, caching.IndexDataCacheFile):
            place = kept._index_path
        elif code.co_filename == caching.__file__ and code.co_name == "ensure_cache_path":
            place = kept.get_cache_path()
        if place and work in Path(place).resolve().parents:
            return False
        found = found or bool(place) or (code.co_filename, code.co_name) in own
        frame = frame.f_back
    return found


def _watch(work: Path, seen: list[str]) -> None:
    inside = (str(work), "/dev/null", "/proc/self/")

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "pickle.find_class" and _of_kernels(work):
            return
        if event in _WATCHED:
            seen.append(f"{event} {str(args)[:200]}")
        elif event == "open" and isinstance(args[0], str | bytes | os.PathLike):
            path, (mode, flags) = os.path.abspath(os.fsdecode(args[0])), args[1:3]
            writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (
                isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            )
            if writes and not path.startswith(inside) and not _of_kernels(work):
                seen.append(f"write {path}")

    sys.addaudithook(hook)


def in_child(
    work: Path, door: Callable[[Path], None], path: Path, seconds: float, forbidden: bytes | None = None
) -> dict[str, Any]:
    """Give a file to a door in a process of its own; what came of it.

    ``seconds``: of processor time, of the undamaged file; ``forbidden``: what no tool may be given.
    """
    read, write = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.close(read)
        said: dict[str, Any] = {"outcome": "read", "seen": []}
        try:
            _prepare(work, seconds)
            _forbidden[:] = [] if forbidden is None else [forbidden]
            _watch(work, said["seen"])
            try:
                door(path)
            except CodesignError as error:
                lines = str(error).splitlines()
                said |= {"outcome": "refused" if len(lines) == 1 else "traceback", "error": str(error)[:500]}
            except SystemExit as error:
                said["outcome"] = "read" if not error.code else "refused"
            except BaseException as error:
                said |= {"outcome": "traceback", "error": "".join(traceback.format_exception(error))[-1500:]}
            said["seconds"] = sum(os.times()[:2])
            os.write(write, json.dumps(said).encode()[:60_000])
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        content = stream.read()
    _, status = os.waitpid(child, 0)
    if content:
        return dict(json.loads(content))
    by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    hung = by in (signal.SIGXCPU, signal.SIGKILL, signal.SIGALRM)
    wall = round(time.monotonic() - began, 1)
    return {"outcome": "hang" if hung else "traceback", "error": f"ended by signal {by} after {wall} s", "seen": []}


def _prepare(work: Path, seconds: float) -> None:
    """No output, no core files, everything temporary in ``work``, and bounds."""
    devnull = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(devnull, stream)
    faulthandler.disable()
    os.environ["CODESIGN_CACHE"] = str(work)
    sys.dont_write_bytecode = True
    os.chdir(work)
    tempfile.tempdir = str(work)
    limit = int(seconds) + 1 + HANG
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + _BYTES, has + _BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(180)
