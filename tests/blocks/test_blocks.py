"""Networks on items and images: the same integers in every domain, and in the simulated RTL."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
from codesign_deepset import DeepSets, SetConfig

from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import INPUT_INTEGER_BITS, InputQuantisation
from codesign.core.layout import Layout
from codesign.tasks.heads import Head, LossObjective
from codesign.training import export
from codesign.training.brevitas_quantisers import (
    ActivationQuantiser,
    InputQuantiser,
    WeightQuantiser,
    set_activation_range,
)
from codesign.training.lesson import Subject
from codesign.training.loop import train
from codesign.training.network import Network
from tests.blocks.codes import codes_everywhere
from tests.graph.everywhere import exact_codes

CLASSES = ("one", "two", "three")


def constituents(items, masked, events=1500):
    """Items of falling pT, some absent, of three classes that differ in spread and number; float32, flat."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, events)
    x = np.zeros((events, items, 3 + masked), np.float32)
    x[..., 0] = -np.sort(-rng.exponential(10 + 10 * y[:, None], (events, items)), axis=1)
    x[..., 1:3] = rng.normal(0, 0.1 + 0.1 * y[:, None, None], (events, items, 2))
    if masked:
        x[..., 3] = 1
    there = np.arange(items) < rng.integers(0, items + 1, (events, 1))
    x[~there] = 0
    fields, units = ("pt", "deta", "dphi"), ("GeV", "1", "rad")
    layout = Layout(name="constituents", shape=(items, 3), fields=fields, units=units, absent="code")
    if masked:
        layout = Layout(
            name="constituents", shape=(items, 4), fields=(*fields, "there"), units=(*units, "1"), absent="masked",
            validity="there",
        )  # fmt: skip
    return layout, x.reshape(events, -1), y, there


def image(events=1500):
    """Images (6, 5, 1) of three classes, that differ in where they are bright; float32, flat."""
    rng = np.random.default_rng(4)
    y = rng.integers(0, 3, events)
    x = rng.exponential(1, (events, 6, 5, 1)).astype(np.float32)
    x[np.arange(events), 2 * y] *= 3
    return Layout(name="image", shape=(6, 5, 1), fields=("energy",), units=("GeV",)), x.reshape(events, -1), y


def network_of(family, config, layouts, x, y, change=lambda network: None):
    """A network that was trained a few steps, and its design; ``change`` is made to it before."""
    quantisation = InputQuantisation.of_blocks(x, layouts, config.input_width())
    values = quantisation.port.values(quantisation.codes(x))
    torch.manual_seed(1)
    network = family.build(config, Subject.of_sizes(quantisation.port.size, len(CLASSES)))
    with torch.no_grad():
        change(network)
    how = {"epochs": 3, "batch": 100, "learning_rate": 0.02, "sparsity": 0.0, "seed": 1}
    history = train(network, values, y, torch.nn.functional.cross_entropy, **how)
    assert history.loss[-1] < history.loss[0]
    return network, export.export(network, quantisation, CLASSES)


@pytest.mark.parametrize("masked", [False, True], ids=["code", "masked"])
@pytest.mark.parametrize(("items", "width"), [(8, 3), pytest.param(32, 6, marks=pytest.mark.slow)])
def test_a_deep_set_with_a_dead_channel_and_absent_items(items, width, masked, tmp_path):
    layout, x, y, there = constituents(items, masked)

    def one_dead(network):
        network.each.weight[2], network.each.bias[2] = 0.0, -1.0

    config = SetConfig(width=width, bits=3, fields=len(layout.fields), masked=masked)
    network, design = network_of(DeepSets(), config, (layout,), x, y, one_dead)
    assert [b.shape for b in design.inputs.blocks] == [layout.shape]
    codes = layout.rows(design.input_quantisation.codes(x))
    assert not codes[~there].any(), "an item that is not there has a code"
    assert codes[there].any(axis=1).mean() > 0.8
    if masked:
        assert (codes[..., -1] == there).all()
    codes_everywhere(network, design, x, tmp_path, rtl=not masked or items > 8)
    if masked:  # selected away: with one item less, only what that item gave is gone
        alone = np.where(np.arange(items)[:, None] == 0, codes[:200], 0).reshape(200, -1)
        assert len(np.unique(exact_codes(design, alone[alone[:, 3] == 0]), axis=0)) == 1


