"""The progress in a pipe: never silent for long, and with what is left of a stage that counts."""

from __future__ import annotations

import io
import threading

from codesign.search.progress import Plain, Shown


class Heard(io.StringIO):
    """What was written, and an event when so many lines are there."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.wanted, self.full = lines, threading.Event()

    def write(self, text):
        done = super().write(text)
        if self.getvalue().count("\n") >= self.wanted:
            self.full.set()
        return done


def test_a_stage_that_tells_nothing_is_not_silent():
    stream = Heard(3)
    with Plain(stream, seconds=0.02) as progress:
        progress.show(Shown(stage="baseline"))
        assert stream.full.wait(30)  # nobody shows anything any more
    lines = stream.getvalue().splitlines()
    assert lines[0] == "baseline"
    assert all(line.startswith("baseline, for 0 s so far") for line in lines[1:])


def test_what_is_left_of_a_stage_that_counts_is_told():
    stream = io.StringIO()
    progress = Plain(stream, seconds=0)
    for count in (0, 50, 100):
        progress.show(Shown(stage=f"sample: {count} of 100 events", wanted=1))
    first, second, last = stream.getvalue().splitlines()
    assert first == "sample: 0 of 100 events"
    assert second.startswith("sample: 50 of 100 events, about 0 s left")
    assert last == "sample: 100 of 100 events"
