"""hls4ml's C simulation of a design as its users run it: in their own process, compiled at -O3."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.targets import load_target
from codesign.flows.hls4ml.csim import LIBRARY, CSimulation, compile_csim
from codesign.flows.hls4ml.flow import FOLDER, PROJECT, Hls4ml

__all__ = ("HlsSimulation",)


class HlsSimulation:
    """The C simulation of ``design``, built in ``folder``."""

    def __init__(self, design: Design, folder: Path) -> None:
        self._design = design
        self._project = Hls4ml().compile(design, load_target("vu13p-360"), folder).folder / FOLDER
        compile_csim(self._project, PROJECT, "-O3")
        self._simulation = CSimulation((self._project / LIBRARY).resolve(), PROJECT, design.outputs.size)

    def values(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of the inputs (events, n) to values of the outputs (events, m)."""
        with contextlib.chdir(self._project):  # it reads its weights from there
            return self._simulation.predict(values)

    def predict(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Input codes (events, n) to output codes (events, m)."""
        return self._design.outputs.codes(self.values(self._design.inputs.values(codes)))
