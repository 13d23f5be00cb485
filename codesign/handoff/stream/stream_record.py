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

    name: str = Field(description="of the path")
    fires: float = Field(description="Hz above the threshold")
    error: float = Field(description="Hz, one standard deviation")
    prescaled: float = Field(description="Hz after the prescale")
    accepted: float = Field(description="Hz after dead time")


class StreamSection(_Part):
    """One second of simulated time, or less: crossings with collisions, their mean pile-up where it is simulated, and
    what was accepted."""

    number: int = Field(description="from 0")
    seconds: float = Field(description="of simulated time")
    pile_up: float | None = Field(description="mean number of collisions of a crossing; null where it is not simulated")
    collisions: int = Field(description="crossings with collisions")
    fired: int = Field(description="of which a path fires")
    prescaled: int = Field(description="left after the prescales")
    accepted: int = Field(description="left after dead time")


class ScoreHistogram(_Part):
    """Of one output: ``hz[i]`` collisions a second have a code from ``edges[i]`` to below ``edges[i + 1]``, the last
    bin with its upper edge."""

    name: str = Field(description="of the output")
    edges: tuple[float, ...] = Field(description="codes, rising")
    hz: tuple[float, ...] = Field(description="of each bin")


class FirmwareAgreement(_Part):
    """Firmware beside emulator: ``how`` the firmware was run, on how many events, how many of them differ in an integer
    or a path's bit."""

    how: str = Field(description="the firmware was run")
    events: int = Field(description="that were compared")
    integers_differ: int = Field(description="events with another integer")
    bits_differ: int = Field(description="bits of paths that are others")
    first: str | None = Field(default=None, description="the first difference, in words")


class Alarm(_Part):
    """Something that must not be missed."""

    kind: Literal["firmware differs", "drift"] = Field(description="what went wrong")
    said: str = Field(description="in one line")


class StreamRecord(_Part):
    """The record of a stream."""

    made_by: Literal["codesign stream"] = Field(default="codesign stream", description="the command")
    version: str = Field(default=__version__, description="of codesign")
    bundle: str = Field(description="SHA-256 of the manifest")
    design: str = Field(description="content hash of the bundle's design")
    origin: str = Field(description="the distinct events")
    distinct_events: int = Field(description="of which the stream draws")
    way: Literal["counted", "every"] = Field(
        description="counted: each distinct event is computed once a section; every: each collision is"
    )
    pile_up: tuple[float, float] | None = Field(description="mean at the begin and the end of the fill")
    crossings_hz: float = Field(description="of the clock")
    filled: float = Field(description="share of crossings with collisions")
    collisions_hz: float = Field(description="crossings with collisions")
    simulated_s: float = Field(description="simulated time")
    menu: Menu = Field(description="its paths")
    tuned: Tuned | None = Field(description="null where no rate was asked for")
    sections: tuple[StreamSection, ...] = Field(description="a second each")
    paths: tuple[PathRate, ...] = Field(description="rates of each")
    accepted_hz: float = Field(description="by any path, after dead time")
    dead_time: float = Field(description="share of what was left after prescales that fell into dead time")
    scores: tuple[ScoreHistogram, ...] = Field(description="of each output")
    reference: str = Field(description="what the distributions are compared with")
    drift: tuple[Drift, ...] = Field(description="of each quantity, where it was largest")
    compared: tuple[FirmwareAgreement, ...] = Field(description="firmware beside emulator")
    alarms: tuple[Alarm, ...] = Field(description="none where all is well")
    kept: int = Field(description="events written to the file")
    wall_s: float = Field(description="time that it took")
    times_real_time: float = Field(description="simulated over measured seconds, without build, RTL and files")
    emulated_events: int = Field(description="computed by the emulator")
    emulated_per_s: float = Field(description="drawing and paths included where every collision is computed")
    emulated_times_real_time: float = Field(description="computed events over collisions, a second each")
    cores: int = Field(description="that it ran on")
    planted: str | None = Field(default=None, description="what was changed in the emulator on purpose")
    seed: int = Field(description="of what is drawn")
