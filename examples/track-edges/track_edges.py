"""Edges of a tracking graph: hits of a toy barrel detector in a magnetic field, and which pairs of them are a track's.

Five layers, a field of 2 T, tracks from a beam spot of 50 mm, hits with resolution and noise. Pairs of hits in adjacent
layers within windows are edges. A row of the sample is an edge with the edges that it touches, as an interaction
network sees it in one step: its items are those neighbours, and a network on items is folded over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from codesign import BlockValues, ClassificationProblem, Layout, Part, Plot, Sample, Series, Task

CLASSES = ("false", "true")
RADII = np.array([30.0, 60.0, 100.0, 150.0, 210.0])  # mm
FIELD, RESOLUTION, NOISE = 2.0, 0.6, 100  # T, mm, hits a layer
MOST = 6  # neighbours of an edge
NAMES, UNITS = ("slope", "z0", "cot", "layer"), ("1/m", "mm", "1", "1")
NEXT = ("d_slope", "d_z0", "d_cot", "outer")


def _event(rng: np.random.Generator, tracks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Hits of an event: layer, phi, z, and the track's number or -1."""
    pt = 0.5 + rng.exponential(0.9, tracks)
    phi0, charge = rng.uniform(-np.pi, np.pi, tracks), rng.choice([-1, 1], tracks)
    z0, cot = rng.normal(0, 50, tracks), np.sinh(rng.uniform(-1.2, 1.2, tracks))
    hits = []
    for layer, r in enumerate(RADII):
        bend = np.arcsin(np.clip(r / 1000 * 0.3 * FIELD / (2 * pt), -1, 1))
        phi = phi0 - charge * bend + RESOLUTION / r * rng.standard_normal(tracks)
        z = z0 + cot * r + RESOLUTION * rng.standard_normal(tracks)
        kept = rng.random(tracks) < 0.98
        noise = np.column_stack(
            [
                np.full(NOISE, layer),
                rng.uniform(-np.pi, np.pi, NOISE),
                rng.uniform(-350, 350, NOISE),
                np.full(NOISE, -1),
            ]
        )
        own = np.column_stack([np.full(tracks, layer), phi, z, np.arange(tracks)])[kept]
        hits += [own, noise]
    found = np.concatenate(hits)
    return found[:, 0].astype(int), found[:, 1], found[:, 2], found[:, 3].astype(int)


