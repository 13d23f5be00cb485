"""Files of QKeras on Keras 2 as designs: a process of its own writes them as QONNX, which then goes the way of ONNX."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.reading.limits import MODEL_BYTES
from codesign.core.reading.npz import npy_array
from codesign.core.reading.plain import given_bytes, member, member_bytes
from codesign.core.validation import validate
from codesign.importing.base import Imported, Importer, Question, Source
from codesign.importing.declared import DeclaredInputs
from codesign.importing.import_report import LayerFacts
from codesign.importing.keras.keras_container import looks_like_keras, written_by
from codesign.importing.keras.keras_process import KerasFacts, ask_keras
from codesign.importing.onnx_file import imported_onnx
from codesign.importing.onnx_runners import Run
from codesign.importing.qkeras.qkeras_environment import QKERAS

__all__ = ("QKerasFile", "design_of_qkeras", "imported_qkeras")

_WORKER = "codesign.importing.qkeras.qkeras_worker"


class QKerasFile(Importer):
    """``.h5`` and ``.keras`` files that Keras 2 wrote, with the layers of QKeras."""

    name = "qkeras"

    def takes(self, source: Source) -> bool:
        """Whether Keras 2 wrote it, as the file says itself."""
        if not isinstance(source, Path) or not source.is_file() or not looks_like_keras(source):
            return False
        return written_by(source).startswith("2.")

    def read(self, source: Source, question: Question) -> Imported:
        """The file as a design; ToolError where QKeras is not set up (``codesign doctor --install qkeras``)."""
        assert isinstance(source, Path)
        return imported_qkeras(source, question.declared, question.seconds)


def imported_qkeras(path: Path, declared: DeclaredInputs | None = None, seconds: float = 600.0) -> Imported:
    """The design of a file, its report, and QKeras itself beside it.

    InputError: damaged, or the type of its inputs is asked for. UnsupportedError: all layers without exact hardware.
    """
    content = given_bytes(path, MODEL_BYTES)
    suffix = path.suffix if path.suffix in (".keras", ".h5") else ".h5"
    with tempfile.TemporaryDirectory(prefix="codesign-qkeras-") as scratch:
        work = Path(scratch)
        answer = ask_keras(path, work, seconds, _WORKER, {"convert": True, "predict": False}, QKERAS)
        graph = member_bytes(work, "model.onnx", MODEL_BYTES)
    facts = validate(KerasFacts, answer, str(path))

    def run(inputs: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        with tempfile.TemporaryDirectory(prefix="codesign-qkeras-") as scratch:
            work = Path(scratch)
            np.savez(work / "values.npz", **{f"in{i}": v.astype(np.float32) for i, v in enumerate(inputs)})  # type: ignore[arg-type]
            copy = work / f"source{suffix}"
            copy.write_bytes(content)  # what was imported, whatever lies there later
            ask_keras(copy, work, seconds, _WORKER, {"convert": False, "predict": True}, QKERAS)
            return [np.asarray(npy_array(member(work, "outputs.npy")), dtype=np.float64)]

    imported = design_of_qkeras(graph, facts, path.name, {_named(facts): run}, declared)
    source = imported.report.source.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
    report = imported.report.model_copy(update={"source": source})
    return replace(imported, report=report, source_files={f"source{suffix}": content}, versions=facts.versions)


def design_of_qkeras(
    graph: bytes,
    facts: KerasFacts,
    name: str,
    runs: Mapping[str, Run],
    declared: DeclaredInputs | None = None,
) -> Imported:
    """The design of a network that was written as QONNX, its layers as QKeras has them. It needs no QKeras."""
    imported = imported_onnx(graph, name, declared, kind="QKeras model", own=lambda cut: runs)
    layers = tuple(LayerFacts(name=x.name, kind=x.kind, weights=x.weights, nonzero=x.nonzero) for x in facts.layers)
    source = imported.report.source.model_copy(update={"producer": f"Keras {facts.keras_version}"[:100]})
    report = imported.report.model_copy(
        update={
            "layers": layers,
            "source": source,
            "weights": sum(x.weights for x in layers),
            "nonzero_weights": sum(x.nonzero for x in layers),
        }
    )
    return replace(imported, report=report)


def _named(facts: KerasFacts) -> str:
    return " / ".join(f"{name} {version}" for name, version in facts.versions.items())
