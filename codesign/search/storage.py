"""Optuna's storage of a search: by default a journal in the run folder, which several workers append to.

A journal takes a fifth of the time per trial that SQLite does, and its lock is one that the kernel releases when a
worker is killed. Any URL that Optuna's relational storage knows (SQLite, PostgreSQL, MySQL) does as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from codesign.core.errors import InputError
from codesign.core.records import SearchName
from codesign.core.runfolder import RunFolder
from codesign.search.own_trials import OwnTrials, kind_of
from codesign.study.definition import SearchSettings, Study

__all__ = (
    "JOURNAL",
    "derived_seed",
    "make_sampler",
    "must_be_there",
    "open_storage",
    "open_study",
    "repair_journal",
    "study_name",
    "unknown_trials",
)

#: the journal's name in a run folder
JOURNAL = "study.journal"

#: s between two tries to get the journal, which is held for a thousandth of one
_BETWEEN_TRIES = 1e-3
_SECONDS_TO_WAIT = 60  # for another writer, where SQLite is chosen


class _KernelLock:
    """Lock of the journal: unlike Optuna's own lock files, it does not outlive a worker that was killed holding it."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path, mode=0o644, poll_interval=_BETWEEN_TRIES, fallback_to_soft=False)

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def open_storage(run: RunFolder, url: str | None) -> Any:
    """The journal of a run, or the database of a URL; InputError where that cannot be opened."""
    if url is None:
        journal = run.path / JOURNAL
        lock = _KernelLock(journal.with_suffix(".lock"))
        try:
            return JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))
        except OSError:
            raise
        except Exception as error:  # what Optuna meets in a damaged line, of any type
            said = " ".join(str(error).split())[:200]
            raise InputError(
                f"{journal}: the search's journal is damaged ({type(error).__name__}: {said}): "
                "restore it, or give another folder with --run"
            ) from None
    from codesign.search.patient import PatientStorage

    settings: dict[str, Any] = {}
    if url.startswith("sqlite"):
        settings["connect_args"] = {"timeout": _SECONDS_TO_WAIT}
    try:
        return optuna.storages.get_storage(PatientStorage(url, engine_kwargs=settings))
    except (Exception, SystemExit) as error:  # drivers raise their own types, or are not installed
        reason = " ".join(str(error).split())[:300]
        scheme = url.split(":", 1)[0]
        raise InputError(f"--storage: cannot open the {scheme} storage: {reason}") from None


def study_name(run: RunFolder, study: Study) -> str:
    """Name of the search within its storage, which runs may share; chosen on first use, kept in ``search.json``."""
    record = run.read("search.json", SearchName)
    if record is None:
        record = SearchName(name=f"{study.name}-{uuid.uuid4().hex[:12]}")
        run.write("search.json", record)
    return record.name


def unknown_trials(run: RunFolder, trials: Sequence[int]) -> str:
    """What is wrong where a storage does not know these finished trials of a run."""
    return (
        f"{run.path} holds {len(trials)} finished trials that the search's storage does not know (the first: "
        f"{trials[0]}): give the --storage with which the run began, or another folder with --run"
    )


def must_be_there(run: RunFolder, url: str | None, scored: Sequence[int]) -> None:
    """Where a run has ``scored`` trials, see that its storage is there: a mistyped one is refused, and not created."""
    if not scored:
        return
    file: str | None = str(run.path / JOURNAL)
    if url is not None:
        file = None
        if url.startswith("sqlite"):
            with contextlib.suppress(ValueError, SQLAlchemyError):
                file = make_url(url).database
    if file is not None and not Path(file).is_file():
        raise InputError(unknown_trials(run, scored))


def open_study(run: RunFolder, study: Study, url: str | None, scored: Sequence[int] = ()) -> Any:
    """Open the search's Optuna study, or create it; not where it must know ``scored`` trials: InputError then."""
    with _quiet():
        if scored:
            try:
                return optuna.load_study(storage=open_storage(run, url), study_name=study_name(run, study))
            except KeyError:
                raise InputError(unknown_trials(run, scored)) from None
        directions = ["maximize" if o.direction == "maximise" else "minimize" for o in study.objectives]
        return optuna.create_study(
            storage=open_storage(run, url),
            study_name=study_name(run, study),
            directions=directions,
            load_if_exists=True,
        )


def repair_journal(run: RunFolder) -> bool:
    """Cut off a last line that a full disk or a power cut left unfinished; whether there was one.

    Without this, the next line would be appended to the fragment and the journal be unreadable for good.
    """
    journal = run.path / JOURNAL
    if not journal.is_file():
        return False
    content = journal.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole == len(content):
        return False
    os.truncate(journal, whole)
    return True


def derived_seed(seed: int, *parts: object) -> int:
    """A seed for one purpose, from the study's seed and what tells the purpose apart: 31 bits, the same everywhere."""
    text = "/".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 1


def make_sampler(
    settings: SearchSettings, seed: int, *, explore: bool = False, family: tuple[str, str] | None = None
) -> Any:
    """Make the study's sampler; ``explore`` takes a random one, for when the chosen one only repeats itself.

    ``family``: the dimension, and its value, of the trials that it is to learn from; None for all.
    """
    samplers = optuna.samplers
    with _quiet():
        if explore or settings.sampler == "random":
            return samplers.RandomSampler(seed=seed)
        made: Any
        if settings.sampler == "nsga2":
            kind = kind_of(samplers.NSGAIISampler, family[1] if family else None)
            made = kind(population_size=settings.population, seed=seed)
        else:  # as many random trials before the model as the genetic sampler has in its first generation
            made = samplers.TPESampler(n_startup_trials=settings.population, seed=seed)
        return made if family is None else OwnTrials(made, *family)


@contextmanager
def _quiet() -> Iterator[None]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
