"""An import made smaller: each step exact, and in its report with what it saved."""

from __future__ import annotations

from dataclasses import replace

from codesign.graph.passes.improvement import Measure, Saving, improve
from codesign.importing.base import Imported
from codesign.importing.import_report import Improvement
from codesign.importing.operations import count_operations

__all__ = ("improved_import",)


def improved_import(imported: Imported, measure: Measure | None = None) -> Imported:
    """The same integers of a smaller graph, as :func:`codesign.graph.passes.improvement.improve` makes it."""
    found = improve(imported.design(), measure)
    facts = count_operations(found.design)
    report = imported.report.model_copy(
        update={
            "improvements": tuple(map(_record, found.savings)),
            "put_back": found.put_back,
            "notes": (*imported.report.notes, *(() if found.savings else ("made no smaller: no pass found anything",))),
            "operations": facts.operations,
            "ebops": facts.ebops,
        }
    )
    return replace(imported, made=found.design, report=report)


def _record(saving: Saving) -> Improvement:
    return Improvement(
        step=saving.step,
        done=saving.done,
        operations=saving.nodes,
        bit_operations=saving.bit_operations,
        luts=saving.luts,
        checked=saving.checked,
        whole=saving.whole,
    )
