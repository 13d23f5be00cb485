"""A generator card: which collisions are simulated and which of their jets are kept, read from YAML."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.errors import InputError, nearest
from codesign.core.reading.yaml import read_yaml
from codesign.core.validation import validate

__all__ = ("Card", "JetClass", "JetSelection", "card_data", "load_card", "makes_events", "shipped_cards")

_FOLDER = Path(__file__).resolve().parent / "cards"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class JetSelection(_Section):
    """Anti-kt jets, and which of them are kept."""

    radius: float = Field(default=0.4, gt=0, le=1.5, description="anti-kt R; a mother parton must lie within it too")
    pt_min: float = Field(default=800.0, ge=10, description="GeV")
    pt_max: float | None = Field(default=None, description="GeV")
    abs_eta_max: float = Field(default=3.0, gt=0)


class JetClass(_Section):
    """One kind of jet: the Pythia settings that make it, and the parton that must be its mother."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    partons: tuple[int, ...] = Field(min_length=1, description="PDG codes of the mother, without sign")
    settings: tuple[str, ...] = Field(min_length=1, description="lines for Pythia's readString")
    pt_min: float | None = Field(default=None, ge=10, description="GeV, instead of that of all classes")


class Card(_Section):
    """A generator card. Every class gets the same number of jets."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    description: str = ""
    seed: int = Field(default=1, ge=0, le=2**31 - 1)
    multiparton_interactions: bool = Field(default=True, description="off is about three times as fast")
    jets: JetSelection = JetSelection()
    common: tuple[str, ...] = Field(default=(), description="Pythia settings of all classes")
    classes: tuple[JetClass, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [c.name for c in self.classes]
        if len(set(names)) != len(names):
            raise ValueError(f"two classes have the same name: {', '.join(names)}")
        for line in (*self.common, *(line for c in self.classes for line in c.settings)):
            key = line.partition("=")[0].strip().lower()
            if key.startswith(("random:", "partonlevel:mpi")):
                raise ValueError(f"'{line}' is set by the keys 'seed' and 'multiparton_interactions' of the card")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return tuple(c.name for c in self.classes)

    def digest(self) -> str:
        """Hash of all that decides what is generated: everything but the name and the description."""
        content = self.model_dump_json(exclude={"name", "description"})
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def shipped_cards() -> list[str]:
    """Names of the shipped cards, sorted."""
    return sorted(p.stem for p in _FOLDER.glob("*.yaml"))


def card_data(name: str) -> tuple[Path, Any]:
    """Path and content of a card, by path or by shipped name; InputError names the file and the nearest known card."""
    path = Path(name)
    if not path.is_file():
        path = _FOLDER / f"{path.name.removesuffix('.yaml')}.yaml"
    if not path.is_file() or (Path(name).parent != Path() and not Path(name).is_file()):
        known = shipped_cards()
        raise InputError(
            f"no such file and no shipped generator card '{name}'{nearest(name, known)}; known: {', '.join(known)}"
        )
    return path, read_yaml(path)


def makes_events(name: str) -> bool:
    """Whether a card is one of whole events (``detector.card.EventCard``), not of jets; InputError as ``card_data``."""
    _, data = card_data(name)
    return isinstance(data, dict) and data.get("kind") == "events"


def load_card(name: str) -> Card:
    """Load a card of jets by path or by shipped name; InputError names file, key and the nearest known one."""
    path, data = card_data(name)
    if isinstance(data, dict) and data.get("kind") == "events":
        raise InputError(f"{path} is a card of trigger events, not of jets")
    return validate(Card, data, str(path))
