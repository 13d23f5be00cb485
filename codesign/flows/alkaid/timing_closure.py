"""Timing closure on ECP5: deepen the pipeline until the placed and routed design reaches its target's clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from codesign.core.design import Design
from codesign.core.errors import InputError, ToolError
from codesign.core.figures import Fidelity, Figure, find
from codesign.core.targets import Target
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings
from codesign.rtl.firmware import Firmware
from codesign.tools.nextpnr import place_and_route

__all__ = ("Closure", "ClosureStep", "close_timing", "next_stage_delay")

#: one adder between two registers: less logic than an adder's there cannot be
_SHALLOWEST = 1.0


@dataclass(frozen=True)
class ClosureStep:
    """One try: logic between registers (units of the compiler's adder delay), latency (clock cycles), Fmax (MHz)."""

    stage_delay: float
    latency_cycles: int
    fmax_mhz: float


@dataclass(frozen=True)
class Closure:
    """How timing closure ended.

    Attributes
    ----------
    met: whether ``firmware`` reaches the target's clock.
    missing_mhz: by how much it misses it; 0 where it is met.
    firmware: the first that reaches the clock, else the fastest one; its target has the ``stage_delay`` it was
        compiled with.
    figures: of ``firmware``, fidelity placed.
    steps: everything that was tried, in order.
    """

    met: bool
    missing_mhz: float
    firmware: Firmware
    figures: list[Figure]
    steps: tuple[ClosureStep, ...]

    def __str__(self) -> str:
        clock, fmax = self.firmware.target.clock_mhz, max(s.fmax_mhz for s in self.steps)
        tried = f"{len(self.steps)} pipeline{'s' if len(self.steps) > 1 else ''} tried"
        if self.met:
            return f"meets {clock:g} MHz: Fmax {fmax:.1f} MHz, latency {self.firmware.latency_cycles} cycles ({tried})"
        return f"misses {clock:g} MHz by {self.missing_mhz:.1f} MHz: Fmax {fmax:.1f} MHz at best ({tried})"


def next_stage_delay(stage_delay: float, fmax_mhz: float, clock_mhz: float) -> float | None:
    """Logic between registers to try after ``stage_delay`` gave ``fmax_mhz``; None where there is nothing left.

    A path is part logic, which scales, and part routing and registers, which does not: the ratio of the frequencies
    asks for too little, so that one unit less is the least that is tried.
    """
    if stage_delay <= _SHALLOWEST:
        return None
    return max(_SHALLOWEST, min(stage_delay - 1, stage_delay * fmax_mhz / clock_mhz))


def close_timing(
    design: Design,
    target: Target,
    work: Path,
    timeout: float = 1800,
    steps: int = 4,
    seed: int = 1,
    place: Callable[[Firmware, Path, float, int], list[Figure]] = place_and_route,
    settings: BaseModel | None = None,
) -> Closure:
    """Compile ``design`` with alkaid, place and route it, and deepen the pipeline until it reaches the target's clock.

    At most ``steps`` pipelines are tried, in ``work/step0`` and on; every tool run has ``timeout`` seconds. Every
    pipeline computes the same integers: only the number of registers differs, and with it the latency, which is in
    ``Closure.firmware``. Of ``settings`` all are kept but the logic between two registers. Errors as of the flow and of
    :func:`codesign.tools.nextpnr.place_and_route`.
    """
    if steps < 1:
        raise InputError(f"timing closure needs at least one step, got {steps}")
    tried: list[ClosureStep] = []
    own = settings or AlkaidSettings()
    assert isinstance(own, AlkaidSettings)
    kept = own.model_copy(update={"stage_delay": None})
    best: tuple[float, Firmware, list[Figure]] | None = None
    delay: float | None = target.stage_delay
    while delay is not None and len(tried) < steps:
        folder = work / f"step{len(tried)}"
        deeper = target.model_copy(update={"stage_delay": delay})
        firmware = Alkaid().compile(design, deeper, folder / "firmware", kept)
        figures = place(firmware, folder / "nextpnr", timeout, seed)
        measured = find(figures, "fmax", Fidelity.PLACED)
        if measured is None:
            raise ToolError("place and route gave no Fmax: the clock cannot be compared with it")
        fmax = measured.value
        tried.append(ClosureStep(delay, firmware.latency_cycles, fmax))
        if best is None or fmax > best[0]:
            best = (fmax, firmware, figures)
        if fmax >= target.clock_mhz:
            break
        delay = next_stage_delay(delay, fmax, target.clock_mhz)
    assert best is not None
    fmax, firmware, figures = best
    missing = max(0.0, round(target.clock_mhz - fmax, 2))
    return Closure(fmax >= target.clock_mhz, missing, firmware, figures, tuple(tried))
