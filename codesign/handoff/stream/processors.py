"""What computes a design's outputs in a stream: the C++ emulator, the compiled firmware's model, and its Verilog."""

from __future__ import annotations

import shutil
import tempfile
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.reading.onnx import onnx_model
from codesign.flows.base import Flow
from codesign.handoff.apply.executors import built_emulator
from codesign.handoff.received import ReceivedBundle, golden_vectors
from codesign.handoff.recompiled import recompile
from codesign.handoff.stream.trigger_menu import Menu
from codesign.rtl.firmware import Firmware

__all__ = ("Emulated", "Interpreted", "Processor", "Simulated", "planted")

Codes = NDArray[np.int32]


class Processor(ABC):
    """A function from input codes (events, n) to output codes (events, m)."""

    how: str

    @abstractmethod
    def predict(self, codes: Codes) -> Codes:
        """Output codes."""


class Emulated(Processor):
    """The design as C++, built here for this machine's own instructions."""

    how = "C++ emulator"

    def __init__(self, design: Design) -> None:
        self._emulator = built_emulator(design, "-march=native")

    def predict(self, codes: Codes) -> Codes:
        """Output codes."""
        return self._emulator.predict(codes)


class Interpreted(Processor):
    """The firmware that its flow compiles here of the bundle's design, by the flow's own model of it.

    UnsupportedError where the flow or its tool is not here.
    """

    def __init__(self, received: ReceivedBundle) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="codesign-stream-")
        probe, _ = golden_vectors(received.folder, received.design)
        self.firmware = recompile(received, Path(self._folder.name, "firmware"), probe)
        self._flow = plugins.load(Flow, received.manifest.flow)
        self.how = f"the compiled firmware's model ({received.manifest.flow})"

    def predict(self, codes: Codes) -> Codes:
        """Output codes."""
        return np.asarray(self._flow.predict(self.firmware, codes.astype(np.int64)), dtype=np.int32)


class Simulated(Processor):
    """The firmware's Verilog in Verilator, a new event every clock. A context manager."""

    how = "its Verilog in Verilator"

    def __init__(self, firmware: Firmware) -> None:
        self._firmware = firmware
        self._folder = ""

    def __enter__(self) -> Self:
        self._folder = tempfile.mkdtemp(prefix="codesign-stream-")
        return self

    def __exit__(self, *stopped: Any) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def predict(self, codes: Codes) -> Codes:
        """Output codes; ToolError where the simulation fails."""
        from codesign.verify.rtl import simulate

        found = simulate(self._firmware, codes.astype(np.int64), Path(self._folder)).outputs
        return np.asarray(found, dtype=np.int32)


def planted(design: Design, menu: Menu, what: str | None, truth: Emulated, codes: Codes) -> tuple[Emulated, Menu]:
    """Emulator and menu with one thing changed on purpose, to see the alarm: a path's threshold, or a weight.

    The threshold moves by one code, of a path where that changes a bit of ``codes``; the weight is the first that
    changes an integer when its sign is turned. InputError where nothing does.
    """
    if what is None:
        return truth, menu
    if what == "threshold":
        outputs, names = truth.predict(codes), design.outputs.labels
        for i, path in enumerate(menu.paths):
            values = np.unique(outputs[:, names.index(path.output)])
            above = values[values >= path.threshold_code]
            if len(above):
                moved = path.model_copy(update={"threshold_code": int(above[0]) + 1})
                return truth, Menu(paths=(*menu.paths[:i], moved, *menu.paths[i + 1 :]))
        raise InputError("no event reaches a threshold: a planted one would not show")
    if what != "weight":
        raise InputError(f"'{what}' cannot be planted: threshold or weight can")
    expected = truth.predict(codes)
    for changed in _turned(design):
        emulator = Emulated(changed)
        if not np.array_equal(emulator.predict(codes), expected):
            return emulator, menu
    raise InputError("no weight that was tried changes an output of these events")


def _turned(design: Design) -> list[Design]:
    """The design with the sign of one weight turned: the largest of each of its first matrices."""
    model = onnx_model(design.onnx, "the bundle's design")
    found = []
    for place, tensor in enumerate(model.graph.initializer):
        if len(tensor.dims) != 2 or min(tensor.dims) < 2 or tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        weights = numpy_helper.to_array(tensor).copy()
        largest = np.unravel_index(np.argmax(np.abs(weights)), weights.shape)
        weights[largest] = -weights[largest]
        other = onnx.ModelProto()
        other.CopyFrom(model)
        other.graph.initializer[place].CopyFrom(numpy_helper.from_array(weights, tensor.name))
        found.append(replace(design, onnx=other.SerializeToString(deterministic=True)))
    return found[:4]
