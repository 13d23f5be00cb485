"""The record and the page of a stream."""

from __future__ import annotations

from pathlib import Path

from codesign.core.records import Plot, Series
from codesign.core.runfolder import write_atomically
from codesign.handoff.stream.stream_record import StreamRecord

__all__ = ("stream_page", "write_page")


def stream_page(record: StreamRecord, pictures: tuple[str, ...] = (), live: bool = False) -> str:
    """The page of a record, whatever its names hold; of a stream under way it asks for itself again and again."""
    from codesign.report.page import environment

    return environment().get_template("stream.html.j2").render(r=record, pictures=pictures, live=live)


def write_page(record: StreamRecord, folder: Path) -> None:
    """Write ``stream.json``, ``index.html`` and one picture for each output."""
    from codesign.report.plot_picture import plot_pictures

    plots = []
    for number, score in enumerate(record.scores):
        middle = [(a + b) / 2 for a, b in zip(score.edges, score.edges[1:], strict=False)]
        plots.append(
            Plot(
                name=f"score-{number}", title=f"Output {score.name}", x_label="code", y_label="collisions a second",
                series=[Series(label=score.name, x=middle, y=list(score.hz))], caption=record.origin,
            )
        )  # fmt: skip
    pictures = tuple(path.name for path in plot_pictures(plots, folder))
    write_atomically(folder / "stream.json", (record.model_dump_json(indent=1) + "\n").encode())
    write_atomically(folder / "index.html", stream_page(record, pictures).encode())
