"""Tuning a generator: a network stands for its runs, and parameters are found with it from pseudo-data.

The toy generator draws events of three observables that depend on three parameters: a coupling, the shape of a
fragmentation function, a width of transverse momenta. A run is some hundred events at one point of the parameters, told
by the shares of its events in the bins of each observable. The network learns the shares from the parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from codesign import Head, LossObjective, MeasuredProblem, Part, Plot, Sample, Series, Task

PARAMETERS = ("coupling", "fragmentation", "width")
#: observable -> edges of its bins
BINS = {"multiplicity": (8, 13, 19), "leading_share": (0.2, 0.35, 0.5), "transverse_momentum": (0.25, 0.45, 0.7)}
OUTPUTS = tuple(f"{name}_{number}" for name, edges in BINS.items() for number in range(len(edges) + 1))
#: shares are learned in units of _SPREAD around _MIDDLE
_MIDDLE, _SPREAD = 0.25, 0.15
#: events of a run, of a set of pseudo-data, and how many of these there are
RUN, DATA, SETS = 400, 4000, 40


def run(parameters: np.ndarray, events: int, rng: np.random.Generator) -> np.ndarray:
    """Shares of so many events in each bin, (points, outputs), at each point (points, 3) of the unit cube."""
    coupling, shape, width = (parameters[:, [i]] for i in range(3))
    size = (len(parameters), events)
    mean, spread = 7 + 12 * coupling * (1 - 0.35 * shape), 5 + 6 * width
    drawn = {
        "multiplicity": rng.poisson(rng.gamma(np.broadcast_to(spread, size), mean / spread)),
        "leading_share": rng.beta(np.broadcast_to(1.2 + 2.2 * shape, size), 2.0 + 3.0 * coupling),
        "transverse_momentum": (0.22 + 0.35 * width) * (1 + 0.3 * coupling) * np.sqrt(rng.exponential(1.0, size)),
    }
    shares = []
    for name, edges in BINS.items():
        places = np.digitize(drawn[name], edges)
        shares += [(places == number).mean(axis=1) for number in range(len(edges) + 1)]
    return np.column_stack(shares)


@cache
def pseudo_data() -> tuple[np.ndarray, np.ndarray]:
    """Hidden parameters (sets, 3), away from the edges, and the shares that an experiment would see."""
    rng = np.random.default_rng(2024)
    hidden = 0.15 + 0.7 * rng.random((SETS, 3))
    return hidden, run(hidden, DATA, rng)


def generate(points: int, seed: int) -> Sample:
    """Runs at so many points, each twice: the second is another word on the same point."""
    rng, pieces = np.random.default_rng(seed), []
    for size in [500] * (points // 500) + [points % 500]:
        at = rng.random((size, 3))
        pieces.append(np.column_stack([at, run(at, RUN, rng), run(at, RUN, rng)]))
    made, n = np.concatenate(pieces), len(OUTPUTS)
    return Sample(
        features=made[:, :3].astype(np.float32),
        labels=np.zeros(len(made), dtype=np.int64),
        feature_names=PARAMETERS,
        units=("1",) * 3,
        class_names=("run",),
        targets=((made[:, 3 : 3 + n] - _MIDDLE) / _SPREAD).astype(np.float32),
        target_names=OUTPUTS,
        target_units=("1",) * n,
        truth={f"again_{name}": made[:, 3 + n + i] for i, name in enumerate(OUTPUTS)},
        provenance={"origin": "toy generator", "seed": seed, "events of a run": RUN},
    )


def shares_of(scores: np.ndarray) -> np.ndarray:
    """Outputs of a model as shares."""
    return np.clip(scores * _SPREAD + _MIDDLE, 1e-3, 1 - 1e-3)


def _variance(shares: np.ndarray, events: int) -> np.ndarray:
    return shares * (1 - shares) / events


def chi2_of_runs(scores: np.ndarray, part: Part) -> np.ndarray:
    """Of each run, over its bins: 1 for what knows the shares, as a run has its own noise."""
    shares, seen = shares_of(scores), np.asarray(part.targets, dtype=np.float64) * _SPREAD + _MIDDLE
    found = (seen - shares) ** 2 / _variance(shares, RUN)
    return found.mean(axis=1) * len(OUTPUTS) / (len(OUTPUTS) - len(BINS))  # shares of an observable sum to 1


def likelihoods(scores: np.ndarray) -> np.ndarray:
    """Of each set of pseudo-data at each point, (sets, points), over the largest of the set."""
    shares, (_, data) = shares_of(scores), pseudo_data()
    variance = np.maximum(_variance(data, DATA), 1e-6)
    chi2 = np.array([((shares - seen) ** 2 / own).sum(axis=1) for seen, own in zip(data, variance, strict=True)])
    return np.exp(-(chi2 - chi2.min(axis=1, keepdims=True)) / 2)


def recovered(likely: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Parameters found from each set of pseudo-data, (sets, 3): the mean of the points by their likelihood."""
    return likely @ points / np.maximum(likely.sum(axis=1, keepdims=True), 1e-300)


