"""Check a bundle that came from elsewhere: whole, unchanged, and nothing in it that leads out of it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, cast

from codesign.core.errors import InputError
from codesign.core.printing import visible
from codesign.core.reading.json import member_json
from codesign.core.reading.plain import opened_member
from codesign.core.validation import found_instead, validate
from codesign.handoff.manifest import READABLE_VERSIONS, Manifest

__all__ = (
    "MANIFEST",
    "MOST_BYTES",
    "MOST_FILES",
    "SIGNATURE",
    "bundle_json",
    "check_bundle",
    "checked_manifest",
    "checksum",
    "inside",
    "read_manifest",
)

MANIFEST = "manifest.json"
#: of the manifest, which lists every other file but this one
SIGNATURE = "manifest.json.sig"
#: what a bundle takes at most; more is refused before it is read
MOST_BYTES = 4 << 30
MOST_FILES = 10_000
_MOST_JSON = 16 << 20


def checksum(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def bundle_json(folder: Path, name: str) -> dict[str, Any]:
    """Read a record of a bundle; InputError where it is no JSON, no mapping, or holds what is no text."""
    data = member_json(folder, name, most=_MOST_JSON)
    if not isinstance(data, dict):
        raise InputError(f"{folder / name}: expected a mapping of keys to values, found {found_instead(data)}")
    try:
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{folder / name}: holds half a character, which is no text") from None
    return data


def read_manifest(folder: Path) -> Manifest:
    """Read a bundle's manifest; InputError if there is none, or it is not valid or of an unknown format version."""
    path = Path(folder) / MANIFEST
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{folder} is not a bundle: it has no {MANIFEST}")
    data = bundle_json(Path(folder), MANIFEST)
    version = data.get("format_version")
    if version not in READABLE_VERSIONS or isinstance(version, bool | float):
        known = " and ".join(map(str, READABLE_VERSIONS))
        raise InputError(f"{path}: unknown format version {version!r}; this codesign reads versions {known}")
    manifest = validate(Manifest, data, str(path))
    if different := _written_otherwise(manifest.model_dump(mode="json", exclude_unset=True), data):
        raise InputError(f"{path}: '{visible(different)}' is of another type than codesign writes")
    return manifest


def _written_otherwise(written: dict[str, Any], data: dict[str, Any]) -> str | None:
    """The first key whose value was taken for another one, such as a number out of a text."""
    return next((key for key, value in data.items() if written.get(key) != value), None)


def checked_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle that is whole and unchanged; InputError names the first problem, and how many more."""
    if problems := check_bundle(folder):
        raise InputError(problems[0] + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""))
    return read_manifest(folder)


def check_bundle(folder: Path) -> list[str]:
    """Problems of a bundle, empty if there are none: every file is there, is the one that was packed, and no other.

    A signature, :data:`SIGNATURE`, may be there as well.
    """
    folder = Path(folder)
    try:
        manifest = read_manifest(folder)
    except InputError as error:
        return [str(error)]
    if too_much := _too_much([(f.path, f.size) for f in manifest.files]):
        return [f"{folder / MANIFEST}: {too_much}"]
    if (found := _entries(folder)) is None:
        return [f"{folder}: holds more than {MOST_FILES:,} files and folders: refused"]
    problems: list[str] = []
    listed: set[str] = set()
    for entry in manifest.files:
        if entry.path in listed:
            problems.append(f"{visible(entry.path)}: listed twice")
        elif not inside(entry.path):
            problems.append(f"{visible(entry.path)}: leads out of the bundle")
        else:
            problems += _file(folder, entry.path, entry.size, entry.sha256)
        listed.add(entry.path)
    problems += [f"{visible(p)}: a source that is not among the files" for p in manifest.sources if p not in listed]
    problems += _one_file_elsewhere([MANIFEST, SIGNATURE, *(f.path for f in manifest.files)])
    for name, mode in sorted(found.items()):
        if stat.S_ISLNK(mode):
            if name not in listed:  # a listed one was reported above
                problems.append(f"{visible(name)}: is a symbolic link")
        elif name == SIGNATURE and not stat.S_ISREG(mode):
            problems.append(f"{name}: is no plain file")
        elif not stat.S_ISDIR(mode) and name not in listed and name not in (MANIFEST, SIGNATURE):
            problems.append(f"{visible(name)}: not in the manifest")
    return problems


def _too_much(files: list[tuple[str, int]]) -> str | None:
    if len(files) > MOST_FILES:
        return f"lists {len(files):,} files, at most {MOST_FILES:,} are read"
    if sum(size for _, size in files) > MOST_BYTES:
        return f"its files are of more than {MOST_BYTES >> 20:,} MiB: refused"
    return None


def _entries(folder: Path) -> dict[str, int] | None:
    """Everything in a folder by its name, with its mode; None where there is too much. No link is followed."""
    found: dict[str, int] = {}
    for entry in _walk(folder):
        if len(found) >= 2 * MOST_FILES:
            return None
        found[Path(entry.path).relative_to(folder).as_posix()] = entry.stat(follow_symlinks=False).st_mode
    return found


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def _one_file_elsewhere(paths: Iterable[str]) -> list[str]:
    """Files and folders that are two here, and one where case or the form of an accent does not count."""
    spelled: dict[str, str] = {}
    problems = []
    for path in paths:
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            part = "/".join(parts[:end])
            known = spelled.setdefault(unicodedata.normalize("NFC", part).casefold(), part)
            if known != part:
                problems.append(f"{visible(path)}: is the same as {visible(known)} on other systems")
                break
    return problems


def inside(path: str) -> bool:
    """Whether a path stays inside its folder, on every operating system."""
    posix, windows = PurePosixPath(path), PureWindowsPath(path)
    plain = not posix.is_absolute() and not windows.drive and not windows.root and "\\" not in path and "\0" not in path
    kept = path not in (MANIFEST, SIGNATURE)
    return plain and ".." not in posix.parts and posix.as_posix() == path and path != "." and kept


def _file(folder: Path, name: str, size: int, sha256: str) -> list[str]:
    path = folder
    try:
        for part in PurePosixPath(name).parts:
            path = path / part
            if path.is_symlink():
                return [f"{visible(name)}: is a symbolic link, or lies behind one"]
        if not path.exists():
            return [f"{visible(name)}: missing"]
        with opened_member(folder, name) as stream:
            found = os.fstat(stream.fileno()).st_size
            if found != size:
                return [f"{visible(name)}: has {found} bytes instead of {size}"]
            equal = hashlib.file_digest(cast(BufferedReader, stream), "sha256").hexdigest() == sha256
    except InputError as error:
        return [visible(str(error))]
    except (OSError, ValueError) as error:
        return [f"{visible(name)}: cannot be read ({visible(str(error))})"]
    return [] if equal else [f"{visible(name)}: was changed (its SHA-256 is not the manifest's)"]
