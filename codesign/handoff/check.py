"""Check a bundle that came from elsewhere: whole, unchanged, and nothing in it that leads out of it."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from codesign.errors import InputError
from codesign.handoff.manifest import FORMAT_VERSION, Manifest
from codesign.reading.json import member_json
from codesign.validation import validated

__all__ = ("check_bundle", "checked_manifest", "checksum", "inside", "read_manifest")

_MANIFEST = "manifest.json"


def checksum(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Read a bundle's manifest; InputError if there is none, or it is not valid or of an unknown format version."""
    path = Path(folder) / _MANIFEST
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{folder} is not a bundle: it has no {_MANIFEST}")
    data: Any = member_json(folder, _MANIFEST)
    version = data.get("format_version") if isinstance(data, dict) else None
    if isinstance(data, dict) and version != FORMAT_VERSION:
        raise InputError(f"{path}: unknown format version {version!r}; this codesign reads version {FORMAT_VERSION}")
    return validated(Manifest, data, str(path))


def checked_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle that is whole and unchanged; InputError names the first problem, and how many more."""
    if problems := check_bundle(folder):
        raise InputError(problems[0] + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""))
    return read_manifest(folder)


def check_bundle(folder: Path) -> list[str]:
    """Problems of a bundle, empty if there are none: every file is there, is the one that was packed, and no other."""
    folder = Path(folder)
    try:
        manifest = read_manifest(folder)
    except InputError as error:
        return [str(error)]
    problems: list[str] = []
    listed: set[str] = set()
    for entry in manifest.files:
        if entry.path in listed:
            problems.append(f"{entry.path}: listed twice")
        elif not inside(entry.path):
            problems.append(f"{entry.path}: leads out of the bundle")
        else:
            problems += _file(folder, entry.path, entry.size, entry.sha256)
        listed.add(entry.path)
    problems += [f"{p}: a source that is not among the files" for p in manifest.sources if p not in listed]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            if name not in listed:  # a listed one was reported above
                problems.append(f"{name}: is a symbolic link")
        elif not path.is_dir() and name not in listed and name != _MANIFEST:
            problems.append(f"{name}: not in the manifest")
    return problems


def inside(path: str) -> bool:
    """Whether a path stays inside its folder, on every operating system."""
    posix, windows = PurePosixPath(path), PureWindowsPath(path)
    plain = not posix.is_absolute() and not windows.drive and not windows.root and "\\" not in path and "\0" not in path
    return plain and ".." not in posix.parts and posix.as_posix() == path and path != _MANIFEST


def _file(folder: Path, name: str, size: int, sha256: str) -> list[str]:
    path = folder
    for part in PurePosixPath(name).parts:
        path = path / part
        if path.is_symlink():
            return [f"{name}: is a symbolic link, or lies behind one"]
    if not path.is_file():
        return [f"{name}: missing"]
    if path.stat().st_size != size:
        return [f"{name}: has {path.stat().st_size} bytes instead of {size}"]
    return [] if checksum(path) == sha256 else [f"{name}: was changed (its SHA-256 is not the manifest's)"]
