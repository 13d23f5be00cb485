"""The end of a search: its front is proven, judged on the test split, and written.

With rungs of measurement (:mod:`codesign.search.measured`) the search's front is proven first, then the rungs are
climbed, and what is on the front of one of them is proven, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from codesign.core.figures import Fidelity
from codesign.core.records import Figures, Front, FrontPoint, Metric, Metrics, State, TrialStatus, Verified
from codesign.core.runfolder import RunFolder
from codesign.pipeline.scoring import Score
from codesign.pipeline.stages import MEASUREMENTS
from codesign.search import messages
from codesign.search.measured import Climb, compare
from codesign.search.progress import Progress
from codesign.study.definition import Study

__all__ = ("Proof",)


#: begins the note of a trial whose simulation failed (:func:`codesign.pipeline.stages.note`)
_NOT_SIMULATED = "simulation not measured: "


class _Baseline(BaseModel):
    model_config = ConfigDict(extra="ignore")

    metrics: dict[str, Metric]


class Proof:
    """Which trials of the front are still to be proven, and what became of the others."""

    def __init__(
        self, run: RunFolder, study: Study, progress: Progress, front: Callable[[], list[Score]], climb: Climb
    ) -> None:
        self._run, self._study = run, study
        self._progress = progress
        self._front, self._climb = front, climb
        self._proven: set[int] = set()
        self._unproven: dict[int, str] = {}

    def done(self) -> Front | None:
        """The front as written, if it is the front of the trials as they are."""
        written = self._run.read("front.json", Front)
        if written is None:
            return None
        # what could not be measured is not tried again, unless there is something else to do
        known = {(t, front.fidelity): reason for front in written.fronts for t, reason in front.failed.items()}
        self._climb.failed |= known
        same = not self._climb.open() and self._climb.fronts() == written.fronts
        judged = {p.trial for p in written.points}
        if same and judged | written.unproven.keys() == set(self._members()) and not self._worth_it(written, judged):
            return written
        self._climb.failed.clear()
        return None

    def _members(self) -> list[int]:
        """Trials on the search's front, and then those on the front of a rung only."""
        own = [score.trial for score in self._front()]
        return own + sorted({t for front in self._climb.fronts() for t in front.trials} - set(own))

    def baseline(self) -> list[messages.JudgeBaseline]:
        """The baseline, unless it is there."""
        return [] if (self._run.path / "baseline.json").is_file() else [messages.JudgeBaseline()]

    def open(self) -> list[messages.Prove | messages.Measure]:
        """What the front as it is now still lacks: proofs of it, then measurements, then proofs of their fronts."""
        done = self._proven | self._unproven.keys()
        own = [score.trial for score in self._front() if score.trial not in done]
        if not own and (jobs := self._climb.open()):
            return list(jobs)
        return [messages.Prove(trial) for trial in own or self._members() if trial not in done]

    def stage(self) -> str:
        """How far the proof of the front is, in words."""
        done = self._proven | self._unproven.keys()
        own = {score.trial for score in self._front()}
        if own <= done and (jobs := self._climb.open()):
            return f"measured, {jobs[0].fidelity}: {len(jobs)} to go"
        front = own if not own <= done else set(self._members())
        return f"proof of the front: {len(front & done)} of {len(front)} trials"

    def died(self, job: Any, how: str) -> None:
        """A job cost its worker's life more than once."""
        reason = f"its worker {how}"
        if isinstance(job, messages.Prove | messages.Measure):
            self._climb.forget(job.trial)
        if isinstance(job, messages.Prove):
            self._broke_off(job.trial, reason)
        elif isinstance(job, messages.Measure):
            self._lacks(job.trial, job.fidelity, reason)
        else:
            self._progress.note(f"the baseline failed: {reason}")

    def hear(self, message: messages.BaselineDone | messages.Proven | messages.Measured) -> int | None:
        """Take in the end of a job; returns the trial that has to leave the front, if one has."""
        if isinstance(message, messages.BaselineDone):
            if message.error:
                self._progress.note(f"the baseline failed: {message.error}; see baseline.log in the run folder")
            return None
        self._climb.forget(message.trial)
        if isinstance(message, messages.Measured):
            # a measurement that says nothing and leaves nothing is not asked for for ever
            missing = messages.Measure(message.trial, message.fidelity) in self._climb.open()
            if message.error or missing:
                self._lacks(message.trial, message.fidelity, message.error or "it gave no figure that is compared")
            return None
        folder = self._run.trial(message.trial)
        if message.error:
            self._broke_off(message.trial, message.error)
            return None
        self._proven.add(message.trial)
        for what, reason in self._absent(message.trial).items():
            self._climb.failed.setdefault((message.trial, what), reason)
        verdict = folder.read("verify.json", Verified)
        if verdict is None or verdict.exact:
            return None
        reason = f"the RTL simulation is not exact: {verdict.first_difference or 'outputs differ'}"
        self._mark(message.trial, {"state": State.FAILED, "stage": "verification", "reason": reason})
        self._progress.note(f"trial {message.trial} leaves the front: {reason}")
        return message.trial

    def _broke_off(self, trial: int, reason: str) -> None:
        # not the candidate's verdict: a tool or the machine failed, and the next start tries again
        self._unproven[trial] = reason
        self._progress.note(f"trial {trial} could not be proven: {reason}; see its log.txt")
        status = self._run.trial(trial).read("status.json", TrialStatus)
        note = f"the proof broke off: {reason}"
        if status is not None and note not in status.notes:
            self._mark(trial, {"notes": [*status.notes, note]})

    def _lacks(self, trial: int, fidelity: Fidelity, reason: str) -> None:
        self._climb.failed[trial, fidelity] = reason
        self._progress.note(f"trial {trial} has no {fidelity} figures: {reason}; see its log.txt")

    def _absent(self, trial: int) -> dict[Fidelity, str]:
        """What a trial's proof could not measure and why, from the notes in its status."""
        status = self._run.trial(trial).read("status.json", TrialStatus)
        found = {}
        for fidelity, name in MEASUREMENTS.items():
            begin = f"{name} not measured: "
            for text in status.notes if status else []:
                if text.startswith(begin):
                    found[fidelity] = text.removeprefix(begin)
        return found

    def _mark(self, trial: int, update: dict[str, Any]) -> None:
        folder = self._run.trial(trial)
        status = folder.read("status.json", TrialStatus)
        assert status is not None, "only finished trials are proven"
        folder.write("status.json", status.model_copy(update=update))

    def write(self) -> Front:
        """Write ``front.json``: every trial on the front that was judged on the test split."""
        members = self._members()
        points = [point for trial in members if (point := self._point(trial)) is not None]
        proven = {point.trial for point in points if point.verified is not None}
        baseline = self._run.read("baseline.json", _Baseline)
        front = Front(
            study=self._study.name,
            objectives=compare(self._study),
            points=points,
            fronts=self._climb.fronts(),
            baseline=baseline.metrics if baseline else {},
            unproven={trial: self._why_not(trial) for trial in members if trial not in proven},
        )
        self._run.write("front.json", front)
        return front

    def _worth_it(self, written: Front, judged: set[int]) -> bool:
        """Whether to try again what could not be proven: tools come, and time limits are the machine's; but a test
        split has no more events than it had."""
        if written.unproven.keys() <= judged:
            facts = self._run.read_json("sample.json") or {}
            events = facts.get("splits", {}).get("test", 0)
            return bool(written.unproven) and bool(events >= self._study.verification.rtl_events)
        return True

    def _why_not(self, trial: int) -> str:
        """Why a trial of the front has no verdict, from this start or from its notes."""
        if trial in self._unproven:
            return self._unproven[trial]
        status = self._run.trial(trial).read("status.json", TrialStatus)
        reasons = [n for n in status.notes if n.startswith(_NOT_SIMULATED)] if status else []
        return reasons[-1].removeprefix(_NOT_SIMULATED) if reasons else "it was not simulated"

    def _point(self, trial: int) -> FrontPoint | None:
        folder = self._run.trial(trial)
        judged = folder.read("test.json", Metrics)
        if judged is None:
            return None
        searched, figures = folder.read("metrics.json", Metrics), folder.read("figures.json", Figures)
        assert searched is not None
        assert figures is not None
        return FrontPoint(
            trial=trial,
            config=folder.read_json("config.json") or {},
            metrics=judged.metrics,
            validation=searched.metrics,
            figures=figures.figures,
            verified=folder.read("verify.json", Verified),
        )
