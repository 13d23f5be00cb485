"""What the driver and its workers tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codesign.core.figures import Fidelity
from codesign.study.definition import Study

__all__ = (
    "Answer",
    "BaselineDone",
    "Broken",
    "Drawn",
    "Evaluate",
    "Exhausted",
    "Finished",
    "JudgeBaseline",
    "Measure",
    "Measured",
    "Prove",
    "Proven",
    "Repeat",
    "Repeated",
    "Retry",
    "Settings",
    "Stage",
)


@dataclass(frozen=True)
class Settings:
    """What a worker needs to know from the start. ``pipeline`` is the name of the installed
    :class:`~codesign.pipeline.base.Pipeline`, ``store`` the path or URL of the store (:mod:`codesign.core.store`), None
    for none."""

    study: Study
    run: str
    storage: str | None
    pipeline: str
    store: str | None = None


# ------------------------------------------------------------------------------------------ from the driver to a worker
@dataclass(frozen=True)
class Retry:
    """A trial that failed for want of something which is here by now: what it drew, why it failed, what it lacked."""

    parameters: dict[str, Any]
    reason: str
    lacking: tuple[str, ...]


@dataclass(frozen=True)
class Evaluate:
    """Draw and evaluate the trial of this number; with ``retry``, or with ``parameters``, what it drew before.

    ``family``: of a study of several the one whose turn it is.
    """

    trial: int
    note: str | None = None
    retry: Retry | None = None
    parameters: dict[str, Any] | None = None
    family: str | None = None

    @property
    def drew(self) -> dict[str, Any] | None:
        """The parameters that are to be drawn again; None to draw new ones."""
        return self.parameters if self.retry is None else self.retry.parameters


@dataclass(frozen=True)
class Answer:
    """Whether the drawn configuration is new; otherwise the trial that it repeats."""

    repeats: int | None


@dataclass(frozen=True)
class JudgeBaseline:
    """Fit and judge the classical baseline."""


@dataclass(frozen=True)
class Prove:
    """Prove this trial of the front."""

    trial: int


@dataclass(frozen=True)
class Measure:
    """Measure this trial at this fidelity."""

    trial: int
    fidelity: Fidelity


@dataclass(frozen=True)
class Repeat:
    """Train this trial of the front again, for the ``number``-th time, from a seed of its own; or, once no training is
    to come, judge that on the test split."""

    trial: int
    number: int
    judge: bool = False


# ------------------------------------------------------------------------------------------ from a worker to the driver
@dataclass(frozen=True)
class Drawn:
    """Optuna's trial ``asked`` drew this configuration for trial ``trial``; the worker waits for an answer."""

    trial: int
    asked: int
    config: dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """A trial, or the baseline (None), entered a stage. The first one says that its job has begun: all that it needs
    is loaded, and what happens from here is its own doing."""

    trial: int | None
    name: str


@dataclass(frozen=True)
class Finished:
    """A trial is over, and its records are on disk."""

    trial: int


@dataclass(frozen=True)
class Exhausted:
    """Every draw repeated an earlier trial: nothing new was found for this one."""

    trial: int


@dataclass(frozen=True)
class BaselineDone:
    """The baseline is done, or failed with this reason."""

    error: str | None


@dataclass(frozen=True)
class Proven:
    """The proof of a trial came to its end, or broke off with this reason."""

    trial: int
    error: str | None


@dataclass(frozen=True)
class Measured:
    """The measurement of a trial is done, or failed with this reason."""

    trial: int
    fidelity: Fidelity
    error: str | None


@dataclass(frozen=True)
class Repeated:
    """A trial was trained again, or failed with this reason."""

    trial: int
    number: int
    error: str | None


@dataclass(frozen=True)
class Broken:
    """The worker cannot work at all, and neither could another."""

    reason: str
