"""What was done to somebody else's model on its way to a design, and how far its own execution agrees with it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from codesign.core.fixedpoint import Port

__all__ = ("Agreement", "Change", "ImportReport", "Improvement", "LayerFacts", "SourceFile", "types_in_words")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SourceFile(_Part):
    """The file, or module, that was imported."""

    name: str = Field(description="of the file, without its folder; of a module, its class")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", description="of the file as it was given")
    kind: str = Field(description="such as QONNX, ONNX, Brevitas module, Keras 3 model")
    producer: str = Field(default="", description="what wrote it, as it says itself")


class Change(_Part):
    """One thing that the design has otherwise than the source, and why the integers stay the same."""

    what: Literal["input", "folded", "cut", "dropped", "thresholds", "table", "narrowed"] = Field(
        description="kind of change"
    )
    where: str = Field(description="the node or layer of the source")
    how: str = Field(description="in words")


class LayerFacts(_Part):
    """One layer of the source, in order of execution."""

    name: str = Field(description="as the source has it")
    kind: str = Field(description="its operator or class")
    weights: int = Field(default=0, ge=0, description="all of them")
    nonzero: int = Field(default=0, ge=0, description="weights that are not 0")


class Agreement(_Part):
    """The source's own execution beside the design: rows equal of rows tried.

    Where the source computes in floating point with scales that are no powers of two, it may round another way than
    exact arithmetic does; the design is then the exact one, and each such row is explained by evaluating the source
    again in float64.
    """

    runner: str = Field(description="what ran the source, such as onnxruntime 1.25.1")
    tried: int = Field(ge=0, description="rows")
    equal: int = Field(ge=0, description="rows whose outputs are all equal")
    events: int = Field(default=0, ge=0, description="of the rows tried, those that are given events")
    largest_gap: float = Field(default=0.0, ge=0, description="of an output, in units of its least significant bit")
    explained: int = Field(default=0, ge=0, description="of the rows that differ, those explained by float64")

    @property
    def whole(self) -> bool:
        """Whether every row is equal, or explained."""
        return self.equal + self.explained >= self.tried


class Improvement(_Part):
    """One pass over the graph (``codesign import --improve``), compared with what it was given: same integers.

    Pairs are before and after; absent where they are not counted or measured.
    """

    step: str = Field(description="name of the pass")
    done: tuple[str, ...] = Field(description="a line for each thing: which node, and what")
    operations: tuple[int, int] = Field(description="nodes of the graph")
    bit_operations: tuple[float, float] | None = Field(default=None, description="effective bit operations")
    luts: tuple[float, float] | None = Field(default=None, description="as the run's compiler counts them")
    checked: int = Field(ge=0, description="input codes on which both graphs were run")
    whole: bool = Field(description="whether those are all that there are")


class ImportReport(_Part):
    """``imported.json`` of a trial: where its design comes from."""

    source: SourceFile = Field(description="what was imported")
    layers: tuple[LayerFacts, ...] = Field(description="of the source, in order of execution")
    inputs: tuple[str, ...] = Field(description="name and type of each input, equal ones together")
    outputs: tuple[str, ...] = Field(description="name and type of each output, equal ones together")
    input_types: Literal["declared", "the model's own quantiser", "the model's own types"] = Field(
        description="where the types of the inputs come from"
    )
    changes: tuple[Change, ...] = Field(default=(), description="what the design has otherwise than the source")
    output_scale: tuple[float, ...] = Field(
        default=(), description="what each output's value is to be multiplied by to give the source's; empty: 1 each"
    )
    output_offset: tuple[float, ...] = Field(default=(), description="what is to be added after that; empty: 0 each")
    operations: int = Field(default=0, ge=0, description="multiplications with weights that are not 0, of one event")
    weights: int = Field(default=0, ge=0, description="of all layers")
    nonzero_weights: int = Field(default=0, ge=0, description="weights that are not 0")
    ebops: float | None = Field(default=None, ge=0, description="effective bit operations; absent where not counted")
    agreement: tuple[Agreement, ...] = Field(
        default=(), description="the source's own execution beside the design, a runner each"
    )
    improvements: tuple[Improvement, ...] = Field(default=(), description="of --improve, a pass each")
    put_back: tuple[str, ...] = Field(default=(), description="passes that would have cost more, and what")
    notes: tuple[str, ...] = Field(default=(), description="what a user should know, a line each")

    def source_values(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The design's values (events, outputs) in the source's units, in which outputs are to be compared."""
        scale = np.asarray(self.output_scale or 1.0)
        return np.asarray(values * scale + np.asarray(self.output_offset or 0.0))

    @property
    def checked_on(self) -> str:
        """What its agreement is of, in words."""
        tried = max((a.tried for a in self.agreement), default=0)
        events = max((a.events for a in self.agreement), default=0)
        if not tried:
            return "not checked"
        return f"checked on {events:,} events and on random and extreme codes" if events else _CODES_ONLY


_CODES_ONLY = "checked on random and extreme codes only"


def types_in_words(port: Port) -> tuple[str, ...]:
    """Name and type of each element, neighbours of one type together."""
    words, start = [], 0
    for end in range(1, port.size + 1):
        if end == port.size or port.types[end] != port.types[start]:
            names = port.labels[start] if end == start + 1 else f"{port.labels[start]} to {port.labels[end - 1]}"
            words.append(f"{names}: {port.types[start]}")
            start = end
    return tuple(words)
