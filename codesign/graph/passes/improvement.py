"""All passes over a design, each compared with what it was given, and kept where it saves something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import CodesignError, UnsupportedError
from codesign.core.probes import probe_codes
from codesign.graph.cost import graph_cost
from codesign.graph.exact import Exact
from codesign.graph.interval import FLOAT64_EXACT, Interval, Intervals
from codesign.graph.passes.base import GraphPass
from codesign.graph.passes.channels import Channels, DeadWeights
from codesign.graph.passes.constants import FoldedConstants, LeftOut, SharedNodes
from codesign.graph.passes.narrowed import Narrowed
from codesign.graph.passes.shrunk_tables import LongerTables, ShrunkTables
from codesign.graph.passes.thresholds import Lines, ThresholdRows
from codesign.graph.reader import read_graph

__all__ = ("PASSES", "Improved", "Measure", "Saving", "domain_codes", "improve")

#: in the order in which they help one another
PASSES: tuple[GraphPass, ...] = (
    FoldedConstants(), SharedNodes(), LeftOut(), LongerTables(), ThresholdRows(), Lines(), ShrunkTables(), LeftOut(),
    DeadWeights(), Channels(), FoldedConstants(), SharedNodes(), Narrowed(),
)  # fmt: skip
#: input codes that are all tried where there are no more
_ALL = 1 << 16
_DRAWN = 2000
_AT_ONCE = 2000
#: times that a pass is repeated while it still finds something
_ROUNDS = 64

#: look-up tables of a design, by whoever compiles it; None where it does not compile
Measure = Callable[[Design], float | None]


@dataclass(frozen=True)
class Saving:
    """What one pass did: a line for each thing, with operations, bit operations and look-up tables before and after.

    ``checked``: input codes on which both graphs were run, all that there are where ``whole``. Bit operations and
    look-up tables are None where they are not counted or measured.
    """

    step: str
    done: tuple[str, ...]
    nodes: tuple[int, int]
    bit_operations: tuple[float, float] | None
    luts: tuple[float, float] | None
    checked: int
    whole: bool


@dataclass(frozen=True)
class Improved:
    """The design with what was saved, step by step, and what was tried and cost more than it saved."""

    design: Design
    savings: tuple[Saving, ...]
    put_back: tuple[str, ...] = ()


def improve(design: Design, measure: Measure | None = None, passes: tuple[GraphPass, ...] = PASSES) -> Improved:
    """Run the passes over a design; ports and integers stay.

    Each result is compared with what the pass was given: on every input code where there are few, else on random codes
    and all extremes, and by intervals at its outputs. A pass after which ``measure`` gives more look-up tables is taken
    back. CodesignError where a pass changes an integer: that is a fault of the pass, and nothing of it is kept.
    """
    codes, whole = domain_codes(design)
    truth = _run(design, codes)
    savings: list[Saving] = []
    back: list[str] = []
    luts = measure(design) if measure is not None else None
    for one in passes:
        found = design
        done: list[str] = []
        for _ in range(_ROUNDS):
            passed = one.run(found.onnx, design.inputs)
            if not passed.done:
                break
            done += passed.done
            found = replace(found, onnx=passed.content)
        if not done:
            continue
        if (why := _unfit(found)) is not None:
            back.append(f"{one.name}: {why}")
            continue
        if (wrong := int((_run(found, codes) != truth).any(axis=1).sum())) > 0:
            raise CodesignError(f"the pass '{one.name}' changes {wrong:,} of {len(codes):,} rows: it is at fault")
        after = measure(found) if measure is not None and luts is not None else None
        if luts is not None and (after is None or after > luts):
            costs = (
                "does not compile" if after is None else f"costs {after:,.0f} look-up tables in place of {luts:,.0f}"
            )
            back.append(f"{one.name}: {costs}, and is taken back")
            continue
        savings.append(
            Saving(
                one.name, tuple(done), (_nodes(design), _nodes(found)), _both(_bits(design), _bits(found)),
                _both(luts, after), len(codes), whole,
            )
        )  # fmt: skip
        design, luts = found, after
    return Improved(design, tuple(savings), tuple(back))


def _both(before: float | None, after: float | None) -> tuple[float, float] | None:
    return None if before is None or after is None else (before, after)


def domain_codes(design: Design) -> tuple[NDArray[np.int64], bool]:
    """Input codes (rows, inputs) to compare on, and whether they are all that there are."""
    low, high = design.inputs.bounds
    lengths = [int(b) - int(a) + 1 for a, b in zip(low, high, strict=True)]
    number = 1
    for length in lengths:
        number *= length
        if number > _ALL:
            return probe_codes(design.inputs, _DRAWN), False
    places = np.unravel_index(np.arange(number), lengths)
    return np.stack(places, axis=1).astype(np.int64) + low, True


def _run(design: Design, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    graph = read_graph(design.onnx)
    pieces = [codes[start : start + _AT_ONCE] for start in range(0, len(codes), _AT_ONCE)]
    return np.concatenate([design.outputs.codes(graph.run(design.inputs.values(p), Exact())) for p in pieces])


def _unfit(design: Design) -> str | None:
    """Why a graph does not do for the design's ports; None where it does."""
    try:
        found = read_graph(design.onnx).run(Interval.of_port(design.inputs), Intervals(FLOAT64_EXACT))
    except UnsupportedError as error:
        return str(error)
    low, high = (v * design.outputs.lsbs for v in design.outputs.bounds)
    beyond = (found.low[0] < low) | (found.high[0] > high)
    return "intervals of its outputs are wider than their types" if beyond.any() else None


def _nodes(design: Design) -> int:
    return len(read_graph(design.onnx).nodes)


def _bits(design: Design) -> float | None:
    try:
        return graph_cost(design).bit_operations
    except UnsupportedError:
        return None
