"""What a study may say of the flow ``alkaid``, what a candidate is given of it, and what is recorded of a firmware."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from codesign.core.layout import MOST_ELEMENTS
from codesign.core.space import Dimension, Fixed, IntDimension, bounds
from codesign.rtl.firmware_record import Count, FirmwareRecord, Identifier, Size, Source

__all__ = ("AlkaidRecord", "AlkaidSettings", "AlkaidSpace")

#: clocks between two events: a bunch crossing at 1.6 GHz
MOST_INTERVAL = 64


class AlkaidSettings(BaseModel):
    """Settings of one candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage_delay: float | None = Field(
        default=None, gt=0, description="logic between two registers, in adder delays; None: what the target allows"
    )
    interval: int | None = Field(
        default=None,
        ge=1,
        le=MOST_INTERVAL,
        description="clocks from one event to the next, at most; above 1 the design is folded. None: 1",
    )
    transport: Literal["parallel", "beats"] | None = Field(
        default=None, description="of a folded design: a whole event at once (None), or items beat by beat"
    )
    items: int | None = Field(
        default=None, ge=1, le=MOST_ELEMENTS, description="of the transport beats: items a beat. None: what it takes"
    )
    modules: Literal["whole", "items"] | None = Field(
        default=None,
        description="of an unrolled design: one circuit, or one for each item, all alike. None: what its size asks for",
    )


class AlkaidRecord(FirmwareRecord):
    """What is recorded of one firmware."""

    top: Identifier
    sources: tuple[Source, ...] = Field(min_length=1)
    latency_cycles: Count
    lut: Size
    ff: Count
    notes: tuple[str, ...]
    settings: AlkaidSettings = AlkaidSettings()
    alkaid: str
    #: of a folded design: clocks between two events; beats of an event and items of a beat, 0 where all come at once
    initiation_interval: int = Field(default=1, ge=1, le=MOST_INTERVAL)
    beats: int = Field(default=0, ge=0, le=MOST_INTERVAL)
    items: int = Field(default=0, ge=0, le=MOST_ELEMENTS)
    #: modules of which there are many copies
    repeated: tuple[Identifier, ...] = Field(default=(), exclude_if=lambda names: not names)
    #: whether an unrolled design has a module for each item
    by_items: bool = Field(default=False, exclude_if=lambda by_items: not by_items)


class AlkaidSpace(BaseModel):
    """What a study may write beside the flow's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage_delay: Dimension = Field(
        default=Fixed(None), description="a deeper pipeline than the target's clock needs: at most its stage_delay"
    )
    interval: IntDimension = Field(
        default=Fixed(1), description="clocks from one event to the next, at most: above 1 items are folded into them"
    )
    transport: Literal["parallel", "beats"] = Field(
        default="parallel", description="of a folded design: a whole event at once, or items beat by beat"
    )
    items: int | None = Field(
        default=None,
        ge=1,
        le=MOST_ELEMENTS,
        description="of the transport beats: items a beat, as links deliver them; by default as many as it takes",
    )
    modules: Literal["whole", "items"] | None = Field(
        default=None, description="of an unrolled design: one circuit, or one for each item; by default by its size"
    )

    @field_validator("interval")
    @classmethod
    def _within(cls, value: Dimension) -> Dimension:
        low, high = bounds(value)
        if not 1 <= low <= high <= MOST_INTERVAL:
            raise ValueError(f"an interval is 1 to {MOST_INTERVAL} clocks, not {low:g} to {high:g}")
        return value
