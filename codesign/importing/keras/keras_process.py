"""Ask the process that holds Keras: bounded in time and memory, and what it answers is read as a stranger's data."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from codesign.core.own_environment import OwnEnvironment
from codesign.core.reading.limits import MODEL_BYTES
from codesign.core.reading.npz import npy_array
from codesign.core.reading.plain import member, member_bytes
from codesign.core.validation import validate
from codesign.importing.keras.keras_environment import KERAS
from codesign.importing.own_process import ask_process

__all__ = ("InputFacts", "KerasFacts", "ReadLayer", "ask_keras", "convert_keras", "predict_keras")

Codes = tuple[int, int, int]
_WORKER = "codesign.importing.keras.keras_worker"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReadLayer(_Part):
    """One layer, in order of execution."""

    name: str
    kind: str
    weights: int = Field(ge=0)
    nonzero: int = Field(ge=0)
    ebops: int | None = Field(default=None, ge=0, description="as HGQ2 has counted them in training")


class InputFacts(_Part):
    """An input: its name in the model, and its shape without the events' axis."""

    name: str
    shape: tuple[int, ...]


class KerasFacts(_Part):
    """What the process says of a model beside its graph."""

    versions: dict[str, str]
    keras_version: str = Field(description="that wrote the file")
    backend: str
    layers: tuple[ReadLayer, ...]
    inputs: tuple[InputFacts, ...]
    outputs: tuple[tuple[int, ...], ...]
    read_as: tuple[tuple[Codes, ...], ...] = Field(
        description="for each element of the flat input, the types (k, i, f) as which the model's quantisers read it"
    )
    read_bare: tuple[int, ...] = Field(description="elements that something else than a quantiser reads")


def ask_keras(
    file: Path,
    work: Path,
    seconds: float,
    module: str,
    job: Mapping[str, object],
    environment: OwnEnvironment = KERAS,
) -> dict[str, object]:
    """What a module says that runs in Keras' environment, on a file and with a folder of ours; the error that it says.

    ToolError: Keras is not set up, or needs more than ``seconds``.
    """
    variables = {**environment.variables(), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return ask_process(module, work, {"file": str(file.resolve()), **job}, seconds, variables, environment.title)


def convert_keras(file: Path, seconds: float = 600.0) -> tuple[bytes, KerasFacts]:
    """A Keras file as QONNX, and the facts of it.

    InputError: damaged. UnsupportedError: every layer and class that cannot be read. ToolError: Keras is not set up, or
    needed more than ``seconds``.
    """
    with tempfile.TemporaryDirectory(prefix="codesign-keras-") as scratch:
        work = Path(scratch)
        answer = ask_keras(file, work, seconds, _WORKER, {"convert": True, "predict": False})
        return member_bytes(work, "model.onnx", MODEL_BYTES), validate(KerasFacts, answer, str(file))


def predict_keras(file: Path, values: list[NDArray[np.float64]], seconds: float = 600.0) -> NDArray[np.float64]:
    """Keras' own outputs (events, m), heads one after another, for values of each input (events, ...)."""
    with tempfile.TemporaryDirectory(prefix="codesign-keras-") as scratch:
        work = Path(scratch)
        given: dict[str, Any] = {f"in{i}": v.astype(np.float32) for i, v in enumerate(values)}
        np.savez(work / "values.npz", **given)
        ask_keras(file, work, seconds, _WORKER, {"convert": False, "predict": True})
        return np.asarray(npy_array(member(work, "outputs.npy")), dtype=np.float64)