class Convolutional(Network):
    """An image, a convolution, and a head."""

    shapes = ((6, 5, 1),)

    def __init__(self, outputs):
        super().__init__()
        grid = {"bit_width": 4, "scaling_init": 2.0**INPUT_INTEGER_BITS}
        self.input = QuantIdentity(act_quant=InputQuantiser, **grid)
        self.conv = QuantConv2d(1, 2, 3, stride=2, weight_quant=WeightQuantiser, weight_bit_width=3, bias=False)
        self.active = QuantReLU(act_quant=ActivationQuantiser, bit_width=3)
        self.head = QuantLinear(8, outputs, bias=False, weight_quant=WeightQuantiser, weight_bit_width=3)

    def forward(self, x):
        x = self.active(self.conv(self.input(x).permute(0, 3, 1, 2)))
        return self.head(x.flatten(1))

    def calibrate(self, x):
        set_activation_range(self.active, 4.0)

    def fold(self):
        self.folded = True


class Both(Network):
    """Features and items, and two heads."""

    shapes = ((2,), (4, 3))

    def __init__(self, outputs):
        super().__init__()
        grid = {"bit_width": 4, "scaling_init": 2.0**INPUT_INTEGER_BITS}
        how = {"bias": False, "weight_quant": WeightQuantiser, "weight_bit_width": 3}
        self.inputs = torch.nn.ModuleList(QuantIdentity(act_quant=InputQuantiser, **grid) for _ in range(2))
        self.each, self.one, self.other = QuantLinear(3, 2, **how), QuantLinear(4, outputs - 1, **how), None
        self.active = QuantReLU(act_quant=ActivationQuantiser, bit_width=3)
        self.other = QuantLinear(2, 1, **how)

    def forward(self, features, items):
        few = self.inputs[0](features)
        summed = self.active(self.each(self.inputs[1](items))).sum(dim=1)
        return self.one(torch.cat([few, summed], dim=1)), self.other(few)

    def calibrate(self, x):
        set_activation_range(self.active, 4.0)

    def fold(self):
        self.folded = True


class Fixed(DeepSets):
    def __init__(self, network):
        self.network = network

    def build(self, config, subject):
        return self.network(len(subject.outputs))


def test_an_image_through_a_convolution(tmp_path):
    layout, x, y = image()
    network, design = network_of(Fixed(Convolutional), SetConfig(bits=3), (layout,), x, y)
    assert design.inputs.labels[7] == "image[1,2].energy"
    codes_everywhere(network, design, x, tmp_path, rtl=False)


def test_two_blocks_and_two_heads(tmp_path):
    layout, x, y, _ = constituents(4, masked=False)
    features = Layout.of_features(("sum", "number"), ("GeV", "1"))
    rows = layout.rows(x)
    x = np.concatenate([rows[..., 0].sum(axis=1)[:, None], (rows[..., :1] > 0).sum(axis=1), x], axis=1)
    network, design = network_of(Fixed(Both), SetConfig(bits=3), (features, layout), x.astype(np.float32), y)
    assert [(b.name, b.fields) for b in design.outputs.blocks] == [("scores_0", CLASSES[:2]), ("scores_1", CLASSES[2:])]
    squared = LossObjective("squared")
    heads = Head("one", CLASSES[:2], squared), Head("two", CLASSES[2:], squared)
    named = export.export(network, design.input_quantisation, CLASSES, None, heads)
    assert [block.name for block in named.outputs.blocks] == ["one", "two"]
    with pytest.raises(UnsupportedError, match=r"outputs, and what is learned has all \(.*\): one tensor for each"):
        export.export(network, design.input_quantisation, CLASSES, None, (Head("all", CLASSES, squared),))
    assert Design.load(saved(design, tmp_path / "design")) == design
    codes_everywhere(network, design, x.astype(np.float32), tmp_path, rtl=False)
    with pytest.raises(
        UnsupportedError, match=r"takes blocks of shape \(2\), \(4, 3\).*constituents of shape \(4, 3\)"
    ):
        export.export(network, InputQuantisation(blocks=design.input_quantisation.blocks[1:]), CLASSES)


def saved(design, folder):
    design.save(folder)
    return folder
