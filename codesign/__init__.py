"""Hardware co-design and quantisation for particle-physics triggers: every figure is real."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codesign.importing.base import Imported, Importer
    from codesign.importing.imports import import_model

__all__ = ("Imported", "Importer", "import_model")

__version__ = "0.1.0"

#: public names, imported when they are asked for: ``import codesign`` is quick
_WHERE = {
    "Imported": "codesign.importing.base",
    "Importer": "codesign.importing.base",
    "import_model": "codesign.importing.imports",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'codesign' has no attribute '{name}'")
