"""alkaid's tracing at a better pace, signal for signal the same.

Where alkaid 0.8.2 follows signals through a circuit in Python, much of the time goes into what leaves no trace in the
result: a copy for every multiplication by one, random identities of 128 bits, imports within functions, a lock around
every cached interval. :func:`quickened` does without; ``tests/hardware/test_alkaid_speed.py`` compares the circuits.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from alkaid.trace import affine_interval, fixed_variable, pipeline
from alkaid.trace.affine_interval import AffineInterval
from alkaid.trace.fixed_variable import FVariable
from alkaid.trace.passes import cse, dce, null_op, order
from alkaid.types import CombLogic, Op

__all__ = ("quickened",)

#: what one signal is told from another by: alkaid only asks whether two are equal
_identities = count(1)
#: operations that take no time on the way to a signal
_INSTANT = frozenset(("neg", "new", "wrap", "cadd", "const", "bit_unary", "relu"))
_exec_op, _get_latency, _pow2_mul = CombLogic.exec_op, FVariable.get_latency, FVariable._pow2_mul
_interval = vars(AffineInterval)["qint"].func


class _Kept:
    """The interval of an affine form, computed once; without the lock of :class:`functools.cached_property`."""

    def __get__(self, form: AffineInterval, owner: type) -> Any:
        found = vars(form)["qint"] = _interval(form)
        return found


def _identity(**_: object) -> int:
    return next(_identities)


def _executed(circuit: CombLogic, op: Any, buffer: Any, inputs: Any) -> Any:
    """One operation of a circuit on signals; most are additions."""
    if op.opcode not in (0, 1):
        return _exec_op(circuit, op, buffer, inputs)
    first, second = (buffer[i] for i in op.addr)
    shifted = 2.0 ** op.data[0] * second
    return first + shifted if op.opcode == 0 else first - shifted


def _latency(signal: FVariable) -> float:
    return 0.0 if signal.opr in _INSTANT else _get_latency(signal)


def _scaled(signal: FVariable, factor: float) -> FVariable:
    return signal if factor == 1 else _pow2_mul(signal, factor)


def _changed(signal: FVariable, renew_id: bool = True, **changes: object) -> FVariable:
    """The same signal with other attributes, as by :func:`copy.copy`."""
    if not changes:
        return signal
    other: FVariable = object.__new__(type(signal))
    vars(other).update(vars(signal), **changes)
    if renew_id:
        other.id = _identity()
    return other


def _renumbered(op: Op, places: dict[int, int]) -> Op:
    """An operation that reads from other places."""
    if op.opcode == -1:
        return op
    addr = tuple([places.get(i, i) for i in op.addr])
    return tuple.__new__(Op, (addr, *op[1:]))


_QUICK: tuple[tuple[Any, str, Any], ...] = (
    (AffineInterval, "qint", _Kept()),
    (CombLogic, "exec_op", _executed),
    (FVariable, "_pow2_mul", _scaled),
    (FVariable, "_with", _changed),
    (FVariable, "get_latency", _latency),
    (affine_interval, "uuid4", _identity),
    (fixed_variable, "UUID", _identity),
    *((module, "_index_remap", _renumbered) for module in (dce, cse, null_op, order, pipeline)),
)
_ALKAIDS = [vars(owner)[name] for owner, name, _ in _QUICK]


@contextmanager
def quickened() -> Iterator[None]:
    """Trace and optimise circuits faster for as long as this lasts.

    No garbage is collected meanwhile: thousands of small objects that live for the whole compilation would have Python
    look through everything else that the process holds, again and again. Another thread may trace at the same time:
    alkaid's own and ours understand each other's signals.
    """
    collecting = gc.isenabled()
    gc.disable()
    for owner, name, quick in _QUICK:
        setattr(owner, name, quick)
    try:
        yield
    finally:
        for (owner, name, _), own in zip(_QUICK, _ALKAIDS, strict=True):
            setattr(owner, name, own)
        if collecting:
            gc.enable()
