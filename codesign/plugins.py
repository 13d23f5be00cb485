"""Tasks, families, flows and pipelines, found through entry points: a user adds one in a package of their own."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from codesign.errors import InputError, nearest
from codesign.printing import visible

if TYPE_CHECKING:
    from codesign.candidate.base import Pipeline
    from codesign.hardware.base import Flow
    from codesign.models.base import Family
    from codesign.tasks.base import Task

__all__ = ("load", "names", "release")

Kind: TypeAlias = Literal["tasks", "families", "flows", "pipelines"]

#: imported when the first of its kind is
_CONTRACTS: dict[Kind, str] = {
    "tasks": "codesign.tasks.base:Task",
    "families": "codesign.models.base:Family",
    "flows": "codesign.hardware.base:Flow",
    "pipelines": "codesign.candidate.base:Pipeline",
}


def names(kind: Kind) -> list[str]:
    """Names of what is installed of a kind: ``tasks``, ``families``, ``flows`` or ``pipelines``."""
    return sorted({e.name for e in entry_points(group=f"codesign.{kind}")})


@overload
def load(kind: Literal["tasks"], name: str) -> Task: ...
@overload
def load(kind: Literal["families"], name: str) -> Family: ...
@overload
def load(kind: Literal["flows"], name: str) -> Flow: ...
@overload
def load(kind: Literal["pipelines"], name: str) -> Pipeline: ...
@cache
def load(kind: Kind, name: str) -> Task | Family | Flow | Pipeline:
    """Instantiate the task, family, flow or pipeline of this name.

    InputError names the nearest known one, or says in what a plug-in is none.
    """
    for entry in entry_points(group=f"codesign.{kind}"):
        if entry.name == name:
            return _instance(kind, entry)
    known = names(kind)
    said = f"unknown name '{visible(name)}' among the {kind}{nearest(name, known)}"
    raise InputError(f"{said}; installed: {', '.join(known)}")


@cache
def release(kind: Kind, name: str) -> str:
    """Name and version of the installed package that brings a plug-in; empty where none does."""
    for entry in entry_points(group=f"codesign.{kind}"):
        if entry.name == name and entry.dist is not None:
            return f"{entry.dist.name} {entry.dist.version}"
    return ""


def _instance(kind: Kind, entry: EntryPoint) -> Task | Family | Flow | Pipeline:
    module, _, contract = _CONTRACTS[kind].partition(":")
    base: type[Any] = getattr(import_module(module), contract)
    made = entry.load()
    if not isinstance(made, type) or not issubclass(made, base):
        raise InputError(
            f"the plug-in '{entry.value}' is no {contract} of codesign: derive it from {module}.{contract}"
        )
    if lacks := sorted(getattr(made, "__abstractmethods__", ())):
        raise InputError(f"the plug-in '{entry.value}' lacks what a {contract} must do: {', '.join(lacks)}")
    return made()  # type: ignore[no-any-return]
