"""``codesign apply``: score files of events in chunks on all cores, and write friend trees or Parquet.

A friend tree has one entry for each entry of its file, in the same order, so that ROOT's ``AddFriend`` and uproot join
the two; ``run``, ``luminosityBlock`` and ``event`` are kept where the file has them, and tell events apart elsewhere.
It says of itself which bundle made it of which file, so that the same command, interrupted, goes on where it was.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from codesign.core.errors import InputError
from codesign.data.input_tables import Rows, table_chunks
from codesign.handoff.apply.advance import Advance, ScoreCounts
from codesign.handoff.apply.destinations import form_of, free, places_of
from codesign.handoff.apply.finished import Written, scores_in, written_in
from codesign.handoff.apply.given_file import given_file
from codesign.handoff.apply.histograms import Histograms
from codesign.handoff.apply.inputs_check import Readable, check_all, read_as
from codesign.handoff.apply.names import PREFIX
from codesign.handoff.apply.scorer import Scorer
from codesign.physics.events import read_events, write_events

__all__ = ("Applied", "apply_bundle")

_IDENTITY = ("run", "luminosityBlock", "event")


@dataclass(frozen=True)
class Applied:
    """What was scored of one file: where the scores are, and how many events and rows (objects) they are of.

    ``before``: whether they were finished before, and are as they were.
    """

    source: str
    output: Path
    events: int
    rows: int
    before: bool = False


def apply_bundle(
    bundle: Path,
    files: Sequence[Path | str],
    output: Path,
    form: str | None = None,
    chunk: int = 50_000,
    threads: int | None = None,
    histograms: Path | None = None,
    progress: Callable[[Advance], None] | None = None,
    emulator: bool = False,
    tree: str | None = None,
    force: bool = False,
) -> list[Applied]:
    """Score files and write one file of scores for each.

    Parameters
    ----------
    bundle: folder of a bundle; it is checked first.
    files: NanoAOD, Delphes, Parquet and whatever else ``read_events`` reads; or tables with a column per feature. A URL
        (``root://``, ``http://``, ``https://``) is copied into a temporary folder, one file at a time.
    output: a ``.root`` or ``.parquet`` file for one input, else a folder (``<name>-scores.root``).
    form: ``ttree``, ``rntuple`` or ``parquet``; by default told by the suffix, a folder gets ``ttree``.
    chunk: events held in memory at once by each thread, and by the reader.
    threads: chunks scored at the same time; by default one per core that this process may use.
    histograms: a ROOT file that gets a histogram of every output, over all files.
    progress: told after each chunk and each file how far the whole is.
    emulator: build the bundle's C++ emulator and score with it, instead of the ONNX in onnxruntime.
    tree: which tree of ROOT files that have several.
    force: write over files that something else wrote, and score anew what is finished.

    Raises
    ------
    InputError: a bundle that is not whole, a file that is not what the network needs, a place where something of the
        user's is; the scores of files that were finished before stay, and no file of scores is ever half-written.
    """
    if not files:
        raise InputError("no file of events was given")
    if chunk < 1 or (threads is not None and threads < 1):
        raise InputError("chunk and threads are whole numbers from 1")
    scorer = Scorer(bundle, emulator=emulator)
    sources = [given_file(f) for f in files]
    places = [place for _, place in places_of(sources, Path(output), form)]
    for place in places:
        free(place, force)
    if histograms is not None:
        if histograms.suffix.lower() != ".root":
            raise InputError(f"{histograms}: histograms are written as .root")
        free(histograms, force, [*(s.path for s in sources if s.path is not None), *places])
    readable = check_all(scorer, sources, tree)
    told = scorer.meanings
    records = [
        Written.of(bundle, form_of(place, form), tree, source.source(), meanings=told)
        for source, place in zip(sources, places, strict=True)
    ]
    tally = ScoreCounts(Histograms(scorer.manifest.outputs) if histograms is not None else None, readable, progress)
    done = []
    workers = threads or len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as pool:
        for source, place, record, how in zip(sources, places, records, readable, strict=True):
            tally.begin(source.name)
            before = not force and written_in(place) == record
            if before:
                for events, columns in scores_in(place, scorer.outputs, chunk):
                    tally.add(events, columns, scored=False)
            else:
                with source.here() as path:
                    scored = _in_order(pool, workers, _jobs(scorer, path, how, chunk, tree))
                    write_events(place, map(tally.count, scored), form, record.model_dump(mode="json"))
            done.append(Applied(source.given, place, tally.events, tally.rows, before))
            tally.end()
    if tally.histograms is not None and histograms is not None:
        whole = Written.of(bundle, "histograms", tree, *(r.sources[0] for r in records))
        tally.histograms.write(histograms, whole.model_dump_json())
    return done


def _jobs(
    scorer: Scorer, source: Path, readable: Readable | None, chunk: int, tree: str | None
) -> Iterator[Callable[[], Any]]:
    """One call for each chunk of a file, that gives the chunk's scores."""
    how = readable or read_as(scorer, source, tree)
    if how.table:
        for rows in table_chunks(source, scorer.blocks, chunk, tree, scorer.arrange, scorer.fill):
            yield partial(_table_scores, scorer, rows)
        return
    first = 0
    for events in read_events(source, scorer.task.collections, chunk, _IDENTITY, empty=True, tree=tree):
        yield partial(_event_scores, scorer, source, first, events)
        first += len(events)


def _table_scores(scorer: Scorer, rows: Rows) -> Any:
    import awkward as ak

    columns: dict[str, Any] = dict(rows.kept)
    columns[PREFIX] = ak.zip(scorer.rows(rows.features, lambda row: f"row {rows.first + row}"))
    return ak.zip(columns, depth_limit=1)


def _event_scores(scorer: Scorer, source: Path, first: int, events: Any) -> Any:
    import awkward as ak

    columns: dict[str, Any] = {name: events[name] for name in _IDENTITY if name in events.fields}
    columns[PREFIX] = scorer(events, lambda event: f"{source}, event {first + event}")
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
