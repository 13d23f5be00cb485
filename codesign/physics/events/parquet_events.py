"""Events in Parquet, read in bounded memory: columns of numbers, of lists of numbers, and of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.errors import InputError
from codesign.core.reading.parquet import opened_parquet
from codesign.physics.events.container import ChunkSize, Native, limit_inflation

__all__ = ("ParquetTable",)

_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4}
#: bytes that a row group says it takes, up to which a page of each of its columns may be in memory together
_TOGETHER = 64 << 20


class ParquetTable:
    """A Parquet file."""

    kind = "Parquet"

    def __init__(self, path: Path) -> None:
        self._path = path
        # a pre-buffer keeps every row group that was read, to the end of the file
        self._file = opened_parquet(path, memory_map=False, buffer_size=1 << 20, pre_buffer=False)
        self.entries: int | None = int(self._file.metadata.num_rows)
        self.natives: Mapping[str, Native] = {field.name: _native(field.type) for field in self._file.schema_arrow}

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def chunks(self, names: Sequence[str], size: ChunkSize) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read chunk by chunk."""
        import pyarrow

        step = size.step(max(self._bytes(set(names)) / max(1, self.entries or 0), 4.0 * len(names)))
        held: list[Any] = []
        start = rows = 0
        for batch in self._file.iter_batches(batch_size=min(step, 1 << 20), columns=list(names)):
            held.append(batch)
            rows += batch.num_rows
            while rows >= step:  # batches end where row groups do
                table = pyarrow.Table.from_batches(held)
                yield start, self._arrays(table.slice(0, step), start)
                start, rows = start + step, rows - step
                held = table.slice(step).to_batches() if rows else []
        if rows or not self.entries:
            chosen = pyarrow.schema([self._file.schema_arrow.field(name) for name in names])
            yield start, self._arrays(pyarrow.Table.from_batches(held, held[0].schema if held else chosen), start)

    def _bytes(self, names: set[str]) -> int:
        """Bytes that the columns take in memory; InputError for a row group's column that claims too many."""
        metadata, schema = self._file.metadata, self._file.schema
        places = {i: schema.column(i).path.split(".")[0] for i in range(metadata.num_columns)}
        total = 0
        for group in range(metadata.num_row_groups):
            small = 0 <= metadata.row_group(group).total_byte_size <= _TOGETHER
            for some in [names] if small else [{one} for one in names]:
                # asked for what a damaged file says of a column, pyarrow ends the process; its reader, that asks the
                # same, raises an error: it goes first, for a page of each
                if next(self._file.iter_batches(1, row_groups=[group], columns=list(some)), None) is None:
                    continue
                for place, name in places.items():
                    if name not in some:
                        continue
                    column = metadata.row_group(group).column(place)
                    width = _WIDTHS.get(column.physical_type, 8)
                    size = max(int(column.total_uncompressed_size), int(column.num_values) * width)
                    limit_inflation(self._path, name, f"row group {group}", size)
                    total += size
        return total

    def _arrays(self, table: Any, start: int) -> dict[str, Any]:
        return {name: self._array(name, table[name].combine_chunks(), start) for name in table.column_names}

    def _array(self, name: str, column: Any, start: int) -> Any:
        import awkward as ak
        import pyarrow

        if isinstance(column, pyarrow.ChunkedArray):  # of no rows
            column = pyarrow.concat_arrays(column.chunks) if column.num_chunks else pyarrow.array([], column.type)
        if column.null_count:
            event = start + int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise InputError(f"{self._path}: branch '{name}', event {event}: no value")
        if pyarrow.types.is_string(column.type) or pyarrow.types.is_large_string(column.type):
            return ak.from_iter(column.to_pylist())
        if pyarrow.types.is_primitive(column.type):
            return ak.from_numpy(column.to_numpy(zero_copy_only=False))
        values = column.flatten()
        if values.null_count:
            place = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
            event = start + int(np.searchsorted(_offsets(column), place, side="right")) - 1
            raise InputError(f"{self._path}: branch '{name}', event {event}: a list has an empty place")
        offsets = _offsets(column)
        content = ak.contents.NumpyArray(values.to_numpy(zero_copy_only=False))
        return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(offsets), content))


def _offsets(column: Any) -> Any:
    """Where each list of a column begins among its values, and the end: (events + 1,) int64."""
    import pyarrow

    if pyarrow.types.is_fixed_size_list(column.type):
        return np.arange(len(column) + 1, dtype=np.int64) * column.type.list_size
    offsets = column.offsets.to_numpy().astype(np.int64)
    return offsets - offsets[0]  # of a slice


def _native(kind: Any) -> Native:
    from pyarrow import types

    jagged = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    inner = kind.value_type if jagged else kind
    number = types.is_integer(inner) or types.is_floating(inner) or types.is_boolean(inner)
    text = not jagged and (types.is_string(kind) or types.is_large_string(kind))
    return Native(jagged, "" if number or text else f"holds {kind}, not numbers")
