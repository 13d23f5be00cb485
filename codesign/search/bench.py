"""Where candidates are evaluated, the front is proven and baselines are judged, one job at a time, in any process."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from codesign.core.errors import CodesignError, InputError, RefusedError, SystemRefusal, ToolError
from codesign.core.figures import Fidelity
from codesign.core.records import State, TrialStatus
from codesign.core.runfolder import RunFolder, TrialFolder, write_atomically
from codesign.core.targets import load_target
from codesign.families.base import Family
from codesign.flows.base import Flow
from codesign.flows.settings import family_config, flow_settings
from codesign.pipeline.base import Pipeline
from codesign.pipeline.lacking import lacking
from codesign.pipeline.scoring import excess_of, score
from codesign.search import messages
from codesign.search.telling import TRIES

if TYPE_CHECKING:
    from codesign.data.sample import Part, Sample
    from codesign.families.base import Candidate
    from codesign.pipeline.base import Pipeline
    from codesign.study.definition import Study

__all__ = ("KEPT", "NO_ROOM", "Bench", "reason_of")

#: what the system says where a disk, a quota or a limit on file sizes is full
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
KEPT = "what was finished is kept: make room and start again"


def reason_of(error: BaseException) -> str:
    """One line that says why."""
    text = " ".join(str(error).split())
    return text if isinstance(error, CodesignError) else f"{type(error).__name__}: {text}"


def _processor() -> float:
    """Processor time of this process, to less than a tick of the system's clock, and of the tools that it ran, s."""
    return time.process_time() + sum(os.times()[2:4])


def _by_chance(error: BaseException) -> bool:
    """Whether the machine may have been at fault, and not the candidate: memory, a tool, a bug."""
    return not isinstance(error, CodesignError) or isinstance(error, ToolError | SystemRefusal)


