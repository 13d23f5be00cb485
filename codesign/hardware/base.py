"""What every flow offers, and what it makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from codesign.design import Design
from codesign.figures import Figure
from codesign.targets import Target

__all__ = ("Availability", "Firmware", "Flow")


@dataclass(frozen=True)
class Availability:
    """Whether a flow or tool can run here, and if not, why and how to get it."""

    available: bool
    reason: str
    version: str | None = None


@dataclass(frozen=True)
class Firmware:
    """RTL of one design for one target.

    The top module ``top`` has ports ``clk``, ``model_inp`` and ``model_out``. ``model_inp`` packs the elements of
    ``design.inputs`` from bit 0 upwards, element i in ``design.inputs.types[i].width`` bits, two's complement, without
    padding; ``model_out`` packs ``design.outputs`` in the same way. A new event is taken at every rising edge.

    Attributes
    ----------
    folder: holds ``sources`` (paths relative to it).
    latency_cycles: by construction, in the unit of :data:`codesign.figures.QUANTITIES`; the simulation must confirm it.
    interpreter: JSON-serialisable program of the flow's bit-exact interpreter, or None where the flow has none.
    """

    design: Design
    target: Target
    folder: Path
    sources: tuple[Path, ...]
    top: str
    latency_cycles: int
    notes: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


class Flow(Protocol):
    """A way from a design to firmware."""

    name: str
    #: what :meth:`figures` measures; an objective or constraint on anything else is refused before the search
    quantities: tuple[str, ...]

    def available(self) -> Availability:
        """Whether the flow can run here, with the reason."""

    def compile(self, design: Design, target: Target, folder: Path) -> Firmware:
        """Write firmware into ``folder``. UnsupportedError names what has no exact hardware in this flow."""

    def load(self, design: Design, target: Target, folder: Path) -> Firmware:
        """Open firmware that :meth:`compile` wrote earlier."""

    def figures(self, firmware: Firmware) -> list[Figure]:
        """What the flow itself measures, each with its fidelity."""

    def predict(self, firmware: Firmware, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Run input codes (events, n) through the flow's bit-exact model of the firmware; output codes (events, m)."""
