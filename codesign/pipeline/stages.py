"""The stages of a candidate's way: named to the outside, timed, and each with its own record in the trial's folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from codesign.core.errors import CodesignError
from codesign.core.figures import Fidelity, Figure
from codesign.core.records import Figures, TrialStatus
from codesign.core.runfolder import TrialFolder

__all__ = (
    "MEASUREMENTS",
    "StageReport",
    "Stages",
    "add_figures",
    "add_seconds",
    "costs_only_itself",
    "has_figure",
    "measured_by",
    "note",
    "say",
)

#: the stage of a trial that measures at each rung, by whose name its notes say why it failed
MEASUREMENTS = {Fidelity.SYNTHESISED: "synthesis", Fidelity.PLACED: "placement"}

StageReport = Callable[[str], None]


class Stages:
    """Names the running stage to the outside and keeps its wall-clock time."""

    def __init__(self, report: StageReport) -> None:
        self._report = report
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Run the body as the stage ``name``."""
        self._report(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 4)


def has_figure(folder: TrialFolder, fidelity: Fidelity) -> bool:
    """Whether a trial has any figure of this fidelity."""
    record = folder.read("figures.json", Figures)
    return record is not None and any(f.fidelity == fidelity for f in record.figures)


def measured_by(folder: TrialFolder, tool: str) -> bool:
    """Whether a trial has any figure of this tool."""
    record = folder.read("figures.json", Figures)
    return record is not None and any(f.tool == tool for f in record.figures)


def add_figures(folder: TrialFolder, new: list[Figure]) -> None:
    """Add figures, replacing earlier ones of the same quantity and fidelity."""
    record = folder.read("figures.json", Figures) or Figures(figures=[])
    replaced = {(f.quantity, f.fidelity) for f in new}
    kept = [f for f in record.figures if (f.quantity, f.fidelity) not in replaced]
    folder.write("figures.json", Figures(figures=kept + new))


@contextmanager
def costs_only_itself(folder: TrialFolder, what: str) -> Iterator[None]:
    """What fails inside costs that measurement only; the trial's status says why it is absent."""
    try:
        yield
    except CodesignError as error:
        note(folder, what, error)
    else:
        note(folder, what, None)


def note(folder: TrialFolder, what: str, error: CodesignError | None) -> None:
    """Record in a trial's status why something was not measured; or, with None, that it was, at last."""
    status = folder.read("status.json", TrialStatus)
    if status is not None:
        notes = [n for n in status.notes if not n.startswith(f"{what} not measured")]
        notes += [] if error is None else [f"{what} not measured: {error}"]
        if notes != status.notes:
            folder.write("status.json", status.model_copy(update={"notes": notes}))


def say(folder: TrialFolder, text: str) -> None:
    """Add a note to a trial's status, once."""
    status = folder.read("status.json", TrialStatus)
    if status is not None and text not in status.notes:
        folder.write("status.json", status.model_copy(update={"notes": [*status.notes, text]}))


def add_seconds(folder: TrialFolder, seconds: dict[str, float]) -> None:
    """Add the wall-clock time of stages to a trial's status."""
    status = folder.read("status.json", TrialStatus) if seconds else None
    if status is not None:
        folder.write("status.json", status.model_copy(update={"seconds": status.seconds | seconds}))
