"""Parquet files whose columns lie in them, and inflate to no more than they may."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from codesign.core.errors import InputError
from codesign.core.reading.limits import ARRAY_BYTES, ENTRIES, RATIO
from codesign.core.reading.plain import open_given

__all__ = ("opened_parquet", "whole_parquet")

_FOOTER = 16 << 20
#: of columns that repeat one value
_SMALL = 16 << 20


def opened_parquet(path: Path, **options: Any) -> Any:
    """A ``pyarrow.parquet.ParquetFile`` of a file that the user named, to be closed; ``options`` are its own.

    InputError for more columns or row groups than there may be. A column in another file is not followed: pyarrow reads
    this one only, and finds nothing there.
    """
    import pyarrow.parquet

    with open_given(path):  # a plain file
        pass
    file = pyarrow.parquet.ParquetFile(
        path, thrift_string_size_limit=_FOOTER, thrift_container_size_limit=1 << 20, **options
    )
    try:
        metadata = file.metadata
        if metadata.num_columns > ENTRIES or metadata.num_row_groups * metadata.num_columns > 100 * ENTRIES:
            raise InputError(f"{path}: {metadata.num_columns} columns in {metadata.num_row_groups} row groups: refused")
    except BaseException:
        file.close()
        raise
    return file


def whole_parquet(path: Path) -> Any:
    """The whole table of a file that the user named; InputError also where it announces more than the file can hold."""
    with opened_parquet(path) as file:
        metadata, announced = file.metadata, 0
        for group in range(metadata.num_row_groups):
            # of the whole group: what a damaged file says of one column ends the process in pyarrow
            rows = metadata.row_group(group)
            announced += max(int(rows.total_byte_size), 8 * int(rows.num_rows) * int(rows.num_columns))
        if announced > min(ARRAY_BYTES, RATIO * os.stat(path).st_size + _SMALL):
            raise InputError(f"{path}: announces {announced} bytes, more than a file of its size holds: refused")
        return file.read()
