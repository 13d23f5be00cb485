"""The record and the page of a stream."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Plot, Series
from codesign.core.runfolder import write_atomically
from codesign.handoff.stream.stream_record import StreamRecord

__all__ = ("write_page",)

_BINS = 60


def write_page(record: StreamRecord, codes: dict[str, NDArray[np.int64]], folder: Path) -> None:
    """Write ``stream.json``, ``index.html`` and one picture for each output; ``codes``: (events,) of each output."""
    from codesign.report.page import environment
    from codesign.report.plot_picture import plot_pictures

    plots = []
    for number, (name, values) in enumerate(codes.items()):
        seen = values[values > np.iinfo(np.int32).min]
        counts, edges = np.histogram(seen, bins=_BINS)
        middle = (edges[:-1] + edges[1:]) / 2
        hz = counts / len(values) * record.collisions_hz
        plots.append(
            Plot(
                name=f"score-{number}", title=f"Output {name}", x_label="code", y_label="collisions a second",
                series=[Series(label=name, x=middle.tolist(), y=hz.tolist())], caption=record.origin,
            )
        )  # fmt: skip
    pictures = [path.name for path in plot_pictures(plots, folder)]
    write_atomically(folder / "stream.json", (record.model_dump_json(indent=1) + "\n").encode())
    text = environment().get_template("stream.html.j2").render(r=record, pictures=pictures)
    write_atomically(folder / "index.html", text.encode())
