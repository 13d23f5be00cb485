"""Particle flow: transverse momentum and type of a particle, from the towers and tracks around it, among others.

A photon, charged or neutral hadron, or muon of 3 to 60 GeV goes through codesign's parametric detector
(``codesign.towers_of``: towers of 0.087, tracks, a field of 3.8 T), with softer particles of the same jet and of other
collisions near it. A charged hadron's track points to another tower than its shower, so that sums count it twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from codesign import (
    BlockValues,
    Head,
    InputError,
    Layout,
    LossObjective,
    MeasuredProblem,
    Part,
    Plot,
    Sample,
    SeenTowers,
    Series,
    Task,
    towers_of,
)  # fmt: skip

TYPES = ("photon", "charged", "neutral", "muon")
CODES = np.array([22, 211, 130, 13])
ITEMS, WINDOW, NEAR = 8, 0.5, 0.15  # towers, and half the sides of what is looked at
FIELDS = ("em", "had", "tracks", "charged", "deta", "dphi")
NAMES = ("em", "had", "tracks", "near_em", "near_had", "near_tracks", "charged", "neutral_near_track")
_MIDDLE, _SPREAD = np.log(13.0), 0.85  # log pT is learned in units of _SPREAD around _MIDDLE
BINS = np.geomspace(3, 60, 8)


def particles(events: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Event, PDG code, pT [GeV], eta, phi of each particle, by event; the one that is asked for is the first."""
    kind = rng.integers(0, 4, events)
    pt = np.exp(rng.uniform(np.log(3.0), np.log(60.0), events))
    eta, phi = rng.uniform(-1.2, 1.2, events), rng.uniform(-np.pi, np.pi, events)
    lead = (np.arange(events), CODES[kind], pt, eta, phi)
    jet = np.repeat(np.arange(events), rng.poisson(1.5, events))  # of the same jet, softer
    soft = np.repeat(np.arange(events), rng.poisson(6.0, events))  # of other collisions
    more = [
        (which, CODES[rng.choice(3, len(which), p=[0.3, 0.6, 0.1])], momentum,
         eta[which] + spread * rng.standard_normal(len(which)), phi[which] + spread * rng.standard_normal(len(which)))
        for which, momentum, spread in (
            (jet, 0.4 * pt[jet] * rng.beta(1.0, 4.0, len(jet)) + 0.3, 0.15),
            (soft, 0.3 + rng.exponential(0.7, len(soft)), 0.4),
        )
    ]  # fmt: skip
    joined = [np.concatenate(arrays) for arrays in zip(lead, *more, strict=True)]
    order = np.argsort(joined[0], kind="stable")
    return tuple(array[order] for array in joined)


def seen_around(seen: SeenTowers, events: int) -> tuple[np.ndarray, np.ndarray]:
    """Towers (events, ITEMS, fields), the fullest first, around that, and sums (events, names), as log2(1 + x)."""
    total = seen.em + seen.had + seen.tracks
    order = np.lexsort((-total, seen.event))
    event, total = seen.event[order], total[order]
    first = np.searchsorted(event, np.arange(events))  # the highest tower of each event, its seed
    deta = seen.eta[order] - seen.eta[order][first][event]
    dphi = np.angle(np.exp(1j * (seen.phi[order] - seen.phi[order][first][event])))
    inside = (np.abs(deta) < WINDOW) & (np.abs(dphi) < WINDOW) & (total > 0.3)
    event, deta, dphi, order = event[inside], deta[inside], dphi[inside], order[inside]
    em, had, tracks, charged = (a[order] for a in (seen.em, seen.had, seen.tracks, seen.charged))
    rank = np.arange(len(event)) - np.searchsorted(event, event)
    items = np.zeros((events, ITEMS, len(FIELDS)), np.float32)
    kept = rank < ITEMS
    logs = [np.log2(1 + np.maximum(a, 0)) for a in (em, had, tracks)]
    items[event[kept], rank[kept]] = np.column_stack([*logs, charged, deta, dphi])[kept]
    near = (np.abs(deta) < NEAR) & (np.abs(dphi) < NEAR)
    untracked = (em + had) * (tracks < 0.3)
    sums = [np.bincount(event, a, events) for a in
            (em, had, tracks, em * near, had * near, tracks * near, charged, untracked * near)]  # fmt: skip
    return items, np.log2(1 + np.maximum(np.column_stack(sums), 0)).astype(np.float32)


