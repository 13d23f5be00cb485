"""A card of trigger events: the hard collision, and the pile-up that lies over it."""

from __future__ import annotations

import hashlib
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.errors import InputError
from codesign.core.validation import validate
from codesign.physics.card import card_data

__all__ = ("ENERGY", "EventCard", "PileUp", "load_event_card")

#: Centre-of-mass energy of Run 3, GeV.
ENERGY = 13600.0


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PileUp(_Section):
    """How many collisions lie over each other. Each event has a mean of its own, as bunches differ in luminosity."""

    mean: float = Field(default=46.0, ge=0, le=400, description="collisions per crossing; 46 is that of 2022")
    spread: float = Field(
        default=9.0, ge=0, le=100, description="standard deviation of the mean; 9 in CMS's simulation of 2022"
    )
    collisions: int = Field(
        default=20_000, ge=100, le=1_000_000, description="soft collisions that are generated, turned and used again"
    )
    seed: int = Field(default=1, ge=0, le=10_000_000, description="of soft collisions; cards of one seed share them")
    fresh_from: float = Field(
        default=10.0,
        ge=5,
        le=30,
        description="collisions with a scattering or a Level-1 object of so many GeV are made anew for each event; "
        "30 leaves all objects of softer scatterings to be used again",
    )


class PoolChoice(_Section):
    """The soft collisions of a sample, instead of the card's."""

    seed: int = Field(default=1, ge=0, le=10_000_000, description="of the collisions; 1 is that of shipped cards")
    collisions: int = Field(ge=100, le=1_000_000, description="that are generated, turned and used again")
    fresh_from: float | None = Field(
        default=None,
        ge=5,
        le=30,
        description="collisions with a scattering or a Level-1 object of so many GeV are made anew for each event; "
        "null: as the card has it",
    )


class EventCard(_Section):
    """A card of trigger events. Without ``settings`` there is pile-up only: zero bias."""

    kind: Literal["events"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    description: str = ""
    seed: int = Field(default=1, ge=0, le=2**31 - 1)
    settings: tuple[str, ...] = Field(default=(), description="lines for Pythia's readString: the hard collision")
    pile_up: PileUp = PileUp()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for line in self.settings:
            key = line.partition("=")[0].strip().lower()
            if key.startswith(("random:", "beams:")):
                raise ValueError(f"'{line}': the seed is the card's key 'seed', and beams are those of the pile-up")
        return self

    def digest(self) -> str:
        """Hash of all that decides what is generated: everything but the name and the description."""
        content = self.model_dump_json(exclude={"name", "description"})
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def pool(self) -> EventCard:
        """The card of the soft collisions alone: many cards share them."""
        own = self.pile_up
        pile_up = PileUp(collisions=own.collisions, seed=own.seed, fresh_from=own.fresh_from)
        return EventCard(kind="events", name="soft", seed=own.seed, pile_up=pile_up)


def load_event_card(name: str, **changes: Any) -> EventCard:
    """Load a card of events by path or by shipped name.

    ``changes``: what is replaced: ``seed``, ``pile_up`` (a mean), ``pool`` (a :class:`PoolChoice`).
    InputError names file, key and nearest one.
    """
    path, data = card_data(name)
    if not isinstance(data, dict) or data.get("kind") != "events":
        raise InputError(f"{path} is not a card of trigger events: it has no 'kind: events'")
    if changes.get("seed") is not None:
        data["seed"] = changes["seed"]
    section = data.get("pile_up") or {}
    if isinstance(section, dict):
        if changes.get("pile_up") is not None:
            data["pile_up"] = section = {**section, "mean": changes["pile_up"]}
        if (pool := changes.get("pool")) is not None:
            data["pile_up"] = {**section, **pool.model_dump(exclude_none=True)}
    return validate(EventCard, data, str(path))
