"""Firmware of what repeats: a module for each item, or for some of them that take turns, an event every so many clocks.

With an interval of 1 nothing takes turns, and every item has a module of its own: the same circuit, as many copies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from alkaid.types import CombLogic
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.core.runfolder import write_atomically
from codesign.core.targets import Target
from codesign.flows.alkaid.alkaid_files import load_program
from codesign.flows.alkaid.folded_modules import compile_modules, computed_by, program_name
from codesign.graph.clockwork import evaluate
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.graph.schedule import FoldedGraph, fold
from codesign.graph.streams import CannotFold, Kind
from codesign.rtl.folded_top import folded_top, transport_of
from codesign.rtl.transport import Beats

__all__ = ("FoldedFirmware", "compile_folded", "most_copies", "predict_folded")

#: alkaid's LUTs to those that Yosys counts, for what is written here
_GATE = 1.0
#: copies of a module from which on it is synthesised by itself, and counted so often
_APART = 8


@dataclass(frozen=True)
class FoldedFirmware:
    """What was written: see :class:`codesign.flows.alkaid.flow.AlkaidRecord` for the fields of the same names."""

    interval: int
    latency_cycles: int
    lut: float
    ff: int
    notes: tuple[str, ...]
    beats: int
    items: int
    repeated: tuple[str, ...]


def most_copies(design: Design) -> int:
    """How many copies of its largest part an unrolled design has: 1 where nothing repeats."""
    try:
        phases = fold(read_graph(design.onnx), design.inputs, 1).phases
    except CannotFold:
        return 1
    return max((p.lanes for p in phases if p.kind is Kind.ITEM and not p.wires), default=1)


def folded_of(design: Design, interval: int) -> FoldedGraph:
    """The design's graph, folded; UnsupportedError, CannotFold by its node, where it cannot be."""
    folded = fold(read_graph(design.onnx), design.inputs, interval)
    repeats = any(p.lanes > 1 for p in folded.phases)
    if not repeats and interval == 1:
        raise UnsupportedError("the design has no items of which each could have a module of its own")
    turns = any(p.kind is Kind.REDUCE or (p.kind is Kind.ITEM and not p.wires) for p in folded.phases)
    if interval > 1 and (folded.interval == 1 or not turns):
        raise UnsupportedError(
            f"the design has no items that could be folded into {interval} clocks; compile it with interval 1"
        )
    return folded


def compile_folded(
    design: Design,
    target: Target,
    folder: Path,
    top: str,
    interval: int,
    transport: str,
    stage_delay: float,
    codes: NDArray[np.int64],
    items: int | None = None,
) -> FoldedFirmware:
    """Write the sources into ``folder/src``; every module is tried on what comes to it of ``codes`` (events, n).

    ``items``: of a beat, where the transport is beats; None: as many as the schedule takes at once.
    """
    folded = folded_of(design, interval)
    (folder / "src").mkdir(parents=True)
    modules = compile_modules(folded, design.inputs.values(codes), target, folder, stage_delay)
    tree = 4 if stage_delay >= 3 else 2
    schedule = folded.timed({name: m.latency for name, m in modules.items()}, tree)
    way = transport_of(schedule, transport, items)
    written = folded_top(top, design, schedule, {name: m.name for name, m in modules.items()}, way)
    write_atomically(folder / "src" / f"{top}.v", written.text.encode())
    copies = {name: m.phase.lanes for name, m in modules.items()}
    return FoldedFirmware(
        interval=schedule.interval,
        # counted from the edge that samples the first word: the clock before the result's
        latency_cycles=written.latency - 1,
        lut=sum(m.lut * copies[n] for n, m in modules.items()) + _GATE * written.gates + written.shifts,
        ff=sum(m.flip_flops * copies[n] for n, m in modules.items()) + written.flip_flops,
        notes=tuple(dict.fromkeys(note for m in modules.values() for note in m.notes)),
        beats=way.beats if isinstance(way, Beats) else 0,
        items=way.items if isinstance(way, Beats) else 0,
        repeated=tuple(name for name, copies in written.copies.items() if copies >= _APART),
    )


@lru_cache(maxsize=64)
def _program(path: Path, design: str) -> CombLogic:
    # 'design' is part of the cache's key: another design may be compiled into the same folder
    return load_program(path)


def predict_folded(design: Design, folder: Path, interval: int, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Output codes of input codes (events, n): each module by alkaid's interpreter, the rest as it is scheduled."""
    folded = folded_of(design, interval)
    programs = {
        p.name: _program(folder / program_name(p), design.hash)
        for p in folded.phases if p.is_module and not p.wires
    }  # fmt: skip
    return design.outputs.codes(evaluate(folded, design.inputs.values(codes), computed_by(folded, programs)))


def agrees(design: Design, interval: int, codes: NDArray[np.int64]) -> bool:
    """Whether the folded graph gives the graph's own integers."""
    values = design.inputs.values(codes)
    return np.array_equal(evaluate(folded_of(design, interval), values), read_graph(design.onnx).run(values, Exact()))
