"""A design: the trained network as an exact integer function, in QONNX, with the types at its boundary."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from codesign.fixedpoint import InputQuantisation, Port
from codesign.runfolder import write_atomically

__all__ = ("Design",)


@dataclass(frozen=True)
class Design:
    """What every flow compiles: a QONNX graph whose input and output are fixed-point codes.

    ``onnx`` is the serialised QONNX model: input (events, n) and output (events, m), whose *values* are
    ``code * 2**-fraction_bits`` of the ports' types. The graph holds only arithmetic that exists in hardware.
    """

    onnx: bytes
    input_quantisation: InputQuantisation
    outputs: Port

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
        return json.dumps(
            {
                "input_quantisation": self.input_quantisation.model_dump(mode="json"),
                "inputs": self.inputs.model_dump(mode="json"),
                "outputs": self.outputs.model_dump(mode="json"),
            },
            indent=1,
        )

    def save(self, folder: Path) -> None:
        """Write ``model.onnx`` and ``design.json`` into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "model.onnx", self.onnx)
        write_atomically(folder / "design.json", self.interface_json().encode())

    @classmethod
    def load(cls, folder: Path) -> Design:
        """Read what :meth:`save` wrote."""
        interface = json.loads((folder / "design.json").read_text(encoding="utf-8"))
        return cls(
            onnx=(folder / "model.onnx").read_bytes(),
            input_quantisation=InputQuantisation.model_validate(interface["input_quantisation"]),
            outputs=Port.model_validate(interface["outputs"]),
        )
