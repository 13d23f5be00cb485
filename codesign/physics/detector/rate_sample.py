"""A folder of many zero-bias events, of each what the Level-1 trigger sees: for rates of a kilohertz and below.

``sample.json`` says what they are, ``events.bin`` holds them, one record of :data:`EVENT` each, and is read as mapped
memory. Behind events as chance gives them may stand others of which each has one hard collision more. An event is worth

    w = n p / (n p + m q),    q / p = N / lambda,

where ``n`` events are as they come and ``m`` have one more, ``N`` is the number of hard collisions of the event and
``lambda`` its mean: the two kinds are weighted as one sample (the balance heuristic: Veach and Guibas, SIGGRAPH 1995).
An event without a hard collision is worth 1, the weights are ``n`` in all, and the share of those with a hard collision
is known: 1 - <exp(-lambda)>. Reading looks whether both are so.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from codesign.core.errors import InputError
from codesign.core.mapped import chunks, forget
from codesign.core.reading.json import member_json
from codesign.core.reading.plain import member
from codesign.core.runfolder import write_atomically, written_atomically
from codesign.core.validation import validate
from codesign.physics.detector.event_card import load_event_card
from codesign.physics.detector.level1_codes import COLLECTIONS
from codesign.physics.detector.simulate import provenance_of
from codesign.physics.detector.soft_pool import HARD_SHARE
from codesign.physics.detector.tiers import read_tier, tier_files
from codesign.physics.processes import Progress

__all__ = ("EVENT", "RateFacts", "RateSample", "balanced_weights", "make_rate_sample", "read_rate_sample")

#: an event: arrays of :data:`codesign.physics.detector.level1_codes.LEVEL1`, little-endian
EVENT = np.dtype(
    [("met", "<i2", (1, 2))]
    + [(kind, "<i2", (most, 3)) for kind, (_, most) in COLLECTIONS.items()]
    + [("pile_up", "<f4"), ("hard", "u1")]
)
_FACTS, _EVENTS = "sample.json", "events.bin"
#: standard deviations by which weights may miss what is known, and the share of events that may stand twice by chance
_MOST_OFF, _MOST_TWICE = 5.0, 0.01
#: the seed of events with one hard collision more is so much larger: they share no collision with the others
_NEXT_SEED = 1


class RateFacts(BaseModel):
    """What ``sample.json`` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(default=1, ge=1, le=1)
    events: int = Field(ge=1, le=10**9, description="events as chance gives them")
    harder: int = Field(ge=0, le=10**9, description="events with one hard collision more, behind them")
    hard_share: float = Field(gt=0, lt=1, description="share of collisions that are hard")
    pile_up: float = Field(gt=0, le=400)
    pile_up_spread: float = Field(ge=0, le=100)
    seeds: tuple[int, ...] = Field(
        min_length=1, max_length=2, description="of the events, and of those that are harder"
    )
    provenance: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class RateSample:
    """``events`` (n,) of :data:`EVENT`, mapped; ``weights`` (n,) float64, None where all count alike."""

    facts: RateFacts
    events: NDArray[Any]
    weights: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.events)


def make_rate_sample(
    folder: Path,
    events: int,
    harder: int = 0,
    card: str = "zero-bias-rate",
    seed: int | None = None,
    pile_up: float | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
) -> RateFacts:
    """Make a folder; what was made before a kill is in the user's cache and is not made again.

    ``harder``: events with one hard collision more, of the next seed; the rest as
    :func:`codesign.physics.detector.simulated_events`, whose errors it has. InputError where the card is no zero bias.
    """
    resolved = load_event_card(card, pile_up=pile_up, seed=seed)
    if resolved.settings or not resolved.pile_up.mean:
        raise InputError(f"card '{card}' is no zero bias: rates are of crossings of pile-up alone")
    folder.mkdir(parents=True, exist_ok=True)
    kinds = [("level1", events, resolved.seed), ("level1-hard", harder, resolved.seed + _NEXT_SEED)]
    wanted = [kind for kind in kinds if kind[1]]
    done = 0
    with written_atomically(folder / _EVENTS) as temporary, temporary.open("wb") as stream:
        for tier, number, own in wanted:

            def shown(made: int, _: int, before: int = done) -> None:
                if progress is not None:
                    progress(before + made, events + harder)

            for path in tier_files(tier, card, number, pile_up, own, shown, workers):
                arrays = read_tier(tier, path)
                rows = np.empty(len(arrays["hard"]), EVENT)
                for name in EVENT.names or ():
                    rows[name] = arrays[name]
                stream.write(rows.tobytes())
            done += number
    facts = RateFacts(
        events=events,
        harder=harder,
        hard_share=HARD_SHARE,
        pile_up=resolved.pile_up.mean,
        pile_up_spread=resolved.pile_up.spread,
        seeds=tuple(own for _, _, own in wanted),
        provenance=provenance_of(resolved),
    )
    write_atomically(folder / _FACTS, (json.dumps(facts.model_dump(mode="json"), indent=1) + "\n").encode())
    read_rate_sample(folder)
    return facts


