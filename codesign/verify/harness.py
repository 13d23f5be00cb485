"""What every simulated harness of a firmware's top module is given: the widths of its ports, and the threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from codesign.rtl.firmware import Firmware
from codesign.rtl.packing import pack, port_width

__all__ = ("port_defines", "write_threshold")


def port_defines(firmware: Firmware) -> dict[str, str]:
    """The top module's name and the widths of its ports, as the harness is compiled with."""
    design = firmware.design
    defines = {
        "CODESIGN_TOP": firmware.top,
        "CODESIGN_INP_WIDTH": str(port_width(design.inputs)),
        "CODESIGN_OUT_WIDTH": str(port_width(design.outputs)),
    }
    if design.threshold is not None:
        defines["CODESIGN_THRESHOLD_WIDTH"] = str(design.threshold.width)
    return defines


def write_threshold(firmware: Firmware, code: int, work: Path) -> None:
    """Write the threshold, a code of its port, for the harness to read; nothing where there is none."""
    port = firmware.design.threshold
    if port is not None:
        (word,) = pack(port, np.array([[code]], dtype=np.int64))
        (work / "threshold.hex").write_text(word, encoding="ascii")
