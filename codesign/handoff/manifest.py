"""The manifest of a bundle: what it holds, what each bit means, and how it was proven."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from codesign.core.figures import Figure
from codesign.core.layout import MOST_BLOCKS, Layout
from codesign.core.records import Metric, Verified
from codesign.core.targets import Target
from codesign.handoff.cmssw.profile import Profile

__all__ = (
    "FORMAT_VERSION",
    "READABLE_VERSIONS",
    "BundleFile",
    "Component",
    "InputSignal",
    "Manifest",
    "OutputSignal",
    "TargetFacts",
    "Trigger",
)

#: what :func:`codesign.handoff.write_bundle` writes; since 3 it names the tools, and holds the whole target
FORMAT_VERSION: Literal[3] = 3
READABLE_VERSIONS = (2, 3)
#: the widest code; integers of a design are 64 bits wide at most
_WIDEST = 64
#: binary places beyond which a float64 is 0 or infinite
_MOST_PLACES = 1000


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Signal(_Part):
    name: str = Field(description="as the sample or the task has it")
    type: str = Field(description="fixed<width,integer bits with sign> or ufixed<width,integer bits>")
    signed: bool = Field(description="whether codes may be negative")
    width: int = Field(ge=0, le=_WIDEST, description="bits")
    fraction_bits: int = Field(ge=-_MOST_PLACES, le=_MOST_PLACES, description="the value is code * 2**-fraction_bits")
    high_bit: int | None = Field(description="highest bit in the packed port; null for a signal of width 0, always 0")
    low_bit: int | None = Field(description="lowest bit in the packed port")


class InputSignal(_Signal):
    """One input: ``code = clip(floor((x - offset) / step + 1/2), minimum, maximum)``."""

    unit: str = Field(description="of the offset and the step; '1' for a number")
    offset: float = Field(description="physical value of code 0")
    step: float = Field(gt=0, description="physical value of one unit of the code")
    minimum: int = Field(description="smallest code")
    maximum: int = Field(description="largest code")


class OutputSignal(_Signal):
    """One output."""


class Trigger(_Part):
    """The output that the firmware compares with its programmable threshold: the bit is ``code >= threshold``."""

    output: str = Field(description="its name")
    threshold: float | None = Field(description="fixed on the validation split; null where the task fixes none")
    threshold_code: int | None = Field(description="the smallest code of the output that reaches it")


class TargetFacts(_Part):
    """What the design was compiled for."""

    name: str = Field(description="of the target")
    part: str = Field(description="the chip's own name")
    clock_mhz: float = Field(gt=0, description="the clock of the design")
    whole: Target | None = Field(default=None, description="the target's file, to compile the firmware again")


class Component(_Part):
    """Files of somebody else's making in the bundle."""

    files: str = Field(description="folder in the bundle")
    origin: str = Field(description="whose it is, and where it comes from")
    licence: str = Field(description="SPDX expression")


class BundleFile(_Part):
    """One file of the bundle."""

    path: str = Field(min_length=1, description="relative to the bundle, with forward slashes")
    size: int = Field(ge=0, description="bytes")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of its content")


class Manifest(_Part):
    """``manifest.json`` of a bundle."""

    format_version: Literal[2, 3] = Field(description="of the bundle; 3 where it has blocks of items")
    study: str = Field(description="its name")
    description: str = Field(default="", description="the study's")
    task: str = Field(description="what the model does")
    family: str = Field(description="the kind of model")
    flow: str = Field(description="what made the firmware")
    target: TargetFacts = Field(description="the chip and the clock")
    trial: int = Field(ge=0, description="its number in the run")
    design: str = Field(pattern="^[0-9a-f]{64}$", description="content hash of the design")
    config: dict[str, Any] = Field(description="what was searched, as config.json of the trial has it")
    seed: int = Field(description="of the training")
    top: str | None = Field(description="name of the top module; null where the flow made no RTL")
    protocol: str | None = Field(description="how events enter the RTL: pipelined, started, or axi-stream")
    sources: list[str] = Field(description="Verilog files of the design, relative to the bundle")
    latency_cycles: int | None = Field(ge=1, description="as simulated; null where there is no RTL")
    inputs: list[InputSignal] = Field(description="in the order of the packed port")
    blocks: list[Layout] = Field(
        default_factory=list,
        max_length=MOST_BLOCKS,
        exclude_if=lambda blocks: not blocks,
        description="the inputs' blocks, in their order, each row-major; absent where they are features alone",
    )
    outputs: list[OutputSignal] = Field(description="in the order of the packed port")
    meanings: dict[str, str] = Field(
        default_factory=dict,
        exclude_if=lambda meanings: not meanings,
        description="of outputs, by name, what their values mean, in words",
    )
    metrics: dict[str, Metric] = Field(description="on the test split")
    working_points: dict[str, float] = Field(
        default_factory=dict, description="what was fixed on the validation split before judging, such as thresholds"
    )
    trigger: Trigger | None = Field(default=None, description="null where nothing is compared with a threshold")
    validation: dict[str, Metric] = Field(description="on the validation split, which the search used")
    baseline: dict[str, Metric] = Field(default_factory=dict, description="the classical baseline on the test split")
    figures: list[Figure] = Field(description="every hardware figure that was measured")
    verified: Verified = Field(description="the verdict of the RTL simulation")
    sample: dict[str, Any] = Field(description="where the events come from")
    notes: list[str] = Field(default_factory=list, description="what a user should know, a line each")
    codesign: str = Field(description="version of codesign that wrote the bundle")
    tools: dict[str, str] = Field(
        default_factory=dict, description="versions of what else shaped the bytes of its files; absent before format 3"
    )
    parameters: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)]] = Field(
        default=["weights.safetensors"], description="files of the trained model; no other file is made from them"
    )
    licence: str = Field(min_length=1, description="SPDX expression, for all files but those under components")
    components: list[Component] = Field(default_factory=list, description="what is not made by codesign")
    cmssw: Profile | None = Field(
        default=None,
        exclude_if=lambda profile: profile is None,
        description="what the library in cmssw/ is made for; absent where the bundle has none",
    )
    destination: str | None = Field(
        default=None,
        pattern="^[a-z0-9-]{1,20}$",
        exclude_if=lambda destination: destination is None,
        description="the place whose entities and pattern files are in the folder of its name; absent where none are",
    )
    files: list[BundleFile] = Field(description="every file but this one")
