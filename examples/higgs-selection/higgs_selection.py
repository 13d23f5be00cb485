"""Higgs bosons that decay to tau leptons, against Z bosons and top pairs: a toy of high-level features, with weights.

Each event is a resonance (or a top pair) with a recoil. Its visible tau decays, jets and missing momentum are drawn of
simple distributions with detector-like resolutions. An event's weight is its process' rate over its number of events.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from codesign import ClassificationProblem, Part, Plot, Sample, Series, Task

CLASSES = ("background", "signal")
#: process -> (class, events in 100,000, expected events at 140 fb^-1 after a loose selection, mass [GeV], width [GeV])
PROCESSES = {
    "higgs": (1, 40_000, 900.0, 125.0, 0.004),
    "z": (0, 40_000, 60_000.0, 91.2, 2.5),
    "top": (0, 20_000, 8_000.0, 0.0, 0.0),
}
NAMES = ("pt_lep", "pt_tau", "met", "m_vis", "m_t", "d_r", "pt_h", "m_jj", "d_eta_jj", "ht")
UNITS = ("GeV", "GeV", "GeV", "GeV", "GeV", "1", "GeV", "GeV", "1", "GeV")
BINS = np.linspace(20, 160, 15)


def generate(events: int, seed: int) -> Sample:
    """Draw events; ``events`` in all, shared as in PROCESSES."""
    rng, pieces, labels, weights, masses = np.random.default_rng(seed), [], [], [], []
    for kind, (label, share, expected, mass, width) in PROCESSES.items():
        n = max(50, events * share // 100_000)
        top = kind == "top"
        m = rng.exponential(90, n) + 40 if top else mass + width / 2 * np.clip(rng.standard_cauchy(n), -40, 40)
        boson = rng.gamma(2.0, 28.0 if kind == "higgs" else 18.0, n) + (30 * rng.random(n) if top else 0)
        x1, x2 = rng.beta(2.0, 1.6, n), rng.beta(2.4, 1.4, n)  # visible shares of the two decays
        ratio = np.exp(rng.normal(0, 0.35, n))
        pt1, pt2 = (np.hypot(m / 2, boson / 2) * f for f in (ratio, 1 / ratio))
        smear = 1 + 0.08 * rng.standard_normal((2, n))
        lep, tau = pt1 * x1 * smear[0], pt2 * x2 * smear[1]
        m_vis = m * np.sqrt(x1 * x2) * (1 + 0.06 * rng.standard_normal(n))
        met = np.hypot(pt1 * (1 - x1) - pt2 * (1 - x2) + 14 * rng.standard_normal(n), 14 * rng.standard_normal(n))
        met += 45 * rng.gamma(1.5, 1.0, n) * top
        d_r = np.clip(2 * np.arctan2(m, boson) + 0.3 * rng.standard_normal(n), 0.3, 5.5)
        vbf = (rng.random(n) < (0.18 if kind == "higgs" else 0.05)) & (not top)
        m_jj = np.where(vbf, rng.gamma(3.0, 260.0, n), rng.gamma(1.2, 90.0, n) * (1 + top))
        d_eta = np.where(vbf, rng.normal(4.2, 1.0, n), np.abs(rng.normal(0, 1.5, n)))
        ht = lep + tau + boson + rng.gamma(2.0, 25.0 * (1 + 2 * top), n)
        m_t = np.sqrt(2 * lep * met * (1 - np.cos(rng.uniform(0, np.pi, n) * (0.6 + 0.4 * top))))
        pieces.append(np.column_stack([lep, tau, met, m_vis, m_t, d_r, boson, m_jj, d_eta, ht]))
        labels.append(np.full(n, label))
        weights.append(np.full(n, expected / n))
        masses.append(m_vis)
    return Sample(
        features=np.concatenate(pieces).astype(np.float32),
        labels=np.concatenate(labels).astype(np.int64),
        feature_names=NAMES,
        units=UNITS,
        class_names=CLASSES,
        truth={"m_vis": np.concatenate(masses)},
        weights=np.concatenate(weights).astype(np.float32),
        provenance={"origin": "toy", "seed": seed},
    )


def significance(signal: float, background: float) -> float:
    """Median discovery significance of a counting experiment (Cowan et al., EPJC 71 (2011) 1554, eq. 97)."""
    return float(np.sqrt(max(0.0, 2 * ((signal + background) * np.log1p(signal / background) - signal))))


def _score(scores: np.ndarray) -> np.ndarray:
    return scores[:, 1] - scores[:, 0]


class HiggsProblem(ClassificationProblem):
    """Cross-entropy with both classes of equal weight; judged by the significance at a cut fixed on validation."""

    def __init__(self, events: int, seed: int) -> None:
        super().__init__(CLASSES)
        self._events, self._seed = events, seed
        self.metrics = {"significance": "maximise", "mass_divergence": "minimise"} | dict(self.metrics)

    @cached_property
    def sample(self) -> Sample:
        """The toy's events."""
        return generate(self._events, self._seed)

    def weights(self, part: Part) -> np.ndarray:
        """For learning alone: both classes count alike, and within each the processes as expected."""
        own = np.asarray(part.weights, dtype=np.float64)
        total = np.bincount(part.y, own, minlength=2)
        return (own / total[part.y] * len(own) / 2).astype(np.float32)

    def working_points(self, scores: np.ndarray, validation: Part) -> dict[str, float]:
        """The cut with the largest significance of which at least 20 background events are left."""
        score, best = _score(scores), (0.0, 0.0)
        for cut in np.quantile(score[validation.y == 1], np.linspace(0.05, 0.95, 40)):
            if int(((score > cut) & (validation.y == 0)).sum()) >= 20:
                best = max(best, (significance(*_counts(score > cut, validation)), float(cut)))
        return {"cut": best[1]}

    def measure(self, scores: np.ndarray, part: Part) -> object:
        """Significance of the whole expectation; divergence of the background's mass."""
        score = _score(scores)

        def measured(weights: np.ndarray, points: Mapping[str, float]) -> dict[str, float]:
            passed = score > points["cut"]
            shape = _divergence(passed, part, weights)
            return {"significance": significance(*_counts(passed, part, weights)), "mass_divergence": shape}

        return measured

    def baselines(self, train: Part, seed: int) -> list[object]:
        """Boosted trees, and a window of the visible mass."""
        return [Trees(train, seed, self.weights(train)), MassWindow()]

    def plots(
        self, scores: np.ndarray, part: Part, baselines: Mapping[str, np.ndarray], points: Mapping[str, float]
    ) -> list[Plot]:
        """The visible mass of what is kept, beside the usual plots."""
        passed = _score(scores) > points["cut"]
        curves = []
        for label, chosen in (("background", part.y == 0), ("background kept", (part.y == 0) & passed),
                              ("signal kept", (part.y == 1) & passed)):  # fmt: skip
            counts = np.histogram(part.truth["m_vis"][chosen], BINS, weights=part.weights[chosen])[0]
            shape = counts / max(counts.sum(), 1e-9)
            curves.append(Series(label=label, x=((BINS[1:] + BINS[:-1]) / 2).tolist(), y=shape.tolist()))
        mass = Plot(
            name="mass", title="Visible mass before and after the cut", x_label="visible mass [GeV]",
            y_label="share of events", series=curves, caption="Weighted test events, each to an area of 1.",
        )  # fmt: skip
        return [mass, *super().plots(scores, part, baselines, points)]


