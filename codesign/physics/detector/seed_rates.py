"""Rates of common Level-1 seeds, beside those that CMS published for its menu of 2017.

They are of CMS's own zero bias, 497 thousand crossings of lumi sections whose pile-up is that of 2e34/cm2/s, through
the menu's emulation, scaled to that luminosity with 2,592 bunches in a beam: :data:`SOURCE`. Each error is statistical.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.physics.detector.event_card import EventCard
from codesign.physics.detector.level1_codes import Arrays, Done, level1_record
from codesign.physics.detector.soft_pool import SoftPool
from codesign.physics.events.l1_scales import L1_SUMS

__all__ = ("CROSSINGS", "PILE_UP", "SEEDS", "SEEN", "SOURCE", "Seed", "make_seeds", "make_seeds_hard", "seed_rates")

SOURCE = (
    "github.com/cms-l1-dpg/2017-pp-menu-dev, commit 6138fa539ffb, rates/L1Menu_Collisions2017_dev_r3--l1t-integration-"
    "v92p24-CMSSW-902_caloParam_2017_v1_40--LS_56-69--menulib.csv (rates/README.md: all seeds at 2e34)"
)
#: kHz of crossings of filled bunches: that of the file's seed that is always true, 2,592 bunches.
CROSSINGS = 29149.6
#: Collisions of such a crossing at 2e34/cm2/s: of Pythia's inelastic cross-section, 78.6 mb.
PILE_UP = 53.9
#: The names of what :func:`make_seeds` makes: ``fires`` (events, seeds) bool, ``pile_up`` and ``hard`` (events,).
SEEN = ("fires", "pile_up", "hard")
#: A ratio is within a factor of two where its interval of so many standard deviations is.
_SIGMAS, _FACTOR = 1.0, 2.0

Fires = Callable[[Mapping[str, Any]], NDArray[np.bool_]]


@dataclass(frozen=True)
class Seed:
    """Whether each event fires it, and the published rate with its error, kHz."""

    fires: Fires
    khz: float
    error: float


def _objects(name: str, least: tuple[float, ...], eta: float = 5.3, quality: int = 0) -> Fires:
    """Whether an event has objects above each threshold, the hardest first."""

    def fires(events: Mapping[str, Any]) -> NDArray[np.bool_]:
        import awkward as ak

        found = events[name][abs(events[name].eta) < eta]
        if quality:
            found = found[found.hwQual >= quality]
        pt = ak.sort(found.pt, axis=1, ascending=False)
        padded = ak.fill_none(ak.pad_none(pt, len(least), clip=True), 0.0)
        return np.asarray(np.all(ak.to_numpy(padded) >= np.array(least), axis=1))

    return fires


def _sum(kind: str, least: float) -> Fires:
    def fires(events: Mapping[str, Any]) -> NDArray[np.bool_]:
        import awkward as ak

        sums = events["L1EtSum"]
        return np.asarray(ak.any((sums.etSumType == L1_SUMS[kind]) & (sums.pt >= least), axis=1))

    return fires


#: Muons of quality 12, as CMS asks of single ones, 8 of pairs; ``er``: within so much pseudorapidity.
SEEDS: Mapping[str, Seed] = {
    "SingleMu7": Seed(_objects("L1Mu", (7,), quality=12), 216.796, 3.565),
    "SingleMu16": Seed(_objects("L1Mu", (16,), quality=12), 19.3997, 1.0663),
    "SingleMu22": Seed(_objects("L1Mu", (22,), quality=12), 9.61195, 0.75057),
    "SingleMu25": Seed(_objects("L1Mu", (25,), quality=12), 7.79505, 0.67592),
    "DoubleMu_11_4": Seed(_objects("L1Mu", (11, 4), quality=8), 8.32254, 0.69841),
    "DoubleMu_15_7": Seed(_objects("L1Mu", (15, 7), quality=8), 1.58245, 0.30454),
    "SingleEG24": Seed(_objects("L1EG", (24,)), 76.7197, 2.1205),
    "SingleEG36": Seed(_objects("L1EG", (36,)), 23.6782, 1.1780),
    "SingleEG40": Seed(_objects("L1EG", (40,)), 16.9381, 0.9964),
    "DoubleEG_15_10": Seed(_objects("L1EG", (15, 10)), 67.225, 1.985),
    "DoubleEG_25_12": Seed(_objects("L1EG", (25, 12)), 7.4434, 0.6605),
    "SingleJet60": Seed(_objects("L1Jet", (60,)), 670.726, 6.270),
    "SingleJet90": Seed(_objects("L1Jet", (90,)), 91.7238, 2.3186),
    "SingleJet120": Seed(_objects("L1Jet", (120,)), 25.5537, 1.2238),
    "SingleJet180": Seed(_objects("L1Jet", (180,)), 3.69239, 0.46520),
    "DoubleJet60er3p0": Seed(_objects("L1Jet", (60, 60), 3.0), 99.8119, 2.4187),
    "DoubleJet100er3p0": Seed(_objects("L1Jet", (100, 100), 3.0), 10.6669, 0.7907),
    "QuadJet50er3p0": Seed(_objects("L1Jet", (50,) * 4, 3.0), 6.32982, 0.60909),
    "HTT200er": Seed(_sum("HT", 200), 62.5363, 1.9145),
    "HTT280er": Seed(_sum("HT", 280), 14.4179, 0.9193),
    "HTT380er": Seed(_sum("HT", 380), 3.80961, 0.47252),
    "ETM80": Seed(_sum("MET", 80), 54.2723, 1.7835),
    "ETM100": Seed(_sum("MET", 100), 7.97088, 0.68350),
    "ETMHF80": Seed(_sum("FET", 80), 60.5435, 1.8837),
    "ETMHF100": Seed(_sum("FET", 100), 8.96724, 0.72496),
}


def make_seeds(
    card: EventCard, number: int, events: int, pool: SoftPool, done: Done | None = None, harder: int = 0
) -> Arrays:
    """``SEEN`` of the first ``events`` events of piece ``number``; errors as of
    :func:`codesign.physics.detector.event_chunk.make_events`."""
    import awkward as ak

    record, counts = level1_record(card, number, events, pool, done, harder)
    found = {name: ak.Array(layout) for name, layout in record.items()}
    return {"fires": np.stack([seed.fires(found) for seed in SEEDS.values()], axis=1)} | counts


def make_seeds_hard(card: EventCard, number: int, events: int, pool: SoftPool, done: Done | None = None) -> Arrays:
    """The same of crossings with one hard collision more."""
    return make_seeds(card, number, events, pool, done, harder=1)


def seed_rates(fires: NDArray[np.bool_], weights: NDArray[np.float64]) -> dict[str, dict[str, Any]]:
    """By seed: ``khz`` with statistical ``error``, how many ``events`` fire, what is ``published``, their ``ratio``
    with the ends of its interval of one standard deviation of both, and what may be said of it.

    ``fires`` (events, seeds); ``weights`` (events,) say of which share of crossings an event is one.
    """
    found: dict[str, dict[str, Any]] = {}
    for (name, seed), column in zip(SEEDS.items(), fires.T, strict=True):
        passed = weights[column]
        khz, error = float(passed.sum()) * CROSSINGS, float(np.hypot.reduce(passed, initial=0.0)) * CROSSINGS
        row: dict[str, Any] = {"khz": khz, "error": error, "events": len(passed)}
        row["published"] = {"khz": seed.khz, "error": seed.error}
        if len(passed):
            spread = np.exp(_SIGMAS * np.hypot(error / khz, seed.error / seed.khz))
            ratio = khz / seed.khz
            row |= {"ratio": ratio, "low": float(ratio / spread), "high": float(ratio * spread)}
            row["reading"] = _reading(row["low"], row["high"])
        found[name] = row
    return found


def _reading(low: float, high: float) -> str:
    if low >= 1 / _FACTOR and high <= _FACTOR:
        return "within a factor of two"
    return "not told" if low <= _FACTOR and high >= 1 / _FACTOR else "outside a factor of two"
