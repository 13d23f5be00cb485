"""What a candidate scores, and by how much it breaks the bounds of its study and target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from codesign.core.errors import CodesignError
from codesign.core.figures import Fidelity, Figure, find
from codesign.core.records import Metric
from codesign.core.targets import Target
from codesign.study.definition import Study

__all__ = ("Limit", "Score", "excess_of", "limits", "score", "shut_out", "violations")


@dataclass(frozen=True)
class Score:
    """The values of a trial's objectives, in their order, each with the fidelity of the figure (None for a metric)."""

    trial: int
    values: tuple[float, ...]
    fidelities: tuple[Fidelity | None, ...]


@dataclass(frozen=True)
class Limit:
    """A bound on a metric or a figure; ``implied`` ones are the target's, and bind what is measured, at best."""

    name: str
    min: float | None = None
    max: float | None = None
    implied: bool = False
    fidelity: Fidelity | None = None


def _measure(
    name: str, fidelity: Fidelity | None, metrics: Mapping[str, Metric], figures: Sequence[Figure]
) -> float | None:
    if fidelity is not None:
        figure = find(list(figures), name, fidelity)
        return None if figure is None else figure.value
    return metrics[name].value if name in metrics else None


def _missing(name: str, fidelity: Fidelity | None, use: str) -> CodesignError:
    what = "figure" if fidelity else "metric"
    where = f" at fidelity '{fidelity}'" if fidelity else ""
    return CodesignError(f"the {what} '{name}', {use}, was not measured{where}")


def score(trial: int, study: Study, metrics: Mapping[str, Metric], figures: Sequence[Figure]) -> Score:
    """Score a trial; CodesignError names an objective that was not measured: there is no stand-in value."""
    values = []
    for objective in study.objectives:
        value = _measure(objective.name, objective.fidelity, metrics, figures)
        if value is None:
            raise _missing(objective.name, objective.fidelity, "an objective")
        values.append(value)
    return Score(trial, tuple(values), tuple(o.fidelity for o in study.objectives))


def limits(study: Study, target: Target) -> list[Limit]:
    """The study's constraints, and what the target itself implies: its resources and its latency budget."""
    found = {c.name: Limit(c.name, c.min, c.most(target), fidelity=c.fidelity) for c in study.constraints}
    implied = {q: float(getattr(target.resources, q)) for q in ("lut", "ff", "dsp", "bram")}
    if target.latency_budget_ns is not None:
        implied["latency_ns"] = target.latency_budget_ns
    for name, most in implied.items():
        own = found.get(name)
        if own is None:
            found[name] = Limit(name, max=most, implied=True)
        else:
            found[name] = replace(own, max=most if own.max is None else min(own.max, most))
    return list(found.values())


def violations(
    bounds: Sequence[Limit], metrics: Mapping[str, Metric], figures: Sequence[Figure]
) -> dict[str, tuple[float, str]]:
    """By how much each bound is broken, relative to itself (0 or less: it holds), and in words.

    Relative, because the sampler adds them up: 100 LUT and 100 ns are not the same offence.
    """
    result = {}
    for bound in bounds:
        # the target's own bounds hold for the best that the flow measured
        tried = (Fidelity.VENDOR, Fidelity.COMPILED) if bound.implied else (bound.fidelity,)
        values = (_measure(bound.name, fidelity, metrics, figures) for fidelity in tried)
        value = next((v for v in values if v is not None), None)
        if value is None and not bound.implied:
            raise _missing(bound.name, bound.fidelity, "a constraint")
        excess, words = -1.0 if value is not None else 0.0, ""
        for limit, sign, side in ((bound.max, 1, "above"), (bound.min, -1, "below")):
            if value is None or limit is None:
                continue
            by = sign * (value - limit) / (abs(limit) or 1.0)
            excess = max(excess, by)
            if by > 0:
                words = f"{bound.name} {value:g} is {side} {limit:g}"
        result[bound.name] = (excess, words)
    return result


def excess_of(
    study: Study, target: Target, metrics: Mapping[str, Metric], figures: Sequence[Figure]
) -> tuple[dict[str, float], str]:
    """By how much a trial breaks its bounds, as the sampler is told, and in words; no words where it breaks none."""
    bounds = limits(study, target)
    broken = violations(bounds, metrics, figures)
    # the target's own bounds are one constraint to the sampler: each costs a write to the storage
    excess = {bound.name: broken[bound.name][0] for bound in bounds if not bound.implied}
    excess["target"] = max((broken[bound.name][0] for bound in bounds if bound.implied), default=0.0)
    return excess, "; ".join(words for _, words in broken.values() if words)


def shut_out(study: Study, by: float) -> dict[str, float]:
    """What the sampler is told, in the terms of :func:`excess_of`, of a candidate that was not measured: that it breaks
    what stands for the target by so much. Of the study's own bounds nothing is known, and they are there all the same,
    since a sampler may want as many of every trial."""
    return {constraint.name: 0.0 for constraint in study.constraints} | {"target": by}
