"""Generate labelled jets on all cores: chunk by chunk, each kept as soon as it is made, so that a kill loses little.

The sample is decided by the card and the number of jets: not by the number of processes, nor by what lay in the cache.
A smaller sample is the beginning of a larger one.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codesign.errors import InputError, ToolError
from codesign.physics.cache import cache_folder, chunk_path, generator_versions, locked, read_chunk
from codesign.physics.card import Card, load_card
from codesign.physics.chunk import LEADING, Chunk
from codesign.physics.sample import Sample
from codesign.physics.substructure import FEATURE_NAMES, FEATURE_UNITS, features_of

__all__ = ("CHUNK_JETS", "GENERATION_VERSION", "Progress", "generated_sample")

#: Raised by hand whenever a change of the code changes the jets that come out of the same card.
GENERATION_VERSION = 2
#: Jets per chunk: starting Pythia costs about as much as 50 jets.
CHUNK_JETS = 1000
#: No chunk simulates as many: the least efficiency is one jet in 100 collisions.
_MOST_COLLISIONS = 1_000_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Task:
    """A chunk to be made."""

    label: int
    number: int
    jets: int
    path: Path


def generated_sample(
    card: str, events: int, progress: Progress | None = None, workers: int | None = None, leading: int | None = None
) -> Sample:
    """Generate a sample of jets, or take it from the cache.

    Parameters
    ----------
    card: name of a shipped card or path to one.
    events: number of jets; the classes take turns, jet ``i`` has label ``i`` modulo the number of classes.
    progress: called as ``progress(done, total)`` with numbers of jets, from the calling thread.
    workers: number of processes; by default one per core that this process may use.
    leading: compute the features from this many hardest constituents (1 to 32) only; by default from all.

    Returns
    -------
    Sample with the sixteen features of ``substructure.FEATURE_NAMES`` and the 32 hardest constituents.

    Raises
    ------
    InputError: an unknown card, a card that Pythia refuses, numbers that make no sense.
    ToolError: Pythia or FastJet is missing or crashed.
    """
    resolved = load_card(card)
    classes = len(resolved.classes)
    if events < classes:
        raise InputError(f"a sample of {events} jets is too small: card '{resolved.name}' has {classes} classes")
    if workers is not None and workers < 1:
        raise InputError(f"the number of processes must be at least 1, not {workers}")
    if leading is not None and not 1 <= leading <= LEADING:
        raise InputError(f"features can be computed from 1 to {LEADING} leading constituents, not {leading}")
    folder = cache_folder(resolved, GENERATION_VERSION)
    tasks = _tasks(resolved, events, folder)
    chunks = {task.path: read_chunk(task.path, task.jets) for task in tasks}
    if any(chunk is None for chunk in chunks.values()):
        with locked(folder):
            chunks = {task.path: read_chunk(task.path, task.jets) for task in tasks}
            missing = [task for task in tasks if chunks[task.path] is None]
            _make(resolved, missing, workers or len(os.sched_getaffinity(0)), events, progress)
            chunks |= {task.path: read_chunk(task.path, task.jets) for task in missing}
    if progress is not None:
        progress(events, events)
    return _assembled(resolved, tasks, chunks, events, leading)


def _tasks(card: Card, events: int, folder: Path) -> list[_Task]:
    """All chunks of a sample, the first chunk of every class first."""
    classes = len(card.classes)
    tasks = []
    for label, kind in enumerate(card.classes):
        wanted = (events - label + classes - 1) // classes
        for number in range(-(-wanted // CHUNK_JETS)):
            jets = min(CHUNK_JETS, wanted - number * CHUNK_JETS)
            tasks.append(_Task(label, number, jets, chunk_path(folder, kind.name, number)))
    return sorted(tasks, key=lambda task: (task.number, task.label))


def _make(card: Card, tasks: list[_Task], workers: int, events: int, progress: Progress | None) -> None:
    """Make chunks in subprocesses; the first error ends them all."""
    todo: queue.SimpleQueue[_Task] = queue.SimpleQueue()
    for task in tasks:
        todo.put(task)
    news: queue.SimpleQueue[tuple[_Task | None, int, Exception | None]] = queue.SimpleQueue()
    done = dict.fromkeys(tasks, 0)
    before = events - sum(task.jets for task in tasks)
    processes = [_Worker(card, todo, news) for _ in range(min(workers, len(tasks)))]
    running = len(processes)
    try:
        while running:
            made, jets, error = news.get()
            if error is not None:
                raise error
            if made is None:
                running -= 1
                continue
            done[made] = jets
            if progress is not None:
                progress(before + sum(done.values()), events)
    finally:
        for process in processes:
            process.stop()


class _Worker:
    """A subprocess and the thread that feeds it."""

    def __init__(self, card: Card, todo: Any, news: Any) -> None:
        package = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(p for p in (package, os.environ.get("PYTHONPATH")) if p)
        # one thread each: the processes are the parallelism
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "codesign.physics.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )
        self._card = card.model_dump(mode="json")
        self._thread = threading.Thread(target=self._serve, args=(todo, news), daemon=True)
        self._thread.start()

    def _serve(self, todo: Any, news: Any) -> None:
        try:
            while True:
                try:
                    task = todo.get_nowait()
                except queue.Empty:
                    break
                for jets in self._chunk(task):
                    news.put((task, jets, None))
            news.put((None, 0, None))
        except Exception as error:
            news.put((None, 0, error))

    def _chunk(self, task: _Task) -> Any:
        """Have one chunk made; yields the number of jets so far."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        request = {"card": self._card, "label": task.label, "number": task.number, "jets": task.jets}
        try:
            stdin.write(json.dumps(request | {"path": str(task.path)}) + "\n")
            stdin.flush()
            for line in stdout:
                reply = json.loads(line)
                if "error" in reply:
                    raise (InputError if reply["user"] else ToolError)(reply["error"])
                if "finished" in reply:
                    yield task.jets
                    return
                yield reply["done"]
        except OSError:
            pass
        raise ToolError(f"a process that generates jets ended early: {self._last_words()}")

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        # not FastJet's banner
        lines = [line.strip() for line in self._errors if line.strip() and not line.startswith("#")]
        return lines[-1][:300] if lines else f"exit code {code}"

    def stop(self) -> None:
        """End the process, at once if it is still at work."""
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # a pipe whose reader is gone cannot be flushed
                    continue


