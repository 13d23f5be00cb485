"""Names that a user gives for what is written: of a form that is known, and in a folder that is there."""

from __future__ import annotations

import re
from pathlib import Path

from codesign.core.errors import InputError

__all__ = ("require_folder_name", "require_parent")


def require_parent(path: Path) -> None:
    """InputError where the folder that ``path`` shall lie in does not exist: none is made on the way."""
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}: make it first, or give another place")


def require_folder_name(path: Path, known: str) -> None:
    """InputError where a new folder would be called as a file of some form is (``h.tar.gz``); ``known`` would do."""
    if re.fullmatch(r"\.[A-Za-z]\w*", path.suffix):
        raise InputError(f"{path}: nothing is written as '{path.suffix}' here: give {known}")
