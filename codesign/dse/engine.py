"""The search: a driver that hands out trials to worker processes, and the front that comes of it.

The driver decides which trial is drawn next and whether a drawn configuration is new; workers draw it from Optuna's
storage, evaluate it, write its records and tell the storage. So a worker can be killed at any moment: the driver knows
what it was doing, and everything that was finished is on disk.
"""

from __future__ import annotations

import errno
import shutil
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codesign.dse import messages
from codesign.dse.front import pareto
from codesign.dse.lock import Locked, hold
from codesign.dse.measured import Climb
from codesign.dse.parts import part_path, record, splits_of, write_part
from codesign.dse.pool import Died, Pool, Worker
from codesign.dse.progress import Progress, Shown, Silent
from codesign.dse.proof import Proof
from codesign.dse.recovery import adopt, config_key, fail, finished, recorded_score, recover, tell
from codesign.dse.resolve import Resolved, resolve
from codesign.dse.scoring import Score
from codesign.dse.storage import derived_seed, open_study, repair_journal
from codesign.dse.worker import WORKERS_LOCK
from codesign.errors import CodesignError, InputError, ToolError
from codesign.records import Front, SampleFacts, State, TrialStatus
from codesign.runfolder import RunFolder
from codesign.store import NO_STORE, Store
from codesign.study import Study

__all__ = ("run_study",)

#: a candidate that kills its worker this often is at fault itself
_DEATHS_PER_TRIAL = 2


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
    evaluate: str = "codesign.candidate:evaluate",
    prove: str = "codesign.candidate:prove",
    measure: str = "codesign.candidate:measure",
) -> Front:
    """Search until ``trials`` are finished (by default the study's), prove the front, and write ``front.json``.

    Called again on the same folder, it goes on where it was; with nothing left to do it returns the front.
    ``evaluate``, ``prove`` and ``measure`` are ``module:function`` (see :mod:`codesign.candidate`). ``store`` is the
    path or URL of what was made once (:mod:`codesign.store`); None for none. ``cluster`` is the address of a Dask
    scheduler, or a YAML file of a batch system, in the place of ``workers`` here (:mod:`codesign.dse.cluster`).
    KeyboardInterrupt, also on SIGTERM, leaves the folder in order: what was running will be drawn again.
    """
    if workers < 1:
        raise InputError(f"--workers must be at least 1, not {workers}")
    if trials is not None and trials < 1:
        raise InputError(f"--trials must be at least 1, not {trials}")
    resolved = resolve(study)
    if store not in (None, NO_STORE):
        Store(str(store))  # a URL that cannot be used is told before any work begins
    run = RunFolder(Path(run_folder).resolve())
    settings = messages.Settings(study, str(run.path), storage, evaluate, prove, store, measure)
    with _alone(run), _terminable(), progress or Silent() as shows:
        return _Search(resolved, settings, trials or study.search.trials, workers, shows, cluster).run()


@contextmanager
def _alone(run: RunFolder) -> Iterator[None]:
    """Make the run folder and hold it: one driver at a time, and no worker of one that was killed."""
    try:
        run.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {run.path}: {error.strerror}; give another folder with --run") from None
    try:
        with hold(run.path / ".lock"):
            with hold(run.path / WORKERS_LOCK, wait=30):
                pass
            yield
    except Locked as locked:
        who = f" (process {locked.owner})" if locked.owner else ""
        raise InputError(
            f"{run.path} is in use by another 'codesign run'{who}: wait for it, or give another folder with --run"
        ) from None
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        where = error.filename or run.path
        raise InputError(f"cannot write to {where}: {error.strerror}; give another folder with --run") from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
            raise
        raise CodesignError(
            f"{error.filename or run.path}: {error.strerror}; what was finished is kept: make room and start again"
        ) from None


