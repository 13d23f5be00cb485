"""Errors that are meant for the user: what was given, what was expected, what to do."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

__all__ = (
    "CodesignError",
    "InputError",
    "KeyedError",
    "RefusedError",
    "StudyError",
    "SystemRefusal",
    "ToolError",
    "UnsupportedError",
    "nearest",
    "of_study",
    "system_errors",
)

_ROOM = "make room and give the same command again; what was finished is kept"
_PERMISSION = "ask for the permission, or work on a copy of the folder that is yours"
#: what the user can do about it
_ADVICE = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.EROFS: "work on a copy of the folder where you may write, or write elsewhere with -o where there is one",
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.ENOENT: "restore it, or give another path",
    errno.ENOTDIR: "what should be a folder is a file: give another path",
    errno.EISDIR: "what should be a file is a folder: remove it, or give another path",
    errno.EEXIST: "remove it, or give another path",
    errno.ELOOP: "links are not followed: put the file itself there",
    errno.ENAMETOOLONG: "give a shorter path",
    errno.EMFILE: "raise the limit of open files ('ulimit -n') and give the same command again",
    errno.EIO: "the disk or the network drive fails: work on a copy elsewhere",
}


class CodesignError(Exception):
    """Base of every error that the command line prints as one line, without a stack trace."""


class InputError(CodesignError):
    """Something the user gave (a study, a file, an option) cannot be used as it is."""


class KeyedError(InputError):
    """A value of a mapping that the user gave, such as a study, cannot be used: ``key`` is the way to it from the root,
    ``said`` what is wrong, without where it stands."""

    def __init__(self, source: str, said: str, key: Sequence[str | int]) -> None:
        super().__init__(f"{source}: {said}")
        self.said, self.key = said, tuple(key)


class StudyError(InputError):
    """Something in a study: ``key`` is the way to it, by which its line is found."""

    def __init__(self, text: str, key: Sequence[str | int]) -> None:
        super().__init__(text)
        self.key = tuple(key)


class ToolError(CodesignError):
    """An external tool is missing, crashed, or did not measure what it was asked to."""


class UnsupportedError(CodesignError):
    """A graph, rounding mode or type that has no exact hardware here; refused by name."""


class RefusedError(CodesignError):
    """A candidate that cannot be what the study wants, and by how much.

    ``excess`` is what it takes more than it may, as a share of that: (bound - budget) / budget. Of any other
    CodesignError of a candidate nobody can say how far it is, and it counts as 1: twice the budget.
    """

    def __init__(self, message: str, excess: float = 1.0) -> None:
        super().__init__(message)
        self.excess = excess


class SystemRefusal(CodesignError):
    """The operating system refused: a full disk, a read-only folder, a missing permission."""


@contextmanager
def system_errors(doing: str = "") -> Iterator[None]:
    """Turn what the operating system refuses into one line: the file, why, and what to do (SystemRefusal).

    Each command stands inside of it, so that no single read or write has to. A closed pipe passes: that is no fault.
    ``doing`` is named where the system does not say of which file.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError) and error.filename is not None:  # standard output's reader is gone
            raise
        raise SystemRefusal(_refusal(error, doing)) from error


def _refusal(error: OSError, doing: str) -> str:
    if error.errno is None or not error.strerror:  # raised by a library, with its own words
        return str(error) or type(error).__name__
    where, advice = doing if error.filename is None else error.filename, _ADVICE.get(error.errno)
    return (f"{where}: " if where else "") + error.strerror + (f": {advice}" if advice else "")


@contextmanager
def of_study(*key: str | int) -> Iterator[None]:
    """Say of an InputError that it is of this key of the study, or of one below it, which it may begin with."""
    try:
        yield
    except StudyError:
        raise
    except KeyedError as error:
        raise StudyError(str(error), (*key, *error.key)) from None
    except InputError as error:
        named = re.match(r"(\w+(?:\.\w+)+):", str(error))
        way = tuple(named[1].split(".")) if named is not None else ()
        raise StudyError(str(error), way if way[: len(key)] == key else key) from None


def nearest(given: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known name nearest to ``given``, or an empty string."""
    match = get_close_matches(given, list(known), n=1, cutoff=0.5)
    return f" (did you mean '{match[0]}'?)" if match else ""
