"""What the flow ``finn`` records of its firmware, and reads back."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.rtl.firmware_record import Count, FirmwareRecord, Inside, Size, Source, Word

__all__ = ("FinnRecord", "FinnSettings")

Some = Annotated[int, Field(ge=1, le=1 << 30)]


class FinnSettings(BaseModel):
    """How one candidate is folded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    initiation_interval: int = Field(
        default=16,
        ge=1,
        description="clock cycles between two events that folding aims at; layers may need fewer, converters more",
    )


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Estimates(_Part):
    """FINN's own figures, by layer and of all."""

    cycles: dict[Word, Count]
    resources: dict[Word, dict[Word, Size]]
    initiation_interval: Count
    latency_cycles: Count


class _Layer(_Part):
    """How one layer was folded; the second half is of matrices only."""

    name: Word
    kind: Word
    PE: Some
    bits: Some
    SIMD: Some | None = None
    weight_bits: int | None = Field(default=None, ge=1, le=24)
    activation_bits: Some | None = None
    narrow: bool | None = None

    @model_validator(mode="after")
    def _matrix(self) -> Self:
        matrix = (self.SIMD, self.weight_bits, self.activation_bits, self.narrow)
        if self.kind == "MVAU_rtl" and None in matrix:
            raise ValueError("a matrix needs SIMD, weight_bits, activation_bits and narrow")
        return self


class _Module(_Part):
    """One module of FINN's, or the library that they share."""

    kind: Word
    sources: tuple[Inside, ...]
    data: tuple[Inside, ...]
    name: Word | None = None
    module: Word | None = None
    input_bits: Some | None = None
    output_bits: Some | None = None
    memory: Word | None = None
    weight_stream_bits: Some | None = None
    bits: tuple[Some, Some] | None = None
    beats: Some | None = None


class _End(_Part):
    """Integers of the first layer's input or the last one's output, and how many come at once."""

    bits: Some
    parallel: Some
    signed: bool | None = None


class FinnRecord(FirmwareRecord):
    """What is recorded of one firmware."""

    settings: FinnSettings
    sources: tuple[Source, ...] = Field(min_length=1)
    data: tuple[Inside, ...]
    stripped: tuple[str, ...]
    estimates: _Estimates
    folding: tuple[_Layer, ...]
    modules: tuple[_Module, ...]
    input: _End
    output: _End
    version: str
