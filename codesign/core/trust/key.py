"""The user's own key: made once, readable by the user alone, and never shown.

What was made here is sealed with it (:mod:`codesign.core.trust.seal`) and so known again; what comes without such a
seal was made by somebody else, or changed. It lies in the user's data folder; ``$CODESIGN_KEY`` names another file,
which is how a team shares a key on purpose: whoever has it is trusted like oneself.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from functools import lru_cache
from pathlib import Path

import platformdirs

from codesign.core.errors import InputError

__all__ = ("BYTES", "key", "key_id", "key_path")

#: of a key
BYTES = 32


def key_path() -> Path:
    """``$CODESIGN_KEY``, else a file in the user's data folder."""
    return Path(os.environ.get("CODESIGN_KEY") or Path(platformdirs.user_data_dir("codesign")) / "key")


def key() -> bytes:
    """The key; made where there is none.

    Where none can be made (a home that is read-only), one of this process and its children, so that nothing older is
    trusted. InputError where others can read the file, or it is a link or of another size.
    """
    return _key(key_path())


def key_id() -> str:
    """A short hash by which the key may be named without being told."""
    return hashlib.sha256(b"codesign: the name of a key\0" + key()).hexdigest()[:16]


@lru_cache(maxsize=8)
def _key(path: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return _read(path)
    try:
        _make(path)
        return _read(path)
    except OSError:
        return secrets.token_bytes(BYTES)


def _make(path: Path) -> None:
    """A new key, whole or not at all; of several processes that make it at once, the first one's stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
    finally:
        new.unlink()


def _read(path: Path) -> bytes:
    try:
        # O_NONBLOCK: a pipe of this name must not be waited for
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        why = "is a symbolic link" if error.errno == errno.ELOOP else f"cannot be read ({error.strerror})"
        raise InputError(f"the key {path} {why}: {_TODO}") from None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise InputError(f"the key {path} is no file: {_TODO}")
        if facts.st_mode & 0o077:
            raise InputError(f"the key {path} can be read or written by others: chmod 600 it, or {_TODO}")
        content = os.read(handle, BYTES + 1)
    finally:
        os.close(handle)
    if len(content) != BYTES:
        raise InputError(f"the key {path} has not the {BYTES} bytes of a key: {_TODO}")
    return content


_TODO = "remove it, and a new one is made; what was sealed with the old one is then made again"
