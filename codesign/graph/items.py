"""Values apart into items and together again, steps run over a domain, and the types that follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.fixedpoint import FixedPoint, Port
from codesign.graph.domain import Array, Domain
from codesign.graph.interval import FLOAT64_EXACT, Interval, Intervals, grid, tightest_type
from codesign.graph.labels import Labelled
from codesign.graph.nodes import Call, Operand, result_of
from codesign.graph.reader import Graph
from codesign.graph.streams import Combine, Kind, Step, Stream, Value, split

__all__ = ("identities", "intervals_of", "joined", "run_step", "types_of", "used")


def used(x: NDArray[Any], stream: Stream) -> NDArray[Any]:
    """Of an input (rows, ...) as it comes, the items of its stream: the first ones."""
    return x[:, : stream.items * stream.size] if stream.axis == 1 else x


def joined(x: NDArray[Any], stream: Stream) -> NDArray[Any]:
    """Items (rows, items, ...) as a whole value (rows, ...)."""
    moved = np.moveaxis(x, 1, stream.axis)
    shape, axis = moved.shape, stream.axis
    return moved.reshape(*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :])


def run_step(step: Step, values: Mapping[str, Any], constants: Mapping[str, Array], domain: Domain[Any]) -> list[Any]:
    """Outputs of an item's or event's step; its signals are ``values``, with as many rows each."""
    assert step.node is not None
    operands = tuple(
        None if not name else Operand(name, constants[name], True) if name in constants else
        Operand(name, values[name], False)
        for name in step.node.inputs
    )  # fmt: skip
    return list(result_of(Call(step.node, operands, domain)))


def _hull(low: Array, high: Array, step: Array) -> Interval:
    """Of items (1, items, ...) what any of them may be."""
    fine = np.where(step == 0, np.inf, step).min(axis=1)
    return Interval(low.min(axis=1), high.max(axis=1), np.where(np.isinf(fine), 0.0, fine))


def _parts(x: Interval) -> tuple[Array, Array, Array]:
    return x.low, x.high, x.step


def intervals_of(labelled: Labelled, graph: Graph, port: Port) -> dict[str, Interval]:
    """What every value may be, (1, ...) of one item: of any of them."""
    domain = Intervals(FLOAT64_EXACT)
    found: dict[str, Interval] = {}
    for name, block in graph.blocks(Interval.of_port(port), domain).items():
        stream = labelled.values[name].stream
        found[name] = block if stream is None else _hull(*(split(used(p, stream), stream) for p in _parts(block)))
    for name, table in labelled.tables.items():
        found[name] = _hull(table[None], table[None], grid(table)[None])
    for step in labelled.steps:
        if not step.is_boundary:
            found.update(zip(step.outputs, run_step(step, found, labelled.constants, domain), strict=True))
        else:
            found[step.outputs[0]] = _boundary(step, found[step.inputs[0]], labelled.values)
    return found


def _boundary(step: Step, x: Interval, values: Mapping[str, Value]) -> Interval:
    stream = values[step.inputs[0]].stream
    if step.kind is Kind.TURN:
        turned = values[step.outputs[0]].stream
        assert turned is not None
        return _hull(*(split(p, turned) for p in _parts(x)))
    assert stream is not None
    if step.kind is Kind.REDUCE:
        number = stream.items if step.combine is Combine.SUM else 1
        return Interval(x.low * number, x.high * number, x.step)
    if step.kind is Kind.COLLECT:
        return Interval(*(joined(np.repeat(p[:, None], stream.items, axis=1), stream) for p in _parts(x)))
    number = len(step.offsets)
    low, high = np.minimum(x.low, 0.0), np.maximum(x.high, 0.0)  # or a zero beyond a border
    return Interval(*(np.concatenate([p] * number, axis=stream.axis) for p in (low, high, x.step)))


def types_of(x: Interval) -> tuple[FixedPoint, ...]:
    """The tightest type of each element."""
    ends: Iterable[Array] = (np.ravel(p) for p in _parts(x))
    return tuple(tightest_type(float(a), float(b), float(s)) for a, b, s in zip(*ends, strict=True))


def identities(labelled: Labelled, found: Mapping[str, Interval]) -> None:
    """Leave out quantisers that change nothing of what can come: as the one in front, of codes that are its own."""
    same: dict[str, str] = {}
    kept = []
    for step in labelled.steps:
        step = _rename(step, same)
        if step.node is not None and step.node.op in ("Quant", "IntQuant", "FixedPoint", "Identity"):
            (x, *others), (out,) = step.inputs, step.outputs
            alike = not others and labelled.values[x] == labelled.values[out]
            if alike and all(np.array_equal(a, b) for a, b in zip(_parts(found[x]), _parts(found[out]), strict=True)):
                same[out] = x
                continue
        kept.append(step)
    labelled.steps[:] = kept
    labelled.outputs = tuple(same.get(o, o) for o in labelled.outputs)


def _rename(step: Step, same: Mapping[str, str]) -> Step:
    node = step.node
    if node is not None:
        node = replace(node, inputs=tuple(same.get(i, i) for i in node.inputs))
    return replace(step, node=node, inputs=tuple(dict.fromkeys(same.get(i, i) for i in step.inputs)))
