"""Plug-ins of a folder that is not installed: a small package that its user names, such as an example of a checkout.

A folder is one with a ``pyproject.toml``: its entry points count as if it were installed, here and in each process that
is started from here. The user names it, by ``codesign run FOLDER`` or in ``CODESIGN_PACKAGES``; what a run folder or a
study says never does.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

from codesign.core.errors import InputError
from codesign.core.quoting import shell

__all__ = ("VARIABLE", "LocalPackage", "examples", "local_packages", "naming", "study_of", "use_package")

#: folders, as in PATH
VARIABLE = "CODESIGN_PACKAGES"
_MOST_BYTES = 1 << 20
_MOST_FILES = 100


@dataclass(frozen=True)
class LocalPackage:
    """A package in a folder: its name, its version with the hash of its sources, and its entry points."""

    folder: Path
    name: str
    version: str
    entries: tuple[EntryPoint, ...]

    @classmethod
    def of(cls, folder: Path) -> LocalPackage:
        """What the folder's ``pyproject.toml`` says; InputError where there is none, or it is none."""
        path = folder / "pyproject.toml"
        try:
            project = tomllib.loads(path.read_text(encoding="utf-8")[:_MOST_BYTES])["project"]
            name, version = str(project["name"]), str(project.get("version", "0"))
            entries = tuple(
                EntryPoint(name=str(entry), value=str(value), group=str(group))
                for group, found in project.get("entry-points", {}).items()
                for entry, value in found.items()
            )
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, AttributeError, TypeError) as error:
            said = " ".join(str(error).split())[:200]
            raise InputError(f"{path}: no package of plug-ins ({said}); 'codesign new' writes one") from None
        return cls(folder, name, f"{version}+{_hash(folder)}", entries)


def local_packages() -> list[LocalPackage]:
    """The packages that ``CODESIGN_PACKAGES`` names, each findable by Python's import from now on."""
    found = []
    for text in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        folder = Path(text).resolve()
        found.append(LocalPackage.of(folder))
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    return found


def use_package(folder: Path) -> LocalPackage:
    """Use the plug-ins of this folder, here and in what is started from here."""
    package = LocalPackage.of(folder.resolve())
    named = [text for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]
    if str(package.folder) not in named:
        os.environ[VARIABLE] = os.pathsep.join([*named, str(package.folder)])
    local_packages()
    return package


def naming(used: Collection[tuple[str, str]]) -> str:
    """What stands before a command that needs the named packages which bring one of these plug-ins (kind, name):
    ``CODESIGN_PACKAGES=FOLDERS`` and a space, as a shell takes it here; empty where none of them does."""
    groups = {(f"codesign.{kind}", name) for kind, name in used}
    needed = [p.folder for p in local_packages() if groups & {(e.group, e.name) for e in p.entries}]
    return f"{VARIABLE}={shell(os.pathsep.join(os.path.relpath(folder) for folder in needed))} " if needed else ""


def study_of(named: str) -> str:
    """The study that a command names: of a package's folder its ``study.yaml``; its plug-ins are used from then on."""
    study = Path(named) / "study.yaml"
    if not study.is_file():
        return named
    if (study.parent / "pyproject.toml").is_file():
        use_package(study.parent)
    return str(study)


def examples(folder: Path) -> list[tuple[LocalPackage, str]]:
    """The packages with a study in a folder, by name, and what each says of itself."""
    found = []
    for study in sorted(folder.glob("*/study.yaml")):
        package = LocalPackage.of(study.parent)
        project = tomllib.loads((study.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        found.append((package, str(project.get("description", ""))))
    return found


def _hash(folder: Path) -> str:
    """Of the sources: what was made with others is not taken for theirs."""
    files = sorted(p for p in folder.rglob("*.py") if p.is_file() and not p.is_symlink())[:_MOST_FILES]
    digest = hashlib.sha256()
    for path in files:
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes()[:_MOST_BYTES])
    return digest.hexdigest()[:12]
