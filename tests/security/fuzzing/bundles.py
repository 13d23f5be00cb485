"""Bundles, in a folder and packed, and what they are applied to: tables, and the scores of an earlier time."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.security.fuzzing.subject import Subject, command, write
from tests.security.strangers import bundle_in, forge

__all__ = ("SUBJECTS",)

_ROWS = 50


def _forge(root: Path, path: Path, content: bytes) -> None:
    """Every file but the manifest with the checksum that it has now: a stranger writes the manifest too."""
    if path.name == "manifest.json":
        path.write_bytes(content)
    else:
        forge(root, path.relative_to(root).as_posix(), content)


def _files(root: Path) -> list[Path]:
    read = [p for p in sorted(root.rglob("*")) if p.suffix in (".json", ".onnx", ".npz", ".v", ".h", ".gz", ".tcl")]
    return [*read, *[root / "manifest.json", root / "onnx" / "codes.onnx", root / "onnx" / "features.onnx"] * 2]


def _pack(root: Path) -> None:
    from codesign.handoff.archive import pack

    packed = root.parent / "b.zip"
    packed.unlink(missing_ok=True)
    pack(root, packed, "b")


def _zipped(folder: Path) -> Path:
    _pack(bundle_in(folder))
    return folder / "b.zip"


def _to_pack(folder: Path) -> Path:
    bundle = bundle_in(folder)
    _pack(bundle)
    return bundle


def _packed_anew(root: Path, path: Path, content: bytes) -> None:
    _forge(root, path, content)
    _pack(root)


def _check(path: Path) -> None:
    command("check", path)


def _check_packed(root: Path) -> None:
    command("check", root.parent / "b.zip")


def _apply(root: Path) -> None:
    command("apply", root, _table(root.parent, ".parquet"), "-o", root.parent / "scores.parquet")


def _table(folder: Path, suffix: str) -> Path:
    """Features by the names of the bundle's inputs."""
    path, columns = folder / f"table{suffix}", {name: np.linspace(-3, 3, _ROWS, dtype="f4") for name in _names()}
    columns["event"] = np.arange(_ROWS)
    if suffix == ".root":
        import uproot

        with uproot.recreate(path) as file:
            file.mktree("Events", {name: values.dtype for name, values in columns.items()}).extend(columns)
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(columns), path)
    return path


@cache
def _names() -> tuple[str, ...]:
    from tests.make_run import FEATURES

    return FEATURES


def _with_table(folder: Path, suffix: str) -> Path:
    bundle_in(folder)
    return _table(folder, suffix)


def _applied(path: Path) -> None:
    command("apply", path.parent / "bundle", path, "-o", path.parent / "scores.root")


def _scored(folder: Path, suffix: str) -> Path:
    """Scores, finished, of a table beside them."""
    from codesign.handoff.apply import apply_bundle

    table, scores = _with_table(folder, ".parquet"), folder / f"scores{suffix}"
    apply_bundle(folder / "bundle", [table], scores)
    return scores


def _scored_again(path: Path) -> None:
    table, root = path.parent / "table.parquet", path.parent
    command("apply", root / "bundle", table, "-o", path, "--histograms", root / "histograms.root")


def _keep_time(root: Path, path: Path, content: bytes) -> None:
    """Damage that leaves the times of the files as they are."""
    facts = path.stat()
    write(root, path, content)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _of(make: Any, suffix: str) -> Any:
    return lambda folder: make(folder, suffix)


SUBJECTS: dict[str, Subject] = {
    "bundle": Subject(bundle_in, (_check, _apply), _files, _forge),
    "bundle zip": Subject(_zipped, (_check,)),
    "bundle zip, packed anew": Subject(_to_pack, (_check_packed,), _files, _packed_anew),
    "table, Parquet": Subject(_of(_with_table, ".parquet"), (_applied,)),
    "table, ROOT": Subject(_of(_with_table, ".root"), (_applied,)),
    "scores, Parquet": Subject(_of(_scored, ".parquet"), (_scored_again,), place=_keep_time),
    "scores, ROOT": Subject(_of(_scored, ".root"), (_scored_again,), place=_keep_time),
}
