"""What is known of the files before the first of them is scored: that each can be, as what, and how many events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codesign.core.errors import InputError, nearest
from codesign.data.input_tables import columns_of, entries_of, lacking
from codesign.handoff.apply.given_file import GivenFile, RemoteFile
from codesign.handoff.apply.scorer import NoInputs, Scorer
from codesign.physics.events import open_events
from codesign.physics.events.container import NotEvents

__all__ = ("Readable", "check_all", "read_as")


@dataclass(frozen=True)
class Readable:
    """How a file is read, ``table`` or events, and how many ``entries`` it has, where that is known."""

    table: bool
    entries: int | None = None


def check_all(scorer: Scorer, files: Sequence[GivenFile], tree: str | None) -> list[Readable | None]:
    """How each file is read; None of a remote one, which is looked into when it has been copied.

    InputError names the first file that cannot be scored, why, and the others: nothing was scored yet.
    """
    found: list[Readable | None] = []
    bad: list[tuple[GivenFile, InputError]] = []
    for file in files:
        try:
            if isinstance(file, RemoteFile):
                file.source()  # it is there, and can be read
                found.append(None)
            else:
                with file.here() as path:
                    found.append(read_as(scorer, path, tree))
        except InputError as error:
            bad.append((file, error))
    if not bad:
        return found
    first = str(bad[0][1])
    if len(files) == 1:
        raise bad[0][1]
    others = ", ".join(str(f) for f, _ in bad[1:6]) + (", ..." if len(bad) > 6 else "")
    also = f"; nor can {len(bad) - 1} more: {others}" if bad[1:] else ""
    raise InputError(f"{first}{also}; none of the {len(files)} files was scored")


def read_as(scorer: Scorer, path: Path, tree: str | None) -> Readable:
    """How a file is read for this network; InputError where it cannot be, with what to do."""
    present = columns_of(path, tree)
    missing = lacking(scorer.blocks, present)
    if missing is None:
        return Readable(True, entries_of(path, tree))
    try:
        task = scorer.task
        with open_events(path, tree) as opened:
            try:
                opened.require(task.collections)
            except InputError as error:
                advice = task.advice(opened.columns)
                raise InputError(f"{error}; {advice}" if advice else str(error)) from None
            return Readable(False, opened.entries)
    except (NotEvents, NoInputs) as error:
        said = str(error) if isinstance(error, NotEvents) else f"{path}: {error}"
        column = f"as a table, it has no column '{missing}'{nearest(missing, present)}"
        raise InputError(f"{said}; {column}") from None
