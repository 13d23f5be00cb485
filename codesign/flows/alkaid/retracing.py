"""A circuit of alkaid as signals once more, so that what is known of their intervals simplifies it.

alkaid does the same for its own passes. There most of the time goes into products by one, which copy a signal and its
interval for each addition that shifts nothing; here those are left out, and the circuits are the same.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias
from uuid import UUID

import numpy as np
from alkaid.trace import FVArray, trace
from alkaid.trace.fixed_variable import FVariable
from alkaid.types import CombLogic

__all__ = ("Structures", "replay", "retrace", "without_collections")

#: opcodes of alkaid's sum and difference
_SUM, _DIFFERENCE = 0, 1
#: what a place of a circuit holds: a signal, or a number where nothing of it changes
Signal: TypeAlias = FVariable | float


def replay(
    circuit: CombLogic, inputs: Sequence[FVariable], made: Callable[[int, Signal], None] = lambda place, signal: None
) -> list[Signal]:
    """What a circuit makes of signals, one for each of its outputs; ``made`` is told each of its operations' results.

    The circuit's own call gives the same, and multiplies by one whatever it adds without a shift.
    """
    arriving = np.array([_scale(v, 2.0**shift) for v, shift in zip(inputs, circuit.inp_shifts, strict=True)])
    signals = np.empty(len(circuit.ops), dtype=object)
    for place, operation in enumerate(circuit.ops):
        if operation.opcode in (_SUM, _DIFFERENCE):
            first, second = operation.addr
            factor = 2.0 ** operation.data[0]
            signals[place] = signals[first] + _scale(signals[second], factor if operation.opcode == _SUM else -factor)
        else:
            signals[place] = circuit.exec_op(operation, signals, arriving)
        made(place, signals[place])
    return [
        _scale(signals[place] if place >= 0 else 0.0, 2.0**shift * (-1 if negative else 1))
        for place, shift, negative in zip(circuit.out_idxs, circuit.out_shifts, circuit.out_negs, strict=True)
    ]


def retrace(circuit: CombLogic) -> CombLogic:
    """The circuit, traced from signals of its inputs' types."""
    inputs = FVArray.from_kif(*circuit.inp_kifs).as_new()
    for place, signal in enumerate(inputs):
        signal.id = -1 - place

    def number(place: int, signal: Signal) -> None:
        if isinstance(signal, FVariable) and isinstance(signal.id, UUID):  # known nowhere else: a number is quicker
            signal.id = place

    return trace(inputs, replay(circuit, inputs, number), optimize=False)


#: opcodes whose interval follows from what they read: sums, a sum with a constant, a negation
_FOLLOWING = frozenset((_SUM, _DIFFERENCE, 4, 11, -2))


class Structures:
    """What :func:`retrace` reads of circuits, the order of their operations apart, each different one as a number."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[object, ...], int] = {}

    def number(self, circuit: CombLogic) -> int:
        """The circuit's: of two with the same, retracing makes one circuit."""
        places: list[int] = []
        for operation in circuit.ops:
            interval = None if operation.opcode in _FOLLOWING else operation.qint
            read = tuple([places[i] for i in operation.addr])
            places.append(self._of((operation.opcode, operation.data, read, interval)))
        outputs = tuple([places[i] if i >= 0 else -1 for i in circuit.out_idxs])
        ends = (tuple(circuit.inp_shifts), tuple(circuit.out_shifts), tuple(circuit.out_negs))
        return self._of((len(places), outputs, circuit.lookup_tables, *ends))

    def _of(self, key: tuple[object, ...]) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def _scale(signal: Signal, factor: float) -> Signal:
    return signal if factor == 1 else signal * factor


@contextmanager
def without_collections() -> Iterator[None]:
    """No garbage is collected while this lasts.

    Thousands of small objects that live for the whole compilation would have Python look through everything else that
    the process holds, again and again.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
