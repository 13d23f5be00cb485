"""Hardware co-design and quantisation for particle-physics triggers: every figure is real."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codesign.core.design import Design
    from codesign.families.base import Family
    from codesign.flows.base import Flow
    from codesign.search.engine import run_study as run
    from codesign.tasks.base import Task

__all__ = ("Design", "Family", "Flow", "Task", "__version__", "run")
__version__ = "0.1.0"

#: where each public name is, loaded when it is first asked for: the command line starts without them
_HOMES = {
    "Design": ("codesign.core.design", "Design"),
    "Family": ("codesign.families.base", "Family"),
    "Flow": ("codesign.flows.base", "Flow"),
    "Task": ("codesign.tasks.base", "Task"),
    "run": ("codesign.search.engine", "run_study"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'codesign' has no attribute '{name}'")
    module, found = _HOMES[name]
    return getattr(import_module(module), found)
