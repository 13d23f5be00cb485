"""Where scores are written: decided, and refused, before anything is scored or made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from codesign.core.errors import InputError
from codesign.core.places import require_folder_name, require_parent
from codesign.handoff.apply.finished import written_in
from codesign.handoff.apply.given_file import GivenFile
from codesign.physics.events.writing import FORMATS

__all__ = ("form_of", "free", "places_of")

_SUFFIXES = tuple(dict.fromkeys(FORMATS.values()))
_KNOWN = "NAME.root, NAME.parquet, or a folder"


def places_of(files: Sequence[GivenFile], output: Path, form: str | None) -> list[tuple[GivenFile, Path]]:
    """Each file with the place of its scores; a folder is made, but no folders above it.

    InputError for a place whose name is of no form that is known, or lies in no folder; where two files would get one
    place, or one of them would be overwritten.
    """
    if form is not None and form not in FORMATS:
        raise InputError(f"unknown form '{form}': scores are written as {', '.join(FORMATS)}")
    single = output.suffix.lower() in _SUFFIXES and not output.is_dir()
    if single and len(files) > 1:
        raise InputError(f"{output} is one file, and {len(files)} were given to score: give a folder")
    if single and form is not None and FORMATS[form] != output.suffix.lower():
        raise InputError(f"{output}: {form} is written as {FORMATS[form]}, not as {output.suffix}")
    suffix = FORMATS[form or "ttree"]
    places = [output] if single else [output / f"{Path(file.name).stem}-scores{suffix}" for file in files]
    if len(set(places)) < len(places):
        raise InputError("two of the files have the same name, and would get the same file of scores")
    for place in places:
        for file in files:
            if file.path is not None and _same(file.path, place):
                raise InputError(f"{file} would be overwritten by scores: give another output")
    require_parent(output)
    if not single:
        _make_folder(output)
    return list(zip(files, places, strict=True))


def form_of(place: Path, form: str | None) -> str:
    """The form of a file of scores: the one that was asked for, or the first of its suffix."""
    return form or next(f for f, suffix in FORMATS.items() if suffix == place.suffix.lower())


def free(place: Path, force: bool, others: Sequence[Path] = ()) -> None:
    """InputError where something of the user's is at this place: all but what ``codesign apply`` wrote there.

    ``others``: places that are taken, whatever ``force`` says.
    """
    if place.is_dir():
        raise InputError(f"{place} is a folder: give a file")
    if any(_same(place, other) for other in others):
        raise InputError(f"{place} is one of the inputs, or of the files of scores: give another name")
    require_parent(place)
    if not force and os.path.lexists(place) and written_in(place) is None:
        raise InputError(f"{place} is there already, and is no whole file of codesign apply: give another, or --force")


def _same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _make_folder(folder: Path) -> None:
    """Make the last folder of a path, unless its name is that of a file."""
    if folder.is_dir():
        return
    if folder.exists():
        raise InputError(f"{folder} is neither a folder, nor is its name that of a file of scores: give {_KNOWN}")
    require_folder_name(folder, _KNOWN)
    try:
        folder.mkdir()
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror or error})") from None
