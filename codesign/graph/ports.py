"""From a graph to the design that it is: the types of its outputs follow from those of its inputs."""

from __future__ import annotations

from codesign.core.design import Design
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.reader import read_graph

__all__ = ("design_of_graph", "output_types")


def output_types(content: bytes, inputs: Port) -> tuple[FixedPoint, ...]:
    """The tightest type of each output of a serialised QONNX graph, by interval arithmetic.

    UnsupportedError where the graph has no exact hardware.
    """
    found = read_graph(content).run(Interval.of_port(inputs), Intervals())
    return tuple(
        tightest_type(float(low), float(high), float(step))
        for low, high, step in zip(found.low[0], found.high[0], found.step[0], strict=True)
    )


def design_of_graph(
    content: bytes, inputs: InputQuantisation, outputs: tuple[str, ...], trigger: str | None = None
) -> Design:
    """The design of a serialised QONNX graph, its outputs named, their types the tightest by interval arithmetic.

    ``trigger`` names the output that the firmware compares with a programmable threshold. UnsupportedError where the
    graph has no exact hardware.
    """
    types = output_types(content, inputs.port)
    return Design(content, inputs, Port(name="scores", types=types, labels=outputs), trigger)
