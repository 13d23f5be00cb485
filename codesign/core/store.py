"""A store of what was made once: trained weights, compiled firmware, synthesis, each under the hash of its origin.

A store is a folder (by default in the user's cache) or any URL that fsspec knows: ``s3://bucket/path``,
``memory://``. An entry is a zip of files, sealed with the user's own key (:mod:`codesign.core.trust`) for the very
thing that it is of, and lies below the key's name: what others wrote, or changed, is never read, and users of one
folder do not get into each other's way. What is damaged, or is not what it should be, is put aside beside its place and
made again. A store that cannot be read or written costs time, never a candidate. A store in a folder keeps below a
size, the least recently used going first; in a remote one, that is left to whoever owns it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import os
import platform
import uuid
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import platformdirs

from codesign import __version__
from codesign.core.errors import InputError
from codesign.core.reading.zip import zip_files
from codesign.core.runfolder import write_atomically
from codesign.core.trust.key import key_id
from codesign.core.trust.seal import holds, mac

__all__ = (
    "NO_STORE",
    "Store",
    "current",
    "default_url",
    "digest",
    "open_entry",
    "pack",
    "put_aside",
    "seal_entry",
    "source_hash",
    "unpack",
    "use",
    "versions",
)

#: in place of a URL: nothing is kept, nothing is looked up
NO_STORE = "none"
#: bytes that a local store may take
MOST_BYTES = 5 << 30
#: bytes of one entry, unpacked
MOST_ENTRY_BYTES = 1 << 28
#: files of one entry
MOST_FILES = 10_000

_KINDS = ("weights", "trainings", "firmware", "synthesis")
#: between two looks at how large the store has become, of which other processes' share is not seen otherwise
_PUTS_BETWEEN_LOOKS = 64
#: what an entry that was put aside is called behind its name
_ASIDE = ".damaged"
#: digits of a seal, at the end of an entry: there a zip has its comment
_SEAL_DIGITS = 64

T = TypeVar("T")


def default_url() -> str:
    """``$CODESIGN_STORE`` (a folder, a URL, or "none"), else a folder in the user's cache."""
    if url := os.environ.get("CODESIGN_STORE"):
        return url
    root = os.environ.get("CODESIGN_CACHE") or platformdirs.user_cache_dir("codesign")
    return str(Path(root) / "store")


