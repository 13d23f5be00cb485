"""A design: the trained network as an exact integer function, in QONNX, with the types at its boundary."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from codesign.core.fixedpoint import InputQuantisation, Port
from codesign.core.reading.json import member_json
from codesign.core.reading.limits import MODEL_BYTES
from codesign.core.reading.plain import member_bytes
from codesign.core.runfolder import write_atomically
from codesign.core.validation import validate

__all__ = ("Design",)


class _Interface(BaseModel):  # type: ignore[explicit-any]  # pydantic's own
    """``design.json``."""

    model_config = ConfigDict(extra="forbid")

    input_quantisation: InputQuantisation
    inputs: Port
    outputs: Port
    trigger: str | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.inputs != self.input_quantisation.port:
            raise ValueError("inputs are not those of input_quantisation")
        if self.trigger is not None and self.trigger not in self.outputs.labels:
            raise ValueError(f"trigger '{self.trigger}' is no output; outputs: {', '.join(self.outputs.labels)}")
        return self


@dataclass(frozen=True)
class Design:
    """What every flow compiles: a QONNX graph whose input and output are fixed-point codes.

    ``onnx`` is the serialised QONNX model: input (events, n) and output (events, m), whose *values* are
    ``code * 2**-fraction_bits`` of the ports' types. The graph holds only arithmetic that exists in hardware.
    ``trigger`` names the output that the firmware compares with a programmable threshold: its bit says ``output >=
    threshold``, both as codes of the output's type.
    """

    onnx: bytes
    input_quantisation: InputQuantisation
    outputs: Port
    trigger: str | None = None

    def __post_init__(self) -> None:
        if self.trigger is not None and self.trigger not in self.outputs.labels:
            raise ValueError(f"trigger '{self.trigger}' is no output; outputs: {', '.join(self.outputs.labels)}")

    @property
    def trigger_index(self) -> int | None:
        """Place of the output that is compared, None where none is."""
        return None if self.trigger is None else self.outputs.labels.index(self.trigger)

    @property
    def threshold(self) -> Port | None:
        """The threshold's port: one element of the type of the output that is compared."""
        index = self.trigger_index
        return (
            None if index is None else Port(name="threshold", types=(self.outputs.types[index],), labels=("threshold",))
        )

    def threshold_code(self, value: float) -> int:
        """The smallest code of the output that is compared which reaches a threshold given as a value."""
        if self.threshold is None:
            raise ValueError("the design has no trigger")
        return ceil(value / self.threshold.types[0].lsb)

    def fires(self, outputs: NDArray[np.int64], threshold: int) -> NDArray[np.bool_]:
        """The trigger bit of output codes (events, m), (events,)."""
        if self.trigger_index is None:
            raise ValueError("the design has no trigger")
        return np.asarray(outputs[:, self.trigger_index] >= threshold)

    @property
    def inputs(self) -> Port:
        """The input port."""
        return self.input_quantisation.port

    @cached_property
    def hash(self) -> str:
        """Content hash (SHA-256, hex): equal hashes are equal firmware."""
        digest = hashlib.sha256(self.onnx)
        digest.update(self.interface_json().encode())
        return digest.hexdigest()

    def interface_json(self) -> str:
        """The boundary's types as JSON."""
        boundary = {
            "input_quantisation": self.input_quantisation.model_dump(mode="json"),
            "inputs": self.inputs.model_dump(mode="json"),
            "outputs": self.outputs.model_dump(mode="json"),
        }
        return json.dumps(boundary | ({"trigger": self.trigger} if self.trigger is not None else {}), indent=1)

    def save(self, folder: Path) -> None:
        """Write ``model.onnx`` and ``design.json`` into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "model.onnx", self.onnx)
        write_atomically(folder / "design.json", self.interface_json().encode())

    @classmethod
    def load(cls, folder: Path) -> Design:
        """Read what :meth:`save` wrote; InputError where it is damaged."""
        interface = validate(_Interface, member_json(folder, "design.json"), str(Path(folder) / "design.json"))
        return cls(
            onnx=member_bytes(folder, "model.onnx", MODEL_BYTES),
            input_quantisation=interface.input_quantisation,
            outputs=interface.outputs,
            trigger=interface.trigger,
        )
