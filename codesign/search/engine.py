"""The search: a driver that hands out trials to worker processes, and the front that comes of it.

The driver decides which trial is drawn next and whether a drawn configuration is new; workers draw it from Optuna's
storage, evaluate it, write its records and tell the storage. So a worker can be killed at any moment: the driver knows
what it was doing, and everything that was finished is on disk.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from codesign.core.errors import InputError, ToolError, of_study
from codesign.core.layout import view_blocks
from codesign.core.records import Front, State, TrialStatus
from codesign.core.runfolder import RunFolder
from codesign.core.store import NO_STORE, Store
from codesign.data.preparation.prefix import Preparation
from codesign.families.teaching import learnable_weights, must_be_able, subject_of
from codesign.pipeline.front import pareto
from codesign.pipeline.parts import (
    is_known,
    part_path,
    record,
    restore_test,
    sample_facts,
    splits_of,
    withhold_test,
    write_part,
)
from codesign.pipeline.scoring import Score
from codesign.search import messages
from codesign.search.alone import alone, terminable
from codesign.search.foresight import expected_splits, must_have_tools, too_few_events
from codesign.search.measured import Climb
from codesign.search.members import DIMENSION
from codesign.search.pool import Died, Pool, Worker
from codesign.search.progress import Progress, Shown, Silent
from codesign.search.proving import Proof
from codesign.search.recovery import (
    adopt,
    begin_again,
    config_key,
    must_agree,
    recover,
    retries,
)
from codesign.search.resolve import Resolved, resolve
from codesign.search.shares import Shares
from codesign.search.storage import derived_seed, must_be_there, open_study, repair_journal
from codesign.search.telling import TRIES, conclude, fail, finished_trials, recorded_score, scored_trials, tell
from codesign.study.definition import FAMILY, Study

__all__ = ("run_study",)

#: the shipped pipeline
WHOLE = "whole"


def run_study(
    study: Study,
    run_folder: Path,
    trials: int | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    *,
    storage: str | None = None,
    store: str | None = None,
    cluster: str | None = None,
    pipeline: str = WHOLE,
) -> Front:
    """Search until ``trials`` are finished (by default the study's), prove the front, and write ``front.json``.

    Called again on the same folder, it goes on where it was; with nothing left to do it returns the front.
    ``pipeline`` names what is done with a candidate (:class:`codesign.pipeline.base.Pipeline`). ``store`` is the path
    or URL of what was made once (:mod:`codesign.core.store`); None for none. ``cluster`` is the address of a Dask
    scheduler, or a YAML file of a batch system, in the place of ``workers`` here (:mod:`codesign.search.cluster`).
    KeyboardInterrupt, also on SIGTERM, leaves the folder in order: what was running will be drawn again.
    """
    if workers < 1:
        raise InputError(f"--workers must be at least 1, not {workers}")
    if trials is not None and trials < 1:
        raise InputError(f"--trials must be at least 1, not {trials}")
    resolved = resolve(study)
    if store not in (None, NO_STORE):
        try:
            Store(str(store))  # a URL that cannot be used is told before any work begins
        except (OSError, ValueError) as error:
            raise InputError(f"--store: {store} cannot be used ({' '.join(str(error).split())[:200]})") from None
    if cluster is not None:
        from codesign.search.cluster import must_be_possible

        must_be_possible(cluster)
    run = RunFolder(Path(run_folder).resolve())
    settings = messages.Settings(study, str(run.path), storage, pipeline, store)
    with alone(run), terminable(), progress or Silent() as shows:
        return _Search(resolved, settings, trials or study.search.trials, workers, shows, cluster).run()


class _Search:
    """One start of the driver."""

    def __init__(
        self,
        resolved: Resolved,
        settings: messages.Settings,
        wanted: int,
        workers: int,
        progress: Progress,
        cluster: str | None,
    ) -> None:
        self._resolved, self._study = resolved, resolved.study
        self._run, self._settings = RunFolder(Path(settings.run)), settings
        self._wanted, self._workers = wanted, workers
        self._progress, self._cluster = progress, cluster
        self._directions = [o.direction for o in self._study.objectives]
        columns = tuple(f"{o.name} ({o.fidelity or 'validation'})" for o in self._study.objectives)
        self._shown = Shown(wanted=wanted, columns=columns)
        self._keys: dict[str, int] = {}
        self._scores: dict[int, Score] = {}
        self._best: list[Score] = []
        self._deaths: Counter[int] = Counter()
        #: what a trial drew whose worker died: it is tried again as it was
        self._drew: dict[int, dict[str, Any]] = {}
        self._deaths_in_a_row = 0
        self._shares = Shares(self._study.named)
        #: when a trial began with what it drew
        self._since: dict[int, float] = {}

    def run(self) -> Front:
        """Do all of it."""
        run, study = self._run, self._study
        must_agree(run, study, self._resolved.target)
        scored = scored_trials(run)
        must_be_there(run, self._settings.storage, scored)
        if repair_journal(run):
            self._progress.note("cut off the unfinished last line of the search's journal")
        self._optuna = open_study(run, study, self._settings.storage, scored)
        statuses = recover(run, study, self._optuna)
        adopt(run, study, self._resolved.target)
        self._retries = {n: r for n, r in retries(run, self._optuna, statuses).items() if n < self._wanted}
        for number, retry in self._retries.items():
            del statuses[number]
            # its configuration stays its own
            self._keys[config_key(run.trial(number).read_json("config.json") or {})] = number
            names = ", ".join(retry.lacking)
            self._progress.note(f"trial {number} is run again: it failed for want of {names}, which is here now")
        for number, status in statuses.items():
            self._count(number, status)
        self._put(list(self._scores.values()))
        todo = deque(n for n in range(self._wanted) if n not in statuses)
        climb = Climb(run, study, self._resolved.target, lambda: list(self._scores))
        proof = Proof(run, study, self._progress, self._front, climb)
        if not todo and (done := proof.done()) is not None:
            self._show("nothing left to do")
            return done
        ours = self._settings.pipeline == WHOLE  # of others we know no needs
        if ours and self._cluster is None:
            each = (must_have_tools(study, member.family, member.flow) for member in self._resolved.members)
            self._tell(dict.fromkeys(text for texts in each for text in texts))
        expected = None if run.read_json("sample.json") else expected_splits(study, self._resolved.problem)
        if ours and expected is not None:
            self._tell(too_few_events(study, expected))
        try:
            facts = self._sample(searching=bool(todo))
            if ours:
                self._must_be_able()
            if ours and expected is None:
                self._tell(too_few_events(study, facts["splits"]))
            with self._pool() as pool:
                self._search(pool, todo)
                return self._prove(pool, proof)
        except KeyboardInterrupt:
            recover(run, study, self._optuna)
            raise
        finally:  # no worker is left
            restore_test(run)

    # ---------------------------------------------------------------------------------------------------------- pieces
    def _pool(self) -> Any:
        if self._cluster is None:
            return Pool(self._workers, self._settings)
        from codesign.search.cluster import ClusterPool

        return ClusterPool(self._cluster, self._settings, self._optuna, self._claim)

    def _sample(self, searching: bool) -> dict[str, Any]:
        """Make the sample, or see that it is still the same, and say what it is; a search never has the test split at
        hand before it."""
        self._show("sample")
        study, run = self._study, self._run
        problem = self._resolved.task.open(study.sample, study.seed, self._making)
        with of_study("sample"):
            sample = problem.sample.filled(splits_of(study))
            self._tell(problem.remarks(sample, splits_of(study)))
        for member in self._resolved.members:
            view_blocks(problem.blocks(sample), member.study.view, f"study '{study.name}'")
        for place, variation in enumerate(study.systematics):
            with of_study("systematics", place):
                variation.must_fit(sample.layouts, tuple(sample.truth))
        sample = replace(sample, view=study.view)
        facts = record(sample, splits_of(study))
        facts["outputs"] = list(problem.outputs(sample))
        if meanings := dict(problem.meanings(sample)):
            facts["meanings"] = meanings
        if sample.weights is not None:  # told before anything is fitted
            for name in ("train", "validation"):
                learnable_weights(problem, sample.part(name, splits_of(study)))
        known = is_known(run, facts)
        for name in ("train", "validation"):
            if not known or not part_path(run, name).is_file():
                write_part(run, sample, splits_of(study), name)
        if not known:
            run.write("sample.json", facts)
        if searching:
            withhold_test(run)
        self._test = lambda: write_part(run, sample, splits_of(study), "test")
        return facts

    def _must_be_able(self) -> None:
        """UnsupportedError where a family cannot learn what the task wants learned: no candidate of it could."""
        problem, facts = self._resolved.problem, sample_facts(self._run)
        for member in self._resolved.members:
            trigger = problem.trigger if member.flow.triggers else None
            seen = facts.model_copy(update={"view": member.study.view})
            taught, inputs = member.study.training.teaching(), member.study.inputs
            taught.must_fit(seen)
            preparation = None if inputs is None else Preparation.of(inputs, seen.seen)
            must_be_able(member.family, subject_of(problem, seen, trigger, preparation, taught=taught))

    def _making(self, done: int, total: int) -> None:
        self._show(f"sample: {done} of {total} events")

    def _search(self, pool: Any, todo: deque[int]) -> None:
        if not todo:
            return
        self._todo = todo
        notes: dict[int, str] = {}

        def jobs() -> messages.Evaluate | None:
            if not self._todo or (family := self._shares.next()) is None:
                return None
            number = self._todo.popleft()
            retry = self._retries.get(number)
            if retry is None:
                job = messages.Evaluate(number, notes.pop(number, None), None, self._drew.pop(number, None), family)
                self._shares.begin(number, str((job.drew or {}).get(DIMENSION, family)))
                return job
            begin_again(self._run.trial(number), retry, derived_seed(self._study.seed, "trial", number))
            note = notes.pop(number, f"run again: at first it failed for want of {', '.join(retry.lacking)}")
            return messages.Evaluate(number, note, retry)

        def hear(worker: Worker, message: Any) -> None:
            if isinstance(message, messages.Drawn):
                repeats = self._claim(message)
                worker.say(messages.Answer(repeats))
                if repeats is None:
                    worker.begin()
            elif isinstance(message, messages.Finished):
                worker.job = None
                self._over(message.trial)
            elif isinstance(message, messages.Exhausted):
                worker.job = None
                self._shown.running.pop(message.trial, None)
                if (family := self._shares.end(message.trial)) is not None:
                    self._shares.exhaust(family)
                self._todo.appendleft(message.trial)
            elif isinstance(message, Died) and isinstance(message.job, messages.Evaluate):
                number = message.job.trial
                if self._lost(number, message):
                    if message.begun:
                        notes[number] = f"tried again: at first its worker {message.how}"
                    self._todo.appendleft(number)

        self._show("search")
        self._drive(pool, jobs, hear)
        if self._todo:
            self._progress.note(
                f"stopped after {self._shown.finished} of {self._wanted} trials: "
                "the sampler finds no configuration that was not tried already"
            )

    def _prove(self, pool: Any, proof: Proof) -> Front:
        self._test()
        self._show("baseline")
        queue: deque[Any] = deque(proof.baseline())
        died: Counter[Any] = Counter()

        def jobs() -> Any:
            return queue.popleft() if queue else None

        def hear(worker: Worker, message: Any) -> None:
            if isinstance(message, messages.BaselineDone | messages.Proven | messages.Measured):
                worker.job = None
                self._deaths_in_a_row = 0
                self._shown.running.pop(getattr(message, "trial", -1), None)
                if (number := proof.hear(message)) is not None:
                    self._scores.pop(number)
                    self._put(list(self._scores.values()))
                    self._shown.complete -= 1
                    self._shown.failed += 1
                self._shown.stage = proof.stage()
            elif isinstance(message, Died) and message.job is not None:
                died[message.job] += message.begun
                if died[message.job] < TRIES:
                    queue.append(message.job)
                else:
                    proof.died(message.job, message.how)

        self._drive(pool, jobs, hear)
        while to_prove := proof.open():
            self._show(proof.stage())
            queue.extend(to_prove)
            self._drive(pool, jobs, hear)
        self._show("front")
        return proof.write()

    # ------------------------------------------------------------------------------------------------------ the driver
    def _drive(self, pool: Any, jobs: Callable[[], Any], hear: Callable[[Worker, Any], None]) -> None:
        """Keep the workers busy until there is no job left and none running."""
        while True:
            for worker in pool.workers:
                if worker.job is None and (job := jobs()) is not None:
                    worker.give(job)
                    if not isinstance(job, messages.JudgeBaseline):
                        self._shown.running[job.trial] = "start"
            if all(worker.job is None for worker in pool.workers):
                return
            limit = self._study.search.trial_seconds
            ended = [
                (w, w.end(limit))
                for w in pool.workers
                if limit and isinstance(w.job, messages.Evaluate) and w.late(limit)
            ]
            for worker, message in [*ended, *pool.hear(0.25, [w for w, _ in ended])]:
                if isinstance(message, messages.Broken):
                    raise ToolError(message.reason)
                if isinstance(message, messages.Stage):
                    if not isinstance(worker.job, messages.Evaluate):
                        worker.begin()  # of a trial of the search, with its configuration
                    if message.trial is not None:
                        self._shown.running[message.trial] = message.name
                    continue
                if isinstance(message, Died):
                    self._replace(pool, worker, message)
                hear(worker, message)
            self._progress.show(self._shown)

    def _replace(self, pool: Any, worker: Worker, death: Died) -> None:
        self._deaths_in_a_row += not death.late
        most = 2 * self._workers + 4
        pool.remove(worker)
        if self._deaths_in_a_row > most:
            raise ToolError(
                f"{self._deaths_in_a_row} workers died one after the other, the last one {death.how}: is there enough "
                "memory for --workers of this number? what was finished is kept, and the same command goes on"
            )
        if isinstance(death.job, messages.Evaluate | messages.Prove | messages.Measure):
            self._shown.running.pop(death.job.trial, None)
            who = "it" if death.late else "its worker"
            self._progress.note(f"trial {death.job.trial}: {who} {death.how}; starting another")
        pool.add()

    def _claim(self, drawn: messages.Drawn) -> int | None:
        """Note what a trial drew; the trial that it repeats, None if it is new."""
        self._since[drawn.trial] = time.monotonic()
        self._shares.begin(drawn.trial, str(drawn.config.get(FAMILY, self._study.named[0])))
        first = self._keys.setdefault(config_key(drawn.config), drawn.trial)
        return None if first == drawn.trial else first

    def _over(self, number: int) -> None:
        self._deaths_in_a_row = 0
        self._shown.running.pop(number, None)
        status = finished_trials(self._run.trial(number))
        assert status is not None, "a worker writes the record before it says so"
        self._ended(number, status)

    def _lost(self, number: int, death: Died) -> bool:
        """Clear up after a worker that died with this trial; whether it is to be tried again: not one that took too
        long, nor one that killed its worker before: for these, too, there can be no such candidate here. Dying before
        it had a configuration is not the trial's doing.
        """
        folder, how, late = self._run.trial(number), death.how, death.late
        self._deaths[number] += death.begun
        asked = [
            t
            for t in self._optuna.get_trials(deepcopy=False)
            if not t.state.is_finished() and t.user_attrs.get("trial") == number
        ]
        if finished_trials(folder) is not None:  # it died between the record and telling the storage
            for trial in asked:
                tell(self._optuna, trial, folder, self._study)
            self._over(number)
            return False
        if not late and self._deaths[number] < TRIES:
            for trial in asked:
                fail(self._optuna, trial, f"its worker {how}")
            if number not in self._retries:
                if death.begun and asked:
                    self._drew[number] = dict(asked[-1].params)
                self._keys = {key: n for key, n in self._keys.items() if n != number}
                shutil.rmtree(folder.path, ignore_errors=True)
            return True
        running = folder.read("status.json", TrialStatus)
        status = TrialStatus(
            trial=number,
            state=State.FAILED,
            stage=running.stage if running else "",
            reason=f"it {how}" if late else f"its worker {how}, {self._deaths[number]} times",
            seed=derived_seed(self._study.seed, "trial", number),
            seconds={"total": round(time.monotonic() - self._since[number], 2)} if number in self._since else {},
            refused=1.0,
        )
        for trial in asked[:-1]:
            fail(self._optuna, trial, f"its worker {how}")
        if asked:
            conclude(self._optuna, asked[-1], folder, self._study, status)
        else:
            folder.write("status.json", status)
        self._ended(number, status)
        return False

    def _ended(self, number: int, status: TrialStatus) -> None:
        """Count a trial of this start, and put it on the front if it belongs there."""
        self._count(number, status)
        self._shown.found_here += 1
        if number in self._scores:  # against the front alone: with thousands of trials, all of them take a while
            self._put([*self._best, self._scores[number]])

    def _count(self, number: int, status: TrialStatus) -> None:
        shown, folder = self._shown, self._run.trial(number)
        self._shares.end(number)
        if (config := folder.read_json("config.json")) is not None:
            self._keys.setdefault(config_key(config), number)
            self._shares.add(self._study.of(config, str(folder.path / "config.json")).family, status.spent)
        if status.state == State.COMPLETE:
            shown.complete += 1
            self._scores[number] = recorded_score(folder, self._study)
        elif status.state == State.INFEASIBLE:
            shown.infeasible += 1
        else:
            shown.failed += 1

    def _put(self, scores: list[Score]) -> None:
        """The front is now that of these."""
        self._best = pareto(scores, self._directions)
        self._shown.front = [(s.trial, s.values) for s in self._best]

    def _front(self) -> list[Score]:
        return self._best

    def _tell(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._progress.note(text)

    def _show(self, stage: str) -> None:
        self._shown.stage = stage
        self._progress.show(self._shown)