def digest(content: Mapping[str, Any]) -> str:
    """Hash (SHA-256, hex) of JSON-serialisable content, the same for equal content everywhere."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


@cache
def source_hash(*modules: str) -> str:
    """Hash of the source of modules and whole packages: code that changed makes anew what it made before."""
    whole = hashlib.sha256()
    for name in sorted(set(modules)):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        files = sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
        for path in files:
            whole.update(f"{name}/{path.relative_to(origin.parent)}\n".encode())
            whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


@cache
def versions(*packages: str) -> dict[str, str]:
    """Versions of codesign and of packages, those that are not installed left out, and the kind of processor."""
    found = {"codesign": __version__, "machine": platform.machine()}
    for name in packages:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


class Store:
    """A store at a path or URL."""

    def __init__(self, url: str, most: int = MOST_BYTES) -> None:
        import fsspec

        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:  # an unknown scheme, or one whose package is not installed
            scheme = url.split("://", 1)[0]
            raise InputError(f"--store: cannot use '{scheme}://...': {' '.join(str(error).split())}") from None
        protocol = self._files.protocol
        self._local = "file" in ((protocol,) if isinstance(protocol, str) else protocol)
        self._most = most
        self._size, self._until_look = 0, 0
        self._aside: list[str] = []
        key_id()  # a key that cannot be used is told before any work begins

    def make(self) -> None:
        """Make the folder of a local store, where there is none yet; InputError where that cannot be done."""
        if self._local:
            try:
                Path(self._root).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"--store: {self._root} cannot be made ({error.strerror}): give a folder") from None

    def _path(self, kind: str, key: str) -> str:
        assert kind in _KINDS
        return f"{self._root}/{kind}/{key_id()}/{key[:2]}/{key}.zip"

    def get(self, kind: str, key: str, read: Callable[[dict[str, bytes]], T]) -> T | None:
        """What ``read`` makes of the files of an entry, by name; None where there is none.

        One that is not as it was put there, or of which ``read`` raises anything at all, is put aside: its place is
        free, :meth:`put_aside` names it, and a user can look at it.
        """
        path = self._path(kind, key)
        try:
            facts = self._files.info(path)
            whole = facts["type"] == "file" and int(facts["size"] or 0) <= MOST_ENTRY_BYTES
            content = self._files.cat_file(path) if whole else b""
        except (OSError, ValueError):  # not there, or not to be reached
            return None
        try:
            files = open_entry(kind, key, content)
            if files is None:
                raise InputError("not as it was put there")
            found = read(files)
        except Exception as error:  # whatever is wrong with it, what it holds can be made again
            if isinstance(error, OSError) and error.errno:  # a full disk is no fault of the entry's
                raise
            self._put_aside(path, " ".join(str(error).split())[:200] or type(error).__name__)
            return None
        if self._local:
            with contextlib.suppress(OSError):
                os.utime(path)
        return found

    def _put_aside(self, path: str, why: str) -> None:
        try:
            if self._local:
                os.replace(path, path + _ASIDE)
            else:
                self._files.mv(path, path + _ASIDE)
            where = f"was put aside as {path + _ASIDE}"
        except (OSError, ValueError) as error:
            where = f"cannot be put aside ({error})"
        self._aside.append(f"a damaged entry of the store, {path} ({why}), {where}; what it held is made again")

    def put_aside(self) -> list[str]:
        """Which entries were put aside since this was last asked, in words."""
        said, self._aside = self._aside, []
        return said

    def put(self, kind: str, key: str, files: Mapping[str, bytes]) -> None:
        """Keep an entry, whole or not at all; one that is there stays. That it cannot be written is no error."""
        path, content = self._path(kind, key), seal_entry(kind, key, files)
        if unpack(content) is None:
            return
        with contextlib.suppress(OSError, ValueError):
            if self._files.exists(path):
                return
            if self._local:
                write_atomically(Path(path), content)
                self._bound(len(content))
            else:
                temporary = f"{path}.{uuid.uuid4().hex}.partial"
                self._files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
                self._files.pipe_file(temporary, content)
                self._files.mv(temporary, path)

    def _bound(self, added: int) -> None:
        self._size += added
        self._until_look -= 1
        if self._until_look > 0 and self._size <= self._most:
            return
        entries = []
        for path in Path(self._root).rglob("[!.]*.zip*"):
            with contextlib.suppress(OSError):  # another process may be at it, too
                facts = path.stat()
                entries.append((facts.st_mtime_ns, facts.st_size, path))
        self._size, self._until_look = sum(size for _, size, _ in entries), _PUTS_BETWEEN_LOOKS
        if self._size <= self._most:
            return
        for _, size, path in sorted(entries):
            if self._size <= 0.9 * self._most:
                break
            path.unlink(missing_ok=True)
            self._size -= size


def seal_entry(kind: str, key: str, files: Mapping[str, bytes]) -> bytes:
    """A zip of files, with this user's seal that it is what was kept as ``kind`` under ``key``."""
    content = pack(files, "0" * _SEAL_DIGITS)[:-_SEAL_DIGITS]
    return content + mac("store", {"kind": kind, "key": key}, _whole(content)).encode()


def open_entry(kind: str, key: str, content: bytes) -> dict[str, bytes] | None:
    """The files of what :func:`seal_entry` made; None where it was not this user, not for this, or it was changed.

    Nothing is read before that is known.
    """
    body, seal = content[:-_SEAL_DIGITS], content[-_SEAL_DIGITS:]
    known = holds(seal.decode("ascii", "replace"), "store", {"kind": kind, "key": key}, _whole(body))
    return unpack(content) if known else None


def _whole(content: bytes) -> dict[str, str]:
    return {"entry": hashlib.sha256(content).hexdigest()}


def pack(files: Mapping[str, bytes], comment: str = "") -> bytes:
    """A zip of files by name; equal files are an equal zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.comment = comment.encode()
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unpack(content: bytes) -> dict[str, bytes] | None:
    """The files of a zip by name; None where it is damaged, too large, or a name leads out of a folder."""
    try:
        files = zip_files(content, "a store's entry", most=MOST_ENTRY_BYTES)
    except InputError:
        return None
    return files if all(_plain(name) for name in files) else None


def _plain(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and "\\" not in name and not path.is_absolute() and ".." not in path.parts


_current: list[Store | None] = [None]


def use(url: str | None) -> None:
    """Set the store of this process; None or "none": without one, as it is at first."""
    _current[0] = None if url in (None, NO_STORE) else Store(str(url))


def put_aside() -> list[str]:
    """Which entries of this process's store were damaged and put aside since this was last asked, in words."""
    return [] if _current[0] is None else _current[0].put_aside()


def current() -> Store | None:
    """The store of this process, if it has one."""
    return _current[0]
