"""From a graph to the design that it is: the types of its outputs follow from those of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from codesign.core.design import Design
from codesign.core.fixedpoint import Block, FixedPoint, InputQuantisation, Port
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.reader import read_graph

__all__ = ("design_of_graph", "output_types", "port_of_heads")


def output_types(content: bytes, inputs: Port) -> tuple[FixedPoint, ...]:
    """The tightest type of each output of a serialised QONNX graph, by interval arithmetic.

    UnsupportedError where the graph has no exact hardware.
    """
    found = read_graph(content).run(Interval.of_port(inputs), Intervals())
    return tuple(
        tightest_type(float(low), float(high), float(step))
        for low, high, step in zip(found.low[0], found.high[0], found.step[0], strict=True)
    )


def port_of_heads(heads: Mapping[str, tuple[str, ...]], types: tuple[FixedPoint, ...]) -> Port:
    """The outputs of a design: of the head ``scores`` alone its labels, of several a block for each, by name."""
    if len(heads) == 1:
        (labels,) = heads.values()
        return Port(name="scores", types=types, labels=labels)
    starts = accumulate(map(len, heads.values()), initial=0)
    blocks = tuple(
        Block(name=name, shape=(len(labels),), fields=labels, types=types[start : start + len(labels)])
        for (name, labels), start in zip(heads.items(), starts, strict=False)
    )
    return Port(name="scores", blocks=blocks)


def design_of_graph(
    content: bytes,
    inputs: InputQuantisation,
    outputs: tuple[str, ...] | Mapping[str, tuple[str, ...]],
    trigger: str | None = None,
) -> Design:
    """The design of a serialised QONNX graph, its outputs named, their types the tightest by interval arithmetic.

    ``outputs``: the names of all; of a graph with an output for each head by the name of the head. ``trigger`` names
    the output that the firmware compares with a programmable threshold. UnsupportedError where the graph has no exact
    hardware.
    """
    heads = outputs if isinstance(outputs, Mapping) else {"scores": outputs}
    return Design(content, inputs, port_of_heads(heads, output_types(content, inputs.port)), trigger)
