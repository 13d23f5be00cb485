"""The modules of a folded design: what is done to each item, and what once an event, each compiled by alkaid."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from alkaid.stateful import FSM
from alkaid.trace import FVArray, HWConfig, to_pipeline, trace
from alkaid.types import CombLogic

from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.core.probes import probe_codes
from codesign.core.runfolder import write_atomically
from codesign.core.targets import Target
from codesign.flows.alkaid.alkaid_domain import Signals
from codesign.flows.alkaid.alkaid_files import save_program, write_verilog
from codesign.flows.alkaid.alkaid_passes import optimise
from codesign.graph.clockwork import Compute, compute, evaluate
from codesign.graph.domain import Array
from codesign.graph.items import run_step
from codesign.graph.schedule import FoldedGraph, FoldPhase
from codesign.rtl.bits import concatenate, convert, offsets_of, total_width

__all__ = ("Module", "compile_modules", "computed_by", "program_name")

#: rows of what comes to a module on which it is tried after every pass
_TRIED = 1500
#: a module of so few bits is tried on all that its ports can carry, of more on that many rows of it
_ALL_BITS, _ANYTHING = 14, 6000
_STAGE = re.compile(r"\blogic(\d+)\b")


@dataclass(frozen=True)
class Module:
    """A compiled phase: its module, clocks from input to output, and what alkaid says of its size."""

    phase: FoldPhase
    name: str
    latency: int
    lut: float
    flip_flops: int
    notes: tuple[str, ...]


def program_name(phase: FoldPhase) -> str:
    """File of a module's circuit for alkaid's interpreter."""
    return f"program_{phase.name}.json.gz"


def compile_modules(
    folded: FoldedGraph, values: Array, target: Target, folder: Path, stage_delay: float
) -> dict[str, Module]:
    """Compile every phase that computes into ``folder/src``; tried on what comes to it of ``values`` (events, n)."""
    seen: dict[str, Mapping[str, Array]] = {}

    def keep(phase: FoldPhase, inputs: Mapping[str, Array]) -> dict[str, Array]:
        seen[phase.name] = {n: x[:_TRIED] for n, x in inputs.items()}
        return compute(folded, phase, inputs)

    evaluate(folded, values, keep)
    found = {}
    for phase in folded.phases:
        if phase.is_module and not phase.wires:
            found[phase.name] = _compile(folded, phase, seen[phase.name], target, folder, stage_delay)
    return found


def _kinds(folded: FoldedGraph, names: Sequence[str]) -> tuple[FixedPoint, ...]:
    return tuple(kind for name in names for kind in folded.types[name])


def _join(inputs: Mapping[str, Array], names: Sequence[str]) -> Array:
    """Values of several names, flat, one row each."""
    return np.ascontiguousarray(np.concatenate([inputs[n].reshape(len(inputs[n]), -1) for n in names], axis=1))


def _split(folded: FoldedGraph, names: Sequence[str], flat: Array) -> dict[str, Array]:
    """What :func:`_join` has joined."""
    shapes = [folded.values[n].shape for n in names]
    parts = np.split(flat, np.cumsum([prod(s) for s in shapes])[:-1], axis=1)
    return {n: part.reshape(-1, *shape) for n, part, shape in zip(names, parts, shapes, strict=True)}


def _carried(kinds: Sequence[FixedPoint]) -> Array:
    """Values that ports of these types can carry: all of them where they have few bits, else drawn.

    What comes to a module of some events leaves out much of it: a pass of alkaid was wrong for one item in sixty, and
    for none of those of a hundred events.
    """
    port = Port(name="carried", types=tuple(kinds), labels=tuple(f"x{i}" for i in range(len(kinds))))
    if port.width > _ALL_BITS:
        return port.values(probe_codes(port, _ANYTHING))
    low, high = port.bounds
    number = high - low + 1
    return port.values(np.stack(np.unravel_index(np.arange(number.prod()), number), axis=1) + low)


def _compile(
    folded: FoldedGraph, phase: FoldPhase, rows: Mapping[str, Array], target: Target, folder: Path, stage_delay: float
) -> Module:
    given = np.concatenate([_join(rows, phase.inputs), _carried(_kinds(folded, phase.inputs))])
    truth = _join(compute(folded, phase, _split(folded, phase.inputs, given)), phase.outputs)
    circuit, notes = optimise(_trace(folded, phase), lambda c: np.array_equal(c.predict(given, n_threads=1), truth))
    pipeline = to_pipeline(circuit, latency_cutoff=stage_delay, verbose=False, reg_inp=not phase.direct)
    name = f"codesign_{phase.name}"
    latency, bits = _write(folded, phase, pipeline, name, target, folder)
    save_program(circuit, folder / program_name(phase))
    return Module(phase, name, latency + 1, float(circuit.cost), bits, tuple(notes))


def _trace(folded: FoldedGraph, phase: FoldPhase) -> CombLogic:
    kinds = _kinds(folded, phase.inputs)
    signal = FVArray.from_kif(
        np.array([[int(t.signed) for t in kinds]]),
        np.array([[t.integer_bits for t in kinds]]),
        np.array([[t.fraction_bits for t in kinds]]),
        HWConfig(1, -1, -1),
    )
    domain, low = Signals(), 0
    signals = {}
    for name in phase.inputs:
        value = folded.values[name]
        part = domain.take(signal, np.arange(low, low + value.size), 1)
        signals[name], low = domain.reshape(part, value.shape), low + value.size
    for step in phase.steps:
        signals.update(zip(step.outputs, run_step(step, signals, folded.constants, domain), strict=True))
    flat = [domain.reshape(signals[o], (prod(folded.values[o].shape),)) for o in phase.outputs]
    return trace(signal, flat[0] if len(flat) == 1 else domain.concat(flat, 1), optimize=False)


def _write(
    folded: FoldedGraph, phase: FoldPhase, pipeline: FSM, name: str, target: Target, folder: Path
) -> tuple[int, int]:
    """Write the module and its core, whose stages get names of their own; latency and bits of registers."""
    core, work = f"{name}_core", folder / name
    rtl = write_verilog(pipeline, work, core, target)
    sources, own = folder / "src", f"{name}_logic"
    for path in sorted((work / "src").glob("*.v")):
        text = _STAGE.sub(rf"{own}\1", path.read_text(encoding="utf-8"))
        write_atomically(sources / _STAGE.sub(rf"{own}\1", path.name), text.encode())
    for path in sorted((work / "src" / "static").glob("*.v")):
        write_atomically(sources / "static" / path.name, path.read_bytes())
    shutil.rmtree(work)
    core_in, core_out = (types_of_signal(signals[0]) for signals in (rtl.fsm.inp_signals, rtl.fsm.out_signals))
    kinds = (_kinds(folded, phase.inputs), _kinds(folded, phase.outputs))
    write_atomically(sources / f"{name}.v", _wrapper(name, core, kinds, (core_in, core_out)).encode())
    return int(rtl.latency), int(rtl.reg_bits)


_Kinds = tuple[Sequence[FixedPoint], Sequence[FixedPoint]]


def _wrapper(name: str, core: str, outer: _Kinds, inner: _Kinds) -> str:
    """A module with the schedule's types around the core, whose ports alkaid chose, element by element.

    Where alkaid thinks an output finer than it can be, its lowest bits are always 0.
    """
    widths = [total_width(kinds) for kinds in (*outer, *inner)]
    if not all(widths):
        raise UnsupportedError("a part of the circuit is constant: fewer bits of it depend on the inputs than one")
    sides = []
    for vector, given, wanted in (("model_inp", outer[0], inner[0]), ("core_out", inner[1], outer[1])):
        parts: list[str] = []
        for low, from_, to in zip(offsets_of(given), given, wanted, strict=True):
            parts += convert(vector, low, from_, to)
        sides.append(concatenate(parts))
    return f"""\
