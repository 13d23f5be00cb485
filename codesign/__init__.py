"""Hardware co-design and quantisation for particle-physics triggers: every figure is real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codesign.importing import Imported, Importer, import_model

__all__ = ("Imported", "Importer", "import_model")

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Public names, imported when they are asked for: ``import codesign`` is quick."""
    if name in __all__:
        from codesign import importing

        return getattr(importing, name)
    raise AttributeError(f"module 'codesign' has no attribute '{name}'")
