"""The door of every command: what the system refuses, and where output goes that cannot be written or shown."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any, TypeVar

import typer
from typer.core import TyperGroup

from codesign.core.errors import system_errors

__all__ = ("CLOSED", "Door", "Output", "drop_output", "steady_streams")

#: exit code where nobody reads the output any more: a shell's for a tool that SIGPIPE ends
CLOSED = 128 + 13
_OUTPUT = "standard output"

F = TypeVar("F", bound=io.FileIO)


class Door(TyperGroup):
    """All commands: what the operating system refuses to one of them is an error of ours, in this process as well."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that was named."""
        with system_errors(" ".join([*ctx._protected_args, *ctx.args])):
            return super().invoke(ctx)


class Output(io.FileIO):
    """Standard output that gives its name where it cannot be written: else an error would not tell of which file."""

    #: whether nobody reads any more
    gone = False

    def write(self, content: Any) -> int:
        """Write bytes."""
        try:
            return super().write(content)
        except OSError as error:
            self.gone = self.gone or isinstance(error, BrokenPipeError)
            error.filename = _OUTPUT
            raise


class Messages(io.FileIO):
    """Standard error: a message that cannot be shown stops no work, and the exit code tells what there is to tell."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError:
            return len(content)


def steady_streams() -> Output | None:
    """Let standard output and error show any character, as an escape where the terminal knows no other way.

    Returns what standard output is written to; None where it is closed, or not the system's.
    """
    output = _steady("stdout", Output)
    _steady("stderr", Messages)
    return output


def _steady(name: str, kind: type[F]) -> F | None:
    stream = getattr(sys, name)
    try:
        stream.flush()
        raw = kind(stream.fileno(), "wb", closefd=False)
    except (AttributeError, OSError, ValueError):
        return None
    lines = name == "stderr" or stream.isatty()
    whole = io.BufferedWriter(raw)
    setattr(sys, name, io.TextIOWrapper(whole, stream.encoding, "backslashreplace", line_buffering=lines))
    return raw


def drop_output() -> None:
    """Send nowhere what could not be written to standard output, so that leaving does not try it again."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
