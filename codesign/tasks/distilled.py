"""A problem whose answers a teacher gives: what a design learns is what a larger model, or one in floating point, says.

Knowledge distillation (Hinton, Vinyals, Dean, arXiv:1503.02531), as CMS' CICADA has it for an autoencoder whose error
a small network foretells (arXiv:2310.06047). The teacher learns from the training split alone, once, when the sample is
made; what it says of every event is then part of the sample, so its hash is in every key.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codesign.core import plugins, store
from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.layout import Layout, view_blocks
from codesign.core.reading.npz import arrays_of
from codesign.core.records import Metric, Plot, Series
from codesign.core.validation import validate
from codesign.data.sample import Part, Sample, Splits
from codesign.statistics import rowwise
from codesign.statistics.comparison import summary
from codesign.statistics.replicas import DrawnRows, Replicas
from codesign.tasks.exposure import exposed, genuine
from codesign.tasks.heads import Head, LossObjective
from codesign.tasks.outcome import Outcome, Tabulated
from codesign.tasks.problem import Baseline, Problem, Scores, Settings, Target
from codesign.tasks.teacher_contract import Lecture, Teacher, TeacherChoice
from codesign.tasks.weighting import event_weights, quantile, replicas_of, some

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ("AGREEMENT", "Distilled")

AGREEMENT = "agreement"
#: of the sample's truth: what the teacher says of each output
_SAID = "teacher_"
#: softness of the classes of teacher and design in the loss
_TEMPERATURE = 2.0
#: events that a teacher is asked about at once
_TOGETHER = 4096
#: objectives of which a teacher's word can be learned; others are learned as without one
_TAUGHT = ("cross-entropy", "squared", "reconstruction")
_BINS, _LEAST = 20, 10


class Distilled(Problem):
    """A problem with a teacher. Of classes the teacher's word has a ``share`` of the loss and the truth the rest; of
    numbers too; of an anomaly score the teacher's is all that is learned, and signals stay out of its training.

    What is judged is the problem's own, and ``agreement``: over the heads, the mean of how often the most likely class
    is the teacher's, and of rank correlations with the teacher's numbers.
    """

    def __init__(self, problem: Problem, choice: TeacherChoice, seed: int) -> None:
        self._own, self._choice, self._seed = problem, choice, seed
        self._teacher = plugins.load(Teacher, choice.name)
        self._settings = validate(self._teacher.settings, choice.own, "teacher")
        self.metrics = {**problem.metrics, AGREEMENT: "maximise"}
        self.trigger, self.tabulates = problem.trigger, problem.tabulates

    # ----------------------------------------------------------------------------------------------------- the teacher
    def completed(self, sample: Sample, splits: Splits) -> Sample:
        """The sample with what the teacher, which has learned from the training split, says of every event."""
        whole = self._own.completed(sample, splits)
        heads = self._own.heads(whole)
        if (why := self._teacher.can(heads)) is not None:
            raise UnsupportedError(f"the teacher '{self._choice.name}' cannot teach this: {why}: choose another")
        view = self._choice.view or whole.view
        layouts = view_blocks(self._own.blocks(whole), view, "teacher")
        seen = replace(whole, view=view)
        train = seen.part("train", splits)  # the teacher learns from no event that was made
        whole = self._exposed(whole, train, splits)
        seen = replace(whole, view=view)
        key = store.digest(
            {
                "teacher": self._choice.record(),
                "problem": dict(self._own.settings),
                "heads": [head.record() for head in heads],
                "train": [_hash(train.x), _hash(train.y), *(_hash(t) for t in self._own.target(train).values())],
                "all": _hash(_everything(seen).x),
                "seed": self._seed,
                "code": store.source_hash("codesign.tasks", "codesign.training", type(self._teacher).__module__),
                "versions": store.versions("torch", "numpy", "scikit-learn"),
            }
        )
        said = _kept(key, len(whole), sum(len(head.outputs) for head in heads))
        if said is None:
            lecture = Lecture(train, layouts, heads, self._own.target(train), self._own.weights(train))
            says = self._teacher.learn(self._settings, lecture, self._seed)
            every = _everything(seen)
            pieces = [np.arange(i, min(i + _TOGETHER, len(every))) for i in range(0, len(every), _TOGETHER)]
            said = np.concatenate([says(every.taken(piece)) for piece in pieces])
            if any(head.objective.name == "reconstruction" for head in heads):  # in no unit: the training split's
                usual = said[seen.places("train", splits)][: len(train)]  # those that were made stand behind
                said = (said - usual.mean(axis=0)) / np.maximum(usual.std(axis=0), 1e-9)
            said = said.astype(np.float32)
            _keep(key, said)
        columns = zip(self._own.outputs(whole), said.T, strict=True)
        truth = whole.truth | {f"{_SAID}{name}": np.ascontiguousarray(column) for name, column in columns}
        return replace(whole, truth=truth, provenance=whole.provenance | {"teacher": self._choice.record()})

    def _exposed(self, sample: Sample, train: Part, splits: Splits) -> Sample:
        """With the events that the study wants made; UnsupportedError where nobody can say what they are."""
        if not self._choice.exposure:
            return sample
        scores = all(head.objective.name == "reconstruction" for head in self._own.heads(sample))
        more = self._own.exposures(train, self._choice.exposure, self._seed) if scores else None
        if more is None:
            raise UnsupportedError(
                "teacher.exposure: the task makes no events of which a teacher alone says what they are: leave it out"
            )
        return exposed(sample, more, splits)

    def said(self, part: Part) -> Scores:
        """What the teacher said of a part's events, (events, outputs)."""
        outputs = [output for head in self._own.heads(_empty(part)) for output in head.outputs]
        return np.column_stack([part.truth[f"{_SAID}{name}"] for name in outputs]).astype(np.float64)

    # -------------------------------------------------------------------------------------------------- what is learned
    def heads(self, sample: Sample) -> tuple[Head, ...]:
        """The problem's, with objectives that the teacher has a share in."""
        return tuple(self._taught(head) for head in self._own.heads(sample))

    def _taught(self, head: Head) -> Head:
        kind, share = head.objective.name, self._choice.share
        if kind == "reconstruction":
            return replace(head, objective=LossObjective("squared"))
        if kind == "cross-entropy":
            return replace(head, objective=LossObjective("own", _Classes(share)))
        return replace(head, objective=LossObjective("own", _Numbers(share))) if kind == "squared" else head

    def target(self, part: Part) -> Mapping[str, Target]:
        """The truth beside what the teacher says; of a reconstruction the latter alone."""
        own, said, place = self._own.target(part), self.said(part).astype(np.float32), 0
        found: dict[str, Target] = {}
        for head in self._own.heads(_empty(part)):
            word = said[:, place : place + len(head.outputs)]
            place += len(head.outputs)
            if head.objective.name == "reconstruction":
                found[head.name] = word[:, 0]
            elif head.objective.name in _TAUGHT:
                truth = own[head.name].astype(np.float32).reshape(len(part), -1)
                found[head.name] = np.concatenate([truth, word], axis=1)
            else:
                found[head.name] = own[head.name]
        return found

    @property
    def settings(self) -> Settings:
        """The problem's, and the teacher."""
        return {**self._own.settings, "teacher": self._choice.record()}

    # ------------------------------------------------------------------------------------------------ how it is judged
    def judge(self, scores: Scores, part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
        """The problem's metrics, and the agreement with the teacher."""
        return self._own.judge(scores, part, points) | summary(self._agreement(scores, part, replicas_of(part)))

    def replicate(
        self, scores: Scores, part: Part, points: Mapping[str, float], replicas: Replicas
    ) -> dict[str, NDArray[np.float64]]:
        """The same in every replica."""
        return self._own.replicate(scores, part, points, replicas) | self._agreement(scores, part, replicas)

    def _agreement(self, scores: Scores, part: Part, replicas: Replicas) -> dict[str, NDArray[np.float64]]:
        from scipy.stats import rankdata

        said, place, same = self.said(part), 0, []
        numbers: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        for head in self._own.heads(_empty(part)):
            here = slice(place, place + len(head.outputs))
            place += len(head.outputs)
            if head.objective.name == "cross-entropy":
                same.append(scores[:, here].argmax(axis=1) == said[:, here].argmax(axis=1))
            elif head.objective.name in _TAUGHT:
                numbers += [(rankdata(scores[:, i]), rankdata(said[:, i])) for i in range(here.start, here.stop)]

        def measure(rows: DrawnRows) -> dict[str, NDArray[np.float64]]:
            found = [rowwise.means(equal, rows.weights) for equal in same]
            found += [rowwise.correlations(one, other, rows.weights) for one, other in numbers]
            return {AGREEMENT: np.mean(found, axis=0)} if found else {}

        return replicas.collect(measure)

    def ceilings(self, train: Part, validation: Part, seed: int) -> Sequence[Baseline]:
        """The problem's, and the teacher itself."""
        return [*self._own.ceilings(genuine(train), validation, seed), _Word(self)]

    def plots(
        self, scores: Scores, part: Part, baselines: Mapping[str, Scores], points: Mapping[str, float]
    ) -> list[Plot]:
        """The problem's, and the design's numbers against the teacher's."""
        found, place = list(self._own.plots(scores, part, baselines, points)), 0
        for head in self._own.heads(_empty(part)):
            if head.objective.name in ("squared", "reconstruction"):
                found.append(_against(head.outputs[0], scores[:, place], self.said(part)[:, place], part))
            place += len(head.outputs)
        return found

    # ------------------------------------------------------------------------------------------- as the problem has it
    @property
    def sample(self) -> Sample:
        """The problem's, without the teacher's word: that needs the splits."""
        return self._own.sample

    def made_of(self) -> tuple[Problem, ...]:
        """This, and the problem itself."""
        return (self, *self._own.made_of())

    def must_read(self) -> None:
        """As the problem's."""
        self._own.must_read()

    def remarks(self, sample: Sample, splits: Splits) -> Iterable[str]:
        """The problem's."""
        return self._own.remarks(sample, splits)

    def most_events(self) -> int | None:
        """The problem's."""
        return self._own.most_events()

    def blocks(self, sample: Sample) -> tuple[Layout, ...]:
        """The problem's."""
        return self._own.blocks(sample)

    def meanings(self, sample: Sample) -> Mapping[str, str]:
        """The problem's."""
        return self._own.meanings(sample)

    def weights(self, part: Part) -> NDArray[np.float32] | None:
        """The problem's."""
        return self._own.weights(part)

    def working_points(self, scores: Scores, validation: Part) -> dict[str, float]:
        """The problem's."""
        return self._own.working_points(scores, validation)

    def baselines(self, train: Part, seed: int) -> Sequence[Baseline]:
        """The problem's: none learns from an event that was made."""
        return self._own.baselines(genuine(train), seed)

    def genuine(self, part: Part) -> Part:
        """Those that were not made for the training."""
        return genuine(part)

    def undisturbed(self, part: Part) -> NDArray[np.bool_]:
        """The problem's."""
        return self._own.undisturbed(part)

    def replicas(self, part: Part) -> Replicas:
        """The problem's."""
        return self._own.replicas(part)

    def input_quantisation(self, x: NDArray[np.float32], blocks: tuple[Layout, ...], bits: int) -> InputQuantisation:
        """The problem's."""
        return self._own.input_quantisation(x, blocks, bits)

    def outcome(self, scores: Scores, part: Part, points: Mapping[str, float]) -> Outcome | None:
        """The problem's."""
        return self._own.outcome(scores, part, points)

    def table(self, scores: Scores, part: Part) -> Tabulated | None:
        """The problem's."""
        return self._own.table(scores, part)


class _Word:
    """The teacher as a baseline."""

    def __init__(self, problem: Distilled) -> None:
        self._problem = problem
        self.name = f"teacher ({problem._choice.name})"

    def __call__(self, part: Part) -> Scores:
        return self._problem.said(part)


@dataclass(frozen=True)
class _Classes:
    """Cross-entropy with the truth and, at a temperature, with the teacher's classes.

    ``target``: (events, 1 + classes), the class and the teacher's logits.
    """

    share: float

    def __call__(self, outputs: Tensor, target: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        soft = (target[:, 1:] / _TEMPERATURE).softmax(dim=1)
        word = -(soft * (outputs / _TEMPERATURE).log_softmax(dim=1)).sum(dim=1).mean() * _TEMPERATURE**2
        return self.share * word + (1 - self.share) * cross_entropy(outputs, target[:, 0].long())


@dataclass(frozen=True)
class _Numbers:
    """Squared distances to the truth and to the teacher's numbers; ``target``: (events, 2 m)."""

    share: float

    def __call__(self, outputs: Tensor, target: Tensor) -> Tensor:
        truth, word = target.chunk(2, dim=1)
        return self.share * (outputs - word).square().mean() + (1 - self.share) * (outputs - truth).square().mean()


def _empty(part: Part) -> Sample:
    """A sample without events that has a part's names: heads follow from them."""
    none = np.zeros((0, part.features.shape[1]), np.float32)
    names = tuple(f"x{i}" for i in range(none.shape[1]))
    targets = None if part.targets is None else part.targets[:0]
    called = () if targets is None else tuple(f"t{i}" for i in range(targets.shape[1]))
    return Sample(
        none, np.zeros(0, np.int64), names, ("",) * len(names), part.class_names, targets=targets, target_names=called,
        target_units=("",) * len(called),
    )  # fmt: skip


def _everything(sample: Sample) -> Part:
    """All events of a sample as one part."""
    blocks = {block.layout.name: block.values for block in sample.blocks}
    return Part("all", sample.features, sample.labels, sample.targets, {}, sample.class_names, blocks, sample.view)


def _hash(array: NDArray[np.generic]) -> str:
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _kept(key: str, events: int, outputs: int) -> NDArray[np.float32] | None:
    def read(files: dict[str, bytes]) -> NDArray[np.float32]:
        said = arrays_of(io.BytesIO(files["said.npz"]), "the teacher's word")["said"]
        if said.shape != (events, outputs) or said.dtype != np.float32 or not np.isfinite(said).all():
            raise ValueError("not the word of this teacher")
        return said

    kept = store.current()
    return None if kept is None else kept.get("trainings", key, read)


def _keep(key: str, said: NDArray[np.float32]) -> None:
    if (kept := store.current()) is not None:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, said=said)
        kept.put("trainings", key, {"said.npz": buffer.getvalue()})


def _against(name: str, score: NDArray[np.float64], said: NDArray[np.float64], part: Part) -> Plot:
    edges = np.quantile(said, np.linspace(0, 1, _BINS + 1))
    place, weights = np.clip(np.searchsorted(edges, said, side="right") - 1, 0, _BINS - 1), event_weights(part)
    x, middle, low, high = (list[float]() for _ in range(4))
    for number in np.unique(place):
        inside = place == number
        if inside.sum() >= _LEAST:
            a, b, c = quantile(score[inside], np.array([0.16, 0.5, 0.84]), some(weights, inside))
            for values, value in ((x, np.median(said[inside])), (low, a), (middle, b), (high, c)):
                values.append(float(value))
    return Plot(
        name=f"teacher_{name}",
        title=f"{name}: the design's against the teacher's",
        x_label="teacher",
        y_label="design",
        series=[Series(label="design", x=x, y=middle, low=low, high=high)],
        caption=f"{len(part)} {part.name} events in {_BINS} bins of equal size; band: the central 68 % of each bin.",
    )
