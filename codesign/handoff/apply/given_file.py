"""A file to be scored: one that lies here, or one at a URL, which is copied here for as long as it is scored."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from codesign.core.errors import InputError
from codesign.core.reading.detection import kind_of
from codesign.handoff.apply.finished import Source

__all__ = ("GivenFile", "LocalFile", "RemoteFile", "given_file")

#: what reads the files of a scheme, beside fsspec: the module it needs, and the package that has it
_READERS = {
    "root": ("fsspec_xrootd", "fsspec-xrootd"),
    "xroot": ("fsspec_xrootd", "fsspec-xrootd"),
    "http": ("aiohttp", "aiohttp"),
    "https": ("aiohttp", "aiohttp"),
}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
#: a URL from which Path has taken a slash
_MANGLED = re.compile(r"(root|xroot|https?):/(?!/)")
_CHUNK, _HEAD = 1 << 22, 1 << 20
#: of a remote file, what its server says of it and what changes when it does
_VERSIONS = ("mtime", "ETag", "Last-Modified", "LastModified", "Content-MD5", "Digest")


class GivenFile(ABC):
    """A file as the user named it."""

    def __init__(self, given: str) -> None:
        self.given = given

    def __str__(self) -> str:
        return self.given

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the file, without its folders."""

    @abstractmethod
    def source(self) -> Source:
        """Its identity; InputError where it cannot be read."""

    @abstractmethod
    def here(self) -> Any:
        """A context that gives a path of its content."""

    @property
    def path(self) -> Path | None:
        """Where it lies, if it lies here."""
        return None


class LocalFile(GivenFile):
    """A file that lies here."""

    @property
    def name(self) -> str:
        """The name of the file, without its folders."""
        return self.path.name

    @property
    def path(self) -> Path:
        """Where it lies."""
        return Path(self.given)

    def source(self) -> Source:
        """Its identity; InputError where there is none."""
        return Source.of(self.path)

    @contextmanager
    def here(self) -> Iterator[Path]:
        """Its own path."""
        yield self.path


class RemoteFile(GivenFile):
    """A file at a URL of XRootD (``root://``) or HTTP, read by fsspec.

    InputError at once for a scheme that is not known here, or whose package is not installed: it names the package.
    """

    def __init__(self, given: str) -> None:
        super().__init__(given)
        scheme = urlsplit(given).scheme.lower()
        if scheme not in _READERS:
            raise InputError(
                f"{given}: files are read from {', '.join(f'{s}://' for s in _READERS)} and from folders here, "
                f"not from {scheme}://: copy it here first"
            )
        module, package = _READERS[scheme]
        try:
            importlib.import_module(module)
        except ImportError:
            raise InputError(
                f"{given}: reading {scheme}:// needs the package '{package}': pip install {package}"
            ) from None

    @property
    def name(self) -> str:
        """The last part of the URL's path."""
        name = unquote(urlsplit(self.given).path).rstrip("/").rpartition("/")[2]
        if not name or name in (".", "..") or not name.isprintable():
            raise InputError(f"{self.given}: names no file")
        return name

    def source(self) -> Source:
        """Its identity: size, first MiB, and what the server says of its version."""
        size, head, info = self._seen
        version = json.dumps({k: str(info[k]) for k in _VERSIONS if k in info}, sort_keys=True)
        changed = info.get("mtime")
        return Source(
            name=self.name,
            size=size,
            changed=int(float(changed) * 1e9) if isinstance(changed, int | float) else 0,
            ends=hashlib.sha256(head + version.encode()).hexdigest(),
        )

    @contextmanager
    def here(self) -> Iterator[Path]:
        """Its content in a temporary folder, whole; InputError where there is no room, or less comes than was said."""
        size = self._seen[0]
        with tempfile.TemporaryDirectory(prefix="codesign-remote-") as folder:
            if size > shutil.disk_usage(folder).free:
                raise InputError(f"{self.given}: has {size} bytes, more than are free in {folder}: set TMPDIR")
            copy = Path(folder, self.name)
            taken = 0
            with self._open() as stream, copy.open("xb") as sink:
                while piece := self._read(stream, _CHUNK):
                    taken += len(piece)
                    if taken > size:
                        break
                    sink.write(piece)
            if taken != size:
                raise InputError(f"{self.given}: {taken} bytes came, {size} were said: the same command tries again")
            yield copy

    @cached_property
    def _seen(self) -> tuple[int, bytes, dict[str, Any]]:
        """Size, first MiB, and what the server says of it."""
        fs, path = self._place
        try:
            info = dict(fs.info(path))
        except Exception as error:  # each library has errors of its own
            raise self._unreadable(error) from None
        size = info.get("size")
        if not isinstance(size, int) or info.get("type") == "directory":
            raise InputError(f"{self.given}: the server does not say how large it is: copy it here first")
        with self._open() as stream:
            head = self._read(stream, min(_HEAD, size))
        return size, head, info

    @property
    def kind(self) -> str | None:
        """What kind of file it is, by its first bytes."""
        return kind_of(self._seen[1])

    @cached_property
    def _place(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        try:
            fs, path = url_to_fs(self.given)
        except Exception as error:
            raise self._unreadable(error) from None
        return fs, path

    @contextmanager
    def _open(self) -> Iterator[Any]:
        fs, path = self._place
        # block size 0: a plain stream, which a server without ranges gives too
        options = {"block_size": 0} if self.given.lower().startswith("http") else {}
        try:
            stream = fs.open(path, "rb", **options)
        except Exception as error:
            raise self._unreadable(error) from None
        try:
            yield stream
        finally:
            stream.close()

    def _read(self, stream: Any, size: int) -> bytes:
        try:
            return bytes(stream.read(size))
        except Exception as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> InputError:
        if isinstance(error, FileNotFoundError):
            return InputError(f"{self.given}: no such file")
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return InputError(f"{self.given}: cannot be read ({reason})")


def given_file(given: str | Path) -> GivenFile:
    """The file that a user named. InputError for a URL that nothing here reads."""
    text = str(given)
    if _SCHEME.match(text):
        return RemoteFile(text)
    if (found := _MANGLED.match(text)) and not Path(text).exists():
        raise InputError(f"{text}: is it {found[1]}://...? A URL has two slashes, and is given as text, not as a Path")
    return LocalFile(text)
