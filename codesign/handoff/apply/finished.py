"""What a file of scores says of itself: which bundle made it, of which file. By this a finished one is recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from codesign import __version__
from codesign.core.errors import InputError
from codesign.core.reading.detection import head_of, kind_of, name_damage
from codesign.core.reading.json import json_of
from codesign.core.reading.parquet import opened_parquet
from codesign.core.reading.rootfile import check_whole, opened_root
from codesign.handoff.apply.names import PREFIX
from codesign.handoff.check import checksum
from codesign.physics.events.container import ChunkSize
from codesign.physics.events.parquet_events import ParquetTable
from codesign.physics.events.root_events import open_root
from codesign.physics.events.writing import METADATA

__all__ = ("Source", "Written", "scores_in", "written_in")

#: bytes at both ends of a file that tell it from others: its header, its table of contents, the first and last events
_ENDS = 1 << 20


class Source(BaseModel):
    """Which file was scored: its name, size, time of change, and the SHA-256 of its first and last MiB.

    Of a remote one, that of its first MiB and of what its server says of its version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    size: int = Field(ge=0, description="bytes")
    changed: int = Field(description="nanoseconds since 1970; 0 where a server does not say it")
    ends: str = Field(pattern="^[0-9a-f]{64}$")

    @classmethod
    def of(cls, path: Path) -> Source:
        """The identity of a file; InputError where there is none."""
        head_of(path)  # refuses what is no file
        state = path.stat()
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            digest.update(stream.read(_ENDS))
            stream.seek(max(0, state.st_size - _ENDS))
            digest.update(stream.read(_ENDS))
        return cls(name=path.name, size=state.st_size, changed=state.st_mtime_ns, ends=digest.hexdigest())


class Written(BaseModel):
    """The record in a file of scores, or of their histograms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    made_by: Literal["codesign apply"] = "codesign apply"
    version: str = __version__
    bundle: str = Field(description="SHA-256 of the bundle's manifest, which names every file of it")
    form: str
    tree: str | None = None
    sources: tuple[Source, ...]
    meanings: dict[str, str] = Field(
        default_factory=dict, exclude_if=lambda meanings: not meanings, description="of columns, what their values mean"
    )

    @classmethod
    def of(
        cls, bundle: Path, form: str, tree: str | None, *sources: Source, meanings: Mapping[str, str] | None = None
    ) -> Written:
        """The record of what is made with this bundle of these sources."""
        return cls(
            bundle=checksum(bundle / "manifest.json"),
            form=form,
            tree=tree,
            sources=sources,
            meanings=dict(meanings or {}),
        )


def written_in(path: Path) -> Written | None:
    """The record in a file; None where it has none: it is no file of scores, or a damaged one."""
    try:
        kind = kind_of(head_of(path)) or ""
        with name_damage(path, kind):
            found = _text(path, kind)
        return None if found is None else Written.model_validate(json_of(found, str(path)))
    except (InputError, ValueError, ValidationError, RecursionError):
        return None


def scores_in(path: Path, names: Sequence[str], rows: int) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    """Scores that were written before: how many events there are in a piece, and its outputs by name, (rows,) each."""
    import awkward as ak

    kind = kind_of(head_of(path)) or ""
    with name_damage(path, kind):
        container = ParquetTable(path) if kind == "Parquet" else open_root(path)
        try:
            for _, columns in container.chunks([f"{PREFIX}_{name}" for name in names], ChunkSize(events=rows)):
                arrays = list(columns.values())
                flat = [np.asarray(ak.flatten(a) if a.ndim > 1 else a) for a in arrays]
                yield len(arrays[0]), dict(zip(names, flat, strict=True))
        finally:
            container.close()


def _text(path: Path, kind: str) -> Any:
    if kind == "Parquet":
        with opened_parquet(path) as file:
            return (file.schema_arrow.metadata or {}).get(METADATA.encode())
    if kind != "ROOT":
        return None
    with opened_root(path, object_cache=None, array_cache=None) as file:
        check_whole(path, file)
        return str(file[METADATA]) if METADATA in file.keys(cycle=False) else None
