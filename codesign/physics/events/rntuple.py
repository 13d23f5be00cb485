"""Events in a ROOT RNTuple, read in bounded memory."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codesign.core.errors import CodesignError, InputError
from codesign.physics.events.container import ChunkSize, Native, limit_inflation

__all__ = ("RNTuple", "check_envelopes")

_NUMBER = r"(?:std::)?(?:u?int(?:8|16|32|64)_t|float|double|bool|std::byte)"
_FLAT = re.compile(rf"^{_NUMBER}$")
_LIST = re.compile(rf"^(?:std::vector|ROOT::VecOps::RVec)<{_NUMBER}>$")
_ARRAY = re.compile(rf"^std::array<{_NUMBER},\s*\d{{1,6}}>$")


def check_envelopes(path: Path, ntuple: Any) -> None:
    """InputError where the header, the footer or a list of pages claims to inflate beyond what is read."""
    for piece in ("Header", "Footer"):
        limit_inflation(path, "Events", f"the RNTuple's {piece.lower()}", int(ntuple.member(f"fLen{piece}")))
    for group in ntuple.footer.cluster_group_records:
        limit_inflation(path, "Events", "a list of pages", int(group.page_list_link.env_uncomp_size))


class RNTuple:
    """An RNTuple of numbers and lists of numbers; what else is in it is seen, and refused when it is asked for."""

    kind = "ROOT RNTuple"

    def __init__(self, path: Path, file: Any, ntuple: Any) -> None:
        check_envelopes(path, ntuple)
        self._path = path
        self._file = file
        self._ntuple = ntuple
        self.entries: int | None = int(ntuple.num_entries)
        self._fields = _numbers(ntuple)
        self.natives: Mapping[str, Native] = {name: native for name, (_, native) in self._fields.items()}
        self._ends = [int(c.num_first_entry) + int(c.num_entries) for c in ntuple.cluster_summaries]
        self._columns = self._columns_of_fields()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def chunks(self, names: Sequence[str], size: ChunkSize) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read chunk by chunk, every field on its own; a chunk of a given size ends where a cluster ends."""
        assert self.entries is not None
        total = sum(self._bytes(name, cluster) for name in names for cluster in range(len(self._ends)))
        step = size.step(max(total / max(1, self.entries), 4.0 * len(names)))
        if not self.entries:
            yield 0, {name: self._read(name, 0, 0) for name in names}
        start = 0
        while start < self.entries:
            stop = min(start + step, self.entries)
            if size.events is None and stop < self.entries:
                place = bisect_right(self._ends, stop) - 1
                stop = self._ends[place] if place >= 0 and self._ends[place] > start else stop
            yield start, {name: self._read(name, start, stop) for name in names}
            start = stop

    def _read(self, name: str, start: int, stop: int) -> Any:
        try:
            for cluster in range(bisect_right(self._ends, start), len(self._ends)):
                limit_inflation(self._path, name, f"cluster {cluster}", self._bytes(name, cluster))
                if self._ends[cluster] >= stop:
                    break
            array = self._fields[name][0].array(entry_start=start, entry_stop=stop, library="ak", array_cache=None)
        except CodesignError:
            raise
        except Exception as error:  # uproot passes on what the libraries under it raise
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(
                f"{self._path}: branch '{name}', events {start} to {stop}: damaged or truncated ({reason})"
            ) from None
        if len(array) != stop - start:
            raise InputError(f"{self._path}: branch '{name}' holds {len(array)} of the events {start} to {stop}")
        return array

    def _bytes(self, name: str, cluster: int) -> int:
        """Bytes that a field's pages of a cluster inflate to, as the list of pages claims."""
        pages = self._ntuple.page_link_list[cluster]
        size = 0
        for column, bits in self._columns.get(name, ()):
            if column < len(pages):
                size += sum(abs(int(page.num_elements)) for page in pages[column].pages) * bits // 8
        return size

    def _columns_of_fields(self) -> dict[str, list[tuple[int, int]]]:
        """Physical columns (index, bits per element) under each field, and of the collection that it is in."""
        ntuple = self._ntuple
        records = list(ntuple.column_records)
        by_field: dict[int, list[tuple[int, int]]] = {}
        for index, record in enumerate(records):
            by_field.setdefault(int(record.field_id), []).append((index, int(record.nbits)))
        for alias in ntuple.alias_column_records:
            physical = int(alias.physical_id)
            by_field.setdefault(int(alias.field_id), []).append((physical, int(records[physical].nbits)))
        parents = [int(field.parent_field_id) for field in ntuple.field_records]
        children: dict[int, list[int]] = {}
        for number, parent in enumerate(parents):
            if parent != number:  # a top-level field is its own parent
                children.setdefault(parent, []).append(number)
        columns: dict[str, list[tuple[int, int]]] = {}
        for name, (field, _) in self._fields.items():
            number = int(field.field_id)
            todo, found = [number], []
            while todo:
                one = todo.pop()
                found += by_field.get(one, [])
                todo += children.get(one, [])
            while parents[number] != number:
                number = parents[number]
                found += by_field.get(number, [])
            columns[name] = found
        return columns


def _numbers(ntuple: Any) -> dict[str, tuple[Any, Native]]:
    """Fields and what they hold: plain ones, lists, and parts of a list of records (``Jet.pt``, here ``Jet_pt``)."""
    fields: dict[str, tuple[Any, Native]] = {}
    for key in ntuple.keys():  # noqa: SIM118, an RNTuple is no mapping
        field = ntuple[key]
        if field.top_level:
            fields[key] = (field, _native(field))
            continue
        collection, _, part = key.partition(".")
        # ROOT's importer keeps a list per event twice: in _collection0.Jet_pt and, the one that is read, as Jet_pt
        if collection.startswith("_collection") or "." in part or collection not in fields:
            continue
        native = _native(field)
        inside = "" if not native.jagged else "holds lists of lists, not numbers"
        role = str(ntuple.field_records[int(ntuple[collection].field_id)].struct_role)
        fields[f"{collection}_{part}"] = (field, Native("COLLECTION" in role, native.problem or inside))
    return {name: found for name, found in fields.items() if not _is_collection(name, fields)}


def _is_collection(name: str, fields: Mapping[str, Any]) -> bool:
    return bool(fields[name][1].problem) and any(other.startswith(f"{name}_") for other in fields)


def _native(field: Any) -> Native:
    typename = str(field.typename)
    if _FLAT.match(typename):
        return Native(jagged=False)
    if _LIST.match(typename):
        return Native(jagged=True)
    problem = f"holds {typename or 'records'}, not numbers"
    return Native(jagged=False, problem=problem, regular=_ARRAY.match(typename) is not None)
