"""From a study's names to what they stand for, all of it checked before any work begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from codesign.core import plugins
from codesign.core.errors import InputError, ToolError, nearest, of_study
from codesign.core.figures import QUANTITIES, Fidelity
from codesign.core.printing import visible
from codesign.core.targets import Target, load_target
from codesign.families.base import Family
from codesign.flows.base import Flow
from codesign.search.foresight import must_hold_candidates
from codesign.search.measured import at_fidelity
from codesign.search.members import StudyFamily, members_of, seeds_of, way_to
from codesign.study.definition import Constraint, Goal, Study
from codesign.study.opened_problem import taught
from codesign.tasks.base import Problem, Task
from codesign.tasks.losses import Loss
from codesign.tools.nextpnr_family import family_of

__all__ = ("Resolved", "resolve")

#: figures of which more is better; of all others less is
_MORE_IS_BETTER = ("fmax",)


@dataclass(frozen=True)
class Resolved:
    """A study and everything that it names."""

    study: Study
    task: Task
    problem: Problem
    members: tuple[StudyFamily, ...]
    target: Target

    @property
    def family(self) -> Family:
        """The first of the families."""
        return self.members[0].family

    @property
    def space(self) -> BaseModel:
        """The first family's."""
        return self.members[0].space

    @property
    def flow(self) -> Flow:
        """The first family's."""
        return self.members[0].flow

    @property
    def flow_space(self) -> BaseModel:
        """The first family's flow's."""
        return self.members[0].flow_space


def resolve(study: Study) -> Resolved:
    """Find and check all that a study names; InputError says what is wrong, and what to write instead."""
    with of_study("task"):
        task = plugins.load(Task, study.task)
    members = members_of(study)
    with of_study("target"):
        target = load_target(study.target)
    for m in members:
        where = f"study '{study.name}'" + (f", family '{m.name}'" if m.several else "")
        with of_study(*way_to(study, m.name, "space")):
            must_hold_candidates(m.family, m.space, m.flow, m.flow_space, where, m.study.training.changed())
        with of_study(*way_to(study, m.name, "training"), "loss"):
            if m.study.training.loss:
                plugins.load(Loss, m.study.training.loss)
    seeds_of(study, members)
    with of_study("sample"):
        opened = task.open(study.sample, study.seed)
    with of_study("teacher"):
        problem = taught(opened, study)
    with of_study("sample"):
        problem.must_read()
    for m in members:
        _check_objectives(m.study, m.study.judged(problem.metrics), m.flow)
        _check_constraints(m.study, m.study.judged(problem.metrics), m.flow, target)
    with of_study("search", "ladder", "measured"):
        _check_rungs(study, target)
    for m in members:
        availability = m.flow.available()
        if not availability.available:
            raise ToolError(f"flow '{m.study.flow.name}' cannot run here: {availability.reason}")
    return Resolved(study, task, problem, members, target)


def _known_names(study: Study, wanted: Goal | Constraint, role: str, metrics: Mapping[str, str], flow: Flow) -> None:
    """Refuse what the task does not judge and the flow does not measure at the fidelity that is wanted, or not here."""
    name, fidelity = wanted.name, wanted.fidelity
    compiled, vendor = flow.quantities, flow.vendor_quantities
    measured = {Fidelity.ANALYTIC: ("ebops",), Fidelity.COMPILED: compiled, Fidelity.VENDOR: vendor}
    if name in metrics:
        return
    where, itself = f"study '{study.name}', {role}", f"the flow '{study.flow.name}'"
    if fidelity is not None and name in measured.get(fidelity, ()):
        if fidelity is Fidelity.VENDOR and not (here := flow.vendor()).available:
            raise ToolError(f"{where}: {itself} measures '{name}' with the vendor's tools only: {here.reason}")
        return
    others = [f.value for f, names in measured.items() if name in names]
    if others:
        what = f"{itself} does not measure '{name}' at fidelity '{fidelity}': write fidelity: {' or '.join(others)}"
    elif name in QUANTITIES:
        what = f"{itself} does not measure '{name}'"
    else:
        what = f"unknown name '{visible(name)}'{nearest(name, [*metrics, *compiled, *vendor])}"
    figures = ", ".join(
        f"{n} ({f})" if f is not Fidelity.COMPILED else n for f, ns in measured.items() for n in sorted(ns)
    )
    raise InputError(f"{where}: {what}; metrics of the task '{study.task}': {', '.join(metrics)}; figures: {figures}")


def _check_rungs(study: Study, target: Target) -> None:
    """Refuse rungs of measurement that nothing can measure, or that no objective can tell apart."""
    for name in study.search.ladder.measured if study.search.ladder else ():
        where, fidelity = f"study '{study.name}', search.ladder.measured", Fidelity(name)
        if at_fidelity(study, fidelity) == study:
            raise InputError(f"{where}: no objective is a compiled figure that is measured {name}, such as lut")
        if fidelity is Fidelity.PLACED and not (here := family_of(target.name, target.family).available()).available:
            raise ToolError(f"{where}: {here.reason}")


def _check_objectives(study: Study, metrics: Mapping[str, str], flow: Flow) -> None:
    seen: set[str] = set()
    for place, objective in enumerate(study.objectives):
        with of_study("objectives", place):
            _check_objective(study, objective, seen, metrics, flow)
        seen.add(objective.name)


def _check_objective(study: Study, objective: Goal, seen: set[str], metrics: Mapping[str, str], flow: Flow) -> None:
    name = objective.name
    _known_names(study, objective, "objectives", metrics, flow)
    if name in seen:
        raise InputError(f"study '{study.name}', objectives: '{name}' is there twice: remove one")
    right = metrics.get(name) or ("maximise" if name in _MORE_IS_BETTER else "minimise")
    if objective.direction != right:
        raise InputError(
            f"study '{study.name}', objectives: '{name}' is better the "
            f"{'higher' if right == 'maximise' else 'lower'} it is: write direction: {right}"
        )


def _check_constraints(study: Study, metrics: Mapping[str, str], flow: Flow, target: Target) -> None:
    seen: set[str] = set()
    least = {
        "latency_ns": (target.clock_ns, f"one clock period of {target.name} ({target.clock_mhz:g} MHz)"),
        "latency_cycles": (1.0, "one clock cycle"),
        "initiation_interval": (1.0, "one clock cycle"),
    }
    for place, constraint in enumerate(study.constraints):
        with of_study("constraints", place):
            name = constraint.name
            _known_names(study, constraint, "constraints", metrics, flow)
            where = f"study '{study.name}', constraints"
            if name in seen:
                raise InputError(f"{where}: '{name}' is there twice: write one with min and max")
            seen.add(name)
            floor, why = least.get(name, (0.0, ""))
            if constraint.max is not None and constraint.max < floor:
                raise InputError(
                    f"{where}: impossible: '{name}' at most {constraint.max:g}, "
                    f"but no design takes less than {why}, {floor:.4g}: allow at least that"
                )
            has = getattr(target.resources, name, None) if name in QUANTITIES else None
            if has is not None and constraint.min is not None and constraint.min > has:
                raise InputError(
                    f"{where}: impossible: '{name}' at least {constraint.min:g}, but {target.name} has only {has:g}"
                )
