"""Fast simulation: a network draws showers in a small calorimeter, from an energy and random words.

The toy's showers follow a gamma distribution along their depth (Longo and Sestili, Nucl. Instrum. Meth. 128 (1975)
283), whose shape fluctuates from one shower to the next (Grindhammer and Peters, hep-ex/0001020); eight layers sample
it. The network is given the energy and random numbers, and learns to give showers of the same distribution: the energy
distance between a batch of its showers and one of the toy's is made small. In firmware the random words are inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.special import gammainc
from scipy.stats import norm
from torch import Tensor

from codesign import Head, LossObjective, Metric, Part, Plot, Problem, Sample, Series, Task

LAYERS, WORDS = 8, 6
#: ends of the layers in radiation lengths
ENDS = np.linspace(0.0, 24.0, LAYERS + 1)
OUTPUTS = tuple(f"layer_{number}" for number in range(LAYERS))
#: shares of the energy are learned in units of _SPREAD around _MIDDLE
_MIDDLE, _SPREAD = 0.125, 0.1
OBSERVABLES = ("total", "depth", "width", "first_layers")


def shower(energy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shares of the energies (events,) [GeV] in each layer, (events, layers)."""
    n, y = len(energy), np.log(energy / 0.0095)  # critical energy of tungsten and silicon, about
    deepest = np.exp(np.log(y - 0.6) + rng.normal(0, 1 / (-1.4 + 1.26 * y), n))
    shape = np.exp(np.log(0.21 + 0.49 * y) + rng.normal(0, 1 / (-0.6 + 0.86 * y), n))
    slope = (np.maximum(shape, 1.2) - 1) / deepest
    start = rng.exponential(9 / 7, n)  # the photon converts
    grown = gammainc(np.maximum(shape, 1.2)[:, None], slope[:, None] * np.maximum(ENDS - start[:, None], 0.0))
    shares = np.diff(grown, axis=1)
    sampled = 0.12 / np.sqrt(np.maximum(shares * energy[:, None], 0.02))
    return np.maximum(shares * (1 + sampled * rng.standard_normal(shares.shape)), 0.0)


def generate(events: int, seed: int) -> Sample:
    """Showers of 5 to 50 GeV, each with the random words that a network is given with its energy."""
    rng = np.random.default_rng(seed)
    energy = np.exp(rng.uniform(np.log(5.0), np.log(50.0), events))
    shares = shower(energy, rng)
    words = rng.uniform(-1, 1, (events, WORDS))
    return Sample(
        features=np.column_stack([np.log(energy), words]).astype(np.float32),
        labels=np.zeros(events, dtype=np.int64),
        feature_names=("log_energy", *(f"word_{number}" for number in range(WORDS))),
        units=("log(GeV)",) + ("1",) * WORDS,
        class_names=("shower",),
        targets=((shares - _MIDDLE) / _SPREAD).astype(np.float32),
        target_names=OUTPUTS,
        target_units=("1",) * LAYERS,
        truth={"log_energy": np.log(energy)},
        provenance={"origin": "toy showers", "seed": seed},
    )


def energy_distance(outputs: Tensor, target: Tensor) -> Tensor:
    """Of two sets of the same size (Szekely and Rizzo, J. Stat. Plan. Inference 143 (2013) 1249), the energy among what
    is compared: the last column of the target, which the network does not give, is of both."""
    given = target[:, -1:]
    made, seen = torch.cat([outputs, given], dim=1), torch.cat([target[:, :-1], given], dim=1)
    n = len(made)
    among = (torch.cdist(made, made).sum() + torch.cdist(seen, seen).sum()) / (n * (n - 1))
    return 2 * torch.cdist(made, seen).mean() - among


def observables(scores: np.ndarray) -> dict[str, np.ndarray]:
    """What a shower is looked at by, of outputs or targets (events, layers)."""
    shares = np.maximum(scores * _SPREAD + _MIDDLE, 0.0)
    total, places = np.maximum(shares.sum(axis=1), 1e-6), (ENDS[1:] + ENDS[:-1]) / 2
    depth = shares @ places / total
    width = np.sqrt(np.maximum((shares * (places - depth[:, None]) ** 2).sum(axis=1) / total, 0.0))
    return dict(zip(OBSERVABLES, (total, depth, width, shares[:, :2].sum(axis=1) / total), strict=True))


class Compared:
    """A model's showers beside the toy's, observable by observable, in bins of a 200th of what the toy's range over."""

    def __init__(self, scores: np.ndarray, part: Part) -> None:
        made, seen = observables(scores), observables(np.asarray(part.targets, dtype=np.float64))
        self._places = {}
        for name in OBSERVABLES:
            edges = np.linspace(seen[name].min(), seen[name].max(), 201)
            step = (edges[1] - edges[0]) / seen[name].std()
            self._places[name] = (np.digitize(made[name], edges), np.digitize(seen[name], edges), step)

    def distances(self, weights: np.ndarray) -> dict[str, float]:
        """Wasserstein distances of the first kind, in units of the toy's spread, and their mean."""
        found = {}
        for name, (made, seen, step) in self._places.items():
            shares = [np.cumsum(np.bincount(p, weights, minlength=202)) / weights.sum() for p in (made, seen)]
            found[f"distance_{name}"] = float(np.abs(shares[0] - shares[1]).sum() * step)
        return {"distance": float(np.mean(list(found.values())))} | found


