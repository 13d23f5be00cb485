"""What each layer adds to the circuit: logic, registers, and where the latency is spent."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.report import words
from codesign.report.collect import Point, Run
from codesign.report.layers import LayerRow

__all__ = ("WaterfallStep", "waterfall")


@dataclass(frozen=True)
class WaterfallStep:
    """One layer's share of the circuit. ``start`` and ``width`` are of its bar, in percent of the whole latency.

    The last step may be what the layers share: it has no cycles, and no bar.
    """

    name: str
    lut: float
    ff: float
    cycles: int
    until: int
    until_ns: str
    start: float
    width: float
    shared: bool = False


def waterfall(run: Run, point: Point, layers: list[LayerRow]) -> list[WaterfallStep]:
    """Differences between what the circuit costs up to each layer; empty where that was not compiled.

    A circuit can be smaller than its beginning: later layers do not need all of what earlier ones compute. No layer has
    less than nothing: what is saved so is told in a line of its own.
    """
    costs = point.costs.layers if point.costs else []
    if len(costs) != len(layers) or not costs:
        return []
    clock = run.target.clock_ns if run.target else None
    whole = max(1, *(cost.latency_cycles for cost in costs))
    steps, lut, ff, cycles = [], 0.0, 0, 0
    saved_lut, saved_ff = 0.0, 0
    for layer, cost in zip(layers, costs, strict=True):
        first, last = min(cycles, cost.latency_cycles), cost.latency_cycles
        steps.append(
            WaterfallStep(
                name=layer.name,
                lut=max(0.0, cost.lut - lut),
                ff=max(0, cost.ff - ff),
                cycles=max(0, last - cycles),
                until=last,
                until_ns=f"{words.number(last * clock)} ns" if clock else "",
                start=100 * first / whole,
                width=100 * max(0, last - cycles) / whole,
            )
        )
        saved_lut += min(0.0, cost.lut - lut)
        saved_ff += min(0, cost.ff - ff)
        lut, ff, cycles = cost.lut, cost.ff, cost.latency_cycles
    if saved_lut or saved_ff:
        steps.append(WaterfallStep("shared", saved_lut, saved_ff, 0, cycles, "", 0.0, 0.0, True))
    return steps
