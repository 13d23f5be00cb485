"""A worker process: draws candidates from the storage, and does what the driver sends it.

Only light things are imported at the top: what a worker needs is loaded with its first job, after the number of
threads is fixed.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import traceback
from functools import cached_property
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesign.core import store
from codesign.core.errors import CodesignError
from codesign.core.lock import hold_shared
from codesign.core.runfolder import RunFolder
from codesign.search import messages
from codesign.search.bench import KEPT, NO_ROOM, Bench, reason_of
from codesign.search.telling import conclude

if TYPE_CHECKING:
    from codesign.search.draw import Draw, Drawer

__all__ = ("WORKERS_LOCK", "main")

#: held by every worker while it lives, so that no search begins while workers of a killed one still write
WORKERS_LOCK = ".workers.lock"


def main(connection: Connection, settings: messages.Settings) -> None:
    """Work until the driver says so or is gone."""
    # a group of its own: Ctrl-C reaches the driver alone, which stops its workers together with their tools
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_driver, daemon=True).start()
    run = RunFolder(Path(settings.run))
    try:
        with hold_shared(run.path / WORKERS_LOCK, wait=60), contextlib.suppress(EOFError, BrokenPipeError):
            store.use(settings.store)
            worker = _Worker(connection, settings, run)
            # one whose driver died before this lock was held must not touch what the next driver has cleared up
            if (driver := parent_process()) is not None and not driver.is_alive():
                return
            known: set[type] = set()
            while (job := connection.recv()) is not None:
                worker.do(job)
                if type(job) not in known:  # what its first brought in stays: no later collection looks through it
                    known.add(type(job))
                    gc.collect()
                    gc.freeze()
    except Exception as error:
        reason = reason_of(error)
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            reason = f"{error.filename or 'the run folder'}: {error.strerror}; {KEPT}"
        elif not isinstance(error, CodesignError):
            (run.path / "worker.log").write_text("".join(traceback.format_exception(error)), encoding="utf-8")
            reason = f"a worker cannot go on: {reason}; see worker.log in the run folder"
        with contextlib.suppress(OSError):
            connection.send(messages.Broken(reason))


def _die_with_driver() -> None:
    driver = parent_process()
    if driver is not None:
        driver.join()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(os.getpid(), signal.SIGKILL)  # the tools that it runs, too


class _Worker(Bench):
    """A worker process of the driver's own machine, which draws its trials from the storage itself."""

    def __init__(self, connection: Connection, settings: messages.Settings, run: RunFolder) -> None:
        super().__init__(settings, run, connection.send)
        self._connection = connection

    def do(self, job: Any) -> None:
        if isinstance(job, messages.Evaluate):
            self._trial(job)
        elif isinstance(job, messages.Prove):
            self._send(messages.Proven(job.trial, self.prove(job.trial)))
        elif isinstance(job, messages.Measure):
            self._send(messages.Measured(job.trial, job.fidelity, self.measure(job.trial, job.fidelity)))
        elif isinstance(job, messages.Repeat):
            self._send(messages.Repeated(job.trial, job.number, self.repeat(job.trial, job.number, job.judge)))
        else:
            self._send(messages.BaselineDone(self.baseline()))

    @cached_property
    def _drawer(self) -> Drawer:
        from codesign.search.draw import Drawer

        return Drawer(self._study, self._search)

    @cached_property
    def _search(self) -> Any:
        from codesign.search.storage import open_study

        storage = self._settings.storage
        if storage is None:
            return open_study(self._run, self._study, None)
        from codesign.search.patient import open_again

        return open_again(lambda: open_study(self._run, self._study, storage))

    def _draw(self, job: messages.Evaluate) -> Draw | None:
        number = job.trial

        def repeats(asked: Any, config: dict[str, Any]) -> int | None:
            self._send(messages.Drawn(number, asked.number, config))
            answer: messages.Answer = self._connection.recv()
            return answer.repeats

        return self._drawer.draw(number, repeats, job.drew, job.family)

    def _trial(self, job: messages.Evaluate) -> None:
        self.prepare()
        drawn = self._draw(job)
        if drawn is None:
            self._send(messages.Exhausted(job.trial))
            return
        study = self._study.of(drawn.config, f"trial {job.trial}")
        status = self.judged(study, job.trial, job.note, drawn.config, drawn.candidate, drawn.settings, job.retry)
        conclude(self._search, drawn.asked, self._run.trial(job.trial), self._study, status)
        self._send(messages.Finished(job.trial))
