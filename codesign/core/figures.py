"""A hardware figure that knows what it is: value, unit, fidelity, tool and version."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ("QUANTITIES", "Expected", "Fidelity", "Figure", "Quantity", "find")

Quantity = Literal[
    "lut", "ff", "carry", "dsp", "bram", "latency_cycles", "latency_ns", "initiation_interval",
    "fmax", "ebops", "power",
]  # fmt: skip

#: quantity -> (unit, what it counts)
QUANTITIES: dict[str, tuple[str, str]] = {
    "lut": (
        "LUT",
        "look-up tables: LUT1 to LUT6 and inverters, each counted once; placed: as the chip packs them",
    ),
    "ff": ("FF", "flip-flops"),
    "carry": ("CARRY", "carry primitives of the target's family"),
    "dsp": ("DSP", "DSP slices"),
    "bram": ("BRAM", "block memories, in 36 kbit units"),
    "latency_cycles": (
        "cycles",
        "clock periods from the edge that samples an event to the edge after which its result is at the output",
    ),
    "latency_ns": ("ns", "latency_cycles times the clock period of the target"),
    "initiation_interval": ("cycles", "clock cycles between two successive events"),
    "fmax": ("MHz", "highest clock frequency that static timing analysis allows"),
    "ebops": ("bit operations", "effective bit operations: bits times bits of what the graph multiplies"),
    "power": ("W", "total on-chip power"),
}


class Fidelity(StrEnum):
    """How a figure was obtained.

    ``analytic < compiled < synthesised < placed < vendor`` are estimates of one thing, ever closer to the chip;
    ``simulated`` is what RTL simulation counted (cycles), and has no rank among them.
    """

    ANALYTIC = "analytic"
    COMPILED = "compiled"
    SYNTHESISED = "synthesised"
    PLACED = "placed"
    VENDOR = "vendor"
    SIMULATED = "simulated"

    def refines(self, other: Fidelity) -> bool:
        """Whether this fidelity is closer to the chip than ``other``; TypeError where there is no order."""
        order = [Fidelity.ANALYTIC, Fidelity.COMPILED, Fidelity.SYNTHESISED, Fidelity.PLACED, Fidelity.VENDOR]
        if self not in order or other not in order:
            raise TypeError(f"no order between fidelities '{self}' and '{other}'")
        return order.index(self) > order.index(other)


class Expected(BaseModel):
    """What a tool closer to the chip is expected to find, from an estimate that was calibrated against it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float = Field(ge=0, allow_inf_nan=False, description="in the figure's unit")
    low: float = Field(ge=0, allow_inf_nan=False, description="lower end of a band of one standard deviation")
    high: float = Field(ge=0, allow_inf_nan=False, description="upper end of the band")
    fidelity: Fidelity = Field(description="of what is expected")
    tool: str = Field(min_length=1, description="whose result is expected")
    source: str = Field(min_length=1, description="the calibration")


class Figure(BaseModel):
    """One hardware figure. What was not measured has no Figure: absent, never zero or a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: Quantity = Field(description="what is counted")
    value: float = Field(ge=0, allow_inf_nan=False, description="in its unit")
    unit: str = Field(description="such as LUT, cycles, ns, MHz")
    fidelity: Fidelity = Field(description="how it was obtained")
    tool: str = Field(min_length=1, description="what measured it")
    version: str = Field(min_length=1, description="the tool's")
    settings: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        exclude_if=lambda settings: not settings,
        description="settings of the flow that made the firmware",
    )
    expected: Expected | None = Field(
        default=None,
        exclude_if=lambda expected: expected is None,
        description="what a closer tool should find, where this estimate was calibrated",
    )

    @classmethod
    def of(cls, quantity: Quantity, value: float, fidelity: Fidelity, tool: str, version: str) -> Figure:
        """Make a figure in the quantity's own unit."""
        return cls(
            quantity=quantity,
            value=float(value),
            unit=QUANTITIES[quantity][0],
            fidelity=fidelity,
            tool=tool,
            version=version,
        )


def find(figures: list[Figure], quantity: str, fidelity: Fidelity) -> Figure | None:
    """Return the figure of this quantity at exactly this fidelity, or None where nobody measured it."""
    return next((f for f in figures if f.quantity == quantity and f.fidelity == fidelity), None)
