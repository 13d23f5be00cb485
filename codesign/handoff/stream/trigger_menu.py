"""The menu: paths with thresholds and prescales, and the dead time that the trigger's rules cost."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.errors import InputError
from codesign.core.reading.limits import YAML_BYTES
from codesign.core.reading.plain import given_text
from codesign.core.reading.yaml import yaml_of
from codesign.core.validation import validate

__all__ = ("RULES", "DeadTime", "Menu", "Path", "Prescales", "load_menu")

#: accepted at most ``n`` in any ``crossings`` consecutive crossings: CMS's trigger rules (CMS-TDR-006, section 1.5)
RULES = ((1, 3), (2, 25), (3, 100), (4, 240))


class Path(BaseModel):
    """An output of the network, its threshold as a code of the output's type, and a prescale: each n-th is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z]\w{0,99}$", description="of the path")
    output: str = Field(description="which it compares")
    threshold_code: int = Field(description="it fires at this code and above")
    prescale: int = Field(default=1, ge=1, description="each n-th event that fires is kept")


class Menu(BaseModel):
    """All paths; an event is accepted where one of them accepts it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    paths: tuple[Path, ...] = Field(min_length=1, max_length=64, description="each with its threshold")

    @model_validator(mode="after")
    def _named(self) -> Menu:
        names = [p.name for p in self.paths]
        if len(set(names)) < len(names):
            raise ValueError("two paths have one name")
        return self

    def bits(self, outputs: NDArray[np.integer], names: tuple[str, ...]) -> NDArray[np.bool_]:
        """Of output codes (events, m), which paths fire before prescales, (events, paths)."""
        return np.stack([outputs[:, names.index(p.output)] >= p.threshold_code for p in self.paths], axis=1)

    def require(self, names: tuple[str, ...]) -> None:
        """InputError for a path of an output that the network does not have."""
        for path in self.paths:
            if path.output not in names:
                raise InputError(f"path '{path.name}': no output '{path.output}'; there are {', '.join(names)}")


def load_menu(path: str) -> Menu:
    """A menu of a YAML file: ``paths: [{name, output, threshold_code, prescale}]``."""
    from pathlib import Path as File

    return validate(Menu, yaml_of(given_text(File(path), YAML_BYTES), path), path)


@dataclass
class Prescales:
    """Counters of the paths, which go on from section to section."""

    menu: Menu
    seen: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seen = [0] * len(self.menu.paths)

    def keep(self, bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of bits (events, paths) in the order of time, those that are left after prescales."""
        left = np.zeros_like(bits)
        for i, path in enumerate(self.menu.paths):
            places = np.flatnonzero(bits[:, i])
            count = self.seen[i] + 1 + np.arange(len(places))
            left[places[count % path.prescale == 0], i] = True
            self.seen[i] += len(places)
        return left


class DeadTime:
    """The trigger's rules; what was accepted last is kept from section to section."""

    def __init__(self, rules: tuple[tuple[int, int], ...] = RULES) -> None:
        self._number = np.array([n for n, _ in rules], dtype=np.int64)
        self._crossings = np.array([w for _, w in rules], dtype=np.int64)
        self._last = np.full(int(self._number.max()), -(1 << 40), dtype=np.int64)

    def keep(self, crossings: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Of rising crossings, those in which the trigger was not dead."""
        return np.asarray(_accept(crossings, self._number, self._crossings, self._last), dtype=np.bool_)


@njit(cache=True)
def _accept(crossings, number, width, last):  # type: ignore[no-untyped-def]
    kept = np.zeros(len(crossings), dtype=np.bool_)
    for i in range(len(crossings)):
        now = crossings[i]
        alive = True
        for rule in range(len(number)):
            # last[0] is the newest; n accepted before within the window, and this would be one too many
            if now - last[number[rule] - 1] < width[rule]:
                alive = False
        if alive:
            kept[i] = True
            for place in range(len(last) - 1, 0, -1):
                last[place] = last[place - 1]
            last[0] = now
    return kept
