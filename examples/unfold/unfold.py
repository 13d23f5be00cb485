"""Unfolding what a trigger kept: OmniFold and iterative unfolding, with the trigger network's own efficiency.

Jets have a true pT and width. The trigger sees them badly, and learns which have a pT above 60 GeV; what it keeps is
measured well offline. Half of the test events are "simulation", whose truth is known also where it is not kept; half
are "nature", with another spectrum, of which only kept jets are known. OmniFold (Andreassen et al., PRL 124 (2020)
182001) reweights the simulation until it looks like nature; D'Agostini's iterations (NIM A 362 (1995) 487) do so in
bins. Both correct for what the trigger lost, and both are worse where it lost much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from codesign import Head, InputError, LossObjective, MeasuredProblem, Part, Plot, Sample, Series, Task

CLASSES = ("soft", "wanted")
NAMES = ("seed", "ring", "tracks", "track_number", "density", "spread")
UNITS = ("log2(GeV)", "log2(GeV)", "log2(GeV)", "log2", "log2(GeV)", "1")
WANTED, KEPT = 60.0, 0.2  # GeV; share of the simulated jets that the trigger may keep
BINS = np.array([60.0, 70, 82, 96, 115, 140, 300])
ROUNDS = 4


def jets(events: int, seed: int) -> Sample:
    """So many jets, every second one of nature."""
    rng = np.random.default_rng(seed)
    nature = np.arange(events) % 2 == 1
    slope = np.where(nature, 21.0, 25.0)
    pt = 25 + rng.exponential(slope)
    width = np.exp(rng.normal(np.log(0.09) - 0.3 * np.log(pt / 60) + 0.15 * nature, 0.35))
    charged = np.clip(rng.normal(0.6, 0.15, events), 0.05, 0.98)
    density = rng.gamma(9.0, 2.2, events)  # GeV of pile-up in a jet's area
    seen = (1 - 0.45 * charged * np.exp(-pt / 90)) * pt  # hadrons of low energy are measured too low
    core = 1 / (1 + (width / 0.2) ** 1.5)
    noise = rng.standard_normal((3, events))
    seed_et = np.maximum(seen * core + 0.4 * density + noise[0] * 1.4 * np.sqrt(seen), 1)
    ring = np.maximum(seen * (1 - core) + 0.6 * density + noise[1] * 1.4 * np.sqrt(density + seen / 3), 1)
    tracks = np.maximum(pt * charged * 0.9 * (1 + 0.06 * noise[2]) + rng.gamma(1.5, 1.5, events), 0.5)
    number = rng.poisson(3 + 0.18 * pt * charged * (width / 0.09) ** 0.4)
    about = np.clip(width * (1 + 0.25 * rng.standard_normal(events)), 0.005, 0.6)
    offline = pt * (1 + (0.8 / np.sqrt(pt) + 0.04) * rng.standard_normal(events))
    x = [np.log2(seed_et), np.log2(ring), np.log2(tracks), np.log2(1 + number),
         np.log2(density * np.exp(0.15 * rng.standard_normal(events))), about]  # fmt: skip
    return Sample(
        features=np.column_stack(x).astype(np.float32),
        labels=(pt > WANTED).astype(np.int64),
        feature_names=NAMES,
        units=UNITS,
        class_names=CLASSES,
        truth={
            "nature": nature,
            "pt": pt,
            "width": width,
            "offline_pt": np.maximum(offline, 5.0),
            "offline_width": width * (1 + 0.1 * rng.standard_normal(events)),
        },
        provenance={"origin": "toy jets", "seed": seed},
    )


def _basis(pt: np.ndarray, width: np.ndarray) -> np.ndarray:
    a, b = np.log(pt / 70), np.log(np.maximum(width, 1e-3) / 0.09)
    return np.column_stack([np.ones_like(a), a, b, a * a, a * b, b * b])


def _ratio(x: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Density of events with the weights ``one`` over that with ``other``, at x (events, n): a logistic regression, by
    Newton's steps."""
    total, slope = one + other, np.zeros(x.shape[1])
    for _ in range(5):
        chance = 1 / (1 + np.exp(-np.clip(x @ slope, -8, 8)))
        steep = (x * (total * chance * (1 - chance))[:, None]).T @ x + 1e-3 * np.eye(x.shape[1])
        slope += np.linalg.solve(steep, x.T @ (one - total * chance))
    return np.exp(np.clip(x @ slope, -4, 4))


