"""A package for a plug-in of one's own: written as a working example, with the test that holds it to its contract."""

from __future__ import annotations

import re
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Literal

from codesign.core import plugins
from codesign.core.errors import InputError
from codesign.core.places import require_folder_name, require_parent
from codesign.core.plugins import PlugIn
from codesign.families.base import Family
from codesign.flows.base import Flow
from codesign.tasks.base import Task

__all__ = ("Sort", "write_plugin")

Sort = Literal["family", "task", "flow"]

_HERE = Path(__file__).resolve().parent
_CONTRACTS: dict[Sort, type[PlugIn]] = {"family": Family, "task": Task, "flow": Flow}
_LONGEST = 40  # characters of a name


def write_plugin(kind: Sort, name: str, folder: Path | None = None) -> Path:
    """Write the package ``name`` into ``folder``, by default one of that name here; never over anything.

    InputError where the name is none for a package, is taken, or the folder is there already.
    """
    module = _module(kind, name)
    path = folder or Path(name)
    require_parent(path)
    require_folder_name(path, f"the name of a folder, such as {name}")
    words = {
        "name": name,
        "kind": kind,
        "group": _CONTRACTS[kind].kind,
        "module": module,
        "title": "".join(part.capitalize() for part in name.split("-")),
    }
    files = {
        "pyproject.toml": _write("pyproject.toml.j2", words),
        "README.md": _write("README.md.j2", words),
        f"{module}/__init__.py": _write(f"{kind}/module.py.j2", words),
        f"tests/test_{module}.py": _write(f"{kind}/test.py.j2", words),
    }
    try:
        path.mkdir()
    except FileExistsError:
        raise InputError(f"{path} is there already: give another folder with -o, or remove it") from None
    for place, text in files.items():
        (path / place).parent.mkdir(exist_ok=True)
        (path / place).write_text(text, encoding="utf-8")
    return path


def _module(kind: Sort, name: str) -> str:
    """The name of the Python package; InputError where it cannot be one, or hides another."""
    if len(name) > _LONGEST or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise InputError(
            f"{ascii(name)[:60]} is no name for a plug-in: expected at most {_LONGEST} small letters and digits, with "
            "single hyphens between, as in my-network"
        )
    if name in plugins.names(_CONTRACTS[kind]):
        raise InputError(f"there is a {kind} '{name}' already: give another name")
    module = name.replace("-", "_")
    if iskeyword(module) or module == "tests" or find_spec(module) is not None:
        raise InputError(f"'{name}' would hide the Python module {module}: give another name")
    return module


def _write(template: str, words: dict[str, str]) -> str:
    import jinja2

    environment = jinja2.Environment(  # noqa: S701 - Python and TOML; every word was checked
        loader=jinja2.FileSystemLoader(_HERE), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template(template).render(words)
