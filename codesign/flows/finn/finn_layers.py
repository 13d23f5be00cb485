"""A design as FINN's layers: integer matrices and integer thresholds, derived exactly and for any rounding mode.

FINN's own reader of QONNX ignores FLOOR, rounds half up where QONNX rounds half to even, and moves scales about in
float32. Here the graph is run over a domain whose signals remember the matrix in front of them; what lies between two
matrices is one function of one integer, the accumulator, and never falls as that integer rises. Its thresholds, the
smallest accumulator that gives each output code, are found by bisection on the exact function itself.

What remains at the head, after the last matrix, is a constant and a shift: :class:`FinalLayer`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.graph.domain import Array, Domain, Taken
from codesign.graph.exact import Exact
from codesign.graph.flat_chain import flat_chain
from codesign.graph.interval import grid
from codesign.graph.joined import join_heads
from codesign.graph.quantiser import QuantSpec
from codesign.graph.reader import read_graph
from codesign.graph.tables import Table

__all__ = ("FinalLayer", "FinnLayer", "FinnLayers", "layers_of")

Codes = NDArray[np.int64]

#: more thresholds than this many bits of output want (2**bits - 1 for each neuron) do not make sense as hardware
MOST_BITS = 12
_EXACT = Exact()


@dataclass(frozen=True)
class FinnLayer:
    """One of FINN's steps, on integers: a matrix, thresholds, or a matrix and then thresholds.

    Attributes
    ----------
    size: number of integers that go in.
    weights: (size, n), or None.
    accumulator: smallest and largest sum over all neurons (or input codes, without a matrix).
    thresholds: (n, 2**bits - 1), rising along the second axis, or None; the output is ``bottom`` plus the number of
        thresholds that the accumulator reaches.
    """

    size: int
    weights: Codes | None
    accumulator: tuple[int, int]
    thresholds: Codes | None = None
    bottom: int = 0


@dataclass(frozen=True)
class FinalLayer:
    """From the integers that leave the last layer to output codes: ``((integer << up) + bias) >> down``, exactly."""

    up: Codes
    bias: Codes
    down: Codes

    def codes(self, integers: Codes) -> Codes:
        """Apply to (events, m)."""
        return ((integers << self.up) + self.bias) >> self.down


@dataclass(frozen=True)
class FinnLayers:
    """A whole design: ``integers = codes << input_shift``, through ``steps``, then ``head``."""

    input_shift: Codes
    input_range: tuple[int, int]
    steps: tuple[FinnLayer, ...]
    head: FinalLayer

    def run(self, codes: Codes) -> Codes:
        """Input codes (events, n) to output codes (events, m), in plain integers: for tests and for nothing else."""
        x = codes << self.input_shift
        for step in self.steps:
            x = x if step.weights is None else x @ step.weights
            if step.thresholds is not None:
                x = step.bottom + (x[:, :, None] >= step.thresholds).sum(axis=2)
        return self.head.codes(x)


@dataclass(frozen=True)
class _Wire:
    """A signal (n elements): layers done, a matrix in front that is not written down yet, and a function of its sums.

    ``source`` bounds the integers that enter the matrix. ``low`` and ``high`` (n,) bound its sums, ``step`` (n,) is the
    value of a sum of 1. ``function`` takes values (k, n) and gives values; where it is ``affine``, ``value + offset``.
    ``lsb`` (n,) divides what it gives, and is None where no quantiser has said so.
    """

    steps: tuple[FinnLayer, ...]
    weights: Codes | None
    source: tuple[Codes, Codes]
    low: Codes
    high: Codes
    step: Array
    function: Callable[[Array], Array] = field(default=lambda v: v)
    lsb: Array | None = None
    affine: bool = True

    @property
    def shape(self) -> tuple[int, int]:
        """Events and elements, as the reader of the graph asks for it."""
        return (1, len(self.step))

    @property
    def offset(self) -> Array:
        """What the function gives where all sums are 0, (n,)."""
        return np.asarray(self.function(np.zeros(self.shape))[0], dtype=np.float64)

    def then(self, function: Callable[[Array], Array], lsb: Array | None, affine: bool = False) -> _Wire:
        """The signal after one more function."""
        before = self.function
        return replace(self, function=lambda v: function(before(v)), affine=self.affine and affine, lsb=lsb)


class _Domain(Domain[_Wire]):
    """The arithmetic of :class:`_Wire`; what FINN's RTL layers cannot do is refused by name."""

    def add(self, a: Any, b: Any) -> Any:
        """A constant: part of the function."""
        wire, constant = (a, b) if isinstance(a, _Wire) else (b, a)
        if isinstance(constant, _Wire):
            raise UnsupportedError("flow finn: the sum of two signals has no RTL layer here; chains of layers only")
        values = _row(constant, wire)
        return wire.then(lambda v: v + values, _finer(wire.lsb, values), affine=True)

    def multiply(self, a: Any, b: Any) -> Any:
        """A constant: part of the matrix in front where there is one, else of the function."""
        wire, constant = (a, b) if isinstance(a, _Wire) else (b, a)
        if isinstance(constant, _Wire):
            raise UnsupportedError("flow finn: the product of two signals has no RTL layer here")
        factor = _row(constant, wire)
        if wire.affine:
            return _matrix(wire, np.diag(factor))
        if (factor <= 0).any():
            raise UnsupportedError(
                "flow finn: a factor that is not positive, after an activation, has no RTL layer here"
            )
        return wire.then(lambda v: v * factor, None if wire.lsb is None else wire.lsb * grid(factor))

    def matmul(self, a: Any, b: Any) -> Any:
        """A matrix of constants on the right."""
        matrix = np.asarray(b, dtype=np.float64)
        if matrix.ndim != 2:
            raise UnsupportedError(f"flow finn: a matrix product of {matrix.ndim} axes has no RTL layer here")
        return _matrix(a, matrix)

    def square(self, x: Any) -> Any:
        """Refused."""
        raise UnsupportedError("flow finn: the square of a signal has no RTL layer here")

    def relu(self, x: Any) -> Any:
        """Part of the function."""
        return x.then(_EXACT.relu, x.lsb)

    def quantise(self, x: Any, spec: QuantSpec) -> Any:
        """Part of the function, whatever the rounding mode; what wraps falls as the sum rises."""
        if spec.wraps:
            raise UnsupportedError("flow finn: a quantiser that wraps has no thresholds; let it saturate")
        return x.then(lambda v: _EXACT.quantise(v, spec), _row(spec.lsb, x))

    def sign(self, x: Any, scale: Array) -> Any:
        """Part of the function."""
        return x.then(lambda v: _EXACT.sign(v, scale), _row(scale, x))

    def count(self, x: Any, steps: Array) -> Any:
        """Part of the function: it never falls."""
        return x.then(lambda v: _EXACT.count(v, steps), np.ones(x.shape[1]))

    def table(self, x: Any, table: Table) -> Any:
        """Part of the function where it does not fall."""
        if (np.diff(table.values, axis=-1) < 0).any():
            raise UnsupportedError("flow finn: a table that falls has no thresholds; only one that rises has")
        steps = grid(table.values)
        lsb = np.where(steps > 0, steps, np.inf).min(axis=-1)
        return x.then(lambda v: _EXACT.table(v, table), _row(np.where(np.isinf(lsb), 1.0, lsb), x))

    def concat(self, parts: Sequence[Any], axis: int) -> Any:
        """Refused."""
        raise UnsupportedError("flow finn: Concat of signals has no RTL layer here; chains of layers only")

    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any:
        """Only to the shape that is there."""
        if shape == (len(x.step),):
            return x
        raise UnsupportedError(f"flow finn: a signal of shape {shape} has no RTL layer here; fully connected only")

    def transpose(self, x: Any, order: tuple[int, ...]) -> Any:
        """Only to the order that is there."""
        if order == (0, 1):
            return x
        raise UnsupportedError("flow finn: Transpose has no RTL layer here; fully connected only")

    def take(self, x: Any, places: Taken, axis: int) -> Any:
        """Refused."""
        raise UnsupportedError("flow finn: a choice of elements has no RTL layer here; fully connected only")


