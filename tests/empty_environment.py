"""An environment that holds codesign's wheel and what its declared requirements bring, and nothing else."""

from __future__ import annotations

import compileall
import os
import tomllib
import venv
import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from codesign.core.installed import needs_of

ROOT = Path(__file__).resolve().parents[1]


def project() -> dict[str, Any]:
    """The table ``project`` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def built_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout."""
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(wheel)


def environment(folder: Path, wheel: Path, requirements: Iterable[str]) -> Path:
    """Make the environment; its Python.

    Files of the distributions that are installed here are linked, which takes a second where pip takes minutes. What
    no requirement brings, directly or through others, is absent: it cannot be imported, by nobody.
    """
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    chosen = {one.name: one.found for one in needs_of(requirements) if one.found is not None}
    _link(packages, list(chosen.values()))
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(packages)
    compileall.compile_dir(packages / "codesign", quiet=2)  # as pip does
    return folder / "bin" / "python"


def _link(packages: Path, chosen: list[Distribution]) -> None:
    """Link whole folders where one distribution alone fills them, single files where several share one."""
    fills: dict[str, set[str]] = {}
    for one in distributions():
        name = one.metadata["Name"]
        for file in one.files or ():
            fills.setdefault(file.parts[0], set()).add(name)
    for one in chosen:
        for top in {file.parts[0] for file in one.files or () if file.parts[0] != ".."}:
            if len(fills[top]) == 1:
                (packages / top).symlink_to(one.locate_file(top))
                continue
            for file in one.files or ():
                if file.parts[0] == top and not (packages / file).exists():
                    (packages / file).parent.mkdir(parents=True, exist_ok=True)
                    (packages / file).symlink_to(one.locate_file(file))


def clean(folder: Path) -> dict[str, str]:
    """Variables for a process that shall find nothing that was made before: no store, no caches, no paths."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "CXX", "TMPDIR")}
    return kept | {
        "HOME": str(folder),
        "CODESIGN_CACHE": str(folder / "cache"),
        "CODESIGN_STORE": str(folder / "store"),
        "PYTHONDONTWRITEBYTECODE": "1",  # linked packages are somebody else's
    }
