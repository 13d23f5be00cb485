"""An FPGA target: part, resources, clock, latency budget. One YAML each in ``targets/``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from codesign import resources
from codesign.reading.yaml import read_yaml
from codesign.validation import validated

__all__ = ("Resources", "Target", "load_target")


class Resources(BaseModel):
    """What the part has, from its data sheet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lut: int = Field(gt=0)
    ff: int = Field(gt=0)
    dsp: int = Field(ge=0)
    bram: float = Field(ge=0, description="36 kbit blocks")
    source: str = Field(description="the data sheet the figures are from")


class Target(BaseModel):
    """An FPGA at a clock frequency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str
    part: str = Field(description="ordering code of the vendor's tools")
    family: Literal["xcup", "xcu", "xc7", "ecp5", "nexus"] = Field(description="Yosys' name of the architecture")
    clock_mhz: float = Field(gt=0)
    latency_budget_ns: float | None = Field(default=None, gt=0)
    stage_delay: float = Field(
        gt=0,
        description="logic between two registers, in units of the compiler's adder delay: sets the pipeline's depth",
    )
    board: str | None = Field(default=None, description="board for which a bitstream can be made, if any")
    resources: Resources

    @property
    def clock_ns(self) -> float:
        """Clock period in ns."""
        return 1e3 / self.clock_mhz


def load_target(name: str) -> Target:
    """Load a target by shipped name or by path; InputError if it is unknown or not valid."""
    path = resources.locate("targets", name)
    return validated(Target, read_yaml(path), str(path))