def _assembled(
    card: Card, tasks: list[_Task], chunks: dict[Path, Chunk | None], events: int, leading: int | None
) -> Sample:
    classes = len(card.classes)
    features = np.empty((events, len(FEATURE_NAMES)), dtype=np.float32)
    constituents = np.empty((events, LEADING, 3), dtype=np.float32)
    collisions = np.empty(events, dtype=np.int64)
    for task in tasks:
        chunk = chunks[task.path]
        if chunk is None:
            raise ToolError(f"{task.path}: a chunk that was just made cannot be read; is the disk full?")
        place = slice(task.label + task.number * CHUNK_JETS * classes, None, classes)
        features[place][: task.jets] = chunk.features
        constituents[place][: task.jets] = chunk.constituents
        collisions[place][: task.jets] = (task.number * classes + task.label) * _MOST_COLLISIONS + chunk.collisions
    if leading is not None:
        features = features_of(constituents[:, :leading])
    versions = generator_versions()
    provenance = {
        "origin": "generated",
        "generator": "Pythia",
        "generator_version": versions["pythia8mc"],
        "fastjet_version": versions["fastjet"],
        "generation_version": GENERATION_VERSION,
        "card": card.model_dump(mode="json"),
        "seed": card.seed,
        "events": events,
        "features_from": "all constituents" if leading is None else f"{leading} leading constituents",
    }
    labels = np.arange(events, dtype=np.int64) % classes
    return Sample(
        features, labels, FEATURE_NAMES, FEATURE_UNITS, card.class_names, constituents, provenance, collisions
    )
