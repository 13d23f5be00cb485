"""What computes a bundle's integers from physical features: its design as ONNX in onnxruntime, or as C++ emulator."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.handoff.inference import Session, features_model, heads_of
from codesign.handoff.manifest import Manifest
from codesign.handoff.received import in_one_line
from codesign.handoff.scales import Scales

if TYPE_CHECKING:
    from codesign.core.design import Design
    from codesign.handoff.emulator import Emulator

__all__ = ("EmulatorEngine", "Engine", "OnnxEngine", "built_emulator", "compare")

Features = NDArray[np.float32]
#: outputs in units of the task (float32), and their integers (int32), (rows, outputs) each
Scored = tuple[NDArray[np.float32], NDArray[np.int32]]

#: rows held at once while two engines are compared
_AT_ONCE = 50_000


class Engine(Protocol):
    """A bundle's network as a function of features (rows, inputs), finite."""

    def run(self, features: Features) -> Scored:
        """Scores and their integers."""
        ...


class OnnxEngine:
    """A bundle's design in onnxruntime, as standard ONNX that is made here: nothing of the bundle runs.

    ``threads``: 0 for all cores. InputError for a design that cannot be computed with, or is not the manifest's.
    """

    def __init__(self, design: Design, manifest: Manifest, threads: int = 1) -> None:
        self._values, self._codes = zip(*heads_of(design.outputs), strict=True)
        self._session = Session(in_one_line("the bundle's design", lambda: features_model(design)), threads)
        if self._session.size != len(manifest.inputs):
            raise InputError(f"the bundle's network takes {self._session.size} features, its manifest names others")

    def run(self, features: Features) -> Scored:
        """Scores and their integers; ToolError where onnxruntime fails."""
        found = self._session.run(np.ascontiguousarray(features, dtype=np.float32))
        scores, codes = ([found[name] for name in names] for names in (self._values, self._codes))
        return np.concatenate(scores, axis=1), np.concatenate(codes, axis=1)


def built_emulator(design: Design, flags: str = "") -> Emulator:
    """The C++ emulator of a bundle's design, written here, built and loaded: no code of the bundle runs.

    ``flags``: more for the compiler, such as ``-march=native``. InputError for a design that cannot be computed with,
    ToolError where the emulator cannot be built.
    """
    from codesign.handoff.emulator import build_emulator, load_emulator, write_emulator

    workshop = Path(tempfile.mkdtemp(prefix="codesign-emulator-"))
    try:
        made = in_one_line("the bundle's design", lambda: write_emulator(design, "design", workshop / "emulator"))
        return load_emulator(build_emulator(made, flags))  # what is loaded stays
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


class EmulatorEngine:
    """A built emulator, on features that are quantised as the manifest says.

    InputError where it takes or gives other numbers than the manifest says.
    """

    def __init__(self, emulator: Emulator, manifest: Manifest) -> None:
        if (emulator.inputs, emulator.outputs) != (len(manifest.inputs), len(manifest.outputs)):
            raise InputError("the bundle's emulator takes or gives other numbers than its manifest names")
        self._emulator, self._scales = emulator, Scales.of(manifest)
        self._lsb = np.array([2.0**-o.fraction_bits for o in manifest.outputs])

    def run(self, features: Features) -> Scored:
        """Scores and their integers."""
        found = self._emulator.predict(self._scales.codes(features))
        return (found * self._lsb).astype(np.float32), found


def compare(first: Engine, second: Engine, features: Features, names: Sequence[str] = ("first", "second")) -> int:
    """Rows for which two engines give the same integers and the same outputs, ``==``: all, or InputError."""
    for start in range(0, len(features), _AT_ONCE):
        piece = features[start : start + _AT_ONCE]
        (one, one_codes), (other, other_codes) = first.run(piece), second.run(piece)
        unequal = (one_codes != other_codes).any(axis=1) | (one != other).any(axis=1)
        if unequal.any():
            row = int(np.flatnonzero(unequal)[0])
            raise InputError(
                f"row {start + row}: {names[0]} gives {one_codes[row].tolist()}, "
                f"{names[1]} {other_codes[row].tolist()} for the same features"
            )
    return len(features)
