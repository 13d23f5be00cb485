"""Optimise a traced circuit with alkaid's passes, each result checked: a pass that changes an integer is left out.

alkaid 0.8.2 can miscompile silently: ``canonicalize_msb_wraps`` rewrote 4 of 62 networks into others. So the passes are
applied in ever smaller sets until the circuit gives the integers that it must give, or the design is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from alkaid.trace.passes import (
    add_surrogate,
    canonical_sort,
    common_subexpr_elimin,
    dead_code_elimin,
    fuse_ternary_adders,
    null_quant_elimin,
    topo_bandwidth_sort,
)
from alkaid.trace.passes.canon import canonicalize_msb_wraps, canonicalize_outputs, const_propagation
from alkaid.types import CombLogic

from codesign.core.errors import ToolError
from codesign.flows.alkaid.retracing import Structures, retrace

__all__ = ("Check", "optimise")

#: says whether a circuit gives the right integers
Check = Callable[[CombLogic], bool]

#: after that many rounds alkaid itself gives up
_ROUNDS = 4


def _alive(comb: CombLogic) -> CombLogic:
    """The circuit without operations that nothing reads; most often there are none, and alkaid would copy it."""
    read = set(comb.out_idxs).union(*[op.addr for op in comb.ops]) - {-1}
    if comb.lookup_tables is None and len(read) == len(comb.ops):
        return comb
    return dead_code_elimin(comb)


def _clean(comb: CombLogic, wraps: bool) -> CombLogic:
    """One round, with canonicalize_msb_wraps or without."""
    comb = const_propagation(comb)
    if wraps:
        comb = canonicalize_msb_wraps(comb)
    comb = _alive(canonicalize_outputs(comb))
    for eliminate in (common_subexpr_elimin, null_quant_elimin):
        fewer = eliminate(comb)
        comb = comb if fewer is comb else _alive(fewer)  # the circuit itself where there is nothing to leave out
    return comb


def _fixpoint(comb: CombLogic, wraps: bool) -> CombLogic:
    structures, traced = Structures(), -1
    for _ in range(_ROUNDS):
        before = canonical_sort(_clean(comb, wraps))
        if (structure := structures.number(before)) == traced:
            return before  # tracing it again would give what the last round gave
        comb, traced = canonical_sort(_clean(retrace(before), wraps)), structure
        if comb == before:
            break
    return comb


def _finish(comb: CombLogic) -> CombLogic:
    return topo_bandwidth_sort(canonical_sort(add_surrogate(comb)))


def _fuse(comb: CombLogic) -> CombLogic:
    return add_surrogate(_alive(fuse_ternary_adders(_finish(comb))), _skip_op8_cost=True)


#: from everything to nothing; each with the note that says what had to be left out
_LADDER: tuple[tuple[str, Callable[[CombLogic], CombLogic]], ...] = (
    ("", lambda c: _fuse(_fixpoint(c, wraps=True))),
    ("left out alkaid's pass canonicalize_msb_wraps", lambda c: _fuse(_fixpoint(c, wraps=False))),
    ("left out alkaid's retracing passes", lambda c: _fuse(_clean(c, wraps=False))),
    ("left out alkaid's fusion of ternary adders", lambda c: _finish(_fixpoint(c, wraps=False))),
    ("left out all of alkaid's optimisation", lambda c: _finish(_alive(canonicalize_outputs(c)))),
)


def optimise(comb: CombLogic, exact: Check) -> tuple[CombLogic, list[str]]:
    """Return the best circuit that is exact, and notes on what had to be left out to keep it so.

    ToolError where not even the unoptimised circuit gives the right integers.
    """
    for note, passes in _LADDER:
        try:
            candidate = passes(comb)
        except (RuntimeError, AssertionError, ValueError, IndexError) as error:
            failure = f"{type(error).__name__}: {error}"
            if note == _LADDER[-1][0]:
                raise ToolError(f"alkaid could not compile the design ({failure})") from error
            continue
        if exact(candidate):
            return candidate, [f"{note}: with it the outputs were wrong"] if note else []
    raise ToolError(
        "alkaid miscompiles this design even without its optimisation passes: outputs differ from the QONNX graph"
    )
