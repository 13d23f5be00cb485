"""The teacher ``autoencoder``: an autoencoder in floating point, whose error says how unusual an event is.

Of an image it is convolutional, as the teacher of CMS' CICADA is (arXiv:2310.06047, CMS-DP-2023-086): two convolutions
and a latent of few numbers, and back. Of anything else its layers are dense. What it says is the logarithm of the mean
squared error: in the same order, and no few events are all that there is to learn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import Tensor, nn

from codesign.core.errors import UnsupportedError
from codesign.data.sample import Part
from codesign.tasks.heads import Head
from codesign.tasks.teacher_contract import Lecture, Says, Teacher
from codesign.training.teachers.float_parts import FloatSettings, ScaledBlocks, dense, on_one_thread, trained

__all__ = ("Reconstruction",)

#: an error of 0 has no logarithm: this share of the mean one is added to all
_LEAST = 1e-3


class _Settings(FloatSettings):
    latent: int = Field(default=20, ge=1, le=4096, description="numbers that the whole event is made of again")
    channels: int = Field(default=12, ge=1, le=512, description="of the first convolution; the second has 1.5 times")
    width: int = Field(default=64, ge=1, le=4096, description="neurons of the dense layers of what is no image")


class Reconstruction(Teacher):
    """Reproduces what it sees of usual events; the signals of a task are in no training split."""

    name = "autoencoder"
    settings = _Settings

    def can(self, heads: Sequence[Head]) -> str | None:
        """One score."""
        if len(heads) != 1 or len(heads[0].outputs) != 1 or heads[0].objective.name != "reconstruction":
            return "it gives one score of how unusual an event is, and the task wants something else"
        return None

    def learn(self, settings: BaseModel, lecture: Lecture, seed: int) -> Says:
        """Train it to reproduce its one block, or all numbers."""
        assert isinstance(settings, _Settings)
        shapes = [layout.shape for layout in lecture.layouts]
        image = len(shapes) == 1 and len(shapes[0]) == 3
        if not image and len(shapes) > 1:
            raise UnsupportedError("the teacher 'autoencoder' sees one block: give teacher.view one")
        with on_one_thread(seed):
            scaled = ScaledBlocks(lecture.train, lecture.layouts, by_field=not image)
            network: nn.Module = (
                _Convolutional(settings, *shapes[0]) if image else _dense(settings, lecture.layouts[0].size)
            )
            (inputs,) = scaled(lecture.train)
            weights = None if lecture.weights is None else torch.from_numpy(lecture.weights.astype(np.float32))

            def value(places: NDArray[np.int64]) -> Tensor:
                each = _errors(network, inputs[places])
                if weights is None:
                    return each.mean()
                return (weights[places] * each).sum() / weights[places].sum().clamp_min(1e-12)

            trained(network, len(lecture.train), value, settings, seed)
            with torch.no_grad():
                least = _LEAST * float(_errors(network, inputs[:4096]).mean())

        def says(part: Part) -> NDArray[np.float64]:
            with on_one_thread(seed), torch.no_grad():
                return np.log(_errors(network, scaled(part)[0]).double().numpy() + least + 1e-12)[:, None]

        return says


def _errors(network: nn.Module, x: Tensor) -> Tensor:
    away: Tensor = network(x).flatten(1) - x.flatten(1)
    return away.square().mean(dim=1)


def _dense(settings: _Settings, size: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), dense(size, settings.width, settings.latent, settings.width, size))


class _Convolutional(nn.Module):
    """(events, rows, columns, channels) to the same."""

    def __init__(self, settings: _Settings, rows: int, columns: int, channels: int) -> None:
        super().__init__()
        first, second = settings.channels, settings.channels * 3 // 2
        self.within = nn.Sequential(
            nn.Conv2d(channels, first, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2, ceil_mode=True),
            nn.Conv2d(first, second, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        half = -(-rows // 2), -(-columns // 2)
        self.shape = (second, *half)
        self.latent = nn.Sequential(
            nn.Linear(second * half[0] * half[1], settings.latent), nn.ReLU(),
            nn.Linear(settings.latent, second * half[0] * half[1]), nn.ReLU(),
        )  # fmt: skip
        self.back = nn.Sequential(
            nn.Conv2d(second, first, 3, padding=1), nn.ReLU(), nn.Upsample(size=(rows, columns)),
            nn.Conv2d(first, channels, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        inner = self.within(x.permute(0, 3, 1, 2))
        again: Tensor = self.back(self.latent(inner.flatten(1)).unflatten(1, self.shape))
        return again.permute(0, 2, 3, 1)
