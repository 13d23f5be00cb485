"""Read events from a file, whatever its kind: told by what is in it, chunk by chunk, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from codesign.core.errors import InputError
from codesign.core.reading.detection import head_of, kind_of, name_damage
from codesign.physics.events import adc2021, delphes, l1_dataset, nanoaod
from codesign.physics.events.container import BadEvent, ChunkSize, Column, Container, Native, NotEvents, chunk_size
from codesign.physics.events.darkmachines import Text, is_darkmachines
from codesign.physics.events.event_record import assemble_events, physlite_advice, wanted_names
from codesign.physics.events.hdf5_events import Datasets
from codesign.physics.events.parquet_events import ParquetTable
from codesign.physics.events.root_events import open_root
from codesign.physics.events.ugt_events import VectorText, is_ugt_vectors

__all__ = ("EventFile", "Located", "open_events", "read_events", "read_located")

Paths = str | Path | Iterable[str | Path]

#: What the names of columns are, the first that knows them. Only these names tell: a container is any of the kinds.
_DIALECTS: tuple[tuple[str, Callable[[Mapping[str, Native]], dict[str, Column] | None]], ...] = (
    ("Delphes", delphes.columns),
    ("CMS Level-1 data", l1_dataset.columns),
    ("ADC2021", adc2021.columns),
    ("NanoAOD", nanoaod.columns),
)

#: kinds of text, and what tells one by its beginning
_TEXTS: Mapping[str, Callable[[bytes], bool]] = {"DarkMachines": is_darkmachines, "test vectors": is_ugt_vectors}


@dataclass(frozen=True)
class Located:
    """Consecutive events of a file; ``first`` is the place in the file of the first one."""

    file: Path
    first: int
    events: Any

    @contextmanager
    def named(self) -> Iterator[None]:
        """What is wrong with one event (:class:`BadEvent`) becomes an InputError that names the file and the event."""
        try:
            yield
        except BadEvent as error:
            raise InputError(f"{self.file}: event {self.first + error.place}: {error}") from None


class EventFile:
    """An open file of events: ``path``, ``kind``, ``dialect``, ``entries`` (None where only reading to the end tells),
    and ``columns``: flat name of the common record -> the native columns it is made of. A context manager."""

    def __init__(self, path: Path, container: Container, dialect: str, columns: Mapping[str, Column]) -> None:
        self.path = path
        self.kind = container.kind
        self.dialect = dialect
        self.entries = container.entries
        self.columns = columns
        self._container = container

    def __enter__(self) -> EventFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def problem(self, name: str) -> str:
        """Why a column cannot be read, or an empty string."""
        return next((p for n in self.columns[name].needs if (p := self._container.natives[n].problem)), "")

    def readable(self) -> dict[str, Column]:
        """The columns that hold numbers."""
        return {name: column for name, column in self.columns.items() if not self.problem(name)}

    def chunks(
        self,
        fields: Iterable[str] | None = None,
        chunk: str | int = "100 MB",
        optional: Iterable[str] = (),
        empty: bool = False,
    ) -> Iterator[Any]:
        """Chunks of the fields, as ``read_events`` gives them."""
        return self._chunks(self.require(fields, optional), chunk_size(chunk), empty)

    def require(self, fields: Iterable[str] | None = None, optional: Iterable[str] = ()) -> list[str]:
        """Flat names of what was asked for; InputError names what is missing, or does not hold numbers."""
        names = wanted_names(self.path, fields, optional, self.columns)
        for name in names:
            if problem := self.problem(name):
                raise InputError(f"{self.path}: branch '{self.columns[name].needs[0]}' {problem}")
        return names

    def _chunks(self, names: list[str], size: ChunkSize, empty: bool) -> Iterator[Any]:
        first = 0
        for columns in self.raw(names, size):
            events = assemble_events(self.path, columns, first)
            del columns  # what is not used any more need not be held while the chunk is
            first += len(events)
            if len(events) or empty:
                yield events
        if not first and not empty:
            raise InputError(f"{self.path}: the file has no events")

    def raw(self, names: Iterable[str], size: ChunkSize) -> Iterator[dict[str, Any]]:
        """Chunks of columns by their flat names, as they are in the file: nothing is checked."""
        chosen = {name: self.columns[name] for name in names}
        needs = list(dict.fromkeys(native for column in chosen.values() for native in column.needs))
        chunks = self._container.chunks(needs, size)
        while True:
            with name_damage(self.path, self.kind):
                natives = next(chunks, None)
                if natives is None:
                    return
                columns = {name: self._make(column, *natives) for name, column in chosen.items()}
            del natives
            yield columns
            del columns

    def _make(self, column: Column, first: int, natives: Mapping[str, Any]) -> Any:
        arrays = [natives[name] for name in column.needs]
        if column.make is None:
            return arrays[0]
        try:
            return column.make(*arrays)
        except BadEvent as error:
            place = f"branch '{column.needs[0]}', event {first + error.place}"
            raise InputError(f"{self.path}: {place}: {error}") from None
        except ValueError as error:
            raise InputError(f"{self.path}: branch '{column.needs[0]}': {error}") from None


def open_events(path: str | Path, tree: str | None = None) -> EventFile:
    """Open a file of events; ``tree``: which tree of a ROOT file that has several.

    Returns
    -------
    EventFile, to be closed (``with``).

    Raises
    ------
    InputError: no such file, not a file of events, a damaged or truncated one.
    """
    file = Path(path)
    head = head_of(file)
    kind = kind_of(head) or next((name for name, tells in _TEXTS.items() if tells(head)), None)
    openers: dict[str | None, Callable[[Path], Container]] = {
        "ROOT": partial(open_root, tree=tree),
        "Parquet": ParquetTable,
        "HDF5": Datasets,
        "DarkMachines": Text,
        "test vectors": VectorText,
    }
    if kind not in openers:
        raise NotEvents(
            f"{file}: not a file of events: neither ROOT, Parquet, HDF5, DarkMachines' text nor the "
            "global trigger's test vectors"
        )
    with name_damage(file, kind or ""):
        container = openers[kind](file)
    for dialect, columns in _DIALECTS:
        found = columns(container.natives)
        if found is not None:
            return EventFile(file, container, kind if kind is not None and kind in _TEXTS else dialect, found)
    container.close()
    advice = physlite_advice(container.natives)
    raise NotEvents(f"{file}: not a file of events: no columns with names that are known{advice}")


def read_events(
    paths: Paths,
    fields: Iterable[str] | None = None,
    chunk: str | int = "100 MB",
    optional: Iterable[str] = (),
    empty: bool = False,
    tree: str | None = None,
) -> Iterator[Any]:
    """Read events chunk by chunk, from any kind of file, told by its content.

    CMS NanoAOD (any version, scouting too) and files of ours, as TTree, RNTuple or Parquet; Delphes' ROOT files; CMS's
    Level-1 data, as Parquet or TTree; ADC2021's HDF5; DarkMachines' text; test vectors of CMS's global trigger.

    Parameters
    ----------
    paths: a file or several, read one after the other; a chunk never spans two.
    fields: what is needed: collections or groups (``"Jet"``: the common record's fields that the file has), all of one
        (``"Jet.*"``), single fields (``"Jet.pt"`` or ``"Jet_pt"``, ``"run"``); None for all of the common record.
    chunk: a size, of the columns read (``"100 MB"``), or a number of events.
    optional: as ``fields``, but left out where the file lacks them.
    empty: give one empty chunk of a file that has no events, instead of an error.
    tree: which tree of a ROOT file that has several; by default ``Events``, ``Delphes``, or the only one.

    Returns
    -------
    Iterator of awkward record arrays, (events,), with NanoAOD's names: ``events.Jet.pt``, ``events.Rho.
    fixedGridRhoFastjetAll``, ``events.run``. GeV and rad.

    Raises
    ------
    InputError: no such file, not a file of events, one that is damaged, truncated or empty, a missing branch, one that
        does not hold numbers, a value that is not finite, a wrong unit, a piece that inflates beyond reason. In one
        line that names the file, the branch and the event; what is wrong with a file's title before the first chunk.
    """
    return _events_of(read_located(paths, fields, chunk, optional, empty, tree))


def read_located(
    paths: Paths,
    fields: Iterable[str] | None = None,
    chunk: str | int = "100 MB",
    optional: Iterable[str] = (),
    empty: bool = False,
    tree: str | None = None,
) -> Iterator[Located]:
    """The chunks of :func:`read_events`, each with where it is from, for who has something to say of an event."""
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(p) for p in paths]
    if not files:
        raise InputError("no file of events was given")
    chunk_size(chunk)
    chosen = None if fields is None else tuple([fields] if isinstance(fields, str) else fields)
    others = tuple([optional] if isinstance(optional, str) else optional)
    return _all_chunks(files, chosen, chunk, others, empty, tree)


def _events_of(pieces: Iterator[Located]) -> Iterator[Any]:
    for piece in pieces:
        events = piece.events
        del piece  # as below
        yield events
        del events


def _all_chunks(
    files: list[Path],
    fields: tuple[str, ...] | None,
    chunk: str | int,
    optional: tuple[str, ...],
    empty: bool,
    tree: str | None,
) -> Iterator[Located]:
    for file in files:
        with open_events(file, tree) as opened:
            first = 0
            for events in opened.chunks(fields, chunk, optional, empty):
                size = len(events)
                yield Located(file, first, events)
                del events  # what is not used any more need not be held while the next is read
                first += size
