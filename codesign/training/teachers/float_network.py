"""The teacher ``network``: layers of plain torch for whatever the task wants learned, wider than a design may be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import Tensor, nn

from codesign.core.layout import Layout
from codesign.data.sample import Part
from codesign.tasks.heads import OBJECTIVES, Head
from codesign.tasks.teacher_contract import Lecture, Says, Teacher
from codesign.training.objectives import HeadsLoss
from codesign.training.teachers.float_parts import FloatSettings, ScaledBlocks, dense, on_one_thread, trained

__all__ = ("FloatNetwork",)


class _Settings(FloatSettings):
    width: int = Field(default=64, ge=1, le=4096, description="neurons of each layer")
    depth: int = Field(default=2, ge=1, le=16, description="hidden layers that items share, and behind them")


class FloatNetwork(Teacher):
    """Of items a deep set of their mean and maximum, of numbers a network of dense layers, of both one behind the
    other; one output for each of the heads', trained by the heads' own losses."""

    name = "network"
    settings = _Settings

    def can(self, heads: Sequence[Head]) -> str | None:
        """Whatever has a function, but no reconstruction."""
        for head in heads:
            if head.objective.name == "reconstruction" or head.objective.name not in OBJECTIVES:
                return f"its outputs are no '{head.objective.name}'"
        return None

    def learn(self, settings: BaseModel, lecture: Lecture, seed: int) -> Says:
        """Train it."""
        assert isinstance(settings, _Settings)
        with on_one_thread(seed):
            scaled, loss = ScaledBlocks(lecture.train, lecture.layouts), HeadsLoss(lecture.heads)
            network = _Network(settings, lecture.layouts, sum(len(head.outputs) for head in lecture.heads))
            inputs = scaled(lecture.train)
            targets = [torch.from_numpy(_plain(lecture.target[head.name])) for head in lecture.heads]
            weights = None if lecture.weights is None else torch.from_numpy(lecture.weights.astype(np.float32))

            def value(places: NDArray[np.int64]) -> Tensor:
                wanted = tuple(target[places] for target in targets)
                outputs = network(*(block[places] for block in inputs))
                own = None if weights is None else weights[places]
                return loss(outputs, wanted if len(wanted) > 1 else wanted[0], own)

            trained(network, len(lecture.train), value, settings, seed)

        def says(part: Part) -> NDArray[np.float64]:
            with on_one_thread(seed), torch.no_grad():
                return np.asarray(network(*scaled(part)).double().numpy())

        return says


class _Network(nn.Module):
    def __init__(self, settings: _Settings, layouts: tuple[Layout, ...], outputs: int) -> None:
        super().__init__()
        width, hidden = settings.width, (settings.width,) * settings.depth
        self.each = nn.ModuleList(
            dense(layout.shape[-1], *hidden) if len(layout.shape) > 1 else nn.Identity() for layout in layouts
        )
        behind = sum(2 * width if len(layout.shape) > 1 else layout.size for layout in layouts)
        self.tail = dense(behind, *hidden, outputs)

    def forward(self, *blocks: Tensor) -> Tensor:
        found = []
        for block, each in zip(blocks, self.each, strict=True):
            if block.dim() == 2:
                found.append(block)
                continue
            items = each(block.flatten(1, -2)).relu()
            found += [items.mean(dim=1), items.amax(dim=1)]
        outputs: Tensor = self.tail(torch.cat(found, dim=1))
        return outputs


def _plain(target: NDArray[np.generic]) -> NDArray[np.generic]:
    """Classes as they are, numbers in float32."""
    return target if target.dtype.kind == "i" else target.astype(np.float32)
