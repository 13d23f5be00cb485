"""An FPGA target: part, resources, clock, latency budget. One YAML each in ``targets/``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from codesign.core import resources
from codesign.core.reading.yaml import read_yaml
from codesign.core.validation import validate

__all__ = ("CROSSING_MHZ", "Resources", "Target", "load_target")

#: stands in scripts of many tools, and in the names of files and folders
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
#: rate at which bunches cross in the LHC, 40.079 MHz, as clocks of firmware are made multiples of it: 360 MHz are nine
CROSSING_MHZ = 40.0
#: of anything that a chip has
_MOST = 10**9


class Resources(BaseModel):
    """What the part has, from its data sheet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lut: int = Field(gt=0, le=_MOST, description="look-up tables of six inputs; of four where the family has those")
    ff: int = Field(gt=0, le=_MOST, description="flip-flops")
    dsp: int = Field(ge=0, le=_MOST, description="DSP slices")
    bram: float = Field(ge=0, le=_MOST, allow_inf_nan=False, description="36 kbit blocks")
    slrs: int = Field(
        default=1,
        ge=1,
        le=64,
        description="super logic regions, dies on which these are spread evenly; 1: a single die",
    )
    source: str = Field(description="the data sheet the figures are from")

    @property
    def lut_of_slr(self) -> float:
        """Look-up tables of one super logic region; paths between two of them are slow and few."""
        return self.lut / self.slrs


class Target(BaseModel):
    """An FPGA at a clock frequency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_NAME, description="letters, digits and any of . _ -: it names files, too")
    description: str = Field(description="which chip, on which board, in a line")
    part: str = Field(pattern=_NAME, description="ordering code of the vendor's tools")
    family: Literal["xcup", "xcu", "xc7", "ecp5", "nexus"] = Field(description="Yosys' name of the architecture")
    clock_mhz: float = Field(ge=1e-3, le=1e5, description="the clock of the design")
    latency_budget_ns: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="what a design may take, where the experiment says so"
    )
    stage_delay: float = Field(
        gt=0,
        allow_inf_nan=False,
        description="logic between two registers, in units of the compiler's adder delay: sets the pipeline's depth",
    )
    board: str | None = Field(
        default=None, pattern=_NAME, description="board for which a bitstream can be made, if any"
    )
    resources: Resources = Field(description="what the chip has")

    @property
    def clock_ns(self) -> float:
        """Clock period in ns."""
        return 1e3 / self.clock_mhz

    def made_for(self) -> dict[str, JsonValue]:
        """What firmware, its proof and its figures depend on: not the SLRs, which bound a search alone, so that what an
        earlier release made and sealed stays what it was."""
        found: dict[str, JsonValue] = self.model_dump(mode="json", exclude={"resources": {"slrs"}})
        return found

    @property
    def free_interval(self) -> int:
        """Clocks from one bunch crossing to the next: the largest interval that costs no event."""
        return max(1, int(self.clock_mhz / CROSSING_MHZ))


def load_target(name: str) -> Target:
    """Load a target by shipped name or by path; InputError if it is unknown or not valid."""
    path = resources.locate("targets", name)
    return validate(Target, read_yaml(path), str(path))
