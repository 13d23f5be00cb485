"""Figures that name the firmware they were measured on."""

from __future__ import annotations

from codesign.core.figures import Fidelity, Figure, Quantity
from codesign.core.records import Verified
from codesign.rtl.firmware import Firmware

__all__ = (
    "count",
    "provenance",
)


def provenance(figures: list[Figure], firmware: Firmware) -> list[Figure]:
    """Figures measured on ``firmware``, with its flow's settings."""
    return [figure.model_copy(update={"settings": dict(firmware.settings)}) for figure in figures]


def count(verdict: Verified, firmware: Firmware) -> list[Figure]:
    """What an exact simulation counted: latency and initiation interval; nothing where it counted none."""
    cycles, interval = verdict.latency_cycles, verdict.initiation_interval
    if not verdict.exact or cycles is None or interval is None:
        return []
    quantities: dict[Quantity, float] = {
        "latency_cycles": cycles,
        "latency_ns": round(cycles * firmware.target.clock_ns, 4),
        "initiation_interval": interval,
    }
    simulated = [
        Figure.of(quantity, value, Fidelity.SIMULATED, verdict.tool, verdict.version)
        for quantity, value in quantities.items()
    ]
    return provenance(simulated, firmware)
