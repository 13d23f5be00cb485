"""Generate labelled jets on all cores: chunk by chunk, each kept as soon as it is made, so that a kill loses little.

The sample is decided by the card and the number of jets: not by the number of processes, nor by what lay in the cache.
A smaller sample is the beginning of a larger one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codesign.core.errors import InputError, ToolError
from codesign.core.layout import BlockValues
from codesign.data.sample import Sample
from codesign.physics.cache import cache_folder, chunk_path, generator_versions, hold_folder, read_chunk
from codesign.physics.card import Card, load_card
from codesign.physics.chunk import LEADING, Chunk
from codesign.physics.processes import Piece, Progress, make_pieces
from codesign.physics.substructure import CONSTITUENTS, FEATURE_NAMES, FEATURE_UNITS, features_of

__all__ = ("CHUNK_JETS", "GENERATION_VERSION", "Progress", "generated_sample")

#: Raised by hand whenever a change of the code changes the jets that come out of the same card.
GENERATION_VERSION = 2
#: Jets per chunk: starting Pythia costs about as much as 50 jets.
CHUNK_JETS = 1000
#: No chunk simulates as many: the least efficiency is one jet in 100 collisions.
_MOST_COLLISIONS = 1_000_000


@dataclass(frozen=True)
class _Task:
    """A chunk to be made."""

    label: int
    number: int
    jets: int
    path: Path

    def piece(self, card: Card) -> Piece:
        """What a worker is asked for."""
        request = {"make": "jets", "card": card.model_dump(mode="json"), "label": self.label}
        return Piece(self.path, self.jets, request | {"number": self.number, "jets": self.jets})


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
        with hold_folder(folder):
            chunks = {task.path: read_chunk(task.path, task.jets) for task in tasks}
            missing = [task for task in tasks if chunks[task.path] is None]
            make_pieces(
                [task.piece(resolved) for task in missing], workers or len(os.sched_getaffinity(0)), events, progress
            )
            chunks |= {task.path: read_chunk(task.path, task.jets) for task in missing}
    if progress is not None:
        progress(events, events)
    return _assemble(resolved, tasks, chunks, events, leading)


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


def _assemble(
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
        features, labels, FEATURE_NAMES, FEATURE_UNITS, card.class_names,
        (BlockValues(CONSTITUENTS, constituents),), provenance, collisions,
    )  # fmt: skip
