"""Verilog only: a Keras file with layers that no reader knows, through alkaid's own trace, compared with Keras.

There is no graph of it, so there is no ONNX, no emulator and no cost by layer, and no command works on it but those of
Verilog. What is written is exact on every row that was tried, or it is refused.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from alkaid.codegen import RTLModel
from alkaid.trace import to_pipeline
from alkaid.types import CombLogic
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.core.reading.limits import MODEL_BYTES
from codesign.core.reading.npz import npy_array
from codesign.core.reading.plain import given_bytes, member
from codesign.core.runfolder import VERILOG_ONLY, write_atomically
from codesign.core.targets import Target
from codesign.core.validation import validate
from codesign.flows.alkaid.alkaid_files import load_program, save_program, write_verilog
from codesign.flows.alkaid.alkaid_passes import optimise
from codesign.graph.interval import tightest_type
from codesign.importing.declared import DeclaredInputs, fixed_point
from codesign.importing.import_report import types_in_words
from codesign.importing.keras.keras_process import ask_keras

__all__ = ("TracedModel", "checked_circuit", "trace_keras")

_MODULE = "codesign.flows.alkaid.keras_tracer"
_TOP = "codesign_core"


class TracedModel(BaseModel):
    """What is known of Verilog that alkaid's own trace gave."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: Literal["Verilog only"] = "Verilog only"
    source: str
    sha256: str
    versions: dict[str, str]
    target: str
    top: str
    inputs: tuple[str, ...] = Field(description="name and type of each input, the first in the lowest bits")
    outputs: tuple[str, ...]
    tried: int
    equal: int
    notes: tuple[str, ...] = Field(description="passes of alkaid's that gave other integers, and were left out")
    lut: float
    latency_cycles: int
    lacks: tuple[str, ...] = ("ONNX", "the C++ emulator", "cost by layer", "a run folder's other commands")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    versions: dict[str, str]
    keras_version: str
    kinds: tuple[tuple[int, int, int], ...]


def trace_keras(
    file: Path, declared: DeclaredInputs | None, target: Target, folder: Path, seconds: float = 600.0
) -> TracedModel:
    """Write the Verilog of a Keras file, and its record, into an empty ``folder``.

    InputError: damaged, or the types of its inputs are asked for. UnsupportedError: what alkaid does not trace, or
    traces into something that Keras does not give. ToolError: Keras is not set up, or needs more than ``seconds``.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty: give a folder that is new")
    content = given_bytes(file, MODEL_BYTES)
    kinds = None
    if declared is not None and declared.typed:
        texts = [f.type or declared.type for f in declared.fields] or [declared.type]
        found = [fixed_point(text or "") for text in texts]
        kinds = [[int(t.signed), t.integer_bits, t.fraction_bits] for t in found]
    with tempfile.TemporaryDirectory(prefix="codesign-keras-") as scratch:
        work = Path(scratch)
        answer = validate(_Answer, ask_keras(file, work, seconds, _MODULE, {"kinds": kinds}), str(file))
        circuit = load_program(work / "program.json.gz")
        values, truth = (np.asarray(npy_array(member(work, f"{n}.npy")), np.float64) for n in ("values", "outputs"))
    checked, notes = checked_circuit(circuit, values, truth, file.name)
    pipeline = to_pipeline(checked, latency_cutoff=target.stage_delay, verbose=False)
    folder.mkdir(parents=True, exist_ok=True)
    rtl: RTLModel = write_verilog(pipeline, folder / "firmware", _TOP, target)
    save_program(checked, folder / "firmware" / "program.json.gz")
    types = tuple(FixedPoint(signed=bool(k), integer_bits=i, fraction_bits=f) for k, i, f in answer.kinds)
    outputs = tuple(tightest_type(*map(float, q)) for q in checked.out_qint)
    record = TracedModel(
        source=file.name,
        sha256=hashlib.sha256(content).hexdigest(),
        versions=answer.versions,
        target=target.name,
        top=_TOP,
        inputs=types_in_words(_port("x", types)),
        outputs=types_in_words(_port("y", outputs)),
        tried=len(values),
        equal=len(values),
        notes=tuple(notes),
        lut=round(float(checked.cost), 2),
        latency_cycles=int(rtl.latency or 0),
    )
    write_atomically(folder / VERILOG_ONLY, (json.dumps(record.model_dump(mode="json"), indent=1) + "\n").encode())
    return record


def checked_circuit(
    circuit: CombLogic, values: NDArray[np.float64], truth: NDArray[np.float64], name: str
) -> tuple[CombLogic, list[str]]:
    """The circuit, optimised as far as it gives ``truth`` (events, m) of ``values`` (events, n).

    UnsupportedError where it does not as it was traced: alkaid's converter reads some layers as others.
    """
    given = np.ascontiguousarray(values)
    found = np.asarray(circuit.predict(given, n_threads=1)).reshape(len(given), -1)
    equal = int((found == truth).all(axis=1).sum()) if found.shape == truth.shape else 0
    if equal < len(given):
        raise UnsupportedError(
            f"{name}: alkaid's own trace gives what Keras gives on {equal} of {len(given)} rows, unoptimised: it is "
            "not taken; write a reader of the layer (entry point codesign.layers)"
        )
    return optimise(circuit, lambda c: np.array_equal(c.predict(given, n_threads=1).reshape(len(given), -1), truth))


def _port(letter: str, types: tuple[FixedPoint, ...]) -> Port:
    return Port(name=letter, types=types, labels=tuple(f"{letter}{i}" for i in range(len(types))))
