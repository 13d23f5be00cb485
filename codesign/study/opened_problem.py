"""The problem of a study: its task's, taught by a teacher where the study names one."""

from __future__ import annotations

from codesign.core import plugins
from codesign.study.definition import Study
from codesign.tasks.base import Progress, Task
from codesign.tasks.distilled import Distilled
from codesign.tasks.problem import Problem

__all__ = ("open_problem", "taught")


def open_problem(study: Study, progress: Progress | None = None) -> Problem:
    """Open it; InputError says what is wrong in the sections ``sample`` and ``teacher``. Nothing is made or read."""
    return taught(plugins.load(Task, study.task).open(study.sample, study.seed, progress), study)


def taught(problem: Problem, study: Study) -> Problem:
    """The problem whose networks learn from the study's teacher; itself where the study has none."""
    return problem if study.teacher is None else Distilled(problem, study.teacher, study.seed)
