"""The suite that every family of models passes, whatever it trains with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import CodesignError, InputError
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.layout import Layout
from codesign.core.probes import probe_codes
from codesign.core.runfolder import TRIAL_RECORDS
from codesign.families.base import Candidate, Family
from codesign.families.trained import Reference
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.graph.reference import qonnx_codes, reference_name
from codesign.tasks.heads import Head, LossObjective
from codesign.testing.drawing import Draw, Recorded, at_random, highest, lowest
from codesign.testing.nonconformity import must
from codesign.training.lesson import Budget, Fold, FoldTarget, Lesson, Subject

__all__ = ("FamilyTests",)


class FamilyTests:
    """Derive from it, and give the fixtures ``family``, yours, and ``space``: a study's section of that name for it, of
    small models, with ranges of bits. The rest has defaults. For networks of torch see
    :class:`codesign.testing.TorchFamilyTests`.

    Attributes
    ----------
    inputs, outputs: of the models that are trained.
    blocks: what their inputs are instead, of a family that takes items or images.
    objective: the name of what they learn, see :class:`codesign.tasks.heads.LossObjective`: ``squared``,
        ``cross-entropy`` or ``reconstruction``.
    counts_before: whether :meth:`Candidate.cost` knows before training what a model costs; a family that learns its
        bits may say 0.
    shares: whether several heads share what is learned, so that their weights count; else each is learned by itself.
    """

    inputs: ClassVar[int] = 6
    outputs: ClassVar[int] = 3
    blocks: ClassVar[tuple[Layout, ...]] = ()
    objective: ClassVar[str] = "squared"
    counts_before: ClassVar[bool] = True
    shares: ClassVar[bool] = True

    def test_suggest_draws_valid_configurations(self, family: Family, space: Mapping[str, Any]) -> None:
        """The smallest, the largest and any other candidate is a valid configuration, which reads back as it is."""
        for draw in (lowest, highest, *map(at_random, range(20))):
            config, _ = self._drawn(family, space, draw)
            must(isinstance(config, family.config), f"{family.name}: draws a {type(config).__name__}, not its config")
            try:
                again = family.read(json.loads(json.dumps(config.record())), "the record")
            except InputError as error:
                raise AssertionError(f"{family.name}: draws a configuration that is not valid: {error}") from error
            must(again == config, f"{family.name}: a configuration that is written and read is another: {again!r}")

    def test_suggest_is_decided_by_what_is_drawn(self, family: Family, space: Mapping[str, Any]) -> None:
        """The same values give the same candidate, in the same order of the same names."""
        for seed in range(5):
            (one, drawn), (other, again) = (self._drawn(family, space, at_random(seed)) for _ in range(2))
            must(list(drawn.items()) == list(again.items()), f"{family.name}: asks for other dimensions later")
            must(one == other, f"{family.name}: the same values drawn gave {one!r} and {other!r}")

    def test_parameter_finds_what_was_drawn(self, family: Family, space: Mapping[str, Any]) -> None:
        """A configuration that a study wants tried first becomes the values that give it (``search.seeds``)."""
        for draw in (lowest, highest, *map(at_random, range(20))):
            config, drawn = self._drawn(family, space, draw)
            written = json.loads(json.dumps(config.record()))
            for name, value in drawn.items():
                try:
                    found = family.parameter(written, name)
                except (KeyError, IndexError) as error:
                    raise AssertionError(f"{family.name}: cannot tell what '{name}' was in {written}") from error
                must(found == value, f"{family.name}: '{name}' was drawn as {value!r}, and its candidate has {found!r}")

    def test_fewer_bits_cost_less(self, family: Family, space: Mapping[str, Any]) -> None:
        """Effective bit operations are positive and fall with the bits of a candidate that is otherwise the same."""
        for seed in range(5):
            few, many = (self._bits(family, space, end, seed).cost_of(self._subject()) for end in (lowest, highest))
            for value in (few, many):
                good = np.isfinite(value) and (value > 0 or (value == 0 and not self.counts_before))
                must(bool(good), f"{family.name}: expects {value} effective bit operations")
            must(not self.counts_before or few < many, f"{family.name}: with fewer bits {few:g}, with more {many:g}")

    def test_what_cannot_be_learned_is_said(self, family: Family, space: Mapping[str, Any]) -> None:
        """``can`` has nothing against what it is tried with, and words against an objective that nobody knows."""
        subject = self._subject()
        must(family.can(subject) is None, f"{family.name}: cannot learn what it is tried with: {family.can(subject)}")
        unknown = replace(Subject.of_sizes(*subject.sizes, LossObjective("unheard of")), blocks=self.blocks)
        said = family.can(unknown)
        must(isinstance(said, str) and bool(said), f"{family.name}: would learn an objective that nobody knows")

    def test_models_are_trained_and_exact(self, family: Family, space: Mapping[str, Any]) -> None:
        """The same seed gives the same plain files; of the model picked, all executions give the same integers; what it
        keeps of itself is that model again."""
        config, _ = self._drawn(family, space, highest)
        self._lives(family, config)

    def test_several_heads_count_by_their_weights(self, family: Family, space: Mapping[str, Any]) -> None:
        """Of two heads, where the family can learn two, the weights decide what is learned; the model is exact, and has
        a block of outputs for each."""
        config, _ = self._drawn(family, space, highest)
        found = []
        for weight in (1e-3, 1e3):
            lesson = self._of_two_heads(config, weight)
            if family.can(lesson.subject) is not None:
                return
            found.append(dict(family.fit(config.training(), lesson, self._budget(), 3)))
        differ = "does not depend" if self.shares else "depends"
        must(
            (found[0] != found[1]) == self.shares, f"{family.name}: what it learns {differ} on the weights of its heads"
        )
        trained = family.pick(found[1], config, lesson)
        design = trained.design()
        blocks = [(block.name, block.labels) for block in design.outputs.blocks]
        wanted = [(head.name, head.outputs) for head in lesson.subject.heads]
        must(blocks == wanted, f"{family.name}: has the outputs {blocks}, not those of its heads, {wanted}")
        self._exact(family, trained.references(), design)
        opened = family.load(dict(trained.files()), config, design)
        must(opened.design().hash == design.hash, f"{family.name}: a model of two heads is opened as another design")
        self._exact(family, opened.references(), design)

    def test_events_count_by_their_weights(self, family: Family, space: Mapping[str, Any]) -> None:
        """Where the family can learn from events with weights, those decide what is learned."""
        config, _ = self._drawn(family, space, highest)
        lesson = self._lesson(config)
        weighted = replace(lesson.subject, weighted=True)
        if family.can(weighted) is not None:
            return
        heavy = np.where(lesson.train.x[:, 0] > 0, 10.0, 0.1)
        taught = replace(lesson, subject=weighted, train=replace(lesson.train, weights=heavy))
        found = [dict(family.fit(config.training(), one, self._budget(), 3)) for one in (lesson, taught)]
        must(found[0] != found[1], f"{family.name}: what it learns does not depend on the weights of events")

    def test_candidates_of_one_training_are_picked_from_it(self, family: Family, space: Mapping[str, Any]) -> None:
        """``training`` is the same for all that share one, and what it gives holds each of them, whole and exact."""
        config, _ = self._drawn(family, space, highest)
        training = config.training()
        must(isinstance(training, family.config), f"{family.name}: what is shared is no configuration of the family")
        must(training.training() == training, f"{family.name}: what is shared by what is shared is another")
        if training is config:
            return
        other, _ = self._drawn(family, space, lowest)
        if other.training() == training:
            lesson = self._lesson(config)
            files = family.fit(training, lesson, self._budget(), 2)
            for one in (config, other):
                try:
                    design = family.pick(files, one, lesson).design()
                except CodesignError as error:
                    raise AssertionError(
                        f"{family.name}: one training does not hold both candidates: {error}"
                    ) from error
                self._exact(family, {}, design)

    def test_damaged_files_are_refused(self, family: Family, space: Mapping[str, Any]) -> None:
        """Files that are cut short, or of something else, are an InputError."""
        config, _ = self._drawn(family, space, lowest)
        lesson = self._lesson(config)
        trained = family.pick(family.fit(config.training(), lesson, self._budget(), 5), config, lesson)
        whole = dict(trained.files())
        for name, content in whole.items():
            for damaged in (b"", content[: len(content) // 2], b"cos\nsystem\n(S'true'\ntR."):
                try:
                    family.load(whole | {name: damaged}, config, trained.design())
                except InputError:
                    continue
                raise AssertionError(f"{family.name}: opens a {name} of {len(damaged)} bytes that is damaged")

    # -------------------------------------------------------------------------------------------------------- how
    @staticmethod
    def _drawn(family: Family, space: Mapping[str, Any], draw: Draw) -> tuple[Candidate, dict[str, Any]]:
        choose = Recorded(draw, family.name)
        config = family.suggest(family.space.model_validate(dict(space)), choose)
        return config, choose.drawn

    def _bits(self, family: Family, space: Mapping[str, Any], end: Draw, seed: int) -> Candidate:
        """A candidate with all bits at one end, and all else as the seed has it."""
        found = family.space.model_validate(dict(space))
        _, rest = self._drawn(family, space, at_random(seed))

        def choose(name: str, dimension: Any) -> Any:
            return end(dimension) if "bits" in name else rest.get(name, lowest(dimension))

        return family.suggest(found, choose)

    def _subject(self) -> Subject:
        inputs = sum(block.size for block in self.blocks) or self.inputs
        return replace(Subject.of_sizes(inputs, self.outputs, LossObjective(self.objective)), blocks=self.blocks)

    @staticmethod
    def _budget() -> Budget:
        return Budget(epochs=4, batch=50, learning_rate=0.02)

    def _lesson(self, config: Candidate) -> Lesson:
        subject = self._subject()
        number = len(subject.inputs)
        events = np.random.default_rng(4).normal(size=(200, number))
        blocks = self.blocks or (Layout.of_features(subject.inputs, ("1",) * number),)
        quantisation = InputQuantisation.of_blocks(events, blocks, config.input_width())
        x = quantisation.port.values(quantisation.codes(events))
        targets = {head.name: self._target(head, x) for head in subject.heads}
        folds = [
            Fold(x[place], {name: target[place] for name, target in targets.items()})
            for place in (slice(150), slice(150, None))
        ]
        return Lesson(subject, quantisation, *folds)

    def _of_two_heads(self, config: Candidate, weight: float) -> Lesson:
        """The same events; the first head a class, the second a number that has another weight."""
        lesson = self._lesson(config)
        names = tuple(f"y{i}" for i in range(max(self.outputs, 3)))
        first = Head("kind", names[:2], LossObjective("cross-entropy"))
        second = Head("value", names[2:], LossObjective("squared"), weight)
        folds = [
            replace(fold, target={head.name: self._target(head, fold.x) for head in (first, second)})
            for fold in (lesson.train, lesson.validation)
        ]
        return replace(
            lesson, subject=replace(lesson.subject, heads=(first, second)), train=folds[0], validation=folds[1]
        )

    @staticmethod
    def _target(head: Head, x: NDArray[np.float64]) -> FoldTarget:
        """What a head is given of events: as many of their inputs as it has outputs, or the largest of them."""
        first = x[:, : len(head.outputs)].astype(np.float32)
        match head.objective.name:
            case "cross-entropy":
                return np.asarray(first.argmax(axis=1), dtype=np.int64)
            case "reconstruction":
                return x.astype(np.float32)
        return first

    def _lives(self, family: Family, config: Candidate) -> None:
        """From a lesson to a model, kept and opened again."""
        lesson = self._lesson(config)
        one, again = (dict(family.fit(config.training(), lesson, self._budget(), 3)) for _ in range(2))
        plain = all(isinstance(name, str) and isinstance(content, bytes) for name, content in one.items())
        must(plain and bool(one), f"{family.name}: a training gives files, names with bytes")
        must(one == again, f"{family.name}: the same seed trains two models")
        trained = family.pick(one, config, lesson)
        design = trained.design()
        must(design.outputs.labels == lesson.subject.outputs, f"{family.name}: has other outputs than those asked")
        widths, bits = {t.width for t in design.inputs.types}, config.input_width()
        learned = trained.cost() is not None
        must(learned or widths == {bits}, f"{family.name}: says {bits} bits of input, and has {sorted(widths)}")
        self._exact(family, trained.references(), design)
        kept = dict(trained.files())
        must(tuple(sorted(kept)) == tuple(sorted(family.files)), f"{family.name}: keeps {sorted(kept)}, not its files")
        taken = TRIAL_RECORDS & kept.keys()
        must(not taken, f"{family.name}: a trial has another {min(taken, default='')}: name the file otherwise")
        opened = family.load(kept, config, design)
        must(opened.design().hash == design.hash, f"{family.name}: a model that was kept is opened as another design")
        must(dict(opened.files()) == kept, f"{family.name}: a model that was kept and opened keeps other files")
        self._exact(family, opened.references(), design)
        must(bool(trained.tools()), f"{family.name}: does not say which tools had a part in its models")

    def _exact(self, family: Family, references: Mapping[str, Reference], design: Design) -> None:
        codes = probe_codes(design.inputs, 200)
        truth = design.outputs.codes(read_graph(design.onnx).run(design.inputs.values(codes), Exact()))
        by_reference = (reference_name(design), qonnx_codes(design, codes))
        for tool, found in [by_reference, *((n, run(codes)) for n, run in references.items())]:
            wrong = int((found != truth).any(axis=1).sum())
            must(wrong == 0, f"{family.name}: {tool} differs from exact arithmetic on {wrong} of {len(codes)} events")
