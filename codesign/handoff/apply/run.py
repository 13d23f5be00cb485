"""``codesign apply``: score files of events in chunks on all cores, and write friend trees or Parquet.

A friend tree has one entry for each entry of its file, in the same order, so that ROOT's ``AddFriend`` and uproot join
the two; ``run``, ``luminosityBlock`` and ``event`` are kept where the file has them, and tell events apart elsewhere.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codesign.errors import InputError
from codesign.handoff.apply.histograms import Histograms
from codesign.handoff.apply.scorer import Scorer
from codesign.handoff.apply.tables import is_table, table_chunks
from codesign.physics.events import read_events, write_events

__all__ = ("Applied", "apply_bundle")

_IDENTITY = ("run", "luminosityBlock", "event")
#: name of the collection, or prefix of the branches, that holds the outputs
PREFIX = "codesign"


@dataclass(frozen=True)
class Applied:
    """What was scored of one file: where the scores are, and how many events and rows (objects) they are of."""

    source: Path
    output: Path
    events: int
    rows: int


def apply_bundle(
    bundle: Path,
    files: Sequence[Path],
    output: Path,
    form: str | None = None,
    chunk: int = 50_000,
    threads: int | None = None,
    histograms: Path | None = None,
    progress: Callable[[str, int], None] | None = None,
    emulator: bool = False,
) -> list[Applied]:
    """Score files and write one file of scores for each.

    Parameters
    ----------
    bundle: folder of a bundle; it is checked first.
    files: NanoAOD, Delphes, Parquet and whatever else ``read_events`` reads; or tables with a column per feature.
    output: a ``.root`` or ``.parquet`` file for one input, else a folder (``<name>-scores.root``).
    form: ``ttree``, ``rntuple`` or ``parquet``; by default told by the suffix, a folder gets ``ttree``.
    chunk: events held in memory at once by each thread, and by the reader.
    threads: chunks scored at the same time; by default one per core that this process may use.
    histograms: a ROOT file that gets a histogram of every output, over all files.
    progress: called as ``progress(file, events)`` after each chunk.
    emulator: build the bundle's C++ emulator and score with it, instead of the ONNX in onnxruntime.

    Raises
    ------
    InputError: a bundle that is not whole, a file that is not what the network needs; the scores of files that were
        finished before stay, and no file of scores is ever half-written.
    """
    if not files:
        raise InputError("no file of events was given")
    if chunk < 1 or (threads is not None and threads < 1):
        raise InputError("chunk and threads are whole numbers from 1")
    scorer = Scorer(bundle, emulator=emulator)
    places = _places([Path(f) for f in files], Path(output), form)
    counted = Histograms(scorer.manifest.outputs) if histograms is not None else None
    done = []
    workers = threads or len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as pool:
        for source, place in places:
            tally = _Tally()
            scored = _in_order(pool, workers, _jobs(scorer, source, chunk))
            pieces = (_counted(piece, tally, counted, source, progress) for piece in scored)
            write_events(place, pieces, form, {"bundle": scorer.manifest.design, "source": source.name})
            done.append(Applied(source, place, tally.events, tally.rows))
    if counted is not None and histograms is not None:
        counted.write(histograms)
    return done


@dataclass
class _Tally:
    events: int = 0
    rows: int = 0


def _places(files: list[Path], output: Path, form: str | None) -> list[tuple[Path, Path]]:
    if output.suffix in (".root", ".parquet") and not output.is_dir():
        if len(files) > 1:
            raise InputError(f"{output} is one file, and {len(files)} were given to score: give a folder")
        places = [output]
    else:
        suffix = ".parquet" if form == "parquet" else ".root"
        places = [output / f"{file.stem}-scores{suffix}" for file in files]
    if len(set(places)) < len(places):
        raise InputError("two of the files have the same name, and would get the same file of scores")
    for file, place in zip(files, places, strict=True):
        if file.resolve() == place.resolve():
            raise InputError(f"{file} would be overwritten by its scores: give another output")
    return list(zip(files, places, strict=True))


def _jobs(scorer: Scorer, source: Path, chunk: int) -> Iterator[Callable[[], Any]]:
    """One call for each chunk of a file, that gives the chunk's scores."""
    if is_table(source, scorer.features):
        for features, kept in table_chunks(source, scorer.features, chunk):
            yield lambda features=features, kept=kept: _table_scores(scorer, features, kept)  # type: ignore[misc]
        return
    for events in read_events(source, scorer.task.collections, chunk, optional=_IDENTITY):
        yield lambda events=events: _event_scores(scorer, events)  # type: ignore[misc]


def _table_scores(scorer: Scorer, features: Any, kept: dict[str, Any]) -> Any:
    import awkward as ak

    columns: dict[str, Any] = dict(kept)
    columns[PREFIX] = ak.zip(scorer.rows(features))
    return ak.zip(columns, depth_limit=1)


def _event_scores(scorer: Scorer, events: Any) -> Any:
    import awkward as ak

    columns: dict[str, Any] = {name: events[name] for name in _IDENTITY if name in events.fields}
    columns[PREFIX] = scorer(events)
    return ak.zip(columns, depth_limit=1)


def _in_order(pool: ThreadPoolExecutor, workers: int, jobs: Iterable[Callable[[], Any]]) -> Iterator[Any]:
    """Results in the order of the jobs, with no more of them under way than there are workers, and one waiting."""
    waiting: deque[Future[Any]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(job))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _counted(
    piece: Any,
    tally: _Tally,
    counted: Histograms | None,
    source: Path,
    progress: Callable[[str, int], None] | None,
) -> Any:
    import awkward as ak

    scores = piece[PREFIX]
    flat = ak.flatten(scores) if scores.ndim > 1 else scores
    tally.events += len(piece)
    tally.rows += len(flat)
    if counted is not None:
        counted.fill({name: np.asarray(flat[name]) for name in flat.fields})
    if progress is not None:
        progress(source.name, tally.events)
    return piece
