"""Where a design that is trained again lies, and its seed."""

from __future__ import annotations

from codesign.core.runfolder import RunFolder, TrialFolder
from codesign.search.storage import derived_seed

__all__ = ("repeat_folder", "repeat_seed")


def repeat_folder(run: RunFolder, trial: int, number: int) -> TrialFolder:
    """Where the ``number``-th further training of a trial lies."""
    return TrialFolder(run.path / f"repeats-{trial:04d}" / f"{number:04d}", run.path)


def repeat_seed(seed: int, trial: int, number: int) -> int:
    """Its seed."""
    return derived_seed(seed, "repeat", trial, number)