def layers_of(design: Design) -> FinnLayers:
    """Take a design apart; UnsupportedError names what FINN's RTL layers have no exact hardware for."""
    port = design.inputs
    live = np.array([kind.width > 0 for kind in port.types])
    lsb = port.lsbs[live].min() if live.any() else 1.0
    shift = np.where(live, np.rint(np.log2(port.lsbs / lsb)), 0).astype(np.int64)
    low, high = (bound << shift for bound in port.bounds)
    start = _Wire((), None, (low, high), low, high, np.full(port.size, lsb))
    content = flat_chain(join_heads(design.onnx), port.size, "finn")
    out = read_graph(content).run(start, _Domain())
    if not out.affine:
        out = _write(out)
    steps = out.steps
    if out.weights is not None:
        steps = (*steps, FinnLayer(len(out.weights), out.weights, _range(out)))
    if not steps:
        raise UnsupportedError("flow finn: a network without a layer")
    return FinnLayers(shift, _range(start), steps, _head(out, design))


def _row(constant: Any, wire: _Wire) -> Array:
    """A constant as one value per element of a signal, (n,)."""
    values = np.asarray(constant, dtype=np.float64)
    try:
        return np.asarray(np.broadcast_to(values, wire.shape)[0])
    except ValueError:
        raise UnsupportedError(
            f"flow finn: a constant of shape {values.shape} for {wire.shape[1]} elements has no RTL layer here"
        ) from None


