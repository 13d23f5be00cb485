"""ROOT files, of which uproot makes Python classes: their names must be names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from codesign.core.errors import InputError
from codesign.core.reading.inflation import bound_decompression
from codesign.core.reading.limits import ENTRIES
from codesign.core.reading.plain import open_given

__all__ = (
    "check_whole",
    "opened_root",
)

#: uproot writes Python code with the names of classes and members that a file describes, and executes it
_NAME = re.compile(r"[\w:<>,*&\[\] .~()-]{0,1000}", re.ASCII)
_DEEPEST = 20


def opened_root(path: Path, **options: Any) -> Any:
    """``uproot.open`` of a file that the user named, to be closed; ``options`` are its own.

    InputError where a class or member that the file describes has a name that is none.
    """
    import uproot

    with open_given(path):  # a plain file
        pass
    bound_decompression()
    uproot.reading.ReadOnlyFile.hook_before_read_streamer_key = _begin_descriptions
    file = uproot.open(Path(path), **options)
    try:
        _check(path, file)
    except BaseException:
        file.close()
        raise
    return file


def _begin_descriptions(file: Any, **_: Any) -> None:
    """Called by uproot as it begins to read a file's descriptions of its classes.

    It looks up there what it does not know, among the descriptions too: with a class in them that it does not know it
    would read them from the start until Python's stack ends.
    """
    if "descriptions_begun" in vars(file):
        raise ValueError("the descriptions of classes need a class that only they could describe")
    file.descriptions_begun = True


def _check(path: Path, file: Any) -> None:
    described = file.file.streamers
    if len(described) > ENTRIES:
        raise InputError(f"{path}: describes {len(described)} classes, at most {ENTRIES} are read")
    for name, versions in described.items():
        for version in versions.values():
            for element in version.elements:
                words = [name, element.name, element.typename]
                words += [str(element.member(key)) for key in ("fCountName", "fCountClass") if element.has_member(key)]
                for word in words:
                    if not _NAME.fullmatch(word) or word.count("<") > _DEEPEST:
                        raise InputError(f"{path}: describes a class or member with the name {word[:80]!r}: refused")


def check_whole(path: Path, file: Any) -> None:
    """InputError where an open ROOT file is shorter than it says: uproot does not need the last bytes."""
    if file.file.fEND > path.stat().st_size:
        raise InputError(f"{path}: truncated ROOT file: {path.stat().st_size} of {file.file.fEND} bytes")
