"""hls4ml's C simulation as a shared library: compiled with g++, loaded, run.

Run as a program (``python -m codesign.flows.hls4ml.csim LIBRARY NAME IN.npy OUT.npy OUTPUTS``), so that a library
that crashes takes only its own process along.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ("LIBRARY", "CSimulation", "compile_csim")

#: name of the library in a project's folder
LIBRARY = "csim.so"
_SECONDS = 600.0


def compile_csim(project: Path, name: str, optimise: str = "-O1") -> None:
    """Compile the C simulation of the project in folder ``project``; ToolError where g++ is missing or fails."""
    from codesign.core.process import run_tool

    # weights are read when the library is used, from the working directory: the folder may be moved
    flags = [optimise, "-fPIC", "-shared", "-std=c++17", "-fno-gnu-unique", "-w", "-Ifirmware/ap_types/"]
    sources = [f"firmware/{name}.cpp", f"{name}_bridge.cpp"]
    part = f".{LIBRARY}.part"
    run_tool(["g++", *flags, '-DWEIGHTS_DIR="firmware/weights"', *sources, "-o", part], project, _SECONDS, name="g++")
    (project / part).replace(project / LIBRARY)


class CSimulation:
    """A compiled C simulation, in this process; the working directory must be the project's folder."""

    def __init__(self, library: Path, name: str, outputs: int) -> None:
        self._outputs = outputs
        self._top = getattr(ctypes.CDLL(str(library)), f"{name}_double")
        pointer = np.ctypeslib.ndpointer(np.float64, flags="C_CONTIGUOUS")
        self._top.restype, self._top.argtypes = None, [pointer, pointer]

    def predict(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of the inputs (events, n) to values of the outputs (events, m)."""
        values = np.ascontiguousarray(values, dtype=np.float64)
        out = np.zeros((len(values), self._outputs))
        for event, result in zip(values, out, strict=True):
            self._top(event, result)
        return out


def _main() -> None:
    library, name, given, result, outputs = sys.argv[1:]
    simulation = CSimulation(Path(library), name, int(outputs))
    np.save(result, simulation.predict(np.load(given, allow_pickle=False)))


if __name__ == "__main__":
    _main()
