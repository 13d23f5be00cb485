"""Seals: a proof that files are as the owner of the key left them, and what they are.

A seal is an HMAC (SHA-256) with the user's key over the purpose, facts, and the hash of each file. It holds for these
very files, facts and purpose, and can be made by nobody without the key. On a folder it lies in the folder, as
``.seal.json``; there it holds only where the folder has no file more or less, and no link.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from codesign.core.errors import ToolError
from codesign.core.runfolder import write_atomically
from codesign.core.trust.key import key, key_id

__all__ = ("SEAL", "contents", "holds", "is_sealed", "mac", "seal_files", "seal_folder", "sealed_files")

#: name of the seal of a folder
SEAL = ".seal.json"
#: a folder with more than that is nobody's firmware
_MOST_FILES, _MOST_BYTES = 20_000, 4 << 30
_MOST_SEAL_BYTES = 4096

Facts = Mapping[str, Any]


def mac(purpose: str, facts: Facts, files: Mapping[str, str]) -> str:
    """The seal, hex, of files by name (their SHA-256), made for ``purpose`` out of JSON-serialisable ``facts``."""
    content = {"purpose": purpose, "facts": facts, "files": dict(files)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hmac.new(key(), text.encode(), hashlib.sha256).hexdigest()


def holds(given: object, purpose: str, facts: Facts, files: Mapping[str, str]) -> bool:
    """Whether ``given`` is the seal of these files, made with this user's key."""
    return isinstance(given, str) and hmac.compare_digest(
        given.encode(errors="replace"), mac(purpose, facts, files).encode()
    )


def contents(folder: Path) -> dict[str, str] | None:
    """SHA-256 of each file in and below ``folder``, but of its seal, by its path.

    None where there is no such folder, or a link, a thing that is no file, or more than any flow writes.
    """
    found: dict[str, str] = {}
    bytes_ = 0
    waiting = [folder]
    try:
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            return None
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    path = Path(entry.path)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(path)
                        continue
                    if not entry.is_file(follow_symlinks=False):
                        return None
                    if path != folder / SEAL:
                        bytes_ += entry.stat(follow_symlinks=False).st_size
                        if bytes_ > _MOST_BYTES or len(found) >= _MOST_FILES:
                            return None
                        found[path.relative_to(folder).as_posix()] = _hash(path)
    except OSError:
        return None
    return found


def seal_folder(folder: Path, purpose: str, facts: Facts) -> None:
    """Seal ``folder`` as it is now; ToolError where that cannot be, as with a link in it."""
    files = contents(folder)
    if files is None:
        raise ToolError(f"{folder} holds a link, or more than a flow writes: it is not sealed")
    _write(folder / SEAL, mac(purpose, facts, files))


def is_sealed(folder: Path, purpose: str, facts: Facts) -> bool:
    """Whether this user sealed ``folder`` for this purpose, with these facts, and it is as it was."""
    given = _read(folder / SEAL)
    if given is None:
        return False
    files = contents(folder)
    return files is not None and holds(given, purpose, facts, files)


def seal_files(path: Path, paths: Iterable[Path], purpose: str, facts: Facts) -> None:
    """Seal files that lie beside each other, into the file ``path``."""
    _write(path, mac(purpose, facts, {p.name: _hash(p) for p in paths}))


def sealed_files(path: Path, paths: Iterable[Path], purpose: str, facts: Facts) -> bool:
    """Whether ``path`` holds this user's seal of these files; no link is followed."""
    given, every = _read(path), list(paths)
    if given is None or any(p.is_symlink() or not p.is_file() for p in every):
        return False
    return holds(given, purpose, facts, {p.name: _hash(p) for p in every})


def _write(path: Path, seal: str) -> None:
    write_atomically(path, (json.dumps({"key": key_id(), "seal": seal}) + "\n").encode())


def _read(path: Path) -> str | None:
    """What stands in a seal of this user's key; hashing a whole folder waits for that."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            found = json.loads(stream.read(_MOST_SEAL_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("key") != key_id():
        return None
    given = found.get("seal")
    return given if isinstance(given, str) else None


def _hash(path: Path) -> str:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
