"""What a training shall not learn: a quantity that an output is to know nothing of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.errors import InputError, nearest
from codesign.data.sample import Part

__all__ = ("EFFICIENCY", "Decorrelation")

#: signal efficiency at which the divergence of the quantity is quoted
EFFICIENCY = 0.5


class Decorrelation(BaseModel):
    """DisCo: the squared distance correlation of an output with a quantity, among the other classes' events, times
    ``strength`` is added to the loss (Kasieczka and Shih, Phys. Rev. Lett. 125 (2020) 122001)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: str = Field(description="a feature of the sample, or what it knows of each event, such as a mass")
    output: str = Field(description="the output that shall not know it; of several classes the probability of one")
    strength: float = Field(default=1.0, gt=0, le=1e4, description="the term's factor in the loss")
    among: tuple[str, ...] = Field(default=(), description="classes of the events; by default all but the output's")

    @model_validator(mode="after")
    def _of_others(self) -> Decorrelation:
        if self.output in self.among:
            raise ValueError(f"decorrelate: among are the classes beside the output's own, '{self.output}'")
        return self

    @property
    def metric(self) -> str:
        """Name of the divergence of the quantity between events that pass and those that do not."""
        return f"jsd_{self.output}_{EFFICIENCY * 100:.0f}"

    def must_fit(
        self, features: Sequence[str], truth: Sequence[str], outputs: Sequence[str], classes: Sequence[str]
    ) -> None:
        """InputError where the sample has no such quantity, output or class."""
        for what, name, known in (
            ("quantity", self.quantity, [*features, *truth]),
            ("output", self.output, outputs),
            *(("class", name, classes) for name in self.among),
        ):
            if name not in known:
                raise InputError(
                    f"training.decorrelate: there is no {what} '{name}'{nearest(name, known)}: {', '.join(known)}"
                )

    def values(self, part: Part, features: Sequence[str]) -> NDArray[np.float64]:
        """The quantity of each event, (events,)."""
        if self.quantity in features:
            return part.features[:, list(features).index(self.quantity)].astype(np.float64)
        return np.asarray(part.truth[self.quantity], dtype=np.float64)

    def chosen(self, part: Part) -> NDArray[np.bool_]:
        """The events among which it is asked for, (events,)."""
        names = self.among or tuple(name for name in part.class_names if name != self.output)
        found = np.isin(part.y, [part.class_names.index(name) for name in names if name in part.class_names])
        return found if found.any() else np.ones(len(part), dtype=bool)

    def beside(self, part: Part, features: Sequence[str]) -> NDArray[np.float32]:
        """What a loss is given of each event, (events, 2): the standardised quantity, and 1 where it counts."""
        along, chosen = self.values(part, features), self.chosen(part)
        middle, width = float(along[chosen].mean()), float(along[chosen].std())
        return np.column_stack([(along - middle) / (width or 1.0), chosen]).astype(np.float32)
