"""The task ``regression``: a number of each row of the user's own tables, and quantiles of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric, Plot
from codesign.core.validation import validate
from codesign.data.sample import Part, Sample, Splits
from codesign.statistics import rowwise
from codesign.statistics.comparison import summary
from codesign.statistics.replicas import DrawnRows, Replicas
from codesign.tasks.base import Baseline, Problem, Progress, Scores, Settings, Target
from codesign.tasks.heads import Head, LossObjective
from codesign.tasks.plot_lines import line, scores_by_source
from codesign.tasks.tables.table_baselines import BoostedNumber, LinearNumber
from codesign.tasks.tables.table_remarks import remarks_of_numbers
from codesign.tasks.tables.table_sample import must_read_tables, sample_of_tables
from codesign.tasks.tables.table_settings import RegressionSettings
from codesign.tasks.tables.table_task import TableTask
from codesign.tasks.weighting import event_weights, quantile, replicas_of

__all__ = ("TableRegression", "TableRegressionProblem")

_BINS = 60


class TableRegression(TableTask):
    """A number of each row, by columns and expressions over them."""

    name = "regression"
    settings = RegressionSettings

    def open(self, settings: Settings, seed: int, progress: Progress | None = None) -> TableRegressionProblem:
        """The tables of the section ``sample``."""
        return TableRegressionProblem(validate(RegressionSettings, dict(settings), "sample"))


class TableRegressionProblem(Problem):
    """Squared error of the target in units of its spread, and pinball losses of quantiles.

    The network's outputs are scaled: a score s means ``middle + spread * s``, which the study says.
    """

    def __init__(self, chosen: RegressionSettings) -> None:
        self._chosen = chosen
        self.metrics = {"bias": "minimise", "resolution": "minimise", "mean_absolute_error": "minimise"}
        self.metrics |= {f"coverage_error_{100 * q:g}".replace(".", "_"): "minimise" for q in chosen.quantiles}

    def must_read(self) -> None:
        """The files are there, and have the columns that are named."""
        must_read_tables(self._chosen)

    @cached_property
    def sample(self) -> Sample:
        """The rows of the files."""
        return sample_of_tables(self._chosen)

    def remarks(self, sample: Sample, splits: Splits) -> Iterable[str]:
        """What is learned, in numbers."""
        return remarks_of_numbers(sample, splits)

    @property
    def settings(self) -> Settings:
        """The quantiles that are learned, and how targets are scaled."""
        return {"quantiles": list(self._chosen.quantiles), "scale": list(self._scale)}

    @property
    def _scale(self) -> tuple[float, float]:
        """Middle and spread of the target: what the outputs are in units of."""
        return self._chosen.target.middle, self._chosen.target.spread

    def heads(self, sample: Sample) -> tuple[Head, ...]:
        """The number itself, and its quantiles."""
        name = self._chosen.target.name
        found = [Head("value", (name,), LossObjective("squared"))]
        if self._chosen.quantiles:
            outputs = tuple(f"{name}_q{100 * q:g}".replace(".", "_") for q in self._chosen.quantiles)
            found.append(Head("quantiles", outputs, LossObjective("quantile", quantiles=self._chosen.quantiles)))
        return tuple(found)

    def meanings(self, sample: Sample) -> Mapping[str, str]:
        """Of each output."""
        middle, spread = self._scale
        what, unit = self._chosen.target.column, self._chosen.target.unit
        how = f"{middle:g} + {spread:g} times it is {what}{f' [{unit}]' if unit else ''}"
        value, *others = self.outputs(sample)
        found = {value: how}
        for name, q in zip(others, self._chosen.quantiles, strict=True):
            found[name] = f"{how}: its {100 * q:g} % quantile"
        return found

    def target(self, part: Part) -> Mapping[str, Target]:
        """The standardised target, of each head."""
        assert part.targets is not None
        middle, spread = self._scale
        scaled = ((part.targets - middle) / spread).astype(np.float32)
        return {"value": scaled, "quantiles": scaled[:, 0]} if self._chosen.quantiles else {"value": scaled}

    def judge(self, scores: Scores, part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
        """Size of the mean difference, half of the range of its central 68 %, mean absolute difference, in the target's
        unit; of each quantile how far the share below it is from what it should be. Errors by bootstrap."""
        return summary(self.replicate(scores, part, points, replicas_of(part)))

    def replicate(
        self, scores: Scores, part: Part, points: Mapping[str, float], replicas: Replicas
    ) -> dict[str, NDArray[np.float64]]:
        """All of them at once in every replica."""
        assert part.targets is not None
        difference, target, (middle, spread) = self._difference(scores, part), part.targets[:, 0], self._scale
        below = {q: target < middle + spread * scores[:, k] for k, q in enumerate(self._chosen.quantiles, start=1)}

        def measure(rows: DrawnRows) -> dict[str, NDArray[np.float64]]:
            ends = rowwise.quantiles(difference, (0.16, 0.84), rows.weights)
            found = {
                "bias": np.abs(rowwise.means(difference, rows.weights)),
                "resolution": (ends[:, 1] - ends[:, 0]) / 2,
                "mean_absolute_error": rowwise.means(np.abs(difference), rows.weights),
            }
            for q, under in below.items():
                share = rowwise.means(under, rows.weights)
                found[f"coverage_error_{100 * q:g}".replace(".", "_")] = np.abs(share - q)
            return found

        return replicas.collect(measure)

    def _difference(self, scores: Scores, part: Part) -> NDArray[np.float64]:
        """Prediction less target, (events,), in the target's unit."""
        assert part.targets is not None
        middle, spread = self._scale
        return np.asarray(middle + spread * scores[:, 0] - part.targets[:, 0].astype(np.float64))

    def baselines(self, train: Part, seed: int) -> list[Baseline]:
        """Boosted trees and a linear fit, in the outputs' units."""
        scale = self._scale
        return [
            _Standardised(BoostedNumber(train, seed, self._chosen.quantiles), scale),
            _Standardised(LinearNumber(train, self._chosen.quantiles), scale),
        ]

    def plots(
        self, scores: Scores, part: Part, baselines: Mapping[str, Scores], points: Mapping[str, float]
    ) -> list[Plot]:
        """Prediction less target, and its spread along the target."""
        assert part.targets is not None
        unit = self._chosen.target.unit or "1"
        of = scores_by_source(scores, baselines)
        width = 4 * max(_half_width(self._difference(scores, part), _weights(part)), 1e-9)
        edges = np.linspace(-width, width, _BINS + 1)
        centres = (edges[1:] + edges[:-1]) / 2
        weights = _weights(part)
        counts = {name: np.histogram(self._difference(s, part), edges, weights=weights)[0] for name, s in of.items()}
        hists = [line(name, centres, counted / weights.sum()) for name, counted in counts.items()]
        return [
            Plot(
                name="difference",
                title="Prediction less target",
                x_label=f"{self._chosen.target.name}: prediction - target [{unit}]",
                y_label="share of rows",
                series=hists,
                caption=f"{len(part)} {part.name} rows; dashed: the baselines.",
            ),
            self._along(of, part, unit),
        ]

    def _along(self, of: Mapping[str, Scores], part: Part, unit: str) -> Plot:
        assert part.targets is not None
        target = part.targets[:, 0]
        edges = np.unique(np.quantile(target, np.linspace(0, 1, 13)))
        place = np.clip(np.digitize(target, edges) - 1, 0, len(edges) - 2)
        bins = [b for b in range(len(edges) - 1) if (place == b).sum() > 20]
        series = []
        for name, s in of.items():
            difference, weights = self._difference(s, part), _weights(part)
            widths = [_half_width(difference[place == b], weights[place == b]) for b in bins]
            series.append(line(name, [target[place == b].mean() for b in bins], widths))
        return Plot(
            name="resolution",
            title="Half of the central 68 % of the difference along the target",
            x_label=f"{self._chosen.target.name} [{unit}]",
            y_label=f"resolution [{unit}]",
            series=series,
            caption=f"{len(part)} {part.name} rows, in twelfths of the target; dashed: the baselines.",
        )


class _Standardised:
    """A baseline whose scores are in the network's units."""

    def __init__(self, own: BoostedNumber | LinearNumber, scale: tuple[float, float]) -> None:
        self.name, self._own, self._scale = own.name, own, scale

    def __call__(self, part: Part) -> Scores:
        middle, spread = self._scale
        return np.asarray((self._own(part) - middle) / spread)


def _weights(part: Part) -> NDArray[np.float64]:
    weights = event_weights(part)
    return np.ones(len(part)) if weights is None else weights


def _half_width(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Half of the range between the 16 % and the 84 % quantile."""
    low, high = quantile(values, np.array([0.16, 0.84]), weights).tolist()
    return float(high - low) / 2
