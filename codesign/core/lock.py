"""Locks that the kernel releases when their holder dies, however it dies.

On a file system whose locks are not the kernel's there are none (filelock's files that mark a lock would outlive their
holder): that is an OSError.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ("FOREVER", "Locked", "hold", "hold_shared")

#: seconds to wait for a lock, where there is no end to them
FOREVER = -1.0


class Locked(Exception):
    """Somebody else holds the lock; ``owner`` is the process that says so, if it does."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        self.owner = owner


@contextmanager
def hold(path: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock on ``path`` alone; Locked if it is not free within ``wait`` seconds.

    The file stays, and says which process was the last to hold it.
    """
    try:
        lock = FileLock(path, timeout=wait, mode=0o644, fallback_to_soft=False, on_acquired=_sign).acquire()
    except Timeout:
        raise Locked(_owner(path)) from None
    with lock:
        yield


@contextmanager
def hold_shared(path: Path, *, wait: float) -> Iterator[None]:
    """Hold the same lock together with others who share it, which filelock's do not.

    Locked if somebody holds it alone for ``wait`` seconds.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Locked(_owner(path)) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _sign(handle: int) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)


def _owner(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        return file.read(64).decode(errors="replace").strip()
    return ""
