"""What a stream says of itself: ``stream.json``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from codesign import __version__
from codesign.handoff.stream.budget import Tuned
from codesign.handoff.stream.drift import Drift
from codesign.handoff.stream.trigger_menu import Menu

__all__ = ("Alarm", "FirmwareAgreement", "PathRate", "ScoreHistogram", "StreamRecord", "StreamSection")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PathRate(_Part):
    """Of one path, Hz of simulated time: what fires, what is left after the prescale, and after dead time.

    ``error``: of ``fires``, from the number of distinct events; an error of counting is in none of them.
    """

    name: str
    fires: float
    error: float
    prescaled: float
    accepted: float


class StreamSection(_Part):
    """One second of simulated time, or less: crossings with collisions, their mean pile-up where it is simulated, and
    what was accepted."""

    number: int
    seconds: float
    pile_up: float | None
    collisions: int
    fired: int
    prescaled: int
    accepted: int


class ScoreHistogram(_Part):
    """Of one output: ``hz[i]`` collisions a second have a code from ``edges[i]`` to below ``edges[i + 1]``, the last
    bin with its upper edge."""

    name: str
    edges: tuple[float, ...]
    hz: tuple[float, ...]


class FirmwareAgreement(_Part):
    """Firmware beside emulator: ``how`` the firmware was run, on how many events, how many of them differ in an integer
    or a path's bit."""

    how: str
    events: int
    integers_differ: int
    bits_differ: int
    first: str | None = None


class Alarm(_Part):
    """Something that must not be missed."""

    kind: Literal["firmware differs", "drift"]
    said: str


class StreamRecord(_Part):
    """The record of a stream."""

    made_by: Literal["codesign stream"] = "codesign stream"
    version: str = __version__
    bundle: str = Field(description="SHA-256 of the manifest")
    design: str
    origin: str = Field(description="the distinct events")
    distinct_events: int
    way: Literal["counted", "every"] = Field(
        description="counted: each distinct event is computed once a section; every: each collision is"
    )
    pile_up: tuple[float, float] | None = Field(description="mean at the begin and the end of the fill")
    crossings_hz: float
    filled: float = Field(description="share of crossings with collisions")
    collisions_hz: float
    simulated_s: float
    menu: Menu
    tuned: Tuned | None
    sections: tuple[StreamSection, ...]
    paths: tuple[PathRate, ...]
    accepted_hz: float
    dead_time: float = Field(description="share of what was left after prescales that fell into dead time")
    scores: tuple[ScoreHistogram, ...]
    reference: str = Field(description="what the distributions are compared with")
    drift: tuple[Drift, ...] = Field(description="of each quantity, where it was largest")
    compared: tuple[FirmwareAgreement, ...]
    alarms: tuple[Alarm, ...]
    kept: int
    wall_s: float
    times_real_time: float = Field(description="simulated over measured seconds, without build, RTL and files")
    emulated_events: int
    emulated_per_s: float = Field(description="drawing and paths included where every collision is computed")
    emulated_times_real_time: float = Field(description="computed events over collisions, a second each")
    cores: int
    planted: str | None = Field(default=None, description="what was changed in the emulator on purpose")
    seed: int
