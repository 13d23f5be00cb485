"""What each layer adds to the circuit: logic, registers, and where the latency is spent."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.report import words
from codesign.report.collect import Point, Run
from codesign.report.layers import LayerRow

__all__ = ("WaterfallStep", "waterfall")


@dataclass(frozen=True)
class WaterfallStep:
    """One layer's share of the circuit. ``start`` and ``width`` are of its bar, in percent of the whole latency."""

    name: str
    lut: str
    ff: str
    cycles: int
    until: int
    until_ns: str
    start: float
    width: float


def waterfall(run: Run, point: Point, layers: list[LayerRow]) -> list[WaterfallStep]:
    """Differences between what the circuit costs up to each layer; empty where that was not compiled."""
    costs = point.costs.layers if point.costs else []
    if len(costs) != len(layers) or not costs:
        return []
    clock = run.target.clock_ns if run.target else None
    whole = max(1, *(cost.latency_cycles for cost in costs))
    steps, lut, ff, cycles = [], 0.0, 0, 0
    for layer, cost in zip(layers, costs, strict=True):
        added = cost.latency_cycles - cycles
        first, last = sorted((cycles, cost.latency_cycles))
        steps.append(
            WaterfallStep(
                name=layer.name,
                lut=words.difference_text(cost.lut - lut),
                ff=words.difference_text(cost.ff - ff),
                cycles=added,
                until=cost.latency_cycles,
                until_ns=f"{words.number(cost.latency_cycles * clock)} ns" if clock else "",
                start=100 * first / whole,
                width=100 * (last - first) / whole,
            )
        )
        lut, ff, cycles = cost.lut, cost.ff, cost.latency_cycles
    return steps
