"""The Pareto front: what no other candidate beats."""

from __future__ import annotations

from collections.abc import Sequence

from codesign.pipeline.scoring import Score

__all__ = ("dominates", "pareto")


def dominates(one: Score, other: Score, directions: Sequence[str]) -> bool:
    """Whether ``one`` is nowhere worse than ``other`` and somewhere better."""
    _comparable([one, other], directions)
    left, right = _costs(one, directions), _costs(other, directions)
    return left != right and all(a <= b for a, b in zip(left, right, strict=True))


def pareto(scores: Sequence[Score], directions: Sequence[str]) -> list[Score]:
    """Return the scores that none dominates, by trial number; of equal ones only the first trial.

    ``directions`` holds ``maximise`` or ``minimise`` per objective. ValueError where scores are not of the same
    fidelity: such figures have no order.
    """
    _comparable(scores, directions)
    front: list[tuple[tuple[float, ...], Score]] = []
    # in lexicographic order of cost nothing is dominated by what comes later, so one pass against the front suffices
    for cost, _, score in sorted((_costs(s, directions), s.trial, s) for s in scores):
        if not any(all(a <= b for a, b in zip(kept, cost, strict=True)) for kept, _ in front):
            front.append((cost, score))
    return sorted((score for _, score in front), key=lambda s: s.trial)


def _costs(score: Score, directions: Sequence[str]) -> tuple[float, ...]:
    return tuple(-v if d == "maximise" else v for v, d in zip(score.values, directions, strict=True))


def _comparable(scores: Sequence[Score], directions: Sequence[str]) -> None:
    for direction in directions:
        if direction not in ("maximise", "minimise"):
            raise ValueError(f"a direction is 'maximise' or 'minimise', not '{direction}'")
    for score in scores:
        if any(value != value for value in score.values):
            raise ValueError(f"trial {score.trial} has an objective that is not a number")
        if score.fidelities != scores[0].fidelities:
            raise ValueError(
                f"trials {scores[0].trial} and {score.trial} are of different fidelity and cannot be compared"
            )
