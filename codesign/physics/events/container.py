"""What a container of events offers, whatever its kind: native columns, and chunks of them in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from codesign.core.errors import InputError

__all__ = (
    "MOST_INFLATED",
    "BadEvent",
    "ChunkSize",
    "Column",
    "Container",
    "Native",
    "NotEvents",
    "chunk_size",
    "limit_inflation",
)

#: Bytes that one compressed piece of a file (a ROOT basket, a cluster's column, an HDF5 chunk) may inflate to. CMS's
#: are below 10 MB; what claims more is damaged or meant to harm.
MOST_INFLATED = 512 << 20

_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}


class NotEvents(InputError):
    """A file that is whole, but not of events."""


class BadEvent(ValueError):
    """What is wrong with one event, by its place in the chunk; who reads the file knows the event's own number."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place = place


@dataclass(frozen=True)
class Native:
    """A column as the file has it: ``jagged`` for a list per event; ``problem`` where it is not plain numbers.

    ``regular``: whether what is no plain number is a list of plain numbers of one length for all events.
    """

    jagged: bool
    problem: str = ""
    regular: bool = False


@dataclass(frozen=True)
class Column:
    """A field of the common record: the native columns it needs, and how it is made of them (None: as it is)."""

    needs: tuple[str, ...]
    make: Callable[..., Any] | None = None


@dataclass(frozen=True)
class ChunkSize:
    """How much is read at once: a number of bytes (uncompressed, of the columns read), or of events."""

    bytes: int | None = None
    events: int | None = None

    def step(self, bytes_per_event: float) -> int:
        """Events of a chunk, at least one."""
        if self.events is not None:
            return self.events
        assert self.bytes is not None
        return max(1, int(self.bytes / max(bytes_per_event, 1.0)))


def chunk_size(chunk: str | int) -> ChunkSize:
    """``"100 MB"``, or a number of events; InputError for what is neither."""
    if isinstance(chunk, int) and not isinstance(chunk, bool) and chunk > 0:
        return ChunkSize(events=chunk)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kKMG]?i?[bB])\s*", chunk) if isinstance(chunk, str) else None
    size = int(float(match[1]) * _UNITS[match[2].lower()]) if match else 0
    if size < 1:
        raise InputError(f"a chunk is a number of events, or a size such as '100 MB', not '{chunk}'")
    return ChunkSize(bytes=size)


class Container(Protocol):
    """An open file of events."""

    kind: str
    #: Number of events; None where only reading to the end tells.
    entries: int | None
    natives: Mapping[str, Native]

    def chunks(self, names: Sequence[str], size: ChunkSize) -> Iterator[tuple[int, dict[str, Any]]]:
        """Place of the first event, and native name -> awkward array, for one chunk after the other.

        A file that says that it has no events gives one chunk, which is empty: it tells the types.
        """
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def limit_inflation(path: Path, name: str, piece: str, size: int) -> None:
    """InputError where a compressed piece of a column claims to inflate to more than ``MOST_INFLATED`` bytes."""
    if not 0 <= size <= MOST_INFLATED:
        raise InputError(
            f"{path}: branch '{name}', {piece} claims to inflate to {size / 1e6:.0f} MB; the most "
            f"that is read is {MOST_INFLATED / 1e6:.0f} MB"
        )
