"""What every importer offers: it tells its files by their content, and reads one into an exact integer function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.families.trained import Reference, Trained
from codesign.importing.import_report import ImportReport

if TYPE_CHECKING:
    from torch import Tensor, nn

    from codesign.importing.declared import DeclaredInputs

__all__ = ("Imported", "Importer", "Question", "Source", "SourceValues")

#: a file or folder, or a torch module
Source: TypeAlias = "Path | nn.Module"
#: input codes (events, inputs) to the values (events, outputs) that the source's own execution gives, in the units of
#: the design's outputs: where it is exact, each is a code times its least significant bit
SourceValues: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Question:
    """What the user says beside the model: the types of its inputs where it has none, an example of what a module is
    given, and how long a process of somebody else's library may take."""

    declared: DeclaredInputs | None = None
    example_input: Tensor | tuple[Tensor, ...] | None = None
    seconds: float = 600.0


@dataclass(frozen=True)
class Imported(Trained):
    """A model of somebody else's: its design, what was done to it, and its own execution beside it.

    Attributes
    ----------
    made: the design.
    report: what was done; ``agreement`` is filled in by :func:`codesign.import_model`.
    runners: by name and version, independent executions of the source.
    source_files: by name, what the model is loaded again from, as it was given.
    versions: by name, of the tools that had a part in it.
    again: the source evaluated once more in float64 or exactly, by other code than the design's; None where nothing
        can. It explains rows on which float32 rounds another way.
    """

    made: Design
    report: ImportReport
    runners: Mapping[str, SourceValues] = field(default_factory=dict)
    source_files: Mapping[str, bytes] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    again: SourceValues | None = None

    def design(self) -> Design:
        """The model as an exact integer function."""
        return self.made

    def references(self) -> Mapping[str, Reference]:
        """The source's executions, each output rounded to the nearest code of its type."""
        return {name: self._round(run) for name, run in self.runners.items()}

    def files(self) -> Mapping[str, bytes]:
        """The source, as it was given."""
        return self.source_files

    def tools(self) -> Mapping[str, str]:
        """Versions of what had a part in it."""
        return self.versions

    def _round(self, run: SourceValues) -> Reference:
        def codes(given: NDArray[np.int64]) -> NDArray[np.int64]:
            return np.rint(run(given) / self.made.outputs.lsbs).astype(np.int64)

        return codes


class Importer(ABC):
    """A kind of model that can be read. Nothing of a file is run or unpickled; what a library has to load is loaded in
    a process of its own, within :attr:`Question.seconds`."""

    #: as in ``codesign.importers``
    name: str

    @abstractmethod
    def takes(self, source: Source) -> bool:
        """Whether this is a source of this kind, by what is in it, not by its name; never an error."""

    @abstractmethod
    def read(self, source: Source, question: Question) -> Imported:
        """The model as a design, with its own execution beside it.

        InputError: damaged, or the type of its inputs is asked for. UnsupportedError: all that has no exact hardware,
        node by node, each with what was seen and what would do.
        """