def _counts(passed: np.ndarray, part: Part, used: np.ndarray | None = None) -> tuple[float, float]:
    """Expected signal and background of what passed, of the whole sample's rate; ``used``: weights of a replica."""
    weights = np.asarray(part.weights, dtype=np.float64)
    totals = {kind: sum(p[2] for p in PROCESSES.values() if p[0] == kind) for kind in (0, 1)}
    used = weights if used is None else used
    signal, background = (
        totals[kind] * used[passed & (part.y == kind)].sum() / weights[part.y == kind].sum() for kind in (1, 0)
    )
    return float(signal), float(max(background, 1.0))


def _divergence(passed: np.ndarray, part: Part, used: np.ndarray) -> float:
    """Jensen-Shannon divergence, bits, of the background's visible mass before and after the cut."""
    p, q = (
        np.histogram(part.truth["m_vis"][c], BINS, weights=used[c])[0] + 1e-9
        for c in (part.y == 0, (part.y == 0) & passed)
    )
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    return float(0.5 * (p * np.log2(p / middle)).sum() + 0.5 * (q * np.log2(q / middle)).sum())


class Trees:
    """Boosted trees on the same features, with the same weights."""

    name = "boosted trees"

    def __init__(self, train: Part, seed: int, weights: np.ndarray) -> None:
        self._model = HistGradientBoostingClassifier(max_iter=120, random_state=seed)
        self._model.fit(train.features, train.y, sample_weight=weights)

    def __call__(self, part: Part) -> np.ndarray:
        """Log-probabilities, (events, 2)."""
        return np.log(np.clip(self._model.predict_proba(part.features), 1e-12, None))


class MassWindow:
    """How near the visible mass is to that of the signal: the cut without learning."""

    name = "window of the visible mass"

    def __call__(self, part: Part) -> np.ndarray:
        """Scores, (events, 2)."""
        near = -np.abs(part.truth["m_vis"] - 80.0) / 10.0
        return np.column_stack([np.zeros(len(part)), near])


class HiggsSelection(Task):
    """``sample: {events: N}``."""

    name = "higgs-selection"

    def open(self, settings: Mapping[str, object], seed: int, progress: object = None) -> HiggsProblem:
        """The toy of so many events."""
        return HiggsProblem(int(str(settings.get("events", 60_000))), seed)
