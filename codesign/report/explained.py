"""Why single events were kept: their inputs' shares of the score, ready to be drawn as bars around zero."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.core.records import Explained, Metric
from codesign.report import words
from codesign.report.collect import Point

__all__ = ("Share", "Story", "stories")

_SHOWN = 8


@dataclass(frozen=True)
class Share:
    """One input of an event; ``start`` and ``width`` of its bar in percent, zero in the middle of the scale."""

    name: str
    value: str
    codes: str
    share: Metric
    start: float
    width: float


@dataclass(frozen=True)
class Story:
    """One event in words, its most important inputs, and what all others add together."""

    title: str
    verdict: str
    shares: list[Share]
    others: int
    rest: float
    base: float
    score: float
    #: whether the values are those of the sample, with the integers beside them
    physical: bool


def stories(point: Point) -> list[Story]:
    """The events that the trial explains, in their order; empty where it explains none."""
    units = {}
    if point.boundary:
        quantisation = point.boundary.quantisation
        units = dict(zip(quantisation.features, quantisation.units, strict=True))
    return [_story(event, units) for event in (point.explained.events if point.explained else [])]


def _story(event: Explained, units: dict[str, str]) -> Story:
    ranked = sorted(event.shares.items(), key=lambda item: -abs(item[1].value))
    shown = [(name, share) for name, share in ranked[:_SHOWN] if share.value]
    low = min(0.0, *(s.value for _, s in shown)) if shown else 0.0
    high = max(0.0, *(s.value for _, s in shown)) if shown else 0.0
    span = (high - low) or 1.0
    shares = [
        Share(
            name=name,
            value=_value(event, name, units),
            codes=_codes(event, name),
            share=share,
            start=100 * (min(share.value, 0.0) - low) / span,
            width=100 * abs(share.value) / span,
        )
        for name, share in shown
    ]
    return Story(
        title=f"Event {event.place:,} of the test split, {event.why}",
        verdict=_verdict(event),
        shares=shares,
        others=len(ranked) - len(shown),
        rest=sum(s.value for _, s in ranked) - sum(s.value for _, s in shown),
        base=event.base,
        score=event.score,
        physical=bool(event.codes),
    )


def _value(event: Explained, name: str, units: dict[str, str]) -> str:
    """An input's value with its unit; of an item those of its fields."""
    own = [name] if name in event.values else [label for label in event.values if label.startswith(f"{name}.")]
    values = [f"{event.values[label]:.4g} {units.get(label, '').removeprefix('1')}".strip() for label in own]
    if own == [name]:
        return values[0]
    return ", ".join(f"{label.removeprefix(f'{name}.')} {value}" for label, value in zip(own, values, strict=True))


def _codes(event: Explained, name: str) -> str:
    """The integers that the firmware reads, of an item those of its fields."""
    own = [name] if name in event.codes else [label for label in event.codes if label.startswith(f"{name}.")]
    return ", ".join(str(event.codes[label]) for label in own)


def _verdict(event: Explained) -> str:
    name = f"{event.output} minus {event.against}" if event.against else event.output
    text = f"{name} is {words.number(event.score)}; of the other events it is on average {words.number(event.base)}"
    if event.threshold is not None:
        kept = "reaches" if event.score >= event.threshold else "does not reach"
        text += f"; it {kept} the threshold of {words.number(event.threshold)}"
    return text + (f". In truth: {event.label}." if event.label else ".")
