"""Which Python packages an installation needs, told by what distributions declare, and which of them are here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ("Needed", "declaration", "needs_of")


@dataclass(frozen=True)
class Needed:
    """A distribution that is needed: the requirement, who declares it, and what is installed (None: nothing)."""

    requirement: Requirement
    by: str
    found: Distribution | None

    @property
    def name(self) -> str:
        """Normalised name of the distribution."""
        return canonicalize_name(self.requirement.name)

    @property
    def fits(self) -> bool:
        """Whether it is installed, in a version that was asked for."""
        return self.found is not None and self.requirement.specifier.contains(self.found.version, prereleases=True)

    @property
    def how_to_get(self) -> str:
        """What to type where it does not fit."""
        plain = f"{self.requirement.name}{self.requirement.specifier}"
        return f"pip install '{plain}'" if self.requirement.specifier else f"pip install {plain}"


def declaration(name: str = "codesign") -> list[str]:
    """Requirements that a distribution declares, extras' among them; empty where it is not installed."""
    try:
        return list(distribution(name).requires or ())
    except PackageNotFoundError:
        return []


def needs_of(requirements: Iterable[str], by: str = "codesign") -> list[Needed]:
    """Everything that these requirements bring, and theirs in turn, on this machine; each requirement once."""
    found: dict[tuple[str, str], Needed] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(one, by) for one in _choose(requirements, frozenset({""}))]
    while waiting:
        requirement, wanted_by = waiting.pop(0)
        one = Needed(requirement, wanted_by, _distribution(requirement.name))
        found.setdefault((one.name, str(requirement.specifier)), one)
        for extra in {"", *requirement.extras}:
            if (one.name, extra) not in seen and one.found is not None:
                seen.add((one.name, extra))
                waiting += [(more, one.name) for more in _choose(one.found.requires or (), frozenset({extra}))]
    return list(found.values())


def _choose(requirements: Iterable[str], extras: frozenset[str]) -> Iterator[Requirement]:
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            yield requirement


def _distribution(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None
