"""What is found by name, through entry points: a user adds one in a package of their own, installed or named."""

from __future__ import annotations

from abc import ABC
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import ClassVar, TypeVar

from codesign.core.errors import InputError, nearest
from codesign.core.local_packages import VARIABLE, local_packages
from codesign.core.printing import visible

__all__ = ("PlugIn", "forget", "load", "names", "release")


class PlugIn(ABC):
    """A contract of which there may be several, each installed under a name of its own; made without arguments."""

    #: what its kind is called: its entry points are those of ``codesign.<kind>``
    kind: ClassVar[str]
    name: str


P = TypeVar("P", bound=PlugIn)


def names(contract: type[PlugIn]) -> list[str]:
    """Names of what is installed of a contract, sorted."""
    return sorted({e.name for e in _entries(contract)})


def load(contract: type[P], name: str) -> P:
    """The plug-in of this name, the same each time.

    InputError names the nearest known one, or says in what a plug-in is none.
    """
    made = _load(contract, name)
    assert isinstance(made, contract)
    return made


@cache
def release(contract: type[PlugIn], name: str) -> str:
    """Name and version of the installed package that brings a plug-in; empty where none does."""
    group = f"codesign.{contract.kind}"
    for package in local_packages():
        if any(entry.group == group and entry.name == name for entry in package.entries):
            return f"{package.name} {package.version}"
    for entry in _entries(contract):
        if entry.name == name and entry.dist is not None:
            return f"{entry.dist.name} {entry.dist.version}"
    return ""


def forget() -> None:
    """Look again for what is installed."""
    _load.cache_clear()
    release.cache_clear()


def _entries(contract: type[PlugIn]) -> list[EntryPoint]:
    """Those of folders that the user names, then those that are installed."""
    group = f"codesign.{contract.kind}"
    local = [entry for package in local_packages() for entry in package.entries if entry.group == group]
    return [*local, *entry_points(group=group)]


@cache
def _load(contract: type[PlugIn], name: str) -> PlugIn:
    for entry in _entries(contract):
        if entry.name == name:
            return _instance(contract, entry)
    known = names(contract)
    said = f"unknown name '{visible(name)}' among the {contract.kind}{nearest(name, known)}"
    raise InputError(
        f"{said}; installed: {', '.join(known)}; the folder of a package that is not can be named in {VARIABLE}"
    )


def _instance(contract: type[PlugIn], entry: EntryPoint) -> PlugIn:
    what = contract.__name__
    made = entry.load()
    if not isinstance(made, type) or not issubclass(made, contract):
        raise InputError(
            f"the plug-in '{entry.value}' is no {what} of codesign: derive it from {contract.__module__}.{what}"
        )
    if lacks := sorted(made.__abstractmethods__):
        raise InputError(f"the plug-in '{entry.value}' lacks what a {what} must do: {', '.join(lacks)}")
    return made()
