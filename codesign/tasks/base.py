"""What a task must offer: how a study's settings become a problem, and what its networks are given of events."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from codesign.core.errors import InputError
from codesign.core.layout import FEATURES, Layout, fit_items
from codesign.core.plugins import PlugIn
from codesign.tasks.problem import Baseline, Problem, Progress, Scores, Settings, Target, working_points

if TYPE_CHECKING:
    import awkward as ak

__all__ = (
    "Baseline",
    "Inputs",
    "Problem",
    "Progress",
    "Scores",
    "Settings",
    "Target",
    "Task",
    "working_points",
)


@dataclass(frozen=True)
class Inputs:
    """What a trained network is given of a chunk of events: one row per event, or per object of it.

    ``features``: (rows, n) float32, in the sample's units; ``event``: (rows,) int64, the place of each row's event in
    the chunk; ``object``: (rows,) int64, the index of the object in its collection, -1 where a row is a whole event;
    ``blocks``: what else is computed of each row, by name, (rows, ...) float32.
    """

    features: NDArray[np.float32]
    event: NDArray[np.int64]
    object: NDArray[np.int64]
    blocks: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def flat(self, blocks: Sequence[Layout]) -> NDArray[np.float32]:
        """What a network of these blocks is given, (rows, n); InputError for a block that is not computed."""
        computed = {FEATURES: self.features, **self.blocks}
        for block in blocks:
            if block.name not in computed:
                raise InputError(f"the task does not compute the block '{block.name}' of events: give a table of it")
        pieces = [computed[block.name].reshape(len(self.event), block.size) for block in blocks]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)


class Task(PlugIn):
    """A physics task. What has a body here is used where a task has it: it may stay as it is."""

    kind = "tasks"
    name: str
    #: pydantic model of the study's section ``sample``, where there is one: what ``codesign schema study`` says of it
    settings: ClassVar[type[BaseModel] | None] = None

    @abstractmethod
    def open(self, settings: Settings, seed: int, progress: Progress | None = None) -> Problem:
        """The problem of a study's section ``sample``, which the task validates: InputError says what is wrong in it.

        Nothing is made or read yet: the problem makes its sample when it is asked for it, and then tells ``progress``.
        """

    @property
    def collections(self) -> tuple[str, ...]:
        """What :meth:`inputs` needs, as :func:`codesign.physics.events.read_events` names it.

        Empty for a task whose inputs are not computed from events.
        """
        return ()

    def inputs(self, events: ak.Array) -> Inputs:
        """The features of a chunk of :func:`codesign.physics.events.read_events`, for a task with ``collections``.

        A problem's ``sample`` uses the same function, so that training and ``codesign apply`` cannot differ. BadEvent
        (:mod:`codesign.physics.events`) where an event cannot have any.
        """
        raise InputError(f"the task '{self.name}' does not compute its inputs from events: give tables of its features")

    def advice(self, columns: Collection[str]) -> str:
        """Of a file with these columns, flat names of the common record, that lacks what :meth:`inputs` needs: what the
        file holds instead, and what to do. Nothing, unless the task knows better than "is missing"."""
        return ""

    def arrange(self, block: Layout, items: NDArray[np.float32]) -> NDArray[np.float32]:
        """A block of the sample (rows, *shape) of a table's items (rows, k, fields), zero padded, in any number.

        A ``sample`` with a block of items uses the same function. By default items stay in their order.
        """
        return fit_items(block, items)
