"""The arithmetic of the comparison: LUT ratios at equal accuracy, and nothing at unequal ones.

Of two networks that saw the same jets the difference in accuracy has an error of its own, which is smaller than that of
either: what both find easy drops out. Equal means that ours is not worse by more than that error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ("Gap", "Placed", "against", "lut_ratio", "together")


@dataclass(frozen=True)
class Gap:
    """Accuracy of ours less that of theirs on the same jets, and its error over the replicas."""

    value: float
    error: float

    @property
    def equal(self) -> bool:
        """Whether ours is not worse by more than the error."""
        return self.value >= -self.error


@dataclass(frozen=True)
class Placed:
    """A design, with its LUTs by Yosys and its accuracy on the test jets."""

    key: str
    lut: float
    accuracy: float


def lut_ratio(ours: Placed, theirs: Placed, gap: Gap) -> float:
    """LUTs of ours over theirs; ValueError where ours is the worse one: such a ratio says nothing."""
    if not gap.equal:
        raise ValueError(
            f"'{ours.key}' is worse than '{theirs.key}' by {-gap.value:.4f}, more than the error of {gap.error:.4f}: "
            "no ratio of unequal networks"
        )
    return ours.lut / theirs.lut


def against(
    ours: Sequence[Placed], theirs: Sequence[Placed], gap: Callable[[str, str], Gap], aim: float
) -> dict[str, Any]:
    """Of each of theirs the cheapest of ours that is as accurate, and the ratio; and what becomes of the aim.

    ``gap``: of two keys, ours first. The aim is met where the geometric mean of the ratios is at most that, and ours
    reach the accuracy of every one of theirs.
    """
    rows = []
    for one in sorted(theirs, key=lambda p: p.lut):
        able = [(own, gap(own.key, one.key)) for own in sorted(ours, key=lambda p: p.lut)]
        found = next(((own, difference) for own, difference in able if difference.equal), None)
        row: dict[str, Any] = {"theirs": one.key, "lut": one.lut, "accuracy": one.accuracy}
        if found is not None:
            own, difference = found
            ratio = lut_ratio(own, one, difference)
            row |= {"ours": own.key, "our_lut": own.lut, "our_accuracy": own.accuracy, "ratio": round(ratio, 3)}
            row |= {"difference": round(difference.value, 4), "difference_error": round(difference.error, 4)}
        rows.append(row)
    return _summary(rows, aim)


def together(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The comparisons of several seeds as one, each network of theirs with ours of the same seed."""
    return _summary([row for one in found for row in one["rows"]], found[0]["aim"])


def _summary(rows: list[dict[str, Any]], aim: float) -> dict[str, Any]:
    ratios = [row["our_lut"] / row["lut"] for row in rows if "ratio" in row]
    summary: dict[str, Any] = {"aim": aim, "networks": len(rows), "reached": len(ratios), "rows": rows}
    if ratios:
        mean = float(np.exp(np.mean(np.log(ratios))))
        summary |= {"ratio": round(mean, 3), "least": round(min(ratios), 3), "most": round(max(ratios), 3)}
    return summary | {"met": bool(ratios) and len(ratios) == len(rows) and summary["ratio"] <= aim}
