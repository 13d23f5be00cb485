"""One driver at a time in a run folder, and no worker of one that was killed; ended politely where it is asked to."""

from __future__ import annotations

import errno
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from codesign.core.errors import CodesignError, InputError
from codesign.core.lock import Locked, hold
from codesign.core.runfolder import RunFolder
from codesign.search.worker import WORKERS_LOCK

__all__ = ("alone", "terminable")


@contextmanager
def alone(run: RunFolder) -> Iterator[None]:
    """Make the run folder and hold it: one driver at a time, and no worker of one that was killed."""
    try:
        run.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {run.path}: {error.strerror}; give another folder with --run") from None
    try:
        with hold(run.path / ".lock"):
            with hold(run.path / WORKERS_LOCK, wait=30):
                pass
            yield
    except Locked as locked:
        who = f" (process {locked.owner})" if locked.owner else ""
        raise InputError(
            f"{run.path} is in use by another 'codesign run'{who}: wait for it, or give another folder with --run"
        ) from None
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        where = error.filename or run.path
        raise InputError(f"cannot write to {where}: {error.strerror}; give another folder with --run") from None
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
            raise InputError(
                f"{run.path} is on a file system without locks ({error.strerror}), without which two searches could "
                "write to it; give a folder on another with --run"
            ) from None
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
            raise
        raise CodesignError(
            f"{error.filename or run.path}: {error.strerror}; what was finished is kept: make room and start again"
        ) from None


@contextmanager
def terminable() -> Iterator[None]:
    """Take a polite request to end (as batch systems send it) for Ctrl-C."""
    own = threading.current_thread() is threading.main_thread()
    if not own or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:  # a command sees to it itself
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
