"""Parts of a bundle that follow from a design and its firmware: who packs writes them, who checks writes them again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.runfolder import write_atomically
from codesign.handoff.inference import codes_model, features_model, write_repository
from codesign.rtl.axi import axi_stream
from codesign.rtl.firmware import Firmware
from codesign.tools.vendor.project import write_vivado_project

__all__ = ("write_around_firmware", "write_inference")


def write_inference(design: Design, name: str, bundle: Path) -> None:
    """Write ``onnx/`` and ``triton/``."""
    write_atomically(bundle / "onnx" / "codes.onnx", codes_model(design))
    write_atomically(bundle / "onnx" / "features.onnx", features_model(design))
    write_repository(design, name, bundle / "triton")


def write_around_firmware(
    firmware: Firmware, inputs: NDArray[np.int64], outputs: NDArray[np.int64], bundle: Path
) -> None:
    """Write ``axi/``, ``testbench/`` and ``vivado/``, as far as the firmware's RTL and part allow.

    ``inputs`` (events, n) and ``outputs`` (events, m) are the golden vectors.
    """
    from codesign.verify.testbench import write_testbench

    if firmware.rtl is not None:
        axi_stream(firmware, bundle / "axi")
    if firmware.rtl is not None and firmware.rtl.protocol == "pipelined":
        write_testbench(firmware, inputs, outputs, bundle / "testbench")
        if firmware.target.part.lower().startswith("xc"):
            write_vivado_project(firmware, bundle / "vivado", "../firmware")
