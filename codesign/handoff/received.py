"""A bundle as it is received: its manifest, design and golden vectors, read within bounds and believed in nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import CodesignError, InputError
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port
from codesign.core.printing import visible
from codesign.core.reading.limits import MODEL_BYTES
from codesign.core.reading.npz import member_arrays
from codesign.core.reading.onnx import onnx_model
from codesign.core.reading.plain import member_bytes
from codesign.core.validation import validate
from codesign.handoff.check import bundle_json, checked_manifest
from codesign.handoff.manifest import Manifest
from codesign.handoff.work import require_little_work

__all__ = ("Codes", "ReceivedBundle", "golden_vectors", "in_one_line", "read_design")

Codes = NDArray[np.int64]
T = TypeVar("T")

#: bytes that the golden vectors of any bundle may take in memory
_MOST_GOLDEN = 1 << 30
#: binary places, and bits of a code, beyond which nothing here computes
_MOST_PLACES, _WIDEST = 1000, 62


@dataclass(frozen=True)
class ReceivedBundle:
    """A bundle whose files are those of its manifest, with the design that they hold."""

    folder: Path
    manifest: Manifest
    design: Design

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read a bundle; InputError where it is not whole, or holds no design."""
        folder = Path(folder)
        return cls(folder, checked_manifest(folder), read_design(folder))

    @property
    def files(self) -> set[str]:
        """Every file that the manifest lists."""
        return {f.path for f in self.manifest.files}


def in_one_line(what: str, make: Callable[[], T]) -> T:
    """Compute with what a stranger sent; InputError, in one line, where it cannot be computed with."""
    try:
        return make()
    except CodesignError:
        raise
    except Exception as error:  # whatever a library says to what it was not written for
        raise InputError(f"{what}: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from None


def read_design(folder: Path) -> Design:
    """The design of ``model.onnx`` and ``design.json``; InputError where they are none, or not to be computed with."""
    data = bundle_json(folder, "design.json")
    where = str(folder / "design.json")
    for key in ("input_quantisation", "outputs"):
        if not isinstance(data.get(key), dict):
            raise InputError(f"{where}: '{key}' is missing")
    quantisation = validate(InputQuantisation, data["input_quantisation"], f"{where}, input_quantisation")
    outputs = validate(Port, data["outputs"], f"{where}, outputs")
    for label, kind in zip(
        (*quantisation.features, *outputs.labels), (*quantisation.types, *outputs.types), strict=True
    ):
        _bound(kind, f"{where}: '{label}'")
    if not np.isfinite([*quantisation.offset, *quantisation.step]).all():
        raise InputError(f"{where}: an offset or a step is not finite")
    trigger = data.get("trigger")
    if trigger is not None and trigger not in outputs.labels:
        raise InputError(f"{where}: 'trigger' is no output")
    content = member_bytes(folder, "model.onnx", MODEL_BYTES)
    onnx_model(content, str(folder / "model.onnx"))  # nothing walks a graph before its bounds are known
    design = Design(content, quantisation, outputs, trigger)
    in_one_line(str(folder / "model.onnx"), lambda: require_little_work(design))
    return design


def _bound(kind: FixedPoint, where: str) -> None:
    if max(abs(kind.integer_bits), abs(kind.fraction_bits)) > _MOST_PLACES or kind.width > _WIDEST:
        raise InputError(
            f"{where} has {kind.integer_bits} integer and {kind.fraction_bits} fraction bits; at most {_WIDEST} bits "
            f"in all, within {_MOST_PLACES} places of the point, are computed with"
        )


def golden_vectors(folder: Path, design: Design) -> tuple[Codes, Codes]:
    """Input codes (events, n) and output codes (events, m) of a bundle.

    InputError where they are not whole numbers, or not codes of the design's ports: nothing is cast, so nothing wraps.
    """
    path = folder / "golden.npz"
    stored = member_arrays(folder, path.name, ("inputs", "outputs"), _MOST_GOLDEN)
    if len(stored) < 2:
        raise InputError(f"{path}: 'inputs' or 'outputs' is missing")
    inputs, outputs = stored["inputs"], stored["outputs"]
    if inputs.ndim != 2 or not len(inputs) or inputs.shape[1] != design.inputs.size:
        raise InputError(f"{path}: inputs of shape {inputs.shape}, expected (events, {design.inputs.size})")
    if outputs.shape != (len(inputs), design.outputs.size):
        raise InputError(f"{path}: outputs of shape {outputs.shape}, expected ({len(inputs)}, {design.outputs.size})")
    return _codes(inputs, design.inputs, f"{path}: inputs"), _codes(outputs, design.outputs, f"{path}: outputs")


def _codes(array: NDArray[Any], port: Port, where: str) -> Codes:
    if array.dtype.kind not in "iu":
        raise InputError(f"{where} are {array.dtype}, expected whole numbers")
    low, high = port.bounds
    wrong = (array < low) | (array > high)
    if wrong.any():
        event, i = np.argwhere(wrong)[0]
        raise InputError(
            f"{where}: event {event} has {array[event, i]} for '{visible(port.labels[i])}', whose codes are "
            f"{low[i]} to {high[i]}"
        )
    return array.astype(np.int64)