def _finer(lsb: Array | None, values: Array) -> Array | None:
    if lsb is None:
        return None
    steps = grid(values)
    return np.where(steps > 0, np.minimum(lsb, steps), lsb)


def _range(wire: _Wire) -> tuple[int, int]:
    return int(wire.low.min()), int(wire.high.max())


def _matrix(wire: _Wire, matrix: Array) -> _Wire:
    """A signal through a matrix: merged into the one in front where nothing but a constant lies between."""
    wire = wire if wire.affine else _write(wire)
    offset = wire.offset @ matrix
    values = np.diag(wire.step) if wire.weights is None else wire.weights * wire.step
    values = values @ matrix
    steps = grid(values)
    alive = steps > 0
    step = np.where(alive, steps, np.inf).min(axis=0)
    step[np.isinf(step)] = 1.0  # a neuron without weights: its sum is 0 in any unit
    weights = np.rint(values / step).astype(np.int64)
    low, high = wire.source
    ends = (
        np.minimum(weights * low[:, None], weights * high[:, None]),
        np.maximum(weights * low[:, None], weights * high[:, None]),
    )
    made = _Wire(wire.steps, weights, wire.source, ends[0].sum(axis=0), ends[1].sum(axis=0), step)
    return made.then(lambda v: v + offset, None, affine=True)


def _write(wire: _Wire) -> _Wire:
    """A signal as the output of a layer: its matrix and its function, the latter as thresholds."""
    if wire.weights is None and _is_identity(wire):
        return replace(wire, function=lambda v: v, affine=True)
    if wire.lsb is None:
        raise UnsupportedError("flow finn: an activation without a quantiser has no RTL layer here")
    ends = np.stack([wire.function((end * wire.step)[None])[0] for end in (wire.low, wire.high)])
    fixed = ends[0] == ends[1]
    steps = np.where(fixed, grid(ends[0]), wire.lsb)
    step = steps[steps > 0].min() if (steps > 0).any() else 1.0
    lowest, highest = np.rint(ends / step).astype(np.int64)
    least, most = int(lowest.min()), int(highest.max())
    bits = max(2, most.bit_length() if least >= 0 else 1 + max(most.bit_length(), (-least - 1).bit_length()))
    if bits > MOST_BITS:
        raise UnsupportedError(
            f"flow finn: a layer's outputs span {bits} bits on one grid, {2**bits - 1} thresholds for each neuron; at "
            f"most {MOST_BITS} bits make sense as hardware"
        )
    bottom = 0 if least >= 0 else -(1 << (bits - 1))
    wanted = np.arange(bottom + 1, bottom + (1 << bits))[:, None]
    below = np.broadcast_to(wire.low, (len(wanted), len(wire.low))).copy()
    above = np.broadcast_to(wire.high + 1, below.shape).copy()
    while (below < above).any():
        middle = (below + above) // 2
        reached = np.rint(wire.function(middle * wire.step) / step).astype(np.int64) >= wanted
        reached |= middle > wire.high
        below, above = np.where(reached | (below == above), below, middle + 1), np.where(reached, middle, above)
    layer = FinnLayer(
        len(wire.low) if wire.weights is None else len(wire.weights), wire.weights, _range(wire), below.T, bottom
    )
    return _Wire((*wire.steps, layer), None, (lowest, highest), lowest, highest, np.full(len(lowest), step))


def _is_identity(wire: _Wire) -> bool:
    """Whether the function is the identity on every integer that can come (an input quantiser on its own codes)."""
    span = int((wire.high - wire.low).max()) + 1
    if span > 1 << 18:
        return False
    codes = np.minimum(wire.low + np.arange(span)[:, None], wire.high)
    values = codes * wire.step
    return np.array_equal(wire.function(values), values)


def _head(wire: _Wire, design: Design) -> FinalLayer:
    """What is left after the last layer, on the finest of the grids that meet there."""
    offset, lsbs = wire.offset, design.outputs.lsbs
    step = np.where((wire.low == 0) & (wire.high == 0), lsbs, wire.step)  # a sum that is always 0 has no unit
    finest = np.minimum(step, lsbs)
    steps = grid(offset)
    finest = np.where(steps > 0, np.minimum(finest, steps), finest)
    return FinalLayer(
        up=np.rint(np.log2(step / finest)).astype(np.int64),
        bias=np.rint(offset / finest).astype(np.int64),
        down=np.rint(np.log2(lsbs / finest)).astype(np.int64),
    )
