"""What teachers of torch have in common: inputs as they learn them, and steps through the training events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from codesign.core.layout import Layout
from codesign.data.sample import Part
from codesign.training.batches import Events
from codesign.training.loop import Scheduled, run_course
from codesign.training.network import Loss, Tensors, Twin
from codesign.training.objectives import HeadsLoss

__all__ = ("FloatSettings", "ScaledBlocks", "dense", "on_one_thread", "trained")


class FloatSettings(BaseModel):
    """How a teacher is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=40, ge=1, le=10_000, description="passes through the training events")
    batch: int = Field(default=256, ge=1, description="events of a step")
    learning_rate: float = Field(default=3e-3, gt=0, le=1, description="the largest")


@contextmanager
def on_one_thread(seed: int) -> Iterator[None]:
    """Numbers of torch that do not depend on how many threads there are, nor on what was drawn before."""
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)


class ScaledBlocks:
    """Blocks of a part as tensors (events, *shape), each field less its mean and over its spread, as the training
    events have them; what is not there stays 0."""

    def __init__(self, train: Part, layouts: tuple[Layout, ...], by_field: bool = True) -> None:
        self.layouts, self._scales = layouts, []
        for layout in layouts:
            values = train.block(layout.name).reshape(len(train), -1, layout.shape[-1]).astype(np.float64)
            there = (values != 0).any(axis=2) if layout.absent else np.ones(values.shape[:2], dtype=bool)
            rows = values[there] if there.any() else values.reshape(-1, layout.shape[-1])
            middle, spread = (
                (rows.mean(axis=0), rows.std(axis=0)) if by_field else (np.zeros(1), rows.std(keepdims=True)[0])
            )
            self._scales.append((middle, np.where(spread > 0, spread, 1.0)))

    def __call__(self, part: Part) -> tuple[Tensor, ...]:
        """Each block, float32."""
        found = []
        for layout, (middle, spread) in zip(self.layouts, self._scales, strict=True):
            values = part.block(layout.name).astype(np.float64)
            scaled = (values - middle) / spread
            if layout.absent:
                scaled = np.where((values != 0).any(axis=-1, keepdims=True), scaled, 0.0)
            found.append(torch.from_numpy(scaled.astype(np.float32)))
        return tuple(found)


def dense(*sizes: int) -> nn.Sequential:
    """Layers of these sizes with ReLU between them."""
    layers: list[nn.Module] = []
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class _Steps(Twin):
    """A float network whose loss is of the places of a batch's events."""

    def __init__(self, network: nn.Module, loss: Callable[[NDArray[np.int64]], Tensor]) -> None:
        self.parameters, self.prunable, self._loss = list(network.parameters()), [], loss

    def gradients(self, x: Tensor, target: Tensors, loss: Loss, progress: float) -> float:
        """The loss of a step, its gradients left in the parameters; ``x`` are the places."""
        for parameter in self.parameters:
            parameter.grad = None
        value = self._loss(x.numpy())
        value.backward()
        return float(value.detach())

    def finish(self) -> None:
        """The parameters are the network's own."""


def trained(
    network: nn.Module,
    count: int,
    loss: Callable[[NDArray[np.int64]], Tensor],
    settings: FloatSettings,
    seed: int,
) -> None:
    """Adam with one cycle of the rate through so many events; ``loss`` of the places of a batch's events."""
    places = torch.arange(count)
    course = Scheduled(settings.epochs, settings.learning_rate)
    generator, batch = torch.Generator().manual_seed(seed), min(settings.batch, count)
    network.train()
    run_course(_Steps(network, loss), Events(places, places), HeadsLoss(()), course, batch, generator)
    network.eval()
