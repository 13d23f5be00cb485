"""Tiny networks of every family on items and images, trained for a moment, and what they are trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.layout import Layout
from codesign.families.attention.family import Attention
from codesign.families.conv1d.family import Conv1d
from codesign.families.conv2d.family import Conv2d
from codesign.families.deepsets.family import DeepSets
from codesign.families.gru.family import Gru
from codesign.families.interaction.family import Interaction
from codesign.families.items.item_family import ItemFamily
from codesign.families.items.item_network import ItemNetwork
from codesign.families.jedi_linear.family import JediLinear
from codesign.families.linear_attention.family import LinearAttention
from codesign.families.mixer.family import Mixer
from codesign.tasks.heads import Head, LossObjective
from codesign.training import export
from codesign.training.lesson import Subject
from codesign.training.loop import train

CLASSES = ("one", "two", "three")
FEATURES = Layout.of_features(("sum", "number"), ("GeV", "1"))
FAMILIES: tuple[type[ItemFamily], ...] = (
    DeepSets, JediLinear, Conv1d, Conv2d, Interaction, LinearAttention, Mixer, Attention, Gru,
)  # fmt: skip
BASE: dict[str, Any] = {
    "each_widths": (5, 4),
    "tail_widths": (6,),
    "weight_bits": (3, 3, 4, 4),
    "activation_bits": (4, 3, 4),
    "pooled_bits": 5,
    "input_bits": 5,
}
OWN: dict[type[ItemFamily], dict[str, Any]] = {
    LinearAttention: {"latent": 2, "product_bits": 4},
    Attention: {"latent": 2, "product_bits": 4},
    Gru: {"hidden": 3, "product_bits": 4},
}


@dataclass(frozen=True)
class Toy:
    """Events of three classes: ``layouts``, flat physical numbers (events, n), and classes (events,)."""

    layouts: tuple[Layout, ...]
    x: NDArray[np.float32]
    y: NDArray[np.int64]


def items(number: int, masked: bool = False, beside: bool = False, events: int = 600) -> Toy:
    """Items of falling pT, some of them absent, of classes that differ in number and spread."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, events)
    x = np.zeros((events, number, 3 + masked), np.float32)
    x[..., 0] = -np.sort(-rng.exponential(10 + 10 * y[:, None], (events, number)), axis=1)
    x[..., 1:3] = rng.normal(0, 0.1 + 0.2 * y[:, None, None], (events, number, 2))
    if masked:
        x[..., 3] = 1
    x[np.arange(number) >= rng.integers(1 + y * number // 4, number + 1)[:, None]] = 0
    fields, absent, where = ("pt", "deta", "dphi"), "code", None
    if masked:
        fields, absent, where = (*fields, "there"), "masked", "there"
    layout = Layout(name="constituents", shape=x.shape[1:], fields=fields, absent=absent, validity=where)
    flat = x.reshape(events, -1)
    if not beside:
        return Toy((layout,), flat, y)
    few = np.stack([x[..., 0].sum(axis=1), (x[..., 0] > 0).sum(axis=1)], axis=1)
    return Toy((FEATURES, layout), np.concatenate([few, flat], axis=1).astype(np.float32), y)


def image(events: int = 600) -> Toy:
    """Images (6, 5, 1), bright in another row for each class."""
    rng = np.random.default_rng(4)
    y = rng.integers(0, 3, events)
    x = rng.exponential(1, (events, 6, 5, 1)).astype(np.float32)
    x[np.arange(events), 2 * y] *= 3
    return Toy((Layout(name="image", shape=(6, 5, 1), fields=("energy",)),), x.reshape(events, -1), y)


def subject_of(toy: Toy, outputs: tuple[str, ...] = CLASSES) -> Subject:
    """What a family is told of it."""
    names = tuple(label for layout in toy.layouts for label in layout.labels)
    return Subject(names, (Head("scores", outputs, LossObjective("cross-entropy")),), blocks=toy.layouts)


@dataclass(frozen=True)
class Made:
    """A network that was trained for a moment, its design, and its events."""

    network: ItemNetwork
    design: Design
    toy: Toy
    loss: list[float] = field(default_factory=list)


def made(
    family: type[ItemFamily],
    toy: Toy,
    change: Callable[[ItemNetwork], None] = lambda network: None,
    config: Mapping[str, Any] | None = None,
    epochs: int = 3,
    sparsity: float = 0.3,
) -> Made:
    """Built, changed, trained and exported."""
    chosen = family.config(**(BASE | OWN.get(family, {}) | dict(config or {})))
    quantisation = InputQuantisation.of_blocks(toy.x, toy.layouts, chosen.input_width())
    values = quantisation.port.values(quantisation.codes(toy.x))
    torch.manual_seed(2)
    network = family().build(chosen, subject_of(toy))
    with torch.no_grad():
        change(network)
    how = {"batch": 60, "learning_rate": 0.02, "sparsity": sparsity, "seed": 1}
    history = train(network, values, toy.y, torch.nn.functional.cross_entropy, epochs=epochs, **how)
    return Made(network, export.export(network, quantisation, CLASSES), toy, history.loss)