def generate(events: int, seed: int) -> Sample:
    """So many particles, each with what is seen around it; where nothing is seen, all is 0."""
    rng = np.random.default_rng(seed)
    made = particles(events, rng)
    first = np.searchsorted(made[0], np.arange(events))
    pt = made[2][first]
    items, sums = seen_around(towers_of(*made, seed=seed), events)
    layout = Layout(name="towers", shape=items.shape[1:], fields=FIELDS, absent="code",
                    units=("log2(GeV)",) * 3 + ("1", "1", "rad"))  # fmt: skip
    return Sample(
        features=sums,
        labels=np.argmax(made[1][first][:, None] == CODES, axis=1).astype(np.int64),
        feature_names=NAMES,
        units=("log2(GeV)",) * len(NAMES),
        class_names=TYPES,
        blocks=(BlockValues(layout, items),),
        targets=((np.log(pt) - _MIDDLE) / _SPREAD).astype(np.float32)[:, None],
        target_names=("log_pt",),
        target_units=("1",),
        provenance={"origin": "parametric detector", "seed": seed},
    )


def found_pt(scores: np.ndarray) -> np.ndarray:
    """The transverse momentum in GeV that scores mean."""
    return np.exp(np.clip(scores[:, -1] * _SPREAD + _MIDDLE, -2, 6))


class FlowProblem(MeasuredProblem):
    """Cross-entropy of the type and squared error of log pT; judged by accuracy, response and resolution."""

    def __init__(self, events: int, seed: int) -> None:
        self.metrics = {"accuracy": "maximise", "resolution": "minimise", "response_off": "minimise"}
        self._events, self._seed = events, seed

    @cached_property
    def sample(self) -> Sample:
        """The particles."""
        return generate(self._events, self._seed)

    def heads(self, sample: Sample) -> tuple[Head, ...]:
        """Type, and energy."""
        return (
            Head("type", TYPES, LossObjective("cross-entropy"), weight=0.1),
            Head("energy", ("log_pt",), LossObjective("squared")),
        )

    def target(self, part: Part) -> dict[str, np.ndarray]:
        """Index of the type, and log pT."""
        assert part.targets is not None
        return {"type": part.y, "energy": part.targets}

    def measure(self, scores: np.ndarray, part: Part) -> object:
        """Share of right types; half the central 68 % of found over true pT, over its median; and how far that median
        is from 1, in the mean over bins of true pT."""
        right = (scores[:, :-1].argmax(axis=1) == part.y).astype(np.float64)
        true = np.exp(np.asarray(part.targets, np.float64)[:, 0] * _SPREAD + _MIDDLE)
        ratio, bins = found_pt(scores) / true, np.digitize(true, BINS[1:-1])
        order = np.argsort(ratio)
        places = [order[bins[order] == b] for b in range(len(BINS) - 1)]

        def measured(weights: np.ndarray, points: Mapping[str, float]) -> dict[str, float]:
            widths, offs = [], []
            for place in places:
                filled = np.cumsum(weights[place])
                if len(filled) and filled[-1] > 0:
                    at = np.minimum(np.searchsorted(filled, np.array([0.16, 0.5, 0.84]) * filled[-1]), len(place) - 1)
                    low, middle, high = ratio[place[at]]
                    widths.append((high - low) / 2 / max(middle, 1e-6))
                    offs.append(abs(middle - 1))
            return {"accuracy": float(np.average(right, weights=weights)), "resolution": float(np.mean(widths)),
                    "response_off": float(np.mean(offs))}  # fmt: skip

        return measured

    def baselines(self, train: Part, seed: int) -> Sequence[object]:
        """Trees on the sums, and what is done without learning."""
        return [Trees(train, seed), *(NearSum(name, train) for name in SUMS)]

    def plots(
        self, scores: np.ndarray, part: Part, baselines: Mapping[str, np.ndarray], points: Mapping[str, float]
    ) -> list[Plot]:
        """Response and resolution against the true pT, of the network and the baselines."""
        true = np.exp(np.asarray(part.targets, np.float64)[:, 0] * _SPREAD + _MIDDLE)
        bins, middle = np.digitize(true, BINS[1:-1]), np.sqrt(BINS[1:] * BINS[:-1]).tolist()
        drawn: dict[str, list[Series]] = {"response": [], "resolution": []}
        for label, of in {"network": scores, **baselines}.items():
            each = [np.quantile((found_pt(of) / true)[bins == b], [0.16, 0.5, 0.84]) if (bins == b).any() else [0, 1, 2]
                    for b in range(len(middle))]  # fmt: skip
            lines = {
                "response": [m for _, m, _ in each],
                "resolution": [(h - w) / 2 / max(m, 1e-3) for w, m, h in each],
            }
            for name, y in lines.items():
                values = [float(v) for v in y]
                drawn[name].append(Series(label=label, x=middle, y=values, dashed=label != "network"))
        return [
            Plot(name=name, title=f"{name.capitalize()} of the transverse momentum", x_label="true pT [GeV]",
                 y_label=name, log_x=True, series=series, caption="All types of the test split together.")
            for name, series in drawn.items()
        ]  # fmt: skip


