"""What each family gave to a search of several: its points, its time, and what the front would be without it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from codesign.core.layout import FEATURES
from codesign.core.records import State
from codesign.report.collect import Run
from codesign.report.hypervolume import costs as costs_of
from codesign.report.hypervolume import progress, span
from codesign.study.definition import Study

__all__ = ("FamilyRow", "family_rows", "flows_of")


@dataclass(frozen=True)
class FamilyRow:
    """One family. ``seconds``: processor time of its trials, by the clock where that was not kept; ``share`` of all.

    ``alone`` and ``without``: hypervolume of the front of its trials, and of that of all others, as shares of the box
    around all feasible trials; None where there is no box.
    """

    name: str
    flow: str
    view: str
    trials: int
    failed: int
    infeasible: int
    front: int
    seconds: float
    share: float
    alone: float | None
    without: float | None


def family_rows(run: Run) -> tuple[list[FamilyRow], float | None]:
    """A row for each family of a study of several, and the hypervolume of all; no rows of a study of one."""
    study = run.study
    if not isinstance(study, Study) or not study.families:
        return [], None
    box = span([cost for _, cost in costs_of(run.trials, run.objectives)])

    def volume(wanted: set[str]) -> float | None:
        grown = progress([t for t in run.trials if t.family in wanted], run.objectives, box)
        return grown[-1][1] if grown else None if box is None else 0.0

    seconds = {n: sum(t.processor or 0.0 for t in run.trials if t.family == n) for n in study.named}
    total = sum(seconds.values())
    points = Counter(p.trial.family for p in run.points)
    rows = []
    for name in study.named:
        own, alone = [t for t in run.trials if t.family == name], study.alone(name)
        rows.append(
            FamilyRow(
                name=name,
                flow=alone.flow.name,
                view=", ".join(alone.view) if alone.view != (FEATURES,) else FEATURES,
                trials=len(own),
                failed=sum(t.state == State.FAILED for t in own),
                infeasible=sum(t.state == State.INFEASIBLE for t in own),
                front=points[name],
                seconds=seconds[name],
                share=seconds[name] / total if total else 0.0,
                alone=volume({name}),
                without=volume(set(study.named) - {name}),
            )
        )
    return rows, volume(set(study.named))


def flows_of(run: Run) -> str:
    """The flow, or those of several families, each once."""
    study = run.study
    if not isinstance(study, Study):
        return study.flow.name
    return ", ".join(dict.fromkeys(study.alone(name).flow.name for name in study.named))
