"""Run an external tool: with a time limit, with its output kept, and never leaving a process behind."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codesign.core import quoting
from codesign.core.errors import InputError, ToolError

__all__ = ("SAFE_PATH", "Completed", "last_words", "near", "run_tool")

#: with this in its environment Python does not look for modules in the working directory, whatever lies there
SAFE_PATH = {"PYTHONSAFEPATH": "1"}

_LONGEST_MESSAGE = 400  # characters of a tool's output quoted in an error


@dataclass(frozen=True)
class Completed:
    """A tool that ended with exit code 0: what it printed (stdout and stderr interleaved) and how long it took (s)."""

    args: tuple[str, ...]
    output: str
    seconds: float


def run_tool(
    args: Sequence[str | Path],
    cwd: Path,
    timeout: float,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    name: str | None = None,
) -> Completed:
    """Run ``args`` in ``cwd`` for at most ``timeout`` seconds; ``env`` is added to this process' environment.

    A Python that is run takes no module from ``cwd``, which may be somebody else's folder (:data:`SAFE_PATH`).
    The output is appended to ``log`` if one is given. ToolError, naming the tool and its last meaningful lines, where
    the program is missing, ends with another exit code than 0, or runs out of time. However this ends, an interrupt
    included, the tool and every process it started are gone.
    """
    command = tuple(str(a) for a in args)
    name = name or Path(command[0]).name
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        if log is None:
            sink = stack.enter_context(tempfile.TemporaryFile())
        else:
            log.parent.mkdir(parents=True, exist_ok=True)
            sink = stack.enter_context(open(log, "a+b"))
        before = sink.seek(0, os.SEEK_END)

        def output() -> str:
            sink.seek(before)
            return sink.read().decode("utf-8", errors="replace")

        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, **SAFE_PATH, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, so that its children can be ended with it
            )
        except FileNotFoundError:
            raise ToolError(
                f"{name}: cannot be started ('{command[0]}' in '{cwd}' not found); see 'codesign doctor'"
            ) from None
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            raise ToolError(f"{name}: stopped after {timeout:g} s; {last_words(output())}") from None
        finally:
            _end(process)
        if code != 0:
            how = f"ended by signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            raise ToolError(f"{name}: {how}; {last_words(output())}")
        return Completed(args=command, output=output(), seconds=time.monotonic() - start)


def near(paths: Sequence[Path], work: Path) -> list[str]:
    """Names of files for a tool that runs in ``work`` and takes them for more than names (``$HOME``, makefiles).

    They are relative to ``work``; a file to which no plain path leads from there is copied into it. InputError for a
    file whose own name is not plain.
    """
    names = []
    for place, path in enumerate(paths):
        try:
            names.append(quoting.plain(os.path.relpath(path.resolve(), work.resolve())))
        except InputError:
            copy = work / "sources" / str(place) / quoting.plain(path.name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            names.append(copy.relative_to(work).as_posix())
    return names


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process' whole group (also what a finished tool left behind) and reap the process."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_words(output: str) -> str:
    """The lines of a tool's output that say why it failed, as one line: its errors, else the last lines."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if not lines:
        return "it printed nothing"
    errors = [line for line in lines if re.search(r"\b(error|fatal|exception|assert\w*)\b", line, re.IGNORECASE)]
    text = " | ".join((errors or lines)[-3:])
    return text if len(text) <= _LONGEST_MESSAGE else "..." + text[-_LONGEST_MESSAGE:]
