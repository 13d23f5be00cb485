"""Tasks, families and flows, found through entry points: a user adds one in a package of their own."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Any

from codesign.errors import InputError, nearest

__all__ = ("load", "names")


def names(kind: str) -> list[str]:
    """Names of what is installed of a kind: ``tasks``, ``families`` or ``flows``."""
    return sorted({e.name for e in entry_points(group=f"codesign.{kind}")})


@cache
def load(kind: str, name: str) -> Any:
    """Instantiate the task, family or flow of this name; InputError names the nearest known one."""
    for entry in entry_points(group=f"codesign.{kind}"):
        if entry.name == name:
            return entry.load()()
    known = names(kind)
    raise InputError(f"unknown name '{name}' among the {kind}{nearest(name, known)}; installed: {', '.join(known)}")