class Unfolding:
    """A test sample behind a trigger: weights of the simulation that make it nature's, and nature's true spectrum."""

    def __init__(self, part: Part) -> None:
        truth = part.truth
        self.nature, self.pt, self.offline = truth["nature"], truth["pt"], truth["offline_pt"]
        self._seen = _basis(truth["offline_pt"], truth["offline_width"])
        self._true = _basis(truth["pt"], truth["width"])
        self._columns = np.digitize(self.pt, BINS), np.digitize(self.offline, BINS)

    def spectrum(self, weights: np.ndarray) -> np.ndarray:
        """Sum of weights in each bin of the true pT; what lies outside has none."""
        return np.bincount(self._columns[0], weights, len(BINS) + 1)[1:-1]

    def omnifold(self, weights: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Nature's spectrum from what is kept, without bins: OmniFold's two steps, so many rounds."""
        there = kept & (weights > 0)
        simulated = ~self.nature
        data = np.where(self.nature, weights, 0.0)
        pushed = np.ones(len(weights))
        for _ in range(ROUNDS):
            expected = np.where(simulated, weights * pushed, 0.0)
            ratio = _ratio(self._seen[there], data[there], expected[there])
            pulled = pushed.copy()  # what was not kept stays as the last round had it
            pulled[there] *= ratio
            before, after = (np.where(simulated, weights * w, 0.0)[simulated] for w in (1.0, pulled))
            pushed = np.ones(len(weights))
            pushed[simulated] = _ratio(self._true[simulated], after, before)
        return self.spectrum(np.where(simulated, weights * pushed, 0.0))

    def iterative(self, weights: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """The same in bins: D'Agostini's iterations, the trigger's efficiency in the response."""
        n, (true, seen) = len(BINS) + 1, self._columns
        simulated = ~self.nature
        prior = np.bincount(true[simulated], weights[simulated], n)
        both = simulated & kept
        joint = np.bincount(true[both] * n + seen[both], weights[both], n * n).reshape(n, n)
        response = joint / np.maximum(prior, 1e-9)[:, None]  # chance to be kept and seen there
        data = np.bincount(seen[self.nature & kept], weights[self.nature & kept], n)
        found, efficiency = prior.copy(), response.sum(axis=1)
        for _ in range(ROUNDS):
            expected = np.maximum(found @ response, 1e-9)
            found = found * (response @ (data / expected)) / np.maximum(efficiency, 1e-3)
        return found[1:-1]


METHODS = {"omnifold": Unfolding.omnifold, "iterative": Unfolding.iterative}


class UnfoldProblem(MeasuredProblem):
    """Cross-entropy of wanted jets; judged by the trigger's efficiency, and by how well nature's spectrum is found."""

    drawn = 40

    def __init__(self, events: int, seed: int) -> None:
        closures = {f"closure_{name}": "minimise" for name in METHODS}
        self.metrics = {"efficiency": "maximise"} | closures
        self._events, self._seed = events, seed

    @cached_property
    def sample(self) -> Sample:
        """The toy's jets."""
        return jets(self._events, self._seed)

    def heads(self, sample: Sample) -> tuple[Head, ...]:
        """Soft, or wanted."""
        return (Head("wanted", CLASSES, LossObjective("cross-entropy")),)

    def target(self, part: Part) -> dict[str, np.ndarray]:
        """Index of the class."""
        return {"wanted": part.y}

    def working_points(self, scores: np.ndarray, validation: Part) -> dict[str, float]:
        """The cut that keeps a fixed share of the simulated jets, wanted or not: the trigger's rate."""
        cut = np.quantile((scores[:, 1] - scores[:, 0])[~validation.truth["nature"]], 1 - KEPT)
        return {"cut": float(cut)}

    def measure(self, scores: np.ndarray, part: Part) -> object:
        """Share of wanted jets that are kept; mean over the bins of |unfolded - true| / true."""
        of, passed = Unfolding(part), scores[:, 1] - scores[:, 0]

        def measured(weights: np.ndarray, points: Mapping[str, float]) -> dict[str, float]:
            kept = passed >= points["cut"]
            wanted = weights * (part.y == 1)
            found = {"efficiency": float((wanted * kept).sum() / max(wanted.sum(), 1e-9))}
            true = np.maximum(of.spectrum(np.where(of.nature, weights, 0.0)), 1e-9)
            for name, unfold in METHODS.items():
                found[f"closure_{name}"] = float(np.mean(np.abs(unfold(of, weights, kept) / true - 1)))
            return found

        return measured

    def baselines(self, train: Part, seed: int) -> Sequence[object]:
        """A cut on the calorimeter's energy as today's triggers have it, and trees on all features."""
        return [CalorimeterCut(), Trees(train, seed)]

    def plots(
        self, scores: np.ndarray, part: Part, baselines: Mapping[str, np.ndarray], points: Mapping[str, float]
    ) -> list[Plot]:
        """Unfolded over true spectra with errors, pulls of each bin, and the trigger's efficiency."""
        of, ones = Unfolding(part), np.ones(len(part))
        kept = scores[:, 1] - scores[:, 0] >= points["cut"]
        middle, rng = ((BINS[1:] + BINS[:-1]) / 2).tolist(), np.random.default_rng(8)
        true = of.spectrum(np.where(of.nature, ones, 0.0))
        drawn = [np.where(of.nature, rng.poisson(1.0, len(part)), ones) for _ in range(25)]  # nature, drawn again
        before = of.spectrum(np.where(of.nature, 0.0, ones))
        closure, pulls = [Series(label="simulation", x=middle, y=(before / true).tolist(), dashed=True)], []
        for name, unfold in METHODS.items():
            found, spread = unfold(of, ones, kept), np.std([unfold(of, w, kept) for w in drawn], axis=0)
            low, high = ((found + side * spread) / true for side in (-1, 1))
            closure.append(
                Series(label=name, x=middle, y=(found / true).tolist(), low=low.tolist(), high=high.tolist())
            )
            # the true spectrum is of the same events, and its own fluctuation is part of what a pull is over
            pulls.append(Series(label=name, x=middle, y=((found - true) / np.maximum(spread, 1e-9)).tolist()))
        edges = np.linspace(30, 140, 23)
        all_jets, kept_jets = np.histogram(of.pt, edges)[0], np.histogram(of.pt[kept], edges)[0]
        turn_on = (kept_jets / np.maximum(all_jets, 1)).tolist()
        efficiency = Series(label="network", x=((edges[1:] + edges[:-1]) / 2).tolist(), y=turn_on)
        common = {"x_label": "true pT [GeV]", "caption": "Nature of the test split, by what the trigger kept."}
        return [
            Plot(name="closure", title="Unfolded over true", y_label="unfolded / true", series=closure, **common),
            Plot(name="pulls", title="Pulls", y_label="(unfolded - true) / error", series=pulls, **common),
            Plot(name="turn_on", title="Trigger efficiency", y_label="share kept", series=[efficiency], **common),
        ]  # fmt: skip


class CalorimeterCut:
    """Energy in the calorimeter less the density of pile-up."""

    name = "calorimeter cut"

    def __call__(self, part: Part) -> np.ndarray:
        """Scores, (events, 2)."""
        x = 2.0 ** part.features.astype(np.float64)
        return np.column_stack([np.zeros(len(part)), np.log(np.maximum(x[:, 0] + x[:, 1] - x[:, 4], 1))])


class Trees:
    """Boosted trees on all features."""

    name = "boosted trees"

    def __init__(self, train: Part, seed: int) -> None:
        self._model = HistGradientBoostingClassifier(max_iter=60, random_state=seed).fit(train.features, train.y)

    def __call__(self, part: Part) -> np.ndarray:
        """Log-probabilities, (events, 2)."""
        return np.log(np.clip(self._model.predict_proba(part.features), 1e-12, None))


class Unfold(Task):
    """``sample: {events: N}``."""

    name = "unfold"

    def open(self, settings: Mapping[str, object], seed: int, progress: object = None) -> UnfoldProblem:
        """So many jets, half of them nature's."""
        if unknown := set(settings) - {"events"}:
            raise InputError(f"sample: {', '.join(sorted(unknown))} is unknown; it takes events")
        return UnfoldProblem(int(str(settings.get("events", 90_000))), seed)
