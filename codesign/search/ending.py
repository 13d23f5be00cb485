"""How a search ended: with a proven front, or with how many trials for which reasons, and what would change that.

Everything is read from the records, so that it can be said of any run at any time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict, Field

from codesign.core.errors import CodesignError
from codesign.core.records import Figures, Front, Metrics, State, TrialStatus
from codesign.core.runfolder import RunFolder
from codesign.core.targets import Target, load_target
from codesign.pipeline.scoring import limits, violations
from codesign.study.definition import Study

__all__ = ("EXIT_UNPROVEN", "Ending", "Reason", "ending", "group")

#: exit code of a search that ended without a proven front
EXIT_UNPROVEN = 3

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.]*\w)")


class Reason(BaseModel):
    """Why so many trials are not on the front, or not proven: reasons that differ in numbers only are one."""

    model_config = ConfigDict(extra="forbid")

    count: int
    what: str = Field(description="failed, infeasible, or unproven")
    reason: str = Field(description="numbers in which the trials differ stand as 'LOWEST to HIGHEST'")


class Ending(BaseModel):
    """What there is to say of a search that has ended."""

    model_config = ConfigDict(extra="forbid")

    trials: int = Field(description="that came to their end")
    front: int = Field(description="trials that belong on the front")
    proven: int = Field(description="of these, with the verdict of a simulation")
    reasons: list[Reason] = Field(default_factory=list, description="the most frequent first")
    remedies: list[str] = Field(default_factory=list, description="what would change it")

    @property
    def whole(self) -> bool:
        """Whether there is a front, and all of it is proven."""
        return 0 < self.front == self.proven

    def lines(self) -> list[str]:
        """In words, of a search without a proven front."""
        if not self.front:
            head = f"no front: none of the {self.trials} trials is complete and within the constraints"
        else:
            head = f"no proven front: {self.front - self.proven} of the {self.front} trials on it have no verdict"
        found = [f"  {r.count} {r.what}: {r.reason}" for r in self.reasons]
        return [head, *found, *(f"to change it: {remedy}" for remedy in self.remedies)]


def ending(run: RunFolder, study: Study, front: Front) -> Ending:
    """How the search of a run folder ended, whose front was just written."""
    statuses = [s for t in run.trials() if (s := t.read("status.json", TrialStatus)) is not None]
    members = {p.trial for p in front.points} | front.unproven.keys()
    exact = sum(p.verified is not None and p.verified.exact for p in front.points)
    found = Ending(trials=len(statuses), front=len(members), proven=exact)
    if found.whole:
        return found
    target = load_target(study.target)
    if members:
        wrong = [p.verified.first_difference for p in front.points if p.verified and not p.verified.exact]
        found.reasons = group(
            [("unproven", reason) for reason in front.unproven.values()]
            + [("not exact", difference or "outputs differ") for difference in wrong]
        )
        found.remedies = _to_prove(run, study, front)
        return found
    others = [s for s in statuses if s.state != State.COMPLETE]
    found.reasons = group((str(s.state), s.reason or "no reason given") for s in others)
    found.remedies = [*_to_run(others), *_to_be_feasible(run, study, target, others)]
    if not found.remedies:
        found.remedies = [f"each trial's log.txt in {run.path}/trials says more of its failure"]
    return found


def group(reasons: Iterable[tuple[str, str]]) -> list[Reason]:
    """Count reasons, each with what it is the reason of; those that differ in numbers only are one."""
    groups: dict[tuple[str, str], list[list[str]]] = {}
    for what, reason in reasons:
        groups.setdefault((what, _NUMBER.sub("\0", reason)), []).append(_NUMBER.findall(reason))
    found = []
    for (what, text), numbers in groups.items():
        ranges = iter([_range(values) for values in zip(*numbers, strict=True)])
        whole = re.sub("\0", lambda _, ranges=ranges: next(ranges), text)  # type: ignore[misc]
        found.append(Reason(count=len(numbers), what=what, reason=whole))
    return sorted(found, key=lambda r: (-r.count, r.what, r.reason))


def _range(values: Sequence[str]) -> str:
    low, high = min(values, key=float), max(values, key=float)
    return low if float(low) == float(high) else f"{low} to {high}"


def _to_run(others: Sequence[TrialStatus]) -> list[str]:
    """What is to be installed so that candidates come through."""
    lacking = sorted({name for status in others for name in status.lacking})
    if not lacking:
        return []
    return [f"install {', '.join(lacking)} (see 'codesign doctor'): the same command then tries these trials again"]


def _to_prove(run: RunFolder, study: Study, front: Front) -> list[str]:
    events = ((run.read_json("sample.json") or {}).get("splits") or {}).get("test", 0)
    wanted = study.verification.rtl_events
    if events < wanted and front.unproven.keys() <= {p.trial for p in front.points}:
        return [
            f"a larger sample or test split, or fewer verification.rtl_events: {wanted} are to be simulated, and the "
            f"test split has {events}; such a study needs another folder with --run"
        ]
    return [
        "the same command tries the proof again, once the reason is gone (see 'codesign doctor' for tools); "
        "nothing is trained anew"
    ]


def _to_be_feasible(run: RunFolder, study: Study, target: Target, others: Sequence[TrialStatus]) -> list[str]:
    """Of each bound that is broken, in how many trials and by the nearest of them; and the nearest trial of all."""
    bounds = {b.name: b for b in limits(study, target)}
    broken: dict[str, list[tuple[float, int, str]]] = {}
    nearest: tuple[float, int, list[str]] | None = None
    for status in others:
        folder = run.trial(status.trial)
        metrics, figures = folder.read("metrics.json", Metrics), folder.read("figures.json", Figures)
        if status.state != State.INFEASIBLE or metrics is None or figures is None:
            continue
        try:
            excess = violations(list(bounds.values()), metrics.metrics, figures.figures)
        except CodesignError:
            continue
        over = {name: (by, words) for name, (by, words) in excess.items() if by > 0}
        for name, (by, words) in over.items():
            broken.setdefault(name, []).append((by, status.trial, words))
        worst = max((by for by, _ in over.values()), default=0.0)
        if over and (nearest is None or (worst, status.trial) < nearest[:2]):
            nearest = worst, status.trial, [words for _, words in over.values()]
    if nearest is None:
        return []
    infeasible = sum(s.state == State.INFEASIBLE for s in others)
    found = [f"trial {nearest[1]} is the nearest of {infeasible}: {'; '.join(nearest[2])}"]
    for name, cases in sorted(broken.items(), key=lambda item: (-len(item[1]), item[0])):
        _, trial, words = min(cases)
        found.append(
            f"the bound on {name} rules out {len(cases)} of {infeasible}; the nearest to it, trial {trial}: {words}"
        )
    return found
