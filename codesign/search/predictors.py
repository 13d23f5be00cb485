"""What a compiled figure will be one rung closer to the chip, learned from what the run itself has measured there.

Of each family and quantity: the mean of the logarithm of measured over compiled, and the standard deviation of one more
such value about it, ``s sqrt(1 + 1/n)``. So the error is that of a prediction, stated with the number of trials behind
it (``learned`` in ``front.json``), and from :data:`LEAST` trials on it takes the place of the calibrated band, which is
of other designs. It decides what is measured: all that is not surely dominated within it
(:mod:`codesign.search.measured`). It is refitted from the records each time, and so the same after a restart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev

from codesign.core.figures import Fidelity, Figure, find
from codesign.core.records import LearnedFigure

__all__ = ("LEAST", "Predictors", "learn")

#: trials of a family, measured, from which on their own spread says more than the calibrated band
LEAST = 6

#: by family and quantity
Predictors = Mapping[tuple[str, str], LearnedFigure]


def learn(
    measured: Iterable[tuple[str, Sequence[Figure]]], quantities: Sequence[str], below: Fidelity, fidelity: Fidelity
) -> dict[tuple[str, str], LearnedFigure]:
    """From the (family, figures) of trials, what the step from one fidelity to the next does to each quantity."""
    ratios: dict[tuple[str, str], list[float]] = {}
    for family, figures in measured:
        for quantity in quantities:
            before, after = (find(list(figures), quantity, f) for f in (below, fidelity))
            if before is not None and after is not None and before.value > 0 and after.value > 0:
                ratios.setdefault((family, quantity), []).append(math.log(after.value / before.value))
    return {
        (family, quantity): LearnedFigure(
            family=family,
            quantity=quantity,
            factor=math.exp(fmean(logs)),
            error=math.expm1(stdev(logs) * math.sqrt(1 + 1 / len(logs))),
            trials=len(logs),
        )
        for (family, quantity), logs in ratios.items()
        if len(logs) >= LEAST
    }
