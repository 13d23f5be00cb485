"""The door of every command: what the system refuses, and where output goes that cannot be written or shown."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar

import typer
from typer.core import TyperGroup

from codesign.core.errors import system_errors
from codesign.core.printing import print_error

__all__ = ("CLOSED", "Door", "Output", "drop_output", "steady_streams")

#: exit code where nobody reads the output any more: a shell's for a tool that SIGPIPE ends
CLOSED = 128 + 13
_OUTPUT = "standard output"

#: of what is wrong with an argument: how the library of the types says it, and how it is said here
_OURS = {
    "Value error, ": "",
    "Input should be a valid integer, unable to parse string as an integer": "expected a whole number",
    "Input should be": "expected",
}

F = TypeVar("F", bound=io.FileIO)


class Door(TyperGroup):
    """All commands: what the operating system refuses to one of them is an error of ours, in this process as well, and
    wrong usage is one line."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run what the arguments say; SystemExit, and of wrong usage one line on standard error before it."""
        args = sys.argv[1:] if args is None else list(args)
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except typer.TyperException as error:
            if not standalone_mode:
                raise
            if said := _said(error):  # nothing where no command was given, and the help was printed
                print_error(typer.TyperException(f"{said}; see '{self._named(args)} --help'"))
            sys.exit(error.exit_code)
        if not standalone_mode:
            return code
        sys.exit(code)

    def _named(self, args: Sequence[str]) -> str:
        """The command that arguments name, as far as there is one."""
        words, commands = [self.name or "codesign"], self.commands
        for word in args:
            if word not in commands:
                break
            words.append(word)
            found = commands[word]
            commands = found.commands if isinstance(found, TyperGroup) else {}
        return " ".join(words)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that was named."""
        with system_errors(" ".join([*ctx._protected_args, *ctx.args])):
            return super().invoke(ctx)


def _said(error: typer.TyperException) -> str:
    """What is wrong with an argument, and what was given: the library of the types names the bound alone."""
    said = " ".join(error.format_message().split())
    for theirs, ours in _OURS.items():
        said = said.replace(theirs, ours)
    if isinstance(cause := error.__cause__, ValueError) and "expected" in said:
        from pydantic import ValidationError

        if isinstance(cause, ValidationError):
            said += f", given: {cause.errors()[0]['input']}"
    return said.rstrip(".")


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
