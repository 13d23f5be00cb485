"""What is damaged, and which doors read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ("Door", "Subject", "command", "itself", "write")

#: reads what lies at a path, and raises what it refuses
Door = Callable[[Path], None]


def command(*words: object) -> None:
    """A command of the command line, in this process; SystemExit where its exit code is another than 0."""
    from codesign.cli import app

    if code := app([str(word) for word in words], standalone_mode=False):
        raise SystemExit(code)


def itself(root: Path) -> list[Path]:
    """The file to damage, of what is one file."""
    return [root]


def write(root: Path, path: Path, content: bytes) -> None:
    """Put a damaged file in its place."""
    path.write_bytes(content)


@dataclass(frozen=True)
class Subject:
    """A kind of file or folder, and the doors that read it.

    Attributes
    ----------
    make: writes it whole into a folder; returns its path.
    doors: one of them is drawn for each case.
    files: those to damage, of what was made.
    place: put a damaged file in place, with whatever makes it look whole.
    own: whether it is sealed anew, as if this user had made what is damaged: then it may be given to tools.
    refused: doors of these that refuse it even where it is whole; to pass one is an execution.
    """

    make: Callable[[Path], Path]
    doors: tuple[Door, ...]
    files: Callable[[Path], list[Path]] = itself
    place: Callable[[Path, Path, bytes], None] = write
    own: bool = False
    refused: tuple[Door, ...] = ()