class TuneProblem(MeasuredProblem):
    """Squared error of the shares; judged by the fit to other runs, and by the parameters that it finds."""

    def __init__(self, points: int, seed: int) -> None:
        self.metrics = {"chi2": "minimise", "parameter_error": "minimise"}
        self._points, self._seed = points, seed

    @cached_property
    def sample(self) -> Sample:
        """The toy's runs."""
        return generate(self._points, self._seed)

    def heads(self, sample: Sample) -> tuple[Head, ...]:
        """All shares, in one head."""
        return (Head("shares", OUTPUTS, LossObjective("squared")),)

    def target(self, part: Part) -> dict[str, np.ndarray]:
        """The shares of a run."""
        assert part.targets is not None
        return {"shares": part.targets}

    def measure(self, scores: np.ndarray, part: Part) -> object:
        """chi2 of the runs; distance of the parameters found, in units of the cube edge, over sets of pseudo-data that
        are drawn again in each replica, the same for all models."""
        chi2, likely, points = chi2_of_runs(scores, part), likelihoods(scores), part.features.astype(np.float64)

        def measured(weights: np.ndarray, _: Mapping[str, float]) -> dict[str, float]:
            away = np.sqrt(((recovered(likely * weights, points) - pseudo_data()[0]) ** 2).mean(axis=1))
            rng = np.random.default_rng(int(weights @ np.arange(len(weights))))
            sets = np.ones(SETS) if (weights == weights[0]).all() else rng.poisson(1.0, SETS)
            return {
                "chi2": float(np.average(chi2, weights=weights)),
                "parameter_error": float(np.average(away, weights=sets)),
            }

        return measured

    def baselines(self, train: Part, seed: int) -> Sequence[object]:
        """What tunes are made with today: polynomials (Professor, EPJC 65 (2010) 331)."""
        return [Polynomial(train, 3), Polynomial(train, 2)]

    def ceilings(self, train: Part, validation: Part, seed: int) -> Sequence[object]:
        """The runs themselves."""
        return [DirectRuns()]

    def plots(
        self, scores: np.ndarray, part: Part, baselines: Mapping[str, np.ndarray], points: Mapping[str, float]
    ) -> list[Plot]:
        """Found beside hidden parameters."""
        hidden, found = pseudo_data()[0], recovered(likelihoods(scores), part.features)
        series = [
            Series(label=name, x=hidden[:, i].tolist(), y=found[:, i].tolist()) for i, name in enumerate(PARAMETERS)
        ]
        return [
            Plot(
                name="recovered", title="Parameters found from pseudo-data", x_label="hidden parameter",
                y_label="found parameter", series=[_sorted(s) for s in series],
                caption=f"{SETS} sets of pseudo-data of {DATA} events each.",
            )
        ]  # fmt: skip


def _sorted(series: Series) -> Series:
    order = np.argsort(series.x)
    return Series(label=series.label, x=[series.x[i] for i in order], y=[series.y[i] for i in order])


class Polynomial:
    """A polynomial of the parameters for each bin, by least squares."""

    def __init__(self, train: Part, degree: int) -> None:
        self.name = {2: "quadratic", 3: "cubic"}[degree] + " polynomial"
        self._model = make_pipeline(PolynomialFeatures(degree), Ridge(1e-6)).fit(train.features, train.targets)

    def __call__(self, part: Part) -> np.ndarray:
        """Scores, (events, outputs)."""
        return np.asarray(self._model.predict(part.features), dtype=np.float64)


class DirectRuns:
    """Another run at each point: no surrogate, with the noise of a run."""

    name = "direct runs"

    def __call__(self, part: Part) -> np.ndarray:
        """Scores, (events, outputs)."""
        return (np.column_stack([part.truth[f"again_{name}"] for name in OUTPUTS]) - _MIDDLE) / _SPREAD


class Tune(Task):
    """``sample: {points: N}``."""

    name = "tune"

    def open(self, settings: Mapping[str, object], seed: int, progress: object = None) -> TuneProblem:
        """The toy's runs at so many points."""
        return TuneProblem(int(str(settings.get("points", 12_000))), seed)
