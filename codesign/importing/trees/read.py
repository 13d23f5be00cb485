"""Which format of trees a file has, by what is in it, and its reader."""

from __future__ import annotations

from pathlib import Path

from codesign.importing.trees.tree_model import TreeModel

__all__ = ("is_trees", "read_trees")


def is_trees(content: bytes) -> bool:
    """Whether this is a file of trees of a format that is read here; never an error."""
    raise NotImplementedError


def read_trees(path: Path) -> TreeModel:
    """Read a file that the user named; InputError where it is damaged, or of no format that is read here."""
    raise NotImplementedError
