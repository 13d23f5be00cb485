"""Arguments and options that commands have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesign.core.errors import InputError

__all__ = ("Json", "Run", "Trial", "in_standing_folder")


def in_standing_folder(path: Path | None) -> Path | None:
    """What ``-o`` names, whose parent folder must be there: a mistyped path makes no folders anywhere."""
    if path is not None and not path.parent.is_dir():
        raise InputError(f"-o {path}: the folder {path.parent} does not exist: make it first, or give another path")
    return path


Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, as 'codesign run' printed it.")]
Trial = Annotated[int, typer.Argument(metavar="TRIAL", min=0, help="Number of a trial in that run.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
