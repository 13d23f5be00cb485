"""How a search shows its progress: live on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from codesign.core.printing import visible

__all__ = ("Plain", "Progress", "Shown", "Silent", "make_progress")


@dataclass
class Shown:
    """What there is to show."""

    stage: str = ""
    wanted: int = 0
    complete: int = 0
    infeasible: int = 0
    failed: int = 0
    found_here: int = 0
    running: dict[int, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    front: Sequence[tuple[int, tuple[float, ...]]] = ()
    began: float = field(default_factory=time.monotonic)

    @property
    def finished(self) -> int:
        """Trials at their end."""
        return self.complete + self.infeasible + self.failed

    def rate(self) -> float | None:
        """Trials per minute of this start."""
        seconds = time.monotonic() - self.began
        return 60 * self.found_here / seconds if self.found_here and seconds > 0 else None

    def line(self) -> str:
        """The stage in one line; of a search with its numbers, but not the front's values."""
        if not self.stage.startswith("search"):
            return self.stage
        parts = [f"{self.stage}: {self.finished} of {self.wanted} trials"]
        others = ((self.infeasible, "infeasible"), (self.failed, "failed"))
        parts += [f"{n} {what}" for n, what in others if n]
        rate = self.rate()
        if rate is not None:
            parts.append(f"{rate:.1f} per minute")
            if self.finished < self.wanted:
                parts.append(f"about {_duration(60 * (self.wanted - self.finished) / rate)} left")
        if self.front:
            parts.append(f"{len(self.front)} on the front")
        return ", ".join(parts)


class Progress(Protocol):
    """Where a search tells how far it is."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""

    def show(self, shown: Shown) -> None:
        """Show how far the search is; called several times a second."""

    def note(self, text: str) -> None:
        """Tell something that must not be missed."""


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, shown: Shown) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


class Plain(Silent):
    """Writes a line when the stage changes, and otherwise at most every ``seconds``."""

    def __init__(self, stream: IO[str] | None = None, seconds: float = 20.0) -> None:
        self._stream = stream or sys.stderr
        self._seconds = seconds
        self._last: tuple[str, float, int] = ("", 0.0, -1)

    def show(self, shown: Shown) -> None:
        """Write the line if it is time, and if it says anything new."""
        stage = shown.stage.partition(":")[0]  # the count behind it is no new stage
        before, at, finished = self._last
        last = shown.finished >= shown.wanted and shown.finished != finished
        if stage != before or last or time.monotonic() - at >= self._seconds:
            self._last = (stage, time.monotonic(), shown.finished)
            self.note(shown.line())

    def note(self, text: str) -> None:
        """Write a line."""
        print(visible(text), file=self._stream, flush=True)


class _Live(Silent):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, shown: Shown) -> None:
        parts: list[RenderableType] = [Text(shown.line(), style="bold")]
        if shown.running:
            parts.append(Text(visible("; ".join(f"trial {n}: {stage}" for n, stage in sorted(shown.running.items())))))
        if shown.front:
            parts.append(front_table(shown.columns, shown.front[: max(3, self._console.height - 8)]))
        self._live.update(Group(*parts))

    def note(self, text: str) -> None:
        self._console.print(visible(text), highlight=False, markup=False)


def front_table(columns: Sequence[str], rows: Sequence[tuple[int, tuple[float, ...]]]) -> Table:
    """A table of trials and their objectives."""
    table = Table(box=None, pad_edge=False)
    table.add_column("trial", justify="right")
    for column in columns:
        table.add_column(Text(visible(column)), justify="right")
    for trial, values in rows:
        table.add_row(str(trial), *(f"{v:.5g}" for v in values))
    return table


def make_progress() -> Progress:
    """The progress that suits standard error: live on a terminal, lines in a pipe."""
    console = Console(stderr=True)
    return _Live(console) if console.is_terminal else Plain()


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
