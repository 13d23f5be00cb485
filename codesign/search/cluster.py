"""A Dask cluster in the place of local worker processes: the driver draws, the cluster evaluates.

The scheduling is Dask's own. The driver alone speaks to the search's storage and writes the run's folder; a job takes
its files along and brings its results back (:mod:`codesign.search.remote`), so that the machines share nothing.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from codesign.core.errors import CodesignError, InputError, ToolError
from codesign.core.reading.yaml import read_yaml
from codesign.core.records import State, TrialStatus
from codesign.core.runfolder import RunFolder, write_atomically
from codesign.core.store import pack, unpack
from codesign.core.validation import validate
from codesign.pipeline.parts import PARTS, part_path
from codesign.search import messages
from codesign.search.draw import Drawer
from codesign.search.pool import Died
from codesign.search.remote import carry_out, files_below
from codesign.search.storage import derived_seed
from codesign.search.telling import conclude

__all__ = ("ClusterPool", "JobQueue", "Slot", "job_queue", "must_be_possible")

_SECONDS_TO_CONNECT = 60.0
_SECONDS_TO_ANSWER = 10.0
#: in which workers that died are started again; a batch system starts its own when it does
_SECONDS_WITHOUT_WORKERS = 300.0
_EXTRA = "--cluster needs the extra 'cluster': pip install 'codesign[cluster]'"
_ADDRESS = re.compile(r"(?:(?P<scheme>[a-z]+)://)?(?P<host>\S+):(?P<port>[0-9]{1,5})")

#: of a drawn configuration, by Optuna's number: the trial that it repeats
Claim = Callable[[messages.Drawn], int | None]


class JobQueue(BaseModel):
    """The YAML file of ``--cluster``: a batch system, the number of its jobs, and Dask-Jobqueue's settings for one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["htcondor", "slurm", "lsf", "pbs", "sge", "oar", "moab", "local"]
    jobs: int = Field(ge=1, description="batch jobs to ask for; the search begins with the first that runs")
    settings: dict[str, Any] = Field(default_factory=dict, description="of the class in dask_jobqueue: cores, memory")


_CLASSES = {
    "htcondor": "HTCondorCluster", "slurm": "SLURMCluster", "lsf": "LSFCluster", "pbs": "PBSCluster",
    "sge": "SGECluster", "oar": "OARCluster", "moab": "MoabCluster",
}  # fmt: skip


def must_be_possible(where: str) -> None:
    """See, before any work, that ``--cluster`` names a file of a batch system that can be used here, or a scheduler
    that answers; InputError or ToolError says what is wrong."""
    if importlib.util.find_spec("distributed") is None:
        raise ToolError(_EXTRA)
    if where.endswith((".yaml", ".yml")):
        kind, _ = _describe(Path(where))
        submit = str(getattr(kind.job_cls, "submit_command", None) or "").split()
        if submit and shutil.which(submit[0]) is None:
            raise ToolError(f"--cluster: {where} needs '{submit[0]}', which is not on the PATH of this machine")
        return
    address = _ADDRESS.fullmatch(where)
    if address is None:
        raise InputError(_no_scheduler(where, "not an address, as tcp://host:8786 is"))
    if address["scheme"] in (None, "tcp", "tls"):
        try:
            socket.create_connection((address["host"].strip("[]"), int(address["port"])), _SECONDS_TO_ANSWER).close()
        except (OSError, OverflowError, UnicodeError) as error:
            raise InputError(_no_scheduler(where, " ".join(str(error).split())[:200])) from None


def _no_scheduler(where: str, why: str) -> str:
    return (
        f"--cluster: no Dask scheduler with a worker at {where} ({why}): "
        "give the address that 'dask scheduler' printed, or a YAML file of a batch system"
    )


def _describe(path: Path) -> tuple[Any, JobQueue]:
    """The class of Dask-Jobqueue that a YAML file asks for, and the file's content; InputError where it is wrong."""
    try:
        import dask_jobqueue
        from dask_jobqueue.local import LocalCluster
    except ImportError:
        raise ToolError("a batch system needs the extra 'cluster': pip install 'codesign[cluster]'") from None
    given = validate(JobQueue, read_yaml(path), str(path))
    return LocalCluster if given.kind == "local" else getattr(dask_jobqueue, _CLASSES[given.kind]), given


def job_queue(path: Path) -> tuple[Any, int]:
    """The Dask-Jobqueue cluster that a YAML file describes, and how many jobs it is to have.

    InputError says what is wrong with the file.
    """
    kind, given = _describe(path)
    try:
        return kind(**{"cores": 1, "processes": 1, "memory": "4 GB"} | given.settings), given.jobs
    except (TypeError, ValueError, RuntimeError, OSError) as error:
        raise InputError(f"{path}: {given.kind}: {' '.join(str(error).split())[:300]}") from None


