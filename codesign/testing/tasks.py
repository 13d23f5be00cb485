"""The suite that every task passes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from codesign.errors import InputError
from codesign.physics.sample import Part, Sample, Splits
from codesign.records import Plot
from codesign.tasks.base import Baseline, Task
from codesign.testing.nonconformity import must

__all__ = ("TaskTests",)

Scores = NDArray[np.float64]


class TaskTests:
    """Derive from it, and give the fixtures ``task``, yours, and ``settings``: a study's section ``sample``, of a few
    hundred events. The rest has defaults.

    Attributes
    ----------
    splits: of the sample.
    informs: what is judged without being declared: nobody can search by it.
    learns_scores: whether the loss is given the network's outputs; not so where a family's own objective is learned,
        which calls the loss with something of the target's shape.
    """

    splits: ClassVar[Splits] = Splits(0.5, 0.25, 0.25, 1)
    informs: ClassVar[frozenset[str]] = frozenset()
    learns_scores: ClassVar[bool] = True

    def test_its_sample_is_repeatable(self, task: Task, settings: dict[str, Any]) -> None:
        """The same settings and seed give the same events, no more than foretold; a setting it does not know, none."""
        sample = task.sample(settings, 1)
        most = task.most_events(settings)
        must(most is None or len(sample) <= most, f"{task.name}: at most {most} events were said, it has {len(sample)}")
        again = task.sample(settings, 1)
        must(_content(sample) == _content(again), f"{task.name}: the same settings and seed give other events")
        try:
            task.sample(settings | {"no_such_setting": 1}, 1)
        except InputError:
            return
        must(False, f"{task.name}: takes the setting 'no_such_setting' of a sample")

    def test_its_outputs_have_names(self, task: Task, settings: dict[str, Any]) -> None:
        """At least one, each its own, and the one that triggers among them; directions are those that there are."""
        sample = task.sample(settings, 1)
        names = task.outputs(sample)
        must(bool(names) and len(set(names)) == len(names), f"{task.name}: its outputs are {names}")
        must(task.trigger is None or task.trigger in names, f"{task.name}: triggers on '{task.trigger}', no output")
        wrong = {m: way for m, way in task.metrics.items() if way not in ("maximise", "minimise")}
        must(not wrong and bool(task.metrics), f"{task.name}: its metrics are {wrong or 'none'}")

    def test_what_is_judged_is_what_it_declares(self, task: Task, settings: dict[str, Any]) -> None:
        """Metrics by their declared names, finite, with errors of at least 0."""
        sample = task.sample(settings, 1)
        for part, scores, points in self._parts(task, sample):
            found = task.judge(scores, part, points)
            unknown = sorted(set(found) - set(task.metrics) - self.informs)
            must(not unknown, f"{task.name}: judges {', '.join(unknown)}, which it does not declare")
            must(bool(found), f"{task.name}: judges nothing on {len(part)} events of {part.name}")
            for name, metric in found.items():
                good = bool(np.isfinite(metric.value) and np.isfinite(metric.error) and metric.error >= 0)
                must(good, f"{task.name}: {name} is {metric.value} +- {metric.error}")

    def test_judging_depends_on_what_it_is_given(self, task: Task, settings: dict[str, Any]) -> None:
        """The same scores, part and points give the same metrics, and are left as they were."""
        sample = task.sample(settings, 1)
        first: list[object] = []
        for round_ in range(2):
            for place, (part, scores, points) in enumerate(self._parts(task, sample)):
                before = _bytes(scores), _part(part), dict(points)
                found = task.judge(scores, part, points)
                task.plots(scores, part, {}, points)
                after = _bytes(scores), _part(part), dict(points)
                must(before == after, f"{task.name}: judging or drawing changes what it is given")
                if round_ == 0:
                    first.append(found)
                else:
                    must(found == first[place], f"{task.name}: judged again on {part.name} it has other metrics")

    def test_working_points_come_from_validation_only(self, task: Task, settings: dict[str, Any]) -> None:
        """They are numbers, the same whatever was judged before, and whatever the labels of the test split are."""
        own = task.sample(settings, 1)  # what the task may have kept
        validation, test = own.part("validation", self.splits), own.part("test", self.splits)
        scores = self.scores(task, own, validation)
        points = task.working_points(scores, validation)
        must(all(np.isfinite(v) for v in points.values()), f"{task.name}: has the working points {points}")
        with _shuffled(own, own.places("test", self.splits)):
            again = task.working_points(scores, validation)
            must(again == points, f"{task.name}: labels of the test split enter its working points")
        task.judge(self.scores(task, own, test), test, points)
        again = task.working_points(scores, validation)
        must(again == points, f"{task.name}: what was judged before enters its working points")

    def test_baselines_are_fitted_on_the_training_split(self, task: Task, settings: dict[str, Any]) -> None:
        """Scores (events, outputs) of each, the same whatever the labels of the other splits are, and for the seed."""
        own = task.sample(settings, 1)
        train, validation = own.part("train", self.splits), own.part("validation", self.splits)
        made = task.baselines(train, 3)
        names = [baseline.name for baseline in made]
        must(len(set(names)) == len(names), f"{task.name}: two of its baselines have one name")
        before = [_baseline_scores(task, b, validation, len(task.outputs(own))) for b in made]
        other = Part(
            validation.name,
            validation.x,
            _roll(validation.y),
            None if validation.targets is None else _roll(validation.targets),
            {name: _roll(values) for name, values in validation.truth.items()},
            validation.class_names,
        )
        for baseline, expected in zip(made, before, strict=True):
            same = np.array_equal(baseline(other), expected)
            must(same, f"{task.name}: the baseline '{baseline.name}' looks at the labels of what it scores")
        away = np.concatenate([own.places(name, self.splits) for name in ("validation", "test")])
        with _shuffled(own, away):
            for baseline, expected in zip(task.baselines(train, 3), before, strict=True):
                same = np.array_equal(baseline(validation), expected)
                must(same, f"{task.name}: the baseline '{baseline.name}' is not of the training split and seed alone")

    def test_its_plots_can_be_drawn(self, task: Task, settings: dict[str, Any]) -> None:
        """Records whose lists are equally long and finite, with names of their own, with and without baselines."""
        sample = task.sample(settings, 1)
        for part, scores, points in self._parts(task, sample):
            for baselines in ({}, {"one": self.scores(task, sample, part, 9)}):
                plots = task.plots(scores, part, baselines, points)
                names = [plot.name for plot in plots]
                must(len(set(names)) == len(names), f"{task.name}: two plots have one name: {names}")
                for plot in plots:
                    wrong = _undrawable(plot)
                    must(not wrong, f"{task.name}: the plot '{plot.name}' {wrong}")

    def test_the_loss_falls_to_better_outputs(self, task: Task, settings: dict[str, Any]) -> None:
        """A scalar that falls along its gradient; and where it is at its least, the first metric is better."""
        sample = task.sample(settings, 1)
        part = sample.part("validation", self.splits)
        target = torch.as_tensor(task.target(part))
        start = torch.as_tensor(self.scores(task, sample, part), dtype=torch.float32)
        if not self.learns_scores:
            start = torch.randn(target.shape, generator=torch.Generator().manual_seed(2))
        outputs = start.clone().requires_grad_()
        optimiser = torch.optim.Adam([outputs], lr=0.1)
        losses = []
        for _ in range(60):
            optimiser.zero_grad()
            loss = task.loss(outputs, target)
            finite = loss.shape == () and bool(torch.isfinite(loss))
            must(finite, f"{task.name}: its loss is {loss.detach()}, not one finite number")
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        must(losses[-1] < losses[0], f"{task.name}: its loss does not fall along its gradient")
        if self.learns_scores:
            self._better(task, part, start, outputs.detach())

    # ----------------------------------------------------------------------------------------------------------- how
    def scores(self, task: Task, sample: Sample, part: Part, seed: int = 5) -> Scores:
        """Outputs of a network, (events, outputs): random ones. Give others where the task cannot judge those."""
        size = len(part), len(task.outputs(sample))
        return np.random.default_rng([seed, len(part.name)]).normal(size=size)

    def _parts(self, task: Task, sample: Sample) -> Iterator[tuple[Part, Scores, Mapping[str, float]]]:
        validation = sample.part("validation", self.splits)
        points = task.working_points(self.scores(task, sample, validation), validation)
        for part in (validation, sample.part("test", self.splits)):
            yield part, self.scores(task, sample, part), points

    @staticmethod
    def _better(task: Task, part: Part, before: torch.Tensor, after: torch.Tensor) -> None:
        values = []
        for outputs in (before, after):
            scores = outputs.numpy().astype(np.float64)
            values.append(task.judge(scores, part, task.working_points(scores, part)))
        name = next((m for m in task.metrics if m in values[0] and m in values[1]), None)
        if name is None:
            return
        one, other = (found[name].value for found in values)
        better = other > one if task.metrics[name] == "maximise" else other < one
        must(better, f"{task.name}: outputs of a smaller loss have a worse {name}, {other:g} instead of {one:g}")


def _baseline_scores(task: Task, baseline: Baseline, part: Part, outputs: int) -> Scores:
    found = baseline(part)
    good = found.shape == (len(part), outputs) and bool(np.isfinite(found).all())
    must(good, f"{task.name}: the baseline '{baseline.name}' has no {len(part)} x {outputs} finite scores")
    return found


def _undrawable(plot: Plot) -> str:
    """What is wrong with a plot; nothing where it can be drawn."""
    try:
        Plot.model_validate(plot.model_dump())
    except ValidationError as error:  # lists of different lengths among them
        return f"is no record of a plot: {error.errors()[0]['msg']}"
    if not plot.series and plot.matrix is None:
        return "shows nothing"
    for line in plot.series:
        columns = [line.x, line.y, *(band for band in (line.low, line.high) if band is not None)]
        if not all(np.isfinite(column).all() for column in columns):
            return f"has what is not finite in '{line.label}'"
    if plot.matrix is not None:
        if len({len(row) for row in plot.matrix}) > 1:
            return "has a matrix with rows of different lengths"
        for ticks, size in ((plot.y_ticks, len(plot.matrix)), (plot.x_ticks, len(plot.matrix[0]))):
            if ticks is not None and len(ticks) != size:
                return "has not one tick for each row and column"
    return ""


def _arrays(sample: Sample) -> list[NDArray[Any]]:
    """What is learned and judged of a sample: not its features."""
    return [sample.labels, *([] if sample.targets is None else [sample.targets]), *sample.truth.values()]


def _bytes(values: NDArray[Any]) -> tuple[str, bytes]:
    return str(values.dtype), values.tobytes()


def _content(sample: Sample) -> object:
    return [_bytes(a) for a in (sample.features, *_arrays(sample))], sample.feature_names, sample.class_names


def _part(part: Part) -> object:
    more: list[NDArray[Any]] = [] if part.targets is None else [part.targets]
    every: list[NDArray[Any]] = [part.x, part.y, *more, *part.truth.values()]
    return [_bytes(values) for values in every], sorted(part.truth)


def _roll(values: NDArray[Any]) -> NDArray[Any]:
    return np.roll(values, len(values) // 2 + 1, axis=0)


@contextmanager
def _shuffled(sample: Sample, places: NDArray[np.int64]) -> Iterator[None]:
    """For a while these events have each other's labels, targets and truth, where they lie: whoever kept them sees."""
    kept = [(values, copy.copy(values)) for values in _arrays(sample) if values.flags.writeable]
    try:
        for values, before in kept:
            values[places] = before[np.random.default_rng(8).permutation(places)]
        yield
    finally:
        for values, before in kept:
            values[:] = before
