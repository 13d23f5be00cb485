"""``codesign.import_model``: somebody else's trained model as a design, compared with its own execution."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.importing.base import Imported, Question, Source
from codesign.importing.declared import DeclaredInputs, declared_inputs
from codesign.importing.import_improvement import improved_import
from codesign.importing.importers import read_source
from codesign.importing.source_agreement import Compared, compare

if TYPE_CHECKING:
    from torch import nn

__all__ = ("compared_import", "import_model")


def import_model(
    source: Path | str | nn.Module,
    *,
    inputs: DeclaredInputs | Path | str | Mapping[str, Any] | None = None,
    events: NDArray[np.floating] | None = None,
    example_input: Any = None,
    seconds: float = 600.0,
    improve: bool = False,
) -> Imported:
    """Read a trained model of somebody else's: a file of ONNX, QONNX and whatever an importer takes, or a torch module.

    Parameters
    ----------
    source: the file, or the module (which is left as it is).
    inputs: the types of its inputs: a YAML file, ``"fixed<8,3>"`` for all, or data of the same form; None where the
        model has its own.
    events: (events, inputs) in physical units, on which the source is compared, beside random and extreme codes.
    example_input: what a module is given, (1, ...), for its shape.
    seconds: that a process of another library may take.
    improve: whether the graph is made smaller, each step exact (:mod:`codesign.graph.passes`).

    Returns
    -------
    Imported: the design, the source's own executions, and the report of what was done.

    Raises
    ------
    InputError: no model, damaged, of a type that has to be declared; or its own execution gives other integers than the
        design, and float64 does not explain why.
    UnsupportedError: what has no exact hardware, each obstacle with its node, what was seen, and what would do.
    """
    return compared_import(source, inputs, events, example_input, seconds, improve).imported


def compared_import(
    source: Path | str | nn.Module,
    inputs: DeclaredInputs | Path | str | Mapping[str, Any] | None = None,
    events: NDArray[np.floating] | None = None,
    example_input: Any = None,
    seconds: float = 600.0,
    improve: bool = False,
) -> Compared:
    """The same, with the rows that it was compared on."""
    found: Source = Path(source) if isinstance(source, str | Path) else source
    if isinstance(found, Path) and not found.exists():
        raise InputError(f"{found}: there is no such file")
    question = Question(declared_inputs(inputs), example_input, seconds)
    imported = read_source(found, question)
    if improve:
        imported = improved_import(imported)
    codes = None
    if events is not None:
        design = imported.design()
        flat = np.asarray(events)
        if not flat.size:
            raise InputError(f"events of shape {np.shape(events)}: there is none")
        flat = flat.reshape(len(flat), -1) if flat.ndim > 1 else flat
        if flat.ndim != 2 or flat.shape[1] != design.inputs.size or flat.dtype.kind not in "fiub":
            raise InputError(f"events of shape {np.shape(events)}: the model has {design.inputs.size} inputs an event")
        if not np.isfinite(flat.astype(np.float64)).all():
            row = int(np.argwhere(~np.isfinite(flat.astype(np.float64)))[0][0])
            raise InputError(f"events, row {row}: a value is not a finite number")
        codes = design.input_quantisation.codes(flat)
    return compare(imported, codes)