def _edges(layer: np.ndarray, phi: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of hits in adjacent layers within windows, (edges, 2), and slope, z0, cot and layer of each."""
    pairs, facts = [], []
    for inner in range(len(RADII) - 1):
        a, b = np.flatnonzero(layer == inner), np.flatnonzero(layer == inner + 1)
        i, j = (n.ravel() for n in np.meshgrid(a, b, indexing="ij"))
        gap = RADII[inner + 1] - RADII[inner]
        turn = (phi[j] - phi[i] + np.pi) % (2 * np.pi) - np.pi
        cot = (z[j] - z[i]) / gap
        slope, z0 = 1000 * turn / gap, z[i] - cot * RADII[inner]
        near = (np.abs(slope) < 1.6) & (np.abs(z0) < 200)
        pairs.append(np.column_stack([i, j])[near])
        facts.append(np.column_stack([slope, z0, cot, np.full(len(i), inner)])[near])
    return np.concatenate(pairs), np.concatenate(facts)


def _neighbours(pairs: np.ndarray, facts: np.ndarray) -> np.ndarray:
    """(edges, MOST, 4): of the edges that go on from an edge's hits, those whose slope differs least."""
    found = np.zeros((len(pairs), MOST, len(NEXT)), dtype=np.float32)
    for side in (0, 1):
        touching: dict[int, list[int]] = {}
        for place, hit in enumerate(pairs[:, side]):
            touching.setdefault(int(hit), []).append(place)
        for place, hit in enumerate(pairs[:, 1 - side]):
            others = np.array(touching.get(int(hit), []), dtype=int)
            if not others.size:
                continue
            gaps = facts[others, :3] - facts[place, :3]
            order = np.argsort(np.abs(gaps[:, 0]) + np.abs(gaps[:, 1]) / 100)[: MOST // 2]
            start = MOST // 2 * side
            found[place, start : start + len(order), :3] = gaps[order]
            found[place, start : start + len(order), 3] = 1 if side == 0 else -1
    return found


def edges_of(events: int, seed: int) -> Sample:
    """The edges of so many events; what comes from one event stays in one split."""
    rng, blocks = np.random.default_rng(seed), []
    for event in range(events):
        layer, phi, z, track = _event(rng, int(rng.poisson(250)) + 2)
        pairs, facts = _edges(layer, phi, z)
        same = (track[pairs[:, 0]] == track[pairs[:, 1]]) & (track[pairs[:, 0]] >= 0)
        number = np.where(same, 1000 * event + track[pairs[:, 0]], -1)
        blocks.append((facts, _neighbours(pairs, facts), same, number, np.full(len(pairs), event)))
    facts, items, same, number, event = (np.concatenate(arrays) for arrays in zip(*blocks, strict=True))
    layout = Layout(
        name="neighbours", shape=(MOST, len(NEXT)), fields=NEXT, units=("1/m", "mm", "1", "1"), absent="code"
    )
    return Sample(
        features=facts.astype(np.float32),
        labels=same.astype(np.int64),
        feature_names=NAMES,
        units=UNITS,
        class_names=CLASSES,
        blocks=(BlockValues(layout, items),),
        collisions=event.astype(np.int64),
        truth={"track": number},
        provenance={"origin": "toy", "seed": seed},
    )


class Trees:
    """Boosted trees on the edge and, one after another, its neighbours."""

    name = "boosted trees"

    def __init__(self, train: Part, seed: int) -> None:
        self._model = HistGradientBoostingClassifier(max_iter=80, random_state=seed).fit(_flat(train), train.y)

    def __call__(self, part: Part) -> np.ndarray:
        """Log-probabilities, (events, 2)."""
        return np.log(np.clip(self._model.predict_proba(_flat(part)), 1e-12, None))


class Straight:
    """How well the best neighbours on both sides go on straight: the cut of a classical track finder."""

    name = "straightness"

    def __call__(self, part: Part) -> np.ndarray:
        """Scores, (events, 2)."""
        items = part.block("neighbours")
        gap = np.where(items[..., 3] != 0, np.abs(items[..., 0]) + np.abs(items[..., 1]) / 100, 3.0)
        best = gap[:, : MOST // 2].min(axis=1) + gap[:, MOST // 2 :].min(axis=1)
        return np.column_stack([np.zeros(len(part)), -best.astype(np.float64)])


def _flat(part: Part) -> np.ndarray:
    return np.concatenate([part.features, part.block("neighbours").reshape(len(part), -1)], axis=1)


class EdgeProblem(ClassificationProblem):
    """Cross-entropy; judged by efficiency and purity of edges, and by the tracks of which every edge is kept."""

    def __init__(self, events: int, seed: int) -> None:
        super().__init__(CLASSES)
        self._events, self._seed = events, seed
        more = dict.fromkeys(("purity", "edge_efficiency", "track_efficiency"), "maximise")
        self.metrics = more | dict(self.metrics)

    @cached_property
    def sample(self) -> Sample:
        """The toy's edges."""
        return edges_of(self._events, self._seed)

    def working_points(self, scores: np.ndarray, validation: Part) -> dict[str, float]:
        """The cut that keeps 97 % of the true edges."""
        return {"cut": float(np.quantile((scores[:, 1] - scores[:, 0])[validation.y == 1], 0.03))}

    def measure(self, scores: np.ndarray, part: Part) -> object:
        """At the cut: efficiency and purity of edges, and the share of tracks of which no edge is lost."""
        true, score = part.y == 1, scores[:, 1] - scores[:, 0]
        names, first, track = np.unique(part.truth["track"], return_index=True, return_inverse=True)

        def measured(weights: np.ndarray, points: Mapping[str, float]) -> dict[str, float]:
            kept = score >= points["cut"]
            whole = np.bincount(track, ~kept, len(names)) == 0
            of = weights[first] * (names >= 0)  # what comes of one event is drawn together
            return {
                "edge_efficiency": float((weights * (kept & true)).sum() / max((weights * true).sum(), 1e-9)),
                "purity": float((weights * (kept & true)).sum() / max((weights * kept).sum(), 1e-9)),
                "track_efficiency": float((of * whole).sum() / max(of.sum(), 1e-9)),
            }

        return measured

    def baselines(self, train: Part, seed: int) -> list[object]:
        """Trees, and straightness."""
        return [Trees(train, seed), Straight()]

    def plots(
        self, scores: np.ndarray, part: Part, baselines: Mapping[str, np.ndarray], points: Mapping[str, float]
    ) -> list[Plot]:
        """Purity against efficiency of edges, beside the usual plots."""
        curves = []
        for label, found in (("design", scores), *baselines.items()):
            score = found[:, 1] - found[:, 0]
            cuts = np.quantile(score[part.y == 1], np.linspace(0.005, 0.3, 40))
            purity = [float((part.y[score >= cut] == 1).mean()) for cut in cuts]
            share = [float((score[part.y == 1] >= cut).mean()) for cut in cuts]
            curves.append(Series(label=label, x=share, y=purity, dashed=label != "design"))
        curve = Plot(
            name="purity", title="Purity of edges against efficiency", x_label="efficiency of true edges",
            y_label="purity", series=curves, caption=f"{len(part)} edges of the test split.",
        )  # fmt: skip
        return [curve, *super().plots(scores, part, baselines, points)]


class TrackEdges(Task):
    """``sample: {events: N}``."""

    name = "track-edges"

    def open(self, settings: Mapping[str, object], seed: int, progress: object = None) -> EdgeProblem:
        """The toy of so many events."""
        return EdgeProblem(int(str(settings.get("events", 12))), seed)