def read_rate_sample(folder: Path) -> RateSample:
    """Open a folder that ``codesign data zero-bias`` made.

    InputError: it is none, a file is cut off, events stand in it twice, or weights do not add up to what is known.
    """
    if not (folder / _FACTS).is_file():
        raise InputError(f"{folder}: no rate sample ({_FACTS} is missing): make one by 'codesign data zero-bias'")
    facts = validate(RateFacts, member_json(folder, _FACTS), str(folder / _FACTS))
    path, number = member(folder, _EVENTS), facts.events + facts.harder
    if os.path.getsize(path) != number * EVENT.itemsize:
        raise InputError(
            f"{path}: {os.path.getsize(path)} bytes, and {number} events have {number * EVENT.itemsize}: "
            "make it again by 'codesign data zero-bias'"
        )
    found = np.memmap(path, dtype=EVENT, mode="r", shape=(number,))
    must_be_once(found, str(folder))
    weights = _weights(facts, found)
    _must_add_up(facts, found, weights, str(folder))
    return RateSample(facts, found, weights if facts.harder else None)


def must_be_once(events: NDArray[Any], source: str) -> None:
    """InputError where more events stand twice than chance allows."""
    hashes = event_hashes(events)
    twice = len(hashes) - len(np.unique(hashes))
    if twice > max(_MOST_TWICE * len(hashes), 1):
        raise InputError(f"{source}: {twice} of {len(hashes)} events stand in it twice: they would count double")


def event_hashes(events: NDArray[Any]) -> NDArray[np.uint64]:
    """A number of each event that equal ones share, (n,)."""
    found = np.empty(len(events), np.uint64)
    factors = np.random.default_rng(20).integers(1, 2**63, EVENT.itemsize, dtype=np.uint64) | np.uint64(1)
    for part in chunks(found):
        octets = np.ascontiguousarray(events[part]).view(np.uint8).reshape(-1, EVENT.itemsize)
        found[part] = octets.astype(np.uint64) @ factors  # modulo 2^64
        forget(events)
    return found


def balanced_weights(
    events: int, harder: int, pile_up: NDArray[Any], hard: NDArray[Any], hard_share: float = HARD_SHARE
) -> NDArray[np.float64]:
    """Of how many crossings an event is one (n,): ``events`` as they come and ``harder`` with one hard collision more,
    by the mean number of collisions and the number of hard ones of each."""
    mean, number = hard_share * pile_up.astype(np.float64), hard.astype(np.float64)
    return np.asarray(np.where(number > 0, events * mean / (events * mean + harder * number), 1.0))


def _weights(facts: RateFacts, events: NDArray[Any]) -> NDArray[np.float64]:
    return balanced_weights(facts.events, facts.harder, events["pile_up"], events["hard"], facts.hard_share)


def known_share(facts: RateFacts) -> float:
    """Share of crossings with a hard collision: of a normal mean number of collisions, none below 0."""
    steps = np.linspace(-8, 8, 4001)
    chance = np.exp(-(steps**2) / 2)
    mean = np.maximum(facts.pile_up + facts.pile_up_spread * steps, 0.0) * facts.hard_share
    return float((chance * -np.expm1(-mean)).sum() / chance.sum())


def _must_add_up(facts: RateFacts, events: NDArray[Any], weights: NDArray[np.float64], source: str) -> None:
    hard = events["hard"] > 0
    known, number = known_share(facts), facts.events
    found = float(weights[hard].sum()) / number
    spread = float(np.sqrt((weights[hard] ** 2).sum())) / number + 1 / number
    total = float(weights.sum()) / number
    # those without a hard collision are as many as chance gives
    allowed = _MOST_OFF * (spread + np.sqrt(known * (1 - known) / number))
    if abs(found - known) > allowed or abs(total - 1) > allowed:
        raise InputError(
            f"{source}: by their weights {found:.2%} of the events have a hard collision, where {known:.2%} do, and "
            f"the weights add up to {total:.4f} of the events: some count double, or are missing"
        )
