"""torch modules with Brevitas' quantisers, exported to QONNX and read as such a file."""

from __future__ import annotations

from codesign.errors import InputError
from codesign.importing.base import Imported, Importer, Question, Source

__all__ = ("BrevitasModule",)


class BrevitasModule(Importer):
    """Modules of Brevitas."""

    name = "brevitas"

    def takes(self, source: Source) -> bool:
        """Whether it is a torch module."""
        from torch import nn

        return isinstance(source, nn.Module)

    def read(self, source: Source, question: Question) -> Imported:
        """The module as a design."""
        raise InputError("not yet")
