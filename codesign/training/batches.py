"""The events that a training goes through, and how some of them at a time become values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.core import mapped
from codesign.training.coded import Coded
from codesign.training.lesson import FoldTarget
from codesign.training.network import Network, Tensors

__all__ = ("Events", "Truths", "Values", "first_events", "match_events")

#: targets (events,) or (events, t); of several heads, one for each
Truths: TypeAlias = FoldTarget | tuple[FoldTarget, ...]
#: inputs (events, n), or weights (events,)
Values: TypeAlias = NDArray[np.float64] | NDArray[np.float32]

#: events that are looked at together
_TOGETHER = 8192
#: events of the batch from which ranges are set
_CALIBRATION = 2048
#: bytes of a file that one event brings into memory at least: Linux maps the pages around the one that is read
_AROUND = 64 << 10


@dataclass(frozen=True)
class Events:
    """What a training goes through: inputs (events, n), their targets, of several heads one for each, and their weights
    (events,) or None. With ``lsbs`` (n,) the inputs are kept as codes, of which each batch becomes values; ``coded``
    is whence they are: they may lie in a file."""

    kept: Tensor
    targets: Tensors
    weights: Tensor | None = None
    lsbs: Tensor | None = None
    coded: Coded | None = None

    @classmethod
    def of(
        cls,
        x: Values | Coded,
        y: Truths,
        weights: Values | None = None,
        device: str = "cpu",
    ) -> Events:
        """From arrays, inputs and weights as float32, onto a device; codes stay codes, of at most 24 bits exactly."""
        return cls(
            torch.as_tensor(
                x.codes if isinstance(x, Coded) else np.ascontiguousarray(x, dtype=np.float32), device=device
            ),
            tuple(torch.as_tensor(t, device=device) for t in y)
            if isinstance(y, tuple)
            else torch.as_tensor(y, device=device),
            None if weights is None else torch.as_tensor(weights, dtype=torch.float32, device=device),
            torch.as_tensor(x.lsbs, dtype=torch.float32, device=device) if isinstance(x, Coded) else None,
            x if isinstance(x, Coded) else None,
        )

    def __len__(self) -> int:
        return len(self.kept)

    @property
    def inputs(self) -> Tensor:
        """All inputs as values, four bytes each: of many events :meth:`pieces` are better."""
        return self._values(self.kept)

    def _values(self, some: Tensor) -> Tensor:
        return some if self.lsbs is None else some * self.lsbs

    def values(self, index: Tensor) -> Tensor:
        """The inputs of these events, as values."""
        return self._values(self.kept.index_select(0, index))

    def pieces(self) -> Iterator[Tensor]:
        """All inputs in their order, as values of some thousand events at a time."""
        for some in self.kept.split(_TOGETHER):
            yield self._values(some)
            self.forget()

    def remembered(self, batch: int) -> int:
        """Batches drawn by chance after which :meth:`forget` keeps what is in memory of a file within some 256 MB."""
        return max(1, mapped.LARGE // (batch * max(_AROUND, self.kept[:1].nbytes)))

    def forget(self) -> None:
        """Let the system take back what it holds in memory of inputs that lie in a file."""
        if self.coded is not None:
            mapped.forget(self.coded.codes)


def match_events(network: Network, events: Events) -> None:
    """:meth:`Network.match` of a network that has one of its own: it asks for all values at once."""
    if type(network).match is not Network.match:
        network.match(events.inputs, events.targets)


def first_events(events: Events, generator: torch.Generator) -> Tensor:
    """The batch from which a network's ranges are set, (events, n), by chance."""
    return events.values(torch.randperm(len(events), generator=generator)[:_CALIBRATION].to(events.kept.device))