SUMS = {
    "track or calorimeter": lambda em, had, tracks: np.maximum(em + had, tracks),
    "calorimeter sum": lambda em, had, tracks: em + had,
    "track sum": lambda em, had, tracks: tracks,
}


class NearSum:
    """A sum near the seed, scaled so that its median is right; the type by cuts on the sums."""

    def __init__(self, name: str, train: Part) -> None:
        self.name, self._factor = name, 0.0
        assert train.targets is not None
        self._factor = float(np.median(train.targets[:, 0] - self(train)[:, -1]))

    def __call__(self, part: Part) -> np.ndarray:
        """Scores, (events, types and log pT)."""
        em, had, tracks, *near = (2.0 ** part.features[:, i] - 1 for i in range(6))
        energy = near[0] + near[1]
        charged = tracks > 0.5 * (em + had)
        kind = np.select([charged & (energy < 0.3 * tracks), charged, near[0] > 0.8 * energy], [3, 1, 0], 2)
        log_pt = np.log(np.maximum(SUMS[self.name](*near), 0.3))
        return np.column_stack([np.eye(4)[kind], (log_pt - _MIDDLE) / _SPREAD + self._factor])


class Trees:
    """Boosted trees on the sums, one model for the type and one for log pT."""

    name = "boosted trees on sums"

    def __init__(self, train: Part, seed: int) -> None:
        made = {"max_iter": 80, "random_state": seed}
        assert train.targets is not None
        self._type = HistGradientBoostingClassifier(**made).fit(train.features, train.y)
        self._energy = HistGradientBoostingRegressor(**made).fit(train.features, train.targets[:, 0])

    def __call__(self, part: Part) -> np.ndarray:
        """Scores, (events, types and log pT)."""
        chances = np.log(np.clip(self._type.predict_proba(part.features), 1e-9, None))
        return np.column_stack([chances, self._energy.predict(part.features)])


class ParticleFlow(Task):
    """``sample: {events: N}``."""

    name = "particle-flow"

    def open(self, settings: Mapping[str, object], seed: int, progress: object = None) -> FlowProblem:
        """So many particles."""
        if unknown := set(settings) - {"events"}:
            raise InputError(f"sample: {', '.join(sorted(unknown))} is unknown; it takes events")
        return FlowProblem(int(str(settings.get("events", 24_000))), seed)
