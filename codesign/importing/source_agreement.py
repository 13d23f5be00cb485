"""The source beside its design: row by row on events, random and extreme codes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import CodesignError, InputError
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.importing.base import Imported, SourceValues
from codesign.importing.import_report import Agreement

__all__ = ("Compared", "compare", "exact_codes")

_AT_ONCE = 1000
#: codes; what float64 leaves of an integer after a scale was taken off
_NEAR = 2.0**-16
#: for what is no number
_NOWHERE = 1e300


@dataclass(frozen=True)
class Compared:
    """An import with its agreement, and the rows it was found on.

    ``codes`` (rows, inputs): given events first, ``events`` of them; ``outputs`` (rows, outputs): the design's;
    ``same`` (rows,): where the source gives the same.
    """

    imported: Imported
    codes: NDArray[np.int64]
    outputs: NDArray[np.int64]
    same: NDArray[np.bool_]
    events: int


def exact_codes(design: Design, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """What a design's graph gives of input codes (events, inputs), computed exactly; (events, outputs)."""
    graph = read_graph(design.onnx)
    pieces = [codes[start : start + _AT_ONCE] for start in range(0, len(codes), _AT_ONCE)]
    return np.concatenate([design.outputs.codes(graph.run(design.inputs.values(p), Exact())) for p in pieces])


def compare(imported: Imported, events: NDArray[np.int64] | None = None, drawn: int = 1000) -> Compared:
    """Run the source and the design on given events (events, inputs), codes at the edges, and ``drawn`` random ones.

    InputError where nothing of the source is like the design: then it was misread, and is refused.
    """
    from codesign.core.probes import probe_codes

    design = imported.design()
    probes = probe_codes(design.inputs, drawn)
    given = len(events) if events is not None else 0
    codes = probes if events is None else np.concatenate([events, probes])
    truth = exact_codes(design, codes)
    same = np.ones(len(codes), dtype=bool)
    found = []
    for name, run in imported.runners.items():
        agreement, rows = _agreement(name, run, imported, codes, truth, given)
        found.append(agreement)
        same &= rows
    report = imported.report.model_copy(update={"agreement": tuple(found)})
    for agreement in found:
        if not agreement.whole:
            raise InputError(
                f"{report.source.name}: {agreement.runner} gives other outputs than the design on "
                f"{agreement.tried - agreement.equal:,} of {agreement.tried:,} rows, of which float64 explains "
                f"{agreement.explained:,} (largest gap {agreement.largest_gap:.3g} codes): it was misread, and is not "
                "imported"
            )
    return Compared(replace(imported, report=report), codes, truth, same, given)


def _runs(run: SourceValues, codes: NDArray[np.int64]) -> bool:
    try:
        run(codes)
    except CodesignError:  # an operator that nothing here computes in float64
        return False
    return True


def _agreement(
    name: str,
    run: SourceValues,
    imported: Imported,
    codes: NDArray[np.int64],
    truth: NDArray[np.int64],
    events: int,
) -> tuple[Agreement, NDArray[np.bool_]]:
    """Rows equal, and rows that float64 explains.

    Where the source's outputs are numbers of fixed point, equal is equal. Where they come with a scale that is no power
    of two, the source's float32 cannot say an integer: equal is then the same nearest integer, and in float64 the
    integer itself. A source that nothing can run in float64 is held to the nearest integer.
    """
    lsbs, report = imported.design().outputs.lsbs, imported.report
    again = imported.again if imported.again is not None and _runs(imported.again, codes[:1]) else None
    scaled = run(codes) / lsbs
    finite = np.where(np.isfinite(scaled), scaled, _NOWHERE)
    gaps = np.abs(finite - truth)
    exactly = again is not None and not report.output_scale and not report.output_offset
    rows = (finite == truth if exactly else np.rint(finite) == truth).all(axis=1)
    explained = 0
    if again is not None:
        asked = ~rows if exactly else np.ones(len(codes), dtype=bool)
        near = np.zeros(len(codes), dtype=bool)
        if asked.any():
            near[asked] = (np.abs(again(codes[asked]) / lsbs - truth[asked]) < _NEAR).all(axis=1)
        explained = int((near & ~rows).sum())
        rows &= near | ~asked
    return (
        Agreement(
            runner=name,
            tried=len(codes),
            equal=int(rows.sum()),
            events=events,
            largest_gap=float(gaps.max(initial=0.0)),
            explained=explained,
        ),
        rows,
    )
