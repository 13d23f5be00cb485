"""Plain files: opened without following a link, a pipe or a device, and no larger than they may be.

Two doors. A *member* is a file of a folder that may be a stranger's (a run folder, a bundle): neither it nor any folder
on the way to it may be a link. The folder itself may be reached through links, for the user named it. A *given* file is
one that the user named: it may be a link, and must be a plain file at its end.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from codesign.core.errors import InputError
from codesign.core.reading.limits import FILE_BYTES

__all__ = (
    "copy_member", "given_bytes", "given_text", "has_member", "member", "member_bytes", "member_names", "open_given",
    "opened_member", "text_of",
)  # fmt: skip

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: a pipe would block at its opening
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def member(folder: Path, name: str) -> Path:
    """The path of a plain file ``name`` (with ``/`` between folders) in ``folder``; InputError where it is none.

    For libraries that open a path themselves. InputError for a name that leads out, a link, and what is no file.
    """
    with opened_member(folder, name):
        return Path(folder) / name


def has_member(folder: Path, name: str) -> bool:
    """Whether there is anything of this name in ``folder``, a link included: reading that one is refused."""
    return os.path.lexists(Path(folder) / name)


def member_bytes(folder: Path, name: str, most: int = FILE_BYTES) -> bytes:
    """The content of a plain file in ``folder``; InputError for a link, for more than ``most`` bytes, and as above."""
    with opened_member(folder, name) as stream:
        return _content(stream, Path(folder) / name, most)


def copy_member(folder: Path, name: str, destination: Path) -> None:
    """Copy a plain file of ``folder``; InputError where it is a link."""
    with opened_member(folder, name) as source, destination.open("wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)


@contextmanager
def opened_member(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Open a plain file in ``folder`` for reading, following no link below ``folder``."""
    path, parts = Path(folder) / name, PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute() or "\0" in name:
        raise InputError(f"{path}: leads out of {folder}")
    handles: list[int] = []
    try:
        try:
            handles.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            for part in parts[:-1]:
                handles.append(os.open(part, _FOLDER, dir_fd=handles[-1]))
            handle = os.open(parts[-1], _FILE, dir_fd=handles[-1])
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: {_why(Path(folder), parts, error)}") from None
    finally:
        for opened in handles:
            os.close(opened)
    yield from _stream(handle, path)


def member_names(folder: Path) -> list[str]:
    """Names of all plain files below ``folder``, sorted; InputError for a link anywhere in it, or what is no file."""
    found: list[str] = []
    for where, folders, files in os.walk(folder, followlinks=False):
        for entry in (*folders, *files):
            path = Path(where, entry)
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise InputError(
                    f"{path} is a symbolic link, and links are not followed: put the file itself in its place"
                )
            if stat.S_ISREG(mode):
                found.append(path.relative_to(folder).as_posix())
            elif not stat.S_ISDIR(mode):
                raise InputError(f"{path}: is neither a file nor a folder: remove it")
    return sorted(found)


@contextmanager
def open_given(path: Path) -> Iterator[BinaryIO]:
    """Open a file that the user named."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {_reason(error)}") from None
    yield from _stream(handle, Path(path))


def given_bytes(path: Path, most: int = FILE_BYTES) -> bytes:
    """The content of a file that the user named; InputError where it is no plain file, or has more than ``most``."""
    with open_given(path) as stream:
        return _content(stream, path, most)


def given_text(path: Path, most: int = FILE_BYTES) -> str:
    """The same as UTF-8 text."""
    return text_of(given_bytes(path, most), str(path))


def text_of(content: bytes, source: str) -> str:
    """UTF-8 text; InputError names the first byte that is none."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: not UTF-8 text (byte {error.start}): save it as UTF-8") from None


def _stream(handle: int, path: Path) -> Iterator[BinaryIO]:
    if not stat.S_ISREG(os.fstat(handle).st_mode):  # before a stream: of a folder there is none
        os.close(handle)
        raise InputError(f"{path}: is a folder, a pipe or a device, not a plain file")
    with os.fdopen(handle, "rb") as stream:
        yield stream


def _content(stream: BinaryIO, path: Path, most: int) -> bytes:
    size = os.fstat(stream.fileno()).st_size
    content = stream.read(most + 1) if size <= most else b""
    if size > most or len(content) > most:
        raise InputError(f"{path}: has {max(size, len(content))} bytes, at most {most} are read")
    return content


def _why(folder: Path, parts: tuple[str, ...], error: Exception) -> str:
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            behind = "is" if len(path.parts) == len(folder.parts) + len(parts) else f"lies behind {path}, which is"
            return f"{behind} a symbolic link, and links are not followed: put the file itself in its place"
    return _reason(error)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
