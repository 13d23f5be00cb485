"""The suite that every task passes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from codesign.core.errors import InputError
from codesign.core.records import Metric, Plot
from codesign.data.sample import Part, Sample, Splits
from codesign.tasks.base import Baseline, Problem, Settings, Task
from codesign.tasks.heads import require_heads
from codesign.tasks.problem import working_points
from codesign.testing.nonconformity import must
from codesign.training.objectives import HeadsLoss

__all__ = ("TaskTests",)

Scores = NDArray[np.float64]

#: samples that are drawn from the events, and by how much an error may be off from their spread, as a share
_DRAWS, _LEAST_SHARE, _MOST_SHARE = 80, 0.7, 1.6
#: what is not known to such a share of itself is not tried
_MOST_KNOWN = 0.2


class TaskTests:
    """Derive from it, and give the fixtures ``task``, yours, and ``settings``: a study's section ``sample``, of a few
    hundred events. The rest has defaults.

    Attributes
    ----------
    splits: of the sample.
    informs: what is judged without being declared: nobody can search by it.
    less_noise: metrics from which what noise gives is taken off: events that are there twice have less of it.
    learns_scores: whether the loss is given the network's outputs; not so where a family's own objective is learned,
        which calls the loss with something of the target's shape.
    """

    splits: ClassVar[Splits] = Splits(0.5, 0.25, 0.25, 1)
    informs: ClassVar[frozenset[str]] = frozenset()
    less_noise: ClassVar[frozenset[str]] = frozenset()
    learns_scores: ClassVar[bool] = True

    def test_its_sample_is_repeatable(self, task: Task, settings: Settings) -> None:
        """The same settings and seed give the same events, no more than foretold; a setting it does not know, none."""
        problem = task.open(settings, 1)
        sample, most = problem.sample, problem.most_events()
        must(most is None or len(sample) <= most, f"{task.name}: at most {most} events were said, it has {len(sample)}")
        again = task.open(settings, 1).sample
        must(_content(sample) == _content(again), f"{task.name}: the same settings and seed give other events")
        try:
            task.open({**settings, "no_such_setting": 1}, 1)
        except InputError:
            return
        must(False, f"{task.name}: takes the setting 'no_such_setting' of a sample")

    def test_its_outputs_have_names(self, task: Task, settings: Settings) -> None:
        """At least one, each its own, and the one that triggers among them; directions are those that there are."""
        problem = task.open(settings, 1)
        sample = problem.sample
        names = problem.outputs(sample)
        must(bool(names) and len(set(names)) == len(names), f"{task.name}: its outputs are {names}")
        must(
            problem.trigger is None or problem.trigger in names,
            f"{task.name}: triggers on '{problem.trigger}', no output",
        )
        wrong = {m: way for m, way in problem.metrics.items() if way not in ("maximise", "minimise")}
        must(not wrong and bool(problem.metrics), f"{task.name}: its metrics are {wrong or 'none'}")

    def test_what_is_judged_is_what_it_declares(self, task: Task, settings: Settings) -> None:
        """Metrics by their declared names, finite, with errors of at least 0."""
        problem = task.open(settings, 1)
        sample = problem.sample
        for part, scores, points in self._parts(problem, sample):
            found = problem.judge(scores, part, points)
            unknown = sorted(set(found) - set(problem.metrics) - self.informs)
            must(not unknown, f"{task.name}: judges {', '.join(unknown)}, which it does not declare")
            must(bool(found), f"{task.name}: judges nothing on {len(part)} events of {part.name}")
            for name, metric in found.items():
                good = bool(np.isfinite(metric.value) and np.isfinite(metric.error) and metric.error >= 0)
                must(good, f"{task.name}: {name} is {metric.value} +- {metric.error}")

    def test_errors_are_those_of_the_events(self, task: Task, settings: Settings) -> None:
        """What a metric's error says is its spread over samples drawn from the events: all that comes of one collision
        together, and with working points that are fixed anew each time."""
        problem = task.open(settings, 1)
        sample = problem.sample
        validation, test = (sample.part(name, self.splits) for name in ("validation", "test"))
        of = [(part, self.scores(problem, sample, part)) for part in (validation, test)]
        stated = problem.judge(of[1][1], test, working_points(problem, of[0][1], validation))
        rng, values = np.random.default_rng(12), list[dict[str, float]]()
        for _ in range(_DRAWS):
            drawn = []
            for part, scores in of:
                places, number = _drawn_places(part, rng)
                drawn.append((self.renumber(part.taken(places), number), scores[places]))
            points = problem.working_points(drawn[0][1], drawn[0][0])
            values.append(problem.values(drawn[1][1], drawn[1][0], points))
        for name in sorted(set.intersection(*(set(v) for v in values), set(stated)) - self.less_noise):
            metric, each = stated[name], np.array([v[name] for v in values])
            if each.std() > _MOST_KNOWN * abs(each.mean()):
                continue  # of so few events its values have long tails, and no one number says how they spread
            middle = float(np.diff(np.quantile(each, (0.16, 0.84)))[0]) / 2  # of what has tails, they hardly count
            narrow, wide = sorted((middle, float(each.std())))
            small = metric.error < _LEAST_SHARE * narrow
            large = metric.low is None and metric.error > _MOST_SHARE * wide + 1e-12
            words = f"{task.name}: says that {name} is known to {metric.error:.3g}, and over the events it spreads by"
            must(not small and not large, f"{words} {narrow if small else wide:.3g}")

    def test_judging_depends_on_what_it_is_given(self, task: Task, settings: Settings) -> None:
        """The same scores, part and points give the same metrics, and are left as they were."""
        problem = task.open(settings, 1)
        sample = problem.sample
        first: list[object] = []
        for round_ in range(2):
            for place, (part, scores, points) in enumerate(self._parts(problem, sample)):
                before = _bytes(scores), _part(part), dict(points)
                found = problem.judge(scores, part, points)
                problem.plots(scores, part, {}, points)
                after = _bytes(scores), _part(part), dict(points)
                must(before == after, f"{task.name}: judging or drawing changes what it is given")
                if round_ == 0:
                    first.append(found)
                else:
                    must(found == first[place], f"{task.name}: judged again on {part.name} it has other metrics")

    def test_working_points_come_from_validation_only(self, task: Task, settings: Settings) -> None:
        """They are numbers, the same whatever was judged before, and whatever the labels of the test split are."""
        problem = task.open(settings, 1)
        own = problem.sample  # what the problem keeps
        validation, test = own.part("validation", self.splits), own.part("test", self.splits)
        scores = self.scores(problem, own, validation)
        points = problem.working_points(scores, validation)
        must(all(np.isfinite(v) for v in points.values()), f"{task.name}: has the working points {points}")
        with _shuffle(own, own.places("test", self.splits)):
            again = problem.working_points(scores, validation)
            must(again == points, f"{task.name}: labels of the test split enter its working points")
        problem.judge(self.scores(problem, own, test), test, points)
        again = problem.working_points(scores, validation)
        must(again == points, f"{task.name}: what was judged before enters its working points")

    def test_baselines_are_fitted_on_the_training_split(self, task: Task, settings: Settings) -> None:
        """Scores (events, outputs) of each, the same whatever the labels of the other splits are, and for the seed."""
        problem = task.open(settings, 1)
        own = problem.sample
        train, validation = own.part("train", self.splits), own.part("validation", self.splits)
        made = problem.baselines(train, 3)
        names = [baseline.name for baseline in made]
        must(len(set(names)) == len(names), f"{task.name}: two of its baselines have one name")
        before = [_baseline_scores(problem, b, validation, len(problem.outputs(own))) for b in made]
        other = replace(
            validation,
            y=_roll(validation.y),
            targets=None if validation.targets is None else _roll(validation.targets),
            truth={name: _roll(values) for name, values in validation.truth.items()},
        )
        for baseline, expected in zip(made, before, strict=True):
            same = np.array_equal(baseline(other), expected)
            must(same, f"{task.name}: the baseline '{baseline.name}' looks at the labels of what it scores")
        away = np.concatenate([own.places(name, self.splits) for name in ("validation", "test")])
        with _shuffle(own, away):
            for baseline, expected in zip(problem.baselines(train, 3), before, strict=True):
                same = np.array_equal(baseline(validation), expected)
                must(same, f"{task.name}: the baseline '{baseline.name}' is not of the training split and seed alone")

    def test_events_count_by_their_weights(self, task: Task, settings: Settings) -> None:
        """An event of weight 2 is the event twice, in working points and metrics; weights that are all 1, or all 3,
        change nothing."""
        problem = task.open(settings, 1)
        sample = problem.sample
        part = replace(sample.part("validation", self.splits), weights=None)
        scores = self.scores(problem, sample, part)
        plain = self._judge(problem, part, scores)
        for every in (1.0, 3.0):
            same = self._judge(problem, _weighted(part, np.full(len(part), every)), scores)
            must(same == plain, f"{task.name}: of events whose weight is always {every:g} it has other metrics")
        often = self.often(part)
        weighted = _weighted(part, often)
        found = self._judge(problem, weighted, scores)
        for plot in problem.plots(scores, weighted, {}, problem.working_points(scores, weighted)):
            must(
                not (wrong := _undrawable(plot)), f"{task.name}: of events with weights the plot '{plot.name}' {wrong}"
            )
        places = np.concatenate([np.arange(len(part)), np.flatnonzero(often == 2)])
        wanted = self._judge(problem, self.repeat(part, places), scores[places])
        both = sorted((found.keys() & wanted.keys()) - self.less_noise)
        must(bool(both), f"{task.name}: judges nothing of events with weights")
        for name in both:
            one, twice = found[name].value, wanted[name].value
            good = bool(np.isclose(one, twice, rtol=1e-4, atol=1e-9))
            must(good, f"{task.name}: {name} with events of weight 2 is {one:g}, with them twice {twice:g}")

    def test_baselines_are_fitted_with_weights(self, task: Task, settings: Settings) -> None:
        """What is fitted on events is another where some of them count ten times as much."""
        problem = task.open(settings, 1)
        sample = problem.sample
        train, validation = sample.part("train", self.splits), sample.part("validation", self.splits)
        heavy = np.where(np.arange(len(train)) % 3 == 0, 10.0, 1.0)
        train = replace(train, weights=None)
        parts = train, _weighted(train, heavy), self.repeat(train, _most(train))
        for plain, weighted, other in zip(*(problem.baselines(some, 3) for some in parts), strict=True):
            scores = plain(validation)
            if not np.array_equal(other(validation), scores):  # it depends on what it is fitted on
                ignored = np.array_equal(weighted(validation), scores)
                must(not ignored, f"{task.name}: the baseline '{plain.name}' is fitted without the weights of events")

    def test_its_plots_can_be_drawn(self, task: Task, settings: Settings) -> None:
        """Records whose lists are equally long and finite, with names of their own, with and without baselines."""
        problem = task.open(settings, 1)
        sample = problem.sample
        for part, scores, points in self._parts(problem, sample):
            for baselines in ({}, {"one": self.scores(problem, sample, part, 9)}):
                plots = problem.plots(scores, part, baselines, points)
                names = [plot.name for plot in plots]
                must(len(set(names)) == len(names), f"{task.name}: two plots have one name: {names}")
                for plot in plots:
                    wrong = _undrawable(plot)
                    must(not wrong, f"{task.name}: the plot '{plot.name}' {wrong}")

    def test_the_loss_falls_to_better_outputs(self, task: Task, settings: Settings) -> None:
        """A scalar that falls along its gradient; and where it is at its least, the first metric is better."""
        problem = task.open(settings, 1)
        sample = problem.sample
        part = sample.part("validation", self.splits)
        heads, targets = problem.heads(sample), problem.target(part)
        must(
            {h.name for h in heads} == set(targets), f"{task.name}: has targets of {', '.join(targets)}, not its heads'"
        )
        loss_of_heads = HeadsLoss(require_heads(heads))
        every = tuple(torch.as_tensor(targets[head.name]) for head in heads)
        target = every if len(every) > 1 else every[0]
        start = torch.as_tensor(self.scores(problem, sample, part), dtype=torch.float32)
        if not self.learns_scores:
            start = torch.randn(every[0].shape, generator=torch.Generator().manual_seed(2))
        outputs = start.clone().requires_grad_()
        optimiser = torch.optim.Adam([outputs], lr=0.1)
        losses = []
        for _ in range(60):
            optimiser.zero_grad()
            loss = loss_of_heads(outputs, target)
            finite = loss.shape == () and bool(torch.isfinite(loss))
            must(finite, f"{task.name}: its loss is {loss.detach()}, not one finite number")
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        must(losses[-1] < losses[0], f"{task.name}: its loss does not fall along its gradient")
        if self.learns_scores:
            self._better(problem, part, start, outputs.detach())

    # ----------------------------------------------------------------------------------------------------------- how
    def repeat(self, part: Part, places: NDArray[np.intp]) -> Part:
        """The events at these places, of which one may be there twice. Give another where truth has their numbers."""
        return part.taken(places)

    def renumber(self, part: Part, number: NDArray[np.int64]) -> Part:
        """Events that were drawn, with the number of the draw of each. Give another where truth has numbers, too."""
        return replace(part, collisions=number)

    def often(self, part: Part) -> NDArray[np.float64]:
        """Weights: 1, or 2 of every seventh event; the same of all that comes from one collision."""
        number = np.arange(len(part)) if part.collisions is None else part.collisions
        return np.where(number % 7 == 3, 2.0, 1.0)

    @staticmethod
    def _judge(problem: Problem, part: Part, scores: Scores) -> dict[str, Metric]:
        return problem.judge(scores, part, problem.working_points(scores, part))

    def scores(self, problem: Problem, sample: Sample, part: Part, seed: int = 5) -> Scores:
        """Outputs of a network, (events, outputs): random ones. Give others where the task cannot judge those."""
        size = len(part), len(problem.outputs(sample))
        return np.random.default_rng([seed, len(part.name)]).normal(size=size)

    def _parts(self, problem: Problem, sample: Sample) -> Iterator[tuple[Part, Scores, Mapping[str, float]]]:
        validation = sample.part("validation", self.splits)
        points = problem.working_points(self.scores(problem, sample, validation), validation)
        for part in (validation, sample.part("test", self.splits)):
            yield part, self.scores(problem, sample, part), points

    @staticmethod
    def _better(problem: Problem, part: Part, before: torch.Tensor, after: torch.Tensor) -> None:
        values = []
        for outputs in (before, after):
            scores = outputs.numpy().astype(np.float64)
            values.append(problem.judge(scores, part, problem.working_points(scores, part)))
        name = next((m for m in problem.metrics if m in values[0] and m in values[1]), None)
        if name is None:
            return
        one, other = (found[name].value for found in values)
        better = other > one if problem.metrics[name] == "maximise" else other < one
        must(
            better,
            f"{type(problem).__name__}: outputs of a smaller loss have a worse {name}, {other:g} instead of {one:g}",
        )


def _drawn_places(part: Part, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Places of as many collisions as there are, drawn with replacement, and which draw each event is of."""
    groups = np.arange(len(part)) if part.collisions is None else np.unique(part.collisions, return_inverse=True)[1]
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(groups.max() + 2))
    chosen = rng.integers(0, groups.max() + 1, groups.max() + 1)
    sizes = starts[chosen + 1] - starts[chosen]
    number = np.repeat(np.arange(len(chosen)), sizes)
    within = np.arange(len(number)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[starts[chosen][number] + within], number.astype(np.int64)


def _baseline_scores(problem: Problem, baseline: Baseline, part: Part, outputs: int) -> Scores:
    found = baseline(part)
    good = found.shape == (len(part), outputs) and bool(np.isfinite(found).all())
    must(good, f"{type(problem).__name__}: the baseline '{baseline.name}' has no {len(part)} x {outputs} finite scores")
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


def _weighted(part: Part, weights: NDArray[np.float64]) -> Part:
    return replace(part, weights=weights.astype(np.float32))


def _most(part: Part) -> NDArray[np.intp]:
    """Places of nine tenths of the events."""
    return np.flatnonzero(np.arange(len(part)) % 10)


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
def _shuffle(sample: Sample, places: NDArray[np.int64]) -> Iterator[None]:
    """For a while these events have each other's labels, targets and truth, where they lie: whoever kept them sees."""
    kept = [(values, copy.copy(values)) for values in _arrays(sample) if values.flags.writeable]
    try:
        for values, before in kept:
            values[places] = before[np.random.default_rng(8).permutation(places)]
        yield
    finally:
        for values, before in kept:
            values[:] = before
