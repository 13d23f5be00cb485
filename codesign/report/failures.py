"""Why trials failed or are infeasible: by reason, how many, and how far they are from what is allowed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from codesign.core.errors import CodesignError
from codesign.core.records import State
from codesign.pipeline.scoring import limits, violations
from codesign.report import words
from codesign.report.collect import Run, Trial
from codesign.search.ending import group
from codesign.study.definition import Study

__all__ = ("ReasonRow", "reasons")


@dataclass(frozen=True)
class ReasonRow:
    """Trials of one state and reason. ``far``: how far from feasible, in words; empty where nothing tells."""

    state: str
    stage: str
    reason: str
    far: str
    trials: list[Trial]


def reasons(run: Run) -> list[ReasonRow]:
    """Failed trials by stage and reason, infeasible ones by the bound that they break; the most frequent first."""
    return sorted([*_failed(run), *_infeasible(run)], key=lambda row: (-len(row.trials), row.state, row.reason))


def _failed(run: Run) -> list[ReasonRow]:
    groups: dict[tuple[str, str, str], list[Trial]] = defaultdict(list)
    others = {State.COMPLETE.value, State.INFEASIBLE.value, State.RUNNING.value}
    for trial in run.trials:
        if trial.state not in others:
            groups[(trial.state, trial.stage, words.number_free(trial.reason or ""))].append(trial)
    rows = []
    for (state, stage, _), trials in groups.items():
        known = [t.refused for t in trials if t.refused is not None and t.refused != 1.0]
        rows.append(ReasonRow(state, stage, _text(state, trials), _range(known), trials))
    return rows


def _text(state: str, trials: list[Trial]) -> str:
    """The reason that they share; numbers in which they differ as a range."""
    found = group((state, t.reason or "no reason recorded") for t in trials)
    return found[0].reason if len(found) == 1 else trials[0].reason or "no reason recorded"


def _infeasible(run: Run) -> list[ReasonRow]:
    """A row for each bound; a trial that breaks two is in both. By the recorded reason where a bound is not known."""
    broken: dict[str, list[tuple[float, str, Trial]]] = defaultdict(list)
    told = [t for t in run.trials if t.state == State.INFEASIBLE.value]
    rest: dict[str, list[Trial]] = defaultdict(list)
    bounds = limits(run.study, run.target) if isinstance(run.study, Study) and run.target else []
    for trial in told:
        try:
            excess = violations(bounds, trial.metrics, trial.figures)
        except CodesignError:
            excess = {}
        over = {name: found for name, found in excess.items() if found[0] > 0}
        for name, (by, text) in over.items():
            broken[name].append((by, text, trial))
        if not over:
            rest[words.number_free(trial.reason or "")].append(trial)
    rows = []
    for name, cases in broken.items():
        cases.sort(key=lambda case: (case[0], case[2].number))
        by, text, nearest = cases[0]
        far = f"{_percent(by)} to {_percent(cases[-1][0])}" if len(cases) > 1 else _percent(by)
        whole = _text("infeasible", [trial for _, _, trial in cases])
        reason = f"{words.quantity(name)}: {whole}"
        rows.append(
            ReasonRow(
                "infeasible", "", reason, f"out by {far}; the nearest is trial {nearest.number}: {text}",
                sorted((trial for _, _, trial in cases), key=lambda t: t.number),
            )
        )  # fmt: skip
    rows += [ReasonRow("infeasible", "", _text("infeasible", trials), "", trials) for trials in rest.values()]
    return rows


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 10 else f"{share:.3g} times"


def _range(shares: list[float]) -> str:
    if not shares:
        return ""
    low, high = min(shares), max(shares)
    return f"out by {_percent(low)}" + (f" to {_percent(high)}" if high > low else "")
