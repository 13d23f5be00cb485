"""A picture of the beginning of an RTL simulation, from the traces that ``codesign verify --waves`` keeps (VCD)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codesign.core.design import Design
from codesign.rtl.packing import observed_port, unpack

__all__ = ("Row", "WaveCell", "Waves", "read_waves")

_HARNESS = "stream_harness"  # of sim/stream_harness.sv: what the traces of pipelined RTL begin with
_RESULTS = 6  # events whose results are shown
_MOST = 40  # clocks
_PITCH, _LEFT, _TALL = 46, 118, 30  # of a clock, of the names, of a row, in units of the drawing


@dataclass(frozen=True)
class WaveCell:
    """A value of a bus from one place to another; ``event`` tells whose it is, None where it is of none yet."""

    x: float
    width: float
    text: str
    event: int | None


@dataclass(frozen=True)
class Row:
    """One bus, at height ``y``."""

    name: str
    y: float
    cells: list[WaveCell]


@dataclass(frozen=True)
class Waves:
    """The drawing: the clock as points of a line, rows, and where the latency begins and ends (None: not known)."""

    width: float
    height: float
    clock: str
    rows: list[Row]
    span: tuple[float, float] | None
    latency: int | None
    words: str


def read_waves(path: Path, design: Design, latency: int | None) -> Waves | None:
    """Read the first events of a trace; None where it is not one of pipelined RTL, or ends too early.

    ``latency`` in clock cycles, as measured. At most as much is read of the file as is drawn.
    """
    port = observed_port(design)
    clocks = min((latency or 4) + _RESULTS + 1, _MOST)
    # after each rising edge, from the one that samples the first event on: the word at the output
    words: list[str] = []
    for at_output in _after_edges(path):
        words.append(at_output)
        if len(words) > clocks:
            break
    words = words[1:]  # the first edge comes before the first event
    if len(words) < 2 or any(set(word) - set("01") for word in words):
        return None
    codes = unpack(port, [f"{int(word, 2):x}" for word in words])
    clocks = len(words)

    def place(edge: float) -> float:
        return _LEFT + _PITCH * (edge + 0.5)

    clock = []
    for edge in range(clocks):
        x = place(edge)
        clock += [(x - _PITCH / 2, 44), (x, 44), (x, 28), (x + _PITCH / 2, 28), (x + _PITCH / 2, 44)]
    # inputs change half a clock before the edge that samples them
    rows = [Row("event at input", 58, [WaveCell(place(k - 0.5), _PITCH, str(k), k) for k in range(clocks)])]
    for column, label in list(enumerate(port.labels))[:8]:
        cells = []
        for edge in range(clocks):
            event = edge - latency if latency is not None and edge >= latency else None
            cells.append(WaveCell(place(edge), _PITCH, str(int(codes[edge, column])), event))
        rows.append(Row(label, 58 + _TALL * len(rows), cells))
    known = latency is not None and latency < clocks
    return Waves(
        width=place(clocks) + _PITCH / 2,
        height=58 + _TALL * len(rows) + 34,
        clock=" ".join(f"{x:g},{y:g}" for x, y in clock),
        rows=rows,
        span=(place(0), place(latency)) if known and latency is not None else None,
        latency=latency if known else None,
        words=f"Waveform of the first {clocks} clocks: a new event at every rising edge"
        + (
            f"; the result of event 0 stands at the output {latency} edges after the one that sampled it."
            if known
            else "."
        ),
    )


def _after_edges(path: Path) -> Iterator[str]:
    """The word at ``model_out`` after each rising edge of ``clk``, bits as text. IEEE 1800-2017, section 21.7."""
    with path.open(encoding="ascii", errors="replace") as lines:
        codes, depth = {}, 0
        for line in lines:
            words = line.split()
            if words[:1] == ["$scope"]:
                depth += 1
                if depth == 1 and words[2] != _HARNESS:
                    return
            elif words[:1] == ["$upscope"]:
                depth -= 1
            elif words[:1] == ["$var"] and depth == 1:
                codes[words[4]] = (words[3], int(words[2]))
            elif words[:1] == ["$enddefinitions"]:
                break
        if not {"clk", "model_out"} <= codes.keys():
            return
        (clock, _), (output, width) = codes["clk"], codes["model_out"]
        level, word, rising = "0", "x" * width, False
        for line in lines:
            text = line.strip()
            if text.startswith("#"):
                if rising:
                    yield word
                rising = False
            elif text[:1] in "bB" and text.split()[-1:] == [output]:
                bits = text.split()[0][1:]
                word = bits.rjust(width, "0" if bits[:1] != "x" else "x")
            elif text[1:] == clock and text[:1] in "01":
                rising, level = level == "0" and text[0] == "1", text[0]
            elif width == 1 and text[1:] == output:
                word = text[0]
        if rising:
            yield word
