"""What the front's picture tells apart by colour: families, or of one family what is unrolled and what is folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from codesign.core.figures import Fidelity, find
from codesign.report.collect import Run, Trial

__all__ = ("FrontGroups", "groups_of")

_UNROLLED, _WORDS = "unrolled, an event every clock", "folded, one every {} clocks"


@dataclass(frozen=True)
class FrontGroups:
    """``legend``: (name, colour) of each group, in order; ``colours``: of each trial that is of one."""

    legend: list[tuple[str, str]] = field(default_factory=list)
    colours: dict[int, str] = field(default_factory=dict)


def groups_of(run: Run, palette: Sequence[str]) -> FrontGroups:
    """By family where there are several, else by the clocks between two events; nothing where all are alike."""
    families = {t.number: t.family for t in run.trials}
    found = _coloured(families, list(dict.fromkeys(families.values())), palette)
    if found is not None:
        return found
    intervals = {t.number: _interval(t) for t in run.trials}
    rising = sorted({clocks for clocks in intervals.values() if clocks})
    words = {
        number: _WORDS.format(clocks) if clocks > 1 else _UNROLLED for number, clocks in intervals.items() if clocks
    }
    names = [_WORDS.format(clocks) if clocks > 1 else _UNROLLED for clocks in rising]
    return _coloured(words, names, palette) or FrontGroups()


def _coloured(named: Mapping[int, str], names: Sequence[str], palette: Sequence[str]) -> FrontGroups | None:
    known = [name for name in names if name]
    if len(known) < 2:
        return None
    colours = {name: palette[i % len(palette)] for i, name in enumerate(known)}
    return FrontGroups(list(colours.items()), {trial: colours[name] for trial, name in named.items() if name})


def _interval(trial: Trial) -> int:
    found = find(trial.figures, "initiation_interval", Fidelity.COMPILED)
    return 0 if found is None else round(found.value)