@contextmanager
def _terminable() -> Iterator[None]:
    """Take a polite request to end (as batch systems send it) for Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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
        self._asked: dict[int, int] = {}
        self._deaths: Counter[int] = Counter()
        self._deaths_in_a_row = 0
        self._exhausted = False

    def run(self) -> Front:
        """Do all of it."""
        run, study = self._run, self._study
        adopt(run, study, self._resolved.target)
        if repair_journal(run):
            self._progress.note("cut off the unfinished last line of the search's journal")
        self._optuna = open_study(run, study, self._settings.storage)
        statuses = recover(run, study, self._optuna)
        for number, status in statuses.items():
            self._count(number, status)
        self._put(list(self._scores.values()))
        todo = deque(n for n in range(self._wanted) if n not in statuses)
        climb = Climb(run, study, self._resolved.target, lambda: list(self._scores))
        proof = Proof(run, study, self._progress, self._front, climb)
        if not todo and (done := proof.done()) is not None:
            self._show("nothing left to do")
            return done
        self._sample(searching=bool(todo))
        try:
            with self._pool() as pool:
                self._search(pool, todo)
                return self._prove(pool, proof)
        except KeyboardInterrupt:
            recover(run, study, self._optuna)
            raise

    # ---------------------------------------------------------------------------------------------------------- pieces
    def _pool(self) -> Any:
        if self._cluster is None:
            return Pool(self._workers, self._settings)
        from codesign.dse.cluster import ClusterPool

        return ClusterPool(self._cluster, self._settings, self._optuna, self._claim)

    def _sample(self, searching: bool) -> None:
        """Make the sample, or see that it is still the same; a search never has the test split on disk before it."""
        self._show("sample")
        study, run = self._study, self._run
        sample = self._resolved.task.sample(study.sample, study.seed, self._making)
        facts, before = record(sample, splits_of(study)), run.read("sample.json", SampleFacts)
        facts["outputs"] = list(self._resolved.task.outputs(sample))
        if before is not None and before.hash != facts["hash"]:
            raise InputError(
                f"the sample is not the one with which {run.path} began ({before.events} events, "
                f"hash {(before.hash or 'none')[:12]}; now {facts['events']}, {facts['hash'][:12]}): "
                "restore it, or give another folder with --run"
            )
        for name in ("train", "validation"):
            if before is None or not part_path(run, name).is_file():
                write_part(run, sample, splits_of(study), name)
        if before is None:
            run.write("sample.json", facts)
        if searching:
            part_path(run, "test").unlink(missing_ok=True)
        self._test = lambda: write_part(run, sample, splits_of(study), "test")

    def _making(self, done: int, total: int) -> None:
        self._show(f"sample: {done} of {total} events")

    def _search(self, pool: Any, todo: deque[int]) -> None:
        if not todo:
            return
        self._todo = todo
        notes: dict[int, str] = {}

        def jobs() -> messages.Evaluate | None:
            if not self._todo or self._exhausted:
                return None
            number = self._todo.popleft()
            return messages.Evaluate(number, notes.pop(number, None))

        def hear(worker: Worker, message: Any) -> None:
            if isinstance(message, messages.Drawn):
                worker.say(messages.Answer(self._claim(message)))
                worker.begin()
            elif isinstance(message, messages.Finished):
                worker.job = None
                self._over(message.trial)
            elif isinstance(message, messages.Exhausted):
                worker.job = None
                self._shown.running.pop(message.trial, None)
                self._exhausted = True
            elif isinstance(message, Died) and isinstance(message.job, messages.Evaluate):
                number = message.job.trial
                if self._lost(number, message.how, message.late):
                    notes[number] = f"drawn again: at first its worker {message.how}"
                    self._todo.appendleft(number)

        self._show("search")
        self._drive(pool, jobs, hear)
        if self._exhausted:
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
                died[message.job] += 1
                if died[message.job] < _DEATHS_PER_TRIAL:
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
                    if not isinstance(job, messages.Baseline):
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
        self._asked[drawn.trial] = drawn.asked
        first = self._keys.setdefault(config_key(drawn.config), drawn.trial)
        return None if first == drawn.trial else first

    def _over(self, number: int) -> None:
        self._deaths_in_a_row = 0
        self._shown.running.pop(number, None)
        status = finished(self._run.trial(number))
        assert status is not None, "a worker writes the record before it says so"
        self._ended(number, status)

    def _lost(self, number: int, how: str, late: bool) -> bool:
        """Clear up after a worker that died with this trial; whether the trial is to be drawn again (a ``late`` one is
        not)."""
        folder = self._run.trial(number)
        self._deaths[number] += 1
        asked = next((t for t in self._optuna.get_trials(deepcopy=False) if t.number == self._asked.get(number)), None)
        if finished(folder) is not None:  # it died between the record and telling the storage
            if asked is not None and not asked.state.is_finished():
                tell(self._optuna, asked, folder, self._study)
            self._over(number)
            return False
        if asked is not None and not asked.state.is_finished():
            fail(self._optuna, asked, f"it {how}" if late else f"its worker {how}")
        again = not late and self._deaths[number] < _DEATHS_PER_TRIAL
        if again:
            self._keys = {key: n for key, n in self._keys.items() if n != number}
            shutil.rmtree(folder.path, ignore_errors=True)
            return True
        running = folder.read("status.json", TrialStatus)
        folder.write(
            "status.json",
            TrialStatus(
                trial=number,
                state=State.FAILED,
                stage=running.stage if running else "",
                reason=f"it {how}" if late else f"its worker {how}, {self._deaths[number]} times",
                seed=derived_seed(self._study.seed, "trial", number),
            ),
        )
        status = finished(folder)
        assert status is not None, "it was just written"
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
        if (config := folder.read_json("config.json")) is not None:
            self._keys.setdefault(config_key(config), number)
        if status.state == State.COMPLETE:
            shown.complete += 1
            self._scores[number] = recorded_score(folder, self._study)
        elif status.state == State.INFEASIBLE:
            shown.infeasible += 1
        elif status.state == State.STOPPED:
            shown.stopped += 1
        else:
            shown.failed += 1

    def _put(self, scores: list[Score]) -> None:
        """The front is now that of these."""
        self._best = pareto(scores, self._directions)
        self._shown.front = [(s.trial, s.values) for s in self._best]

    def _front(self) -> list[Score]:
        return self._best

    def _show(self, stage: str) -> None:
        self._shown.stage = stage
        self._progress.show(self._shown)
