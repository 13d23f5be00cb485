"""What nextpnr found of one network, folded and unrolled, on a target: how far the declared clock is from the chip's.

The figures are those of ``reports/reference/folded_board.json`` (``python -m tests.benchmarks.folded_board``).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from codesign.core.figures import Fidelity

__all__ = ("EXAMPLES", "PlacedExample", "placed_examples")

EXAMPLES = Path(__file__).resolve().parent / "placed_examples.json"


class PlacedExample(BaseModel):
    """A network on a target: clocks between two of its events, and the highest clock by nextpnr; or why there is none.

    ``fmax`` is in MHz, ``lut`` a number of look-up tables.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    network: str
    interval: int
    fmax: float | None = None
    lut: float | None = None
    failed: str | None = None
    fidelity: Fidelity = Fidelity.PLACED
    tool: str
    version: str

    def __str__(self) -> str:
        found = f"{self.fmax:.1f} MHz" if self.fmax is not None else "no placement"
        return f"{'unrolled' if self.interval == 1 else f'interval {self.interval}'} {found}"


@cache
def _examples() -> tuple[PlacedExample, ...]:
    return tuple(PlacedExample.model_validate(e) for e in json.loads(EXAMPLES.read_text(encoding="utf-8")))


def placed_examples(target: str) -> tuple[PlacedExample, ...]:
    """Those of a target, by its name; none where nothing was placed."""
    return tuple(e for e in _examples() if e.target == target)
