"""Two heads, as a user's own task would have them: what left a cluster in a calorimeter, and its energy.

The energy is measured in five layers with a resolution that depends on the kind; the network gives the 16, 50 and 84 %
quantiles of the logarithm of true over measured energy. Events have weights: pions count half.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from codesign.core.records import Metric, Plot, Series
from codesign.core.validation import validate
from codesign.data.sample import Part, Sample
from codesign.tasks import metrics
from codesign.tasks.base import Baseline, Problem, Progress, Settings, Task
from codesign.tasks.heads import Head, LossObjective
from codesign.tasks.weighting import effective, event_weights, mean, quantile, some

KINDS = ("electron", "photon", "pion")
LAYERS = 5


class ClustersSample(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    events: int = Field(default=4000, ge=500)
    quantiles: tuple[float, ...] = (0.16, 0.5, 0.84)
    energy_weight: float = Field(default=2.0, ge=0, description="of the head of the energy, beside that of the kind")


class Means:
    """The most frequent kind, and the quantiles of all clusters alike."""

    name = "the most frequent kind, the same quantiles for all"

    def __init__(self, train: Part, quantiles: tuple[float, ...]) -> None:
        assert train.targets is not None
        weights = event_weights(train)
        kinds = np.bincount(train.y, weights, len(KINDS))
        away = quantile(train.targets[:, 0].astype(np.float64), np.array(quantiles), weights)
        self._scores = np.concatenate([np.log(kinds / kinds.sum()), away])

    def __call__(self, part: Part) -> NDArray[np.float64]:
        return np.tile(self._scores, (len(part), 1))


class Clusters(Task):
    name = "clusters"

    def open(self, settings: Settings, seed: int, progress: Progress | None = None) -> ClustersProblem:
        return ClustersProblem(validate(ClustersSample, dict(settings), "sample"), seed)


class ClustersProblem(Problem):
    def __init__(self, chosen: ClustersSample, seed: int) -> None:
        self.chosen, self.seed = chosen, seed
        self.metrics = {"accuracy": "maximise", "auc_mean": "maximise", "pinball": "minimise"}
        self.metrics |= {f"auc_{kind}": "maximise" for kind in KINDS} | {"coverage_error": "minimise"}

    @property
    def settings(self) -> Settings:
        return self.chosen.model_dump(mode="json", include={"quantiles", "energy_weight"})

    @cached_property
    def sample(self) -> Sample:
        rng = np.random.default_rng(self.seed)
        kind = rng.integers(0, 3, self.chosen.events)
        energy = np.exp(rng.uniform(np.log(20), np.log(200), len(kind)))
        depth = np.array([1.2, 1.6, 3.0])[kind] + 0.3 * rng.normal(size=len(kind))
        shares = np.exp(-((np.arange(LAYERS) - depth[:, None]) ** 2) / 2)
        shares /= shares.sum(axis=1, keepdims=True)
        track = np.where(kind == 1, 0.1, 0.9) + 0.15 * rng.normal(size=len(kind))
        away = rng.normal(np.array([0.0, 0.05, 0.3])[kind], np.array([0.05, 0.05, 0.25])[kind])
        layers = energy[:, None] * np.exp(-away)[:, None] * shares
        features = np.column_stack([np.log(layers + 0.1), track]).astype(np.float32)
        names = (*(f"layer_{i}" for i in range(LAYERS)), "track")
        return Sample(
            features, kind, names, ("ln GeV",) * LAYERS + ("1",), KINDS,
            targets=away[:, None].astype(np.float32), target_names=("log_true_over_measured",), target_units=("1",),
            weights=np.where(kind == 2, 0.5, 1.0).astype(np.float32),
        )  # fmt: skip

    def most_events(self) -> int:
        return self.chosen.events

    def heads(self, sample: Sample) -> tuple[Head, ...]:
        quantiles = self.chosen.quantiles
        names = tuple(f"energy_{round(100 * q)}" for q in quantiles)
        return (
            Head("kind", sample.class_names, LossObjective("cross-entropy")),
            Head("energy", names, LossObjective("quantile", quantiles=quantiles), self.chosen.energy_weight),
        )

    def target(self, part: Part) -> Mapping[str, NDArray[np.float32] | NDArray[np.int64]]:
        assert part.targets is not None
        return {"kind": part.y, "energy": part.targets[:, 0]}

    def judge(self, scores: NDArray[np.float64], part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
        assert part.targets is not None
        logits, energy, weights = scores[:, : len(KINDS)], scores[:, len(KINDS) :], event_weights(part)
        found = {"accuracy": metrics.accuracy(logits, part.y, weights)}
        found |= metrics.auc_with_error(metrics.probabilities(logits), part.y, KINDS, weights)
        away = part.targets[:, :1] - energy
        levels = np.array(self.chosen.quantiles)
        loss = np.maximum(levels * away, (levels - 1) * away).mean(axis=1)
        inside = (away[:, 0] >= 0) & (away[:, -1] <= 0)
        number, share = effective(weights, len(part)), mean(inside, weights)
        middle = mean(loss, weights)
        spread = float(np.sqrt(mean((loss - middle) ** 2, weights) / number))
        found["pinball"] = Metric(value=middle, error=spread)
        wanted = self.chosen.quantiles[-1] - self.chosen.quantiles[0]
        found["coverage_error"] = Metric(
            value=abs(share - wanted), error=float(np.sqrt(max(share * (1 - share), 0.0) / number))
        )
        return found

    def baselines(self, train: Part, seed: int) -> list[Baseline]:
        return [Means(train, self.chosen.quantiles)]

    def plots(
        self,
        scores: NDArray[np.float64],
        part: Part,
        baselines: Mapping[str, NDArray[np.float64]],
        points: Mapping[str, float],
    ) -> list[Plot]:
        assert part.targets is not None
        weights, series = event_weights(part), []
        for number, kind in enumerate(KINDS):
            which = part.y == number
            left = (part.targets[:, 0] - scores[:, len(KINDS) + len(self.chosen.quantiles) // 2])[which]
            shares = np.linspace(0.02, 0.98, 40)
            away = quantile(left.astype(np.float64), shares, some(weights, which))
            series.append(Series(label=kind, x=away.tolist(), y=shares.tolist()))
        labels = {"x_label": "what the energy leaves", "y_label": "share of clusters"}
        return [Plot(name="energy", title="Energy of clusters", series=series, **labels)]