class Slot:
    """Room for one job on the cluster."""

    def __init__(self, pool: ClusterPool) -> None:
        self._pool = pool
        self.job: Any = None
        self.future: Any = None
        self.asked: Any = None
        #: what there is to hear of the job before anything ran on the cluster
        self.said: list[Any] = []

    def give(self, job: Any) -> None:
        """Send a job to the cluster; of a trial, its configuration is drawn here."""
        self.job = job
        self._pool.send(self)

    def say(self, message: Any) -> None:
        """Answers are given at once, by the driver's own hand."""

    def begin(self) -> None:
        """The job itself says where it has died before it began."""

    def late(self, seconds: float | None) -> bool:
        """The job itself sees to its time."""
        return False


class ClusterPool:
    """As many slots as the cluster has threads."""

    def __init__(self, where: str, settings: messages.Settings, search: Any, claim: Claim) -> None:
        self._where, self._settings, self._search, self._claim = where, settings, search, claim
        self._run = RunFolder(Path(settings.run))
        self._drawer = Drawer(settings.study, search)
        self._shared: dict[bool, Any] = {}
        self._opened = contextlib.ExitStack()
        self.workers: list[Slot] = []

    def __enter__(self) -> Self:
        try:
            from distributed import Client
        except ImportError:
            raise ToolError(_EXTRA) from None
        address: Any = self._where
        if self._where.endswith((".yaml", ".yml")):
            queue, jobs = job_queue(Path(self._where))
            address = self._opened.enter_context(queue)
            queue.scale(jobs=jobs)
        try:
            self._client = self._opened.enter_context(Client(address, timeout=_SECONDS_TO_CONNECT))
            if isinstance(address, str):
                self._client.wait_for_workers(1, timeout=_SECONDS_TO_CONNECT)
            else:
                self._client.wait_for_workers(1)  # a batch system starts jobs when it does
        except (OSError, TimeoutError, ValueError) as error:
            self._opened.close()
            raise InputError(_no_scheduler(self._where, " ".join(str(error).split())[:200])) from None
        self._patience = _SECONDS_WITHOUT_WORKERS if isinstance(address, str) else None
        self._fit()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(Exception):  # of a cluster that is gone, too
            self._client.cancel([slot.future for slot in self.workers if slot.future is not None], force=True)
        with contextlib.suppress(Exception):
            self._opened.close()
        self.workers.clear()

    def _fit(self) -> None:
        """As many slots as there are threads now: batch jobs come and go."""
        threads = max(1, sum(w["nthreads"] for w in self._client.scheduler_info(n_workers=-1)["workers"].values()))
        idle = [slot for slot in self.workers if slot.job is None]
        for slot in idle[: max(0, len(self.workers) - threads)]:
            self.workers.remove(slot)
        while len(self.workers) < threads:
            self.add()

    def add(self) -> None:
        """One more slot."""
        self.workers.append(Slot(self))

    def remove(self, slot: Slot) -> None:
        """One slot less: a job of it died."""
        self.workers.remove(slot)

    # ------------------------------------------------------------------------------------------------------------ jobs
    def send(self, slot: Slot) -> None:
        """Draw what is to be drawn, and submit the slot's job."""
        job, paths = slot.job, []
        words: dict[str, Any] = {"kind": type(job).__name__}
        if isinstance(job, messages.Evaluate):
            try:
                drawn = self._drawer.draw(
                    job.trial,
                    lambda asked, config: self._claim(messages.Drawn(job.trial, asked.number, config)),
                    job.drew,
                    job.family,
                )
            except (CodesignError, ValueError) as error:
                slot.said.append(messages.Broken(" ".join(str(error).split())))
                return
            if drawn is None:
                slot.said.append(messages.Exhausted(job.trial))
                return
            slot.asked = drawn.asked
            folder, seed = self._run.trial(job.trial), derived_seed(self._settings.study.seed, "trial", job.trial)
            folder.write("config.json", drawn.config)
            status = TrialStatus(trial=job.trial, state=State.RUNNING, stage="cluster", seed=seed)
            if job.retry is not None:
                status.reason, status.lacking = job.retry.reason, list(job.retry.lacking)
            folder.write("status.json", status)
            words |= {"trial": job.trial, "note": job.note}
            paths = [folder.path]
            slot.said.append(messages.Stage(job.trial, "cluster"))
        elif isinstance(job, messages.Prove | messages.Measure):
            words |= {"trial": job.trial} | (
                {} if isinstance(job, messages.Prove) else {"fidelity": job.fidelity.value}
            )
            paths = [self._run.trial(job.trial).path, *self._run.path.glob("parts/baselines-test.npz")]
            slot.said.append(messages.Stage(job.trial, "cluster"))
        limit = self._settings.study.search.trial_seconds if isinstance(job, messages.Evaluate) else None
        files = pack(files_below(self._run.path, *paths))
        shared = self._parts(not isinstance(job, messages.Evaluate))
        slot.future = self._client.submit(
            carry_out, self._of_search, json.dumps(words), files, shared, limit, pure=False
        )

    @cached_property
    def _of_search(self) -> str:
        """What all jobs have in common."""
        settings = self._settings
        words = {
            "study": settings.study.to_yaml(),
            "pipeline": settings.pipeline,
            "store": settings.store,
        }
        return json.dumps(words)

    def _parts(self, with_test: bool) -> Any:
        """The sample on the cluster; the test split only once the search is over."""
        if with_test not in self._shared:
            names = [n for n in PARTS if with_test or n != "test"]
            paths = [self._run.path / n for n in ("sample.json", "study.yaml", "target.json")]
            content = pack(files_below(self._run.path, *paths, *(part_path(self._run, n) for n in names)))
            try:
                self._client.wait_for_workers(1, timeout=self._patience)
            except TimeoutError:
                raise ToolError(
                    f"the cluster at {self._where} has had no worker for {self._patience:g} s; "
                    "what was finished is kept: start the same again"
                ) from None
            self._shared[with_test] = self._client.scatter(content, broadcast=True)
        return self._shared[with_test]

    # ---------------------------------------------------------------------------------------------------------- answers
    def hear(self, seconds: float, gone: Sequence[Slot] = ()) -> Iterator[tuple[Slot, Any]]:
        """Yield what became of jobs, waiting at most so long for the first."""
        from distributed import CancelledError, wait

        for slot in list(self.workers):
            while slot.said:
                yield slot, slot.said.pop(0)
        running = [slot.future for slot in self.workers if slot.future is not None]
        with contextlib.suppress(TimeoutError, CancelledError):  # the second where a worker took its jobs along
            if running:
                wait(running, timeout=seconds, return_when="FIRST_COMPLETED")
        if self._client.status not in ("running", "connecting", "newly-created"):
            raise ToolError(f"the cluster at {self._where} is gone; what was finished is kept: start the same again")
        for slot in list(self.workers):
            if slot.future is not None and slot.future.done():
                message = self._heard(slot)
                slot.future = None
                yield slot, message
        self._fit()

    def _heard(self, slot: Slot) -> Any:
        from distributed import CancelledError

        job = slot.job
        if slot.future.status != "finished":
            error = slot.future.exception() if slot.future.status == "error" else None
            self._shared.clear()  # it may have gone with a worker: the next job's is sent anew
            if error is None or type(error).__name__ in ("KilledWorker", "CancelledError", "FutureCancelledError"):
                return Died(job, f"was lost with its cluster worker ({type(error).__name__ if error else 'cancelled'})")
            return messages.Broken(f"the cluster cannot run a job: {type(error).__name__}: {error}"[:400])
        try:
            words, content = slot.future.result()
        except CancelledError:
            self._shared.clear()
            return Died(job, "was lost with its cluster worker (its result)")
        answer, files = json.loads(words), unpack(content)
        if "broken" in answer:
            return messages.Broken(answer["broken"])
        if "died" in answer or files is None:
            how = answer.get("died", "sent back damaged files")
            return Died(job, how, late=answer.get("late", False), begun=answer.get("begun", True))
        if isinstance(job, messages.Evaluate):
            return self._evaluate(slot, answer, files)
        if isinstance(job, messages.Prove | messages.Measure):
            self._take(files, f"trials/{self._run.trial(job.trial).path.name}/")
            if isinstance(job, messages.Measure):
                return messages.Measured(job.trial, job.fidelity, answer["error"])
            return messages.Proven(job.trial, answer["error"])
        self._take(files, "baseline", "parts/baselines-test.npz")
        return messages.BaselineDone(answer["error"])

    def _take(self, files: dict[str, bytes], *beginnings: str) -> None:
        """Write what a job brought back, of what it is to bring."""
        for name, content in files.items():
            if name.startswith(beginnings):
                write_atomically(self._run.path / name, content)

    def _evaluate(self, slot: Slot, answer: dict[str, Any], files: dict[str, bytes]) -> messages.Finished:
        """Take in a trial: its files, its record, and last the storage, as a local worker does."""
        study, folder = self._settings.study, self._run.trial(slot.job.trial)
        status = TrialStatus.model_validate(answer["status"])
        own = f"trials/{folder.path.name}/"
        shutil.rmtree(folder.firmware, ignore_errors=True)
        files.pop(f"{own}status.json", None)
        self._take(files, own)
        conclude(self._search, slot.asked, folder, study, status)
        return messages.Finished(status.trial)
