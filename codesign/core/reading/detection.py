"""What kind of file it is, told by what it begins with, and errors of damaged files in one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from codesign.core.errors import CodesignError, InputError

__all__ = ("head_of", "kind_of", "must_be_files", "name_damage")

#: What a file begins with, and its kind.
_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"PAR1", "Parquet"),
    (b"root", "ROOT"),
    (b"PK\x03\x04", "NPZ"),
)


def head_of(file: Path) -> bytes:
    """The first 4096 bytes of a file; InputError where there is none, or nothing in it."""
    if file.is_dir():
        raise InputError(f"{file} is a folder: give the files in it, e.g. {file}/*.root")
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    with file.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise InputError(f"{file}: the file is empty")
    return head


def must_be_files(names: Iterable[str]) -> None:
    """InputError where a file that is named is none of this machine; what has an address is not looked at."""
    for name in names:
        if "://" not in name:
            head_of(Path(name))


def kind_of(head: bytes) -> str | None:
    """``HDF5``, ``Parquet``, ``ROOT``, ``NPZ``; None for text, and for what is not known."""
    return next((kind for magic, kind in _KINDS if head.startswith(magic)), None)


@contextmanager
def name_damage(file: Path, kind: str) -> Iterator[None]:
    """Turn what a library says of a damaged file, or a library that is missing, into an InputError of one line."""
    try:
        yield
    except CodesignError:
        raise
    except ImportError as error:
        raise InputError(f"{file}: reading {kind} needs the package '{error.name}': pip install {error.name}") from None
    except Exception as error:  # each library has errors of its own for a damaged file
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{file}: damaged or truncated {kind} file ({reason})") from None