`timescale 1 ns / 1 ps

module {name} (
    input wire clk,
    // verilator lint_off UNUSEDSIGNAL
    input wire [{widths[0] - 1}:0] model_inp,
    // verilator lint_on UNUSEDSIGNAL
    output wire [{widths[1] - 1}:0] model_out
);
    // verilator lint_off UNUSEDSIGNAL
    wire [{widths[3] - 1}:0] core_out;
    // verilator lint_on UNUSEDSIGNAL
    {core} core (.clk(clk), .model_inp({sides[0]}), .model_out(core_out));
    assign model_out = {sides[1]};
endmodule
"""


def types_of_signal(signal: object) -> list[FixedPoint]:
    """Types of the elements of an alkaid port; without bits where one is constant."""
    return [
        FixedPoint(signed=bool(k), integer_bits=int(i), fraction_bits=int(f))
        if k + i + f > 0
        else FixedPoint(signed=False, integer_bits=0, fraction_bits=0)
        for k, i, f in signal.precisions  # type: ignore[attr-defined]
    ]


def computed_by(folded: FoldedGraph, programs: Mapping[str, CombLogic]) -> Compute:
    """What alkaid's interpreter gives of each module's circuit."""

    def run(phase: FoldPhase, inputs: Mapping[str, Array]) -> dict[str, Array]:
        if phase.name not in programs:
            return compute(folded, phase, inputs)
        out = programs[phase.name].predict(_join(inputs, phase.inputs), n_threads=1)
        sizes = np.cumsum([folded.values[o].size for o in phase.outputs])[:-1]
        return dict(zip(phase.outputs, np.split(out, sizes, axis=1), strict=True))

    return run
