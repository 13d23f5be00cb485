"""Two designs beside each other on the same events: of one run, or of two runs on one sample."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.records import BesideOther, Comparisons
from codesign.core.runfolder import RunFolder
from codesign.data.sample import Part
from codesign.pipeline.parts import load_sample, sample_facts, seeing, splits_of
from codesign.pipeline.systematics import differences_with_systematics, judged_rows, values_under
from codesign.pipeline.trial import design_of, trial_of
from codesign.statistics.comparison import differences
from codesign.study.definition import Study
from codesign.study.opened_problem import open_problem
from codesign.tasks.problem import working_points
from codesign.tasks.weighting import effective_events

__all__ = ("compare_trials", "scores_of")


def scores_of(design: Design, part: Part) -> NDArray[np.float64]:
    """What a design gives of a part's events as values, (events, outputs): its exact graph, so that no flow is run."""
    from codesign.graph.exact import Exact
    from codesign.graph.reader import read_graph

    codes = design.input_quantisation.codes(part.x)
    return np.asarray(read_graph(design.onnx).run(design.inputs.values(codes), Exact()), dtype=np.float64)


def _of_view(design: Design, view: tuple[str, ...], part: Part) -> NDArray[np.float64]:
    return scores_of(design, seeing(part, view))


def compare_trials(run: RunFolder, one: int, other_run: RunFolder, other: int) -> Comparisons:
    """Two trials on the test split of ``run``'s sample, each at the working points of its own scores on validation.

    InputError where the runs are not of one task on one sample and split, or a trial was imported.
    """
    if run.path == other_run.path and one == other:
        raise InputError(f"two designs are compared, but trial {one} was given twice")
    studies = []
    for folder, number in ((run, one), (other_run, other)):
        study, _ = trial_of(folder, number)
        if not isinstance(study, Study):
            raise InputError(f"{folder.path} holds imported models, and no validation split: give trials of a search")
        studies.append(study)
    first, second = studies
    differ = first.task != second.task or dict(first.sample) != dict(second.sample)
    if differ or sample_facts(run).hash != sample_facts(other_run).hash or splits_of(first) != splits_of(second):
        raise InputError(
            f"{run.path} and {other_run.path} are not of one task on the same events, split in the same way: only "
            "designs that were judged on the same events are compared"
        )
    sample, splits = load_sample(run), splits_of(first)
    problem = open_problem(first)
    designs, points = [], []
    for folder, number, study in ((run, one, first), (other_run, other, second)):
        design, validation = design_of(folder.trial(number)), seeing(sample, study.view).part("validation", splits)
        designs.append(design)
        points.append(working_points(problem, scores_of(design, validation), validation))
    part = sample.part("test", splits)
    names = [
        f"trial {one}",
        f"trial {other}" if run.path == other_run.path else f"{other_run.path.name}, trial {other}",
    ]
    rows = [
        judged_rows(
            study, problem, partial(_of_view, design, study.view), part, at, sample.layouts, design.outputs.labels
        )
        for design, study, at in zip(designs, studies, points, strict=True)
    ]
    found = differences(rows[0], rows[1], first.judged(problem.metrics))
    if first.systematics and first.systematics == second.systematics:
        under = [
            values_under(first.systematics, problem, partial(_of_view, design, study.view), part, at, sample.layouts)
            for design, study, at in zip(designs, studies, points, strict=True)
        ]
        found = differences_with_systematics(found, first.systematics, under[0], under[1])
    beside = BesideOther(one=names[0], other=names[1], metrics=found)
    return Comparisons(split="test", events=len(part), effective=effective_events(part), compared=[beside])
