"""The events of a search: made, or known again, checked for what its families learn, its test split put away."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from codesign.core.errors import of_study
from codesign.core.layout import view_blocks
from codesign.core.runfolder import RunFolder
from codesign.data.preparation.prefix import Preparation
from codesign.families.teaching import learnable_weights, must_be_able, subject_of
from codesign.pipeline.parts import is_known, part_path, record, sample_facts, splits_of, withhold_test, write_part
from codesign.search.resolve import Resolved
from codesign.study.opened_problem import open_problem

__all__ = ("SearchSample", "make_sample", "must_be_learnable")


@dataclass(frozen=True)
class SearchSample:
    """What is known of the sample, and how its test split is written when it is needed."""

    facts: dict[str, Any]
    write_test: Callable[[], None]


def make_sample(
    run: RunFolder,
    resolved: Resolved,
    searching: bool,
    show: Callable[[int, int], None],
    tell: Callable[[Iterable[str]], None],
) -> SearchSample:
    """Make the sample, or see that it is still the same, and write what it is; a search (``searching``) never has the
    test split at hand before it. ``show`` is told how many events of how many are made, ``tell`` the task's remarks."""
    study = resolved.study
    problem = open_problem(study, show)
    with of_study("sample"):
        sample = problem.completed(problem.sample, splits_of(study))
        tell(problem.remarks(sample, splits_of(study)))
    for member in resolved.members:
        view_blocks(problem.blocks(sample), member.study.view, f"study '{study.name}'")
    for place, variation in enumerate(study.systematics):
        with of_study("systematics", place):
            variation.must_fit(sample.layouts, tuple(sample.truth))
    sample = replace(sample, view=study.view)
    facts = record(sample, splits_of(study))
    facts["outputs"] = list(problem.outputs(sample))
    if meanings := dict(problem.meanings(sample)):
        facts["meanings"] = meanings
    if sample.weights is not None:  # told before anything is fitted
        for name in ("train", "validation"):
            learnable_weights(problem, sample.part(name, splits_of(study)))
    known = is_known(run, facts)
    for name in ("train", "validation"):
        if not known or not part_path(run, name).is_file():
            write_part(run, sample, splits_of(study), name)
    if not known:
        run.write("sample.json", facts)
    if searching:
        withhold_test(run)
    return SearchSample(facts, lambda: write_part(run, sample, splits_of(study), "test"))


def must_be_learnable(run: RunFolder, resolved: Resolved) -> None:
    """UnsupportedError where a family cannot learn what the task wants learned: no candidate of it could."""
    problem, facts = resolved.problem, sample_facts(run)
    for member in resolved.members:
        trigger = problem.trigger if member.flow.triggers else None
        seen = facts.model_copy(update={"view": member.study.view})
        taught, inputs = member.study.training.teaching(), member.study.inputs
        taught.must_fit(seen)
        preparation = None if inputs is None else Preparation.of(inputs, seen.seen)
        must_be_able(member.family, subject_of(problem, seen, trigger, preparation, taught=taught))
