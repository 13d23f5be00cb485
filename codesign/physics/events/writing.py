"""Write events as ROOT, in NanoAOD's branch names, or as Parquet: whole or not at all, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.runfolder import written_atomically

__all__ = ("FORMATS", "flat_columns", "write_events")

#: Formats and the suffix that stands for each; an RNTuple is asked for by name.
FORMATS: dict[str, str] = {"ttree": ".root", "rntuple": ".root", "parquet": ".parquet"}
#: Under which name metadata lie in a ROOT file and in a Parquet file's schema.
METADATA = "codesign"
#: A basket, cluster or row group is written when this many bytes have come together: small enough for readers, large
#: enough to compress.
_PIECE = 16 << 20


def write_events(
    path: str | Path,
    chunks: Iterable[Any],
    form: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> int:
    """Write chunks of the common record.

    Parameters
    ----------
    path: a .root or .parquet file; an existing one is replaced.
    chunks: awkward record arrays, (events,), as ``read_events`` gives them: lists of records (``Jet``: branches
        ``Jet_pt`` ... and their counter ``nJet``), records (``Rho``: ``Rho_fixedGridRhoFastjetAll``), plain numbers.
        All with the fields and types of the first. One array stands for itself.
    form: ``ttree`` (tree ``Events``, what CMS's tools read), ``rntuple`` or ``parquet``; by default told by the suffix.
    metadata: JSON that says where the events come from; kept in the file.

    Returns
    -------
    Number of events written.

    Raises
    ------
    InputError: a suffix or form that is not known, chunks that differ in their fields, nothing to write, a place that
        cannot be written.
    UnsupportedError: a field that has no flat branch: text in ROOT, lists in lists.
    """
    import awkward as ak

    file = Path(path)
    chosen = form or next((f for f, suffix in FORMATS.items() if suffix == file.suffix.lower()), "")
    if chosen not in FORMATS or FORMATS[chosen] != file.suffix.lower():
        raise InputError(
            f"{file}: events are written as .root (ttree, rntuple) or .parquet, "
            f"not '{form or file.suffix or 'without suffix'}'"
        )
    pieces = _pieces(file, [chunks] if isinstance(chunks, ak.Array) else chunks)
    writers = {"ttree": _write_ttree, "rntuple": _write_rntuple, "parquet": _write_parquet}
    text = json.dumps(dict(metadata or {}))
    try:
        with written_atomically(file) as temporary:
            return writers[chosen](temporary, pieces, text)
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror or error})") from None


def flat_columns(events: Any) -> dict[str, Any]:
    """Flat names -> awkward arrays, (events,) or (events, var), of a chunk of the common record."""
    columns: dict[str, Any] = {}
    for name in events.fields:
        array = events[name]
        columns |= {f"{name}_{f}": array[f] for f in array.fields} if array.fields else {name: array}
    for name, array in columns.items():
        if array.fields or array.ndim > 2:
            raise UnsupportedError(f"field '{name}' cannot be written: {array.type.content} has no flat branch")
    return columns


def _pieces(path: Path, chunks: Iterable[Any]) -> Iterator[Any]:
    """Chunks, joined or cut to pieces of about ``_PIECE`` bytes; InputError where they differ in their fields."""
    import awkward as ak

    held: list[Any] = []
    size = 0
    form = None
    for chunk in chunks:
        if not chunk.fields:
            raise InputError(f"{path}: events are arrays of records with NanoAOD's names, not {chunk.type}")
        names = _types(chunk)
        if form is not None and names != form:
            changed = sorted({n for n, _ in set(names.items()) ^ set(form.items())})
            raise InputError(f"{path}: a chunk differs from the first in its fields or types: {', '.join(changed)}")
        form = names
        if not len(chunk) and held:
            continue
        held.append(chunk)
        size += chunk.nbytes
        if size >= _PIECE:
            whole = ak.concatenate(held) if len(held) > 1 else held[0]
            held, size = [], 0
            step = max(1, int(len(whole) * _PIECE / max(1, whole.nbytes)) + 1)
            for start in range(0, len(whole), step):
                yield whole[start : start + step]
    if held:
        yield ak.concatenate(held) if len(held) > 1 else held[0]
    if form is None:
        raise InputError(f"{path}: there are no events to write")


def _types(chunk: Any) -> dict[str, str]:
    return {name: str(array.type.content) for name, array in flat_columns(chunk).items()}


def _numbers(name: str, array: Any) -> np.dtype[Any]:
    """Type of a column's numbers; UnsupportedError for one of something else."""
    import awkward as ak

    layout = ak.to_packed(array, highlevel=False)
    content = layout.content if layout.is_list else layout
    if layout.parameter("__array__") == "string" or not content.is_numpy:
        raise UnsupportedError(f"field '{name}' cannot be written to ROOT: it holds {array.type.content}, not numbers")
    kind: np.dtype[Any] = content.data.dtype
    return kind


def _write_ttree(path: Path, pieces: Iterable[Any], metadata: str) -> int:
    import uproot

    written = 0
    with uproot.recreate(path, compression=uproot.ZSTD(3)) as file:
        tree = None
        for piece in pieces:
            for name, array in flat_columns(piece).items():
                _numbers(name, array)
            branches = _branches(piece)
            if tree is None:
                types = {
                    name: array.type.content if array.ndim > 1 else np.asarray(array).dtype
                    for name, array in branches.items()
                }
                tree = file.mktree("Events", types, title="Events")
            tree.extend(branches)
            written += len(piece)
        file[METADATA] = metadata
    return written


def _branches(piece: Any) -> dict[str, Any]:
    """Lists of records as they are, for uproot to give them one counter; groups and plain values flat."""
    branches: dict[str, Any] = {}
    for name in piece.fields:
        array = piece[name]
        if array.fields and array.ndim == 1:
            branches |= {f"{name}_{field}": array[field] for field in array.fields}
        else:
            branches[name] = array
    return branches


def _write_rntuple(path: Path, pieces: Iterable[Any], metadata: str) -> int:
    import awkward as ak
    import uproot

    written = 0
    with uproot.recreate(path, compression=uproot.ZSTD(3)) as file:
        ntuple = None
        for piece in pieces:
            columns = flat_columns(piece)
            types = {name: _numbers(name, array) for name, array in columns.items()}
            columns = {name: ak.to_packed(array) for name, array in columns.items()}
            if ntuple is None:
                ntuple = file.mkrntuple(
                    "Events",
                    {n: array.type.content if array.ndim > 1 else types[n] for n, array in columns.items()},
                )
            ntuple.extend(columns)
            written += len(piece)
        file[METADATA] = metadata
    return written


def _write_parquet(path: Path, pieces: Iterable[Any], metadata: str) -> int:
    import awkward as ak
    import pyarrow
    import pyarrow.parquet

    written = 0
    writer = None
    try:
        for piece in pieces:
            columns = flat_columns(piece)
            table = pyarrow.table(
                {name: ak.to_arrow(array, list_to32=True, extensionarray=False) for name, array in columns.items()}
            )
            if writer is None:
                schema = table.schema.with_metadata({METADATA.encode(): metadata.encode()})
                writer = pyarrow.parquet.ParquetWriter(path, schema, compression="zstd")
            writer.write_table(table.cast(writer.schema))
            written += len(piece)
    finally:
        if writer is not None:
            writer.close()
    return written