def _no_room(error: BaseException) -> None:
    """Stop the search where the disk is full: no candidate is to blame, and none could be recorded."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        raise CodesignError(f"{error.filename or 'the run folder'}: {error.strerror}; {KEPT}") from None


@contextlib.contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Send whatever a candidate and its tools print, warnings included, to its log; an empty log is not kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with open(path, "ab", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o644)) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, handle in enumerate(kept, start=1):
            os.dup2(handle, number)
            os.close(handle)
        with contextlib.suppress(FileNotFoundError):
            if not path.stat().st_size:
                path.unlink()


class Bench:
    """Where jobs are done, in whatever process: ``send`` is told the stages."""

    def __init__(self, settings: messages.Settings, run: RunFolder, send: Callable[[Any], None]) -> None:
        self._settings = settings
        self._study = settings.study
        self._run = run
        self._send = send

    def carry_out(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do a job away from the driver, on files in the run folder, and say what came of it."""
        if job["kind"] == "JudgeBaseline":
            return {"error": self.baseline()}
        number = int(job["trial"])
        if job["kind"] == "Prove":
            return {"error": self.prove(number)}
        if job["kind"] == "Measure":
            return {"error": self.measure(number, Fidelity(job["fidelity"]))}
        from codesign.core import plugins

        self.prepare()
        whole = self._run.trial(number).read_json("config.json") or {}
        source = str(self._run.trial(number).path / "config.json")
        study = self._study.of(whole, source)
        candidate = plugins.load(Family, study.family).read(family_config(whole), source)
        settings = flow_settings(plugins.load(Flow, study.flow.name), whole)
        status = self.judged(study, number, job["note"], whole, candidate, settings)
        return {"status": status.model_dump(mode="json")}

    # ------------------------------------------------------------------------------------------- loaded with first use
    @cached_property
    def _pipeline(self) -> Pipeline:
        from codesign.core import plugins

        found = plugins.load(Pipeline, self._settings.pipeline)
        for name in self._study.named:
            plugins.load(Family, name).prepare(threads=1)  # a worker is one of several
        return found

    @cached_property
    def _parts(self) -> tuple[Part, Part]:
        from codesign.pipeline.parts import load_part

        return load_part(self._run, "train"), load_part(self._run, "validation")

    @cached_property
    def _sample(self) -> Sample:
        from codesign.pipeline.parts import load_sample

        return load_sample(self._run)

    def prepare(self) -> None:
        """Load what every trial needs: what is missing here is missing for all, and no candidate is to blame."""
        _ = self._pipeline, self._parts

    # ---------------------------------------------------------------------------------------------------------- search
    def judged(
        self,
        study: Study,
        number: int,
        note: str | None,
        config: dict[str, Any],
        candidate: Candidate,
        settings: BaseModel,
        retry: messages.Retry | None = None,
    ) -> TrialStatus:
        """Evaluate a candidate of the study of its family; the trial's last status, which is still to be written.

        ``config`` is what is recorded of it.
        """
        from codesign.search.storage import derived_seed

        folder = self._run.trial(number)
        status = TrialStatus(
            trial=number,
            state=State.RUNNING,
            seed=derived_seed(self._study.seed, "trial", number),
            notes=[note] if note else [],
            reason=retry.reason if retry else None,  # should this process die: it is tried again
            lacking=list(retry.lacking) if retry else [],
        )
        began, spent = time.perf_counter(), _processor()
        folder.write("config.json", config)
        with _log_to(folder.path / "log.txt"):
            for tries in range(1, TRIES + 1):
                try:
                    ended = self._evaluated(study, folder, candidate, settings, status)
                    return ended.model_copy(update={"processor": round(_processor() - spent, 4)})
                except (Exception, SystemExit) as error:  # a candidate's bug is not the search's
                    _no_room(error)
                    if not isinstance(error, CodesignError):
                        traceback.print_exc()
                    lacks = lacking(error)
                    if tries < TRIES and not lacks and _by_chance(error):
                        from codesign.search.recovery import clear

                        clear(folder)
                        again = f"tried again: at first it failed with {reason_of(error)}"
                        status = status.model_copy(update={"notes": [*status.notes, again]})
                        continue
                    entered = folder.read("status.json", TrialStatus)
                    update = {
                        "state": State.FAILED,
                        "stage": entered.stage if entered else "",
                        "reason": reason_of(error),
                        "lacking": lacks,
                        "refused": None if lacks else error.excess if isinstance(error, RefusedError) else 1.0,
                        "seconds": {"total": time.perf_counter() - began},
                        "processor": round(_processor() - spent, 4),
                    }
                    return status.model_copy(update=update)
        raise AssertionError("the last try ends")

    def _evaluated(
        self, study: Study, folder: TrialFolder, candidate: Candidate, settings: BaseModel, status: TrialStatus
    ) -> TrialStatus:
        def stage(name: str) -> None:
            folder.write("status.json", status.model_copy(update={"stage": name}))
            self._send(messages.Stage(status.trial, name))

        stage("start")
        train, validation = self._parts
        target = load_target(study.target)
        began = time.perf_counter()
        result = self._pipeline.evaluate(study, candidate, folder, status.seed, train, validation, stage, settings)
        score(status.trial, study, result.metrics, result.figures)  # all that is compared was measured
        _, reason = excess_of(study, target, result.metrics, result.figures)
        update: dict[str, Any] = {
            "state": State.INFEASIBLE if reason else State.COMPLETE,
            "reason": reason or None,
            "lacking": [],
            "seconds": dict(result.seconds) | {"total": time.perf_counter() - began},
            "design": result.design_hash,
            "notes": [*status.notes, *result.notes],
        }
        return status.model_copy(update=update)

    # ----------------------------------------------------------------------------------------------------------- proof
    def prove(self, number: int) -> str | None:
        """Prove a trial; why it broke off, if it did."""
        return self._guarded(lambda: self._prove(number), self._run.trial(number).path / "log.txt")

    def measure(self, number: int, fidelity: Fidelity) -> str | None:
        """Measure a trial at a fidelity; why that failed, if it did."""

        def work() -> None:
            folder, _, stage = self._opened(number)
            pipeline = self._pipeline
            self._send(messages.Stage(number, "start"))
            pipeline.measure(self._own(folder), folder, fidelity, stage)

        return self._guarded(work, self._run.trial(number).path / "log.txt")

    def repeat(self, number: int, place: int, judge: bool) -> str | None:
        """Train a trial again from another seed, or judge that on the test split; why that failed, if it did."""
        from codesign.core import plugins
        from codesign.search.repeat_places import repeat_folder, repeat_seed

        again, folder = repeat_folder(self._run, number, place), self._run.trial(number)

        def work() -> None:
            whole, source = folder.read_json("config.json") or {}, str(folder.path / "config.json")
            study, pipeline = self._own(folder), self._pipeline
            seed = repeat_seed(study.seed, number, place)
            if judge:
                pipeline.judge(study, again, self._sample, seed, lambda name: self._send(messages.Stage(number, name)))
                return
            candidate = plugins.load(Family, study.family).read(family_config(whole), source)
            settings = flow_settings(plugins.load(Flow, study.flow.name), whole)
            train, validation = self._parts
            other = study.model_copy(update={"seed": seed})  # several candidates of one training have the study's
            again.write("config.json", whole)
            stage: Callable[[str], None] = lambda name: self._send(messages.Stage(number, name))  # noqa: E731
            stage("start")
            pipeline.evaluate(other, candidate, again, seed, train, validation, stage, settings)

        return self._guarded(work, again.path / "log.txt")

    def baseline(self) -> str | None:
        """Judge the classical baselines; why that failed, if it did."""
        return self._guarded(self._baseline, self._run.path / "baseline.log")

    def _guarded(self, work: Callable[[], None], log: Path) -> str | None:
        with _log_to(log):
            try:
                work()
            except (Exception, SystemExit) as error:
                if not isinstance(error, CodesignError):
                    traceback.print_exc()
                return reason_of(error)
        return None

    def _prove(self, number: int) -> None:
        folder, seed, stage = self._opened(number)
        pipeline, sample = self._pipeline, self._sample
        self._send(messages.Stage(number, "start"))
        pipeline.prove(self._own(folder), folder, sample, seed, stage)

    def _own(self, folder: TrialFolder) -> Study:
        """The study of a trial's family."""
        return self._study.of(folder.read_json("config.json") or {}, str(folder.path / "config.json"))

    def _opened(self, number: int) -> tuple[TrialFolder, int, Callable[[str], None]]:
        """A finished trial's folder and seed, and what is told its stages."""
        folder = self._run.trial(number)
        status = folder.read("status.json", TrialStatus)
        if status is None:
            raise InputError(f"{folder.path} has no status.json")

        def stage(name: str) -> None:
            # read again: the proof writes its notes into the same record
            now = folder.read("status.json", TrialStatus) or status
            folder.write("status.json", now.model_copy(update={"stage": name}))
            self._send(messages.Stage(number, name))

        return folder, status.seed, stage

    def _baseline(self) -> None:
        """Judge the classical baselines, and keep their scores for the plots of the front."""
        from codesign.pipeline.baseline_scores import judge_baselines
        from codesign.pipeline.parts import splits_of

        sample = self._sample
        self._send(messages.Stage(None, "baseline"))
        record, scores = judge_baselines(self._study, sample, splits_of(self._study))
        write_atomically(self._run.path / "parts" / "baselines-test.npz", scores)
        write_atomically(self._run.path / "baseline.json", (json.dumps(record, indent=1) + "\n").encode())
