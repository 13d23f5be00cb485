"""Arguments and options that commands have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ("Json", "Run", "Trial")

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, as 'codesign run' printed it.")]
Trial = Annotated[int, typer.Argument(metavar="TRIAL", min=0, help="Number of a trial in that run.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