class ShowerProblem(Problem):
    """Judged by the distance of each observable's distribution from the toy's, in units of the toy's spread."""

    def __init__(self, events: int, seed: int) -> None:
        self._events, self._seed = events, seed
        self.metrics = {"distance": "minimise"} | {f"distance_{name}": "minimise" for name in OBSERVABLES}

    @cached_property
    def sample(self) -> Sample:
        """The toy's showers."""
        return generate(self._events, self._seed)

    def heads(self, sample: Sample) -> tuple[Head, ...]:
        """The shares of all layers, by the energy distance of a batch."""
        return (Head("shares", OUTPUTS, LossObjective("own", energy_distance)),)

    def target(self, part: Part) -> dict[str, np.ndarray]:
        """Shares of a shower of the same energy, and that energy."""
        assert part.targets is not None
        return {"shares": np.column_stack([part.targets, 2 * (part.truth["log_energy"] - 2.76)]).astype(np.float32)}

    def judge(self, scores: np.ndarray, part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
        """Distances of the observables, and their mean; errors by bootstrap over showers."""
        own, rng = self._weights(part), np.random.default_rng(3)
        compared = Compared(scores, part)
        rows = [compared.distances(own * rng.poisson(1.0, len(part))) for _ in range(100)]
        values = compared.distances(own)
        return {
            name: Metric(value=value, error=float(np.std([r[name] for r in rows]))) for name, value in values.items()
        }

    def replicate(self, scores: np.ndarray, part: Part, points: Mapping[str, float], replicas: Any) -> dict[str, Any]:
        """All distances in each replica of the showers."""
        compared, own = Compared(scores, part), self._weights(part)
        found = {name: np.full(1 + replicas.number, np.nan) for name in self.metrics}
        for rows in replicas.blocks():
            for weights, number in zip(rows.weights, range(rows.place.start, rows.place.stop), strict=True):
                for name, value in compared.distances(own * weights).items():
                    found[name][number] = value
        return found

    @staticmethod
    def _weights(part: Part) -> np.ndarray:
        return np.ones(len(part)) if part.weights is None else np.asarray(part.weights, dtype=np.float64)

    def baselines(self, train: Part, seed: int) -> Sequence[object]:
        """The classical parametrisation: mean and covariance of the layers, as they go with the energy."""
        return [Parametrised(train), MeanProfile(train)]

    def ceilings(self, train: Part, validation: Part, seed: int) -> Sequence[object]:
        """The toy itself, drawn once more."""
        return [ToyAgain(seed)]

    def plots(
        self, scores: np.ndarray, part: Part, baselines: Mapping[str, np.ndarray], points: Mapping[str, float]
    ) -> list[Plot]:
        """The distribution of each observable: the toy's, the network's and the parametrisation's."""
        sets = {
            "toy": np.asarray(part.targets, dtype=np.float64),
            "network": scores,
            **dict(list(baselines.items())[:1]),
        }
        shown = {label: observables(values) for label, values in sets.items()}
        drawn = []
        for name in OBSERVABLES:
            edges = np.quantile(shown["toy"][name], [0.002, 0.998])
            bins = np.linspace(*edges, 31)
            series = [
                Series(label=label, x=((bins[1:] + bins[:-1]) / 2).tolist(),
                       y=(np.histogram(found[name], bins)[0] / len(part)).tolist())
                for label, found in shown.items()
            ]  # fmt: skip
            title = name.replace("_", " ")
            drawn.append(
                Plot(
                    name=name, title=f"Showers: {title}", x_label=title, y_label="share of showers", series=series,
                    caption="Test showers, the same energies.",
                )
            )  # fmt: skip
        return drawn


class Parametrised:
    """Layers as a Gaussian whose mean and covariance are quadratic in the logarithm of the energy, in eight bins."""

    name = "Gaussian parametrisation"

    def __init__(self, train: Part) -> None:
        self._edges = np.quantile(train.truth["log_energy"], np.linspace(0, 1, 9)[1:-1])
        where, targets = np.digitize(train.truth["log_energy"], self._edges), np.asarray(train.targets)
        self._means = np.array([targets[where == b].mean(axis=0) for b in range(8)])
        covariances = [np.cov(targets[where == b].T) + 1e-6 * np.eye(LAYERS) for b in range(8)]
        self._roots = np.array([np.linalg.cholesky(c) for c in covariances])

    def __call__(self, part: Part) -> np.ndarray:
        """Scores, (events, layers); the random words are those of the sample, and two more."""
        where = np.digitize(part.truth["log_energy"], self._edges)
        words = norm.ppf(np.clip((part.features[:, 1:] + 1) / 2, 1e-4, 1 - 1e-4))
        more = np.random.default_rng(5).standard_normal((len(part), LAYERS - WORDS))
        drawn = np.einsum("nij,nj->ni", self._roots[where], np.column_stack([words, more]))
        return np.maximum(self._means[where] + drawn, -_MIDDLE / _SPREAD)


class MeanProfile(Parametrised):
    """The mean shower of an energy."""

    name = "mean profile"

    def __call__(self, part: Part) -> np.ndarray:
        """Scores, (events, layers)."""
        return self._means[np.digitize(part.truth["log_energy"], self._edges)]


class ToyAgain:
    """Other showers of the same energies: what is left is the sample's own noise."""

    name = "the toy again"

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, part: Part) -> np.ndarray:
        """Scores, (events, layers)."""
        made = shower(np.exp(part.truth["log_energy"]), np.random.default_rng(self._seed + 77))
        return (made - _MIDDLE) / _SPREAD


class FastShower(Task):
    """``sample: {showers: N}``."""

    name = "fast-shower"

    def open(self, settings: Mapping[str, object], seed: int, progress: object = None) -> ShowerProblem:
        """So many showers."""
        return ShowerProblem(int(str(settings.get("showers", 30_000))), seed)
