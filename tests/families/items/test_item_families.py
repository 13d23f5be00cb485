"""Networks on items and images: trained, pruned, with dead channels and absent items, the same integers everywhere."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch

from codesign.core.errors import InputError
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.layout import Layout
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.families.attention.family import Attention
from codesign.families.conv1d.family import Conv1d
from codesign.families.conv2d.family import Conv2d
from codesign.families.deepsets.family import DeepSets
from codesign.families.gru.family import Gru
from codesign.families.interaction.family import Interaction
from codesign.families.jedi_linear.family import JediLinear
from codesign.families.linear_attention.family import LinearAttention
from codesign.families.mixer.family import Mixer
from codesign.flows.finn.flow import Finn
from codesign.flows.hls4ml.flow import Hls4ml
from codesign.graph.cost import graph_cost
from codesign.tasks.heads import Head, LossObjective
from codesign.testing import Case, conforms
from codesign.training import export
from codesign.training.lesson import Budget, Fold, Lesson, Subject
from codesign.training.quantised_layers import ActivationLayer, ConvolutionLayer, GridSignal, Matrix, Walk, mean, total
from tests.blocks.codes import codes_everywhere
from tests.families.items.dead import one_dead
from tests.families.items.networks import BASE, FAMILIES, image, items, made, subject_of
from tests.graph.everywhere import exact_codes

#: in every run of the tests one of each family; all others, and all domains and the RTL of each, with -m slow
FEW = [
    (DeepSets, {}, partial(items, 6, True, True)),
    (JediLinear, {}, partial(items, 6, True)),
    (Conv1d, {"kernel": 1}, partial(items, 6, True)),
    (Conv2d, {"pool": "flatten", "depthwise": True, "stride": 2}, image),
    (Interaction, {"item_width": 4}, partial(items, 6, True)),
    (LinearAttention, {}, partial(items, 6, True)),
    (Mixer, {}, partial(items, 6, True)),
    (Attention, {}, partial(items, 5, True)),
    (Gru, {}, partial(items, 5, True)),
]
MORE = [
    *((DeepSets, {"pool": pool}, partial(items, 10, masked)) for pool in ("sum", "mean", "max") for masked in (0, 1)),
    (DeepSets, {"items": 3, "fields": 2}, partial(items, 5)),
    (JediLinear, {}, partial(items, 10)),
    (JediLinear, {"pool": "mean"}, partial(items, 8, True, True)),
    (Conv1d, {"pool": "mean"}, partial(items, 10)),
    (Conv1d, {"kernel": 1, "pool": "flatten"}, partial(items, 4, True)),
    (Conv1d, {"kernel": 5, "pool": "max"}, partial(items, 6, True)),
    (Conv2d, {"pool": "flatten", "stride": 2}, image),
    (Conv2d, {"kernel": 2, "window": 2, "pool": "flatten", "each_widths": (4,), "weight_bits": (3, 4, 4),
              "activation_bits": (4, 4)}, image),
    (Interaction, {"item_width": 4}, partial(items, 4)),
    (Attention, {"pool": "max"}, partial(items, 4)),
    (Gru, {}, partial(items, 6, False, True)),
    (Mixer, {"pool": "mean"}, partial(items, 5)),
]  # fmt: skip


def _name(value):
    if isinstance(value, type):
        return value.name
    if isinstance(value, partial):
        return "-".join(str(int(v)) for v in value.args)
    if isinstance(value, dict):
        return "-".join(f"{k}{v}" for k, v in value.items() if isinstance(v, int | str))
    return None


def _slowly(family):
    return pytest.param(family, id=family.name, marks=pytest.mark.slow)


#: the families, those that are tried with -m slow only among them
USUAL = [
    _slowly(f) if f in (Interaction, LinearAttention, Mixer, Attention, Gru) else pytest.param(f, id=f.name)
    for f in FAMILIES
]


def codes_of(found, events=200):
    return np.concatenate(
        [found.design.input_quantisation.codes(found.toy.x[:events]), probe_codes(found.design.inputs, events)]
    )


@cache
def one_of(family):
    """The first of :data:`FEW` of a family, and its name."""
    _, config, toy = next(entry for entry in FEW if entry[0] is family)
    return made(family, toy(), one_dead, config)


@pytest.mark.parametrize("family", USUAL, ids=_name)
def test_trained_networks_are_exact(family):
    """Of a network with a dead channel and dead rows, pruned: Brevitas, QONNX and exact arithmetic."""
    found = one_of(family)
    assert found.loss[-1] < found.loss[0]
    codes = codes_of(found)
    truth = exact_codes(found.design, codes)
    assert len(np.unique(truth, axis=0)) > 5
    assert np.array_equal(export.brevitas_codes(found.network, found.design, codes), truth)
    assert np.array_equal(export.qonnx_codes(found.design, codes[::20]), truth[::20])
    used = found.network.config.cost_of(subject_of(found.toy))
    assert graph_cost(found.design).bit_operations < 1.2 * used, "what is expected is too little"


def test_several_heads_and_features_beside_the_items():
    """Classes and quantiles of an energy, of one network: trained, kept, opened again, and the same integers."""
    toy = items(6, True, True, events=300)
    heads = (
        Head("flavour", ("one", "two", "three"), LossObjective("cross-entropy")),
        Head("energy", ("low", "middle", "high"), LossObjective("quantile", quantiles=(0.1, 0.5, 0.9)), weight=0.5),
    )
    subject = replace(subject_of(toy), heads=heads)
    candidate = DeepSets().read(BASE, "config.json")
    quantisation = InputQuantisation.of_blocks(toy.x, toy.layouts, candidate.input_width())
    values = quantisation.port.values(quantisation.codes(toy.x))
    fold = Fold(values, {"flavour": toy.y, "energy": np.log1p(toy.x[:, 0])})
    lesson = Lesson(subject, quantisation, fold, fold)
    assert DeepSets().can(subject) is None
    trained = DeepSets().pick(DeepSets().fit(candidate, lesson, Budget(3, 50, 0.02), 1), candidate, lesson)
    design = trained.design()
    assert [(block.name, block.size) for block in design.outputs.blocks] == [("flavour", 3), ("energy", 3)]
    assert [block.shape for block in design.inputs.blocks] == [(2,), (6, 4)]
    codes = np.concatenate([quantisation.codes(toy.x[:200]), probe_codes(design.inputs, 100)])
    truth = exact_codes(design, codes)
    opened = DeepSets().load(trained.files(), candidate, design)
    for model in (trained, opened):
        assert np.array_equal(model.references()["Brevitas"](codes), truth)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "config", "toy"), [*FEW, *MORE], ids=_name)
def test_every_domain_and_the_rtl(family, config, toy, tmp_path):
    """Alkaid's interpreter, the emulator, standard ONNX and the simulated RTL too; others take it or say what not."""
    found = made(family, toy(), one_dead, config)
    codes_everywhere(found.network, found.design, found.toy.x, tmp_path, distinct=5)
    for flow in (Hls4ml(), Finn()):
        if not flow.available().available:
            continue
        case = Case("trained", lambda: found.design)
        outcome = conforms(flow, case, load_target("vu13p-360"), tmp_path / flow.name, simulate=False)
        assert outcome.refused is None or outcome.refused.startswith(f"flow {flow.name}")


@pytest.mark.parametrize(("items_", "signed"), [(8, False), (10, True), (7, False)])
def test_folding_leaves_every_number(items_, signed):
    """Half an LSB in the bias, on the coarsest grid that tells it apart: no output of an activation is another."""
    torch.manual_seed(items_)
    codes = torch.randint(-7 * signed, 8, (400, items_, 3)).double() / 8
    active = ActivationLayer(3, 4, signed=signed).double()
    active.bias.data = torch.tensor([0.3, -0.21, 0.0]).double()
    for reduced in (mean, total):
        x = reduced(GridSignal(codes, torch.tensor(0.125).double()), 1)
        assert (x.values / x.grid % 1 == 0).all()
        assert ((x.values / x.grid / 2) % 1 != 0).any(), "the grid is finer than it must be"
        active.walk = Walk.CALIBRATING
        active(x)
        active.walk = Walk.RUNNING
        before = active(x).values
        kept = active.bias.data.clone()
        active.walk = Walk.FOLDING
        active(x)
        active.walk = Walk.FOLDED
        assert torch.equal(active(GridSignal(x.values)).values, before)
        active.bias.data = kept


@pytest.mark.parametrize("weight", [0.0, 1e-9])
@pytest.mark.parametrize("family", [JediLinear, Conv1d], ids=_name)
def test_rows_that_pruning_left_empty_are_exact(family, weight):
    """Their quantiser's scale is next to nothing: a bias on such a grid would need more bits than there are."""
    toy = items(5, events=200)
    config = family.config(**BASE)
    quantisation = InputQuantisation.of_blocks(toy.x, toy.layouts, config.input_width())
    codes = quantisation.codes(toy.x)
    network = family().build(config, subject_of(toy))
    network.calibrate(torch.as_tensor(quantisation.port.values(codes), dtype=torch.float32))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, Matrix | ConvolutionLayer):
                module.weight[-1] = weight
            elif isinstance(module, ActivationLayer):
                module.bias.copy_(torch.full_like(module.bias, 0.3))
    network.fold()
    design = export.export(network.eval(), quantisation, ("one", "two", "three"))
    assert np.array_equal(export.brevitas_codes(network, design, codes), exact_codes(design, codes))


def test_a_mean_of_ten_is_one():
    x = torch.rand(50, 10, 2).double()
    found = mean(GridSignal(x), 1).values
    assert (found / x.mean(dim=1) - 1).abs().max() < 2e-3
    assert torch.equal(mean(GridSignal(x[:, :8]), 1).values, x[:, :8].sum(dim=1) / 8)


@pytest.mark.parametrize("family", [DeepSets, JediLinear, *map(_slowly, (Conv1d, Interaction, LinearAttention))])
def test_neither_order_nor_absent_items_matter(family):
    """A masked item is selected away behind every layer, whatever its other fields say; where they come in is a mean of
    inputs (jedi-linear) or a pair's other side (interaction), which are 0 of an absent item."""
    found = one_of(family)
    codes = found.design.input_quantisation.codes(found.toy.x[:100])
    truth, beside = exact_codes(found.design, codes), codes.shape[1] - 24
    rows = codes[:, beside:].reshape(100, 6, 4)
    there = rows[..., 3] != 0
    assert not there.all()

    def codes_with(changed):
        return exact_codes(found.design, np.concatenate([codes[:, :beside], changed.reshape(100, -1)], axis=1))

    assert np.array_equal(codes_with(rows[:, [3, 1, 5, 0, 4, 2]]), truth)
    if family in (DeepSets, Conv1d, LinearAttention):
        garbage = np.where(there[..., None], rows, np.random.default_rng(1).integers(-3, 4, rows.shape))
        garbage[..., 3] = rows[..., 3]
        assert np.array_equal(codes_with(garbage), truth)


@pytest.mark.parametrize("family", FAMILIES, ids=_name)
def test_blocks_that_a_family_cannot_take_are_named(family):
    flat = Subject.of_sizes(2, 3)
    other = items(4) if family is Conv2d else image()
    for subject in (flat, subject_of(other)):
        assert "it takes one block of" in family().can(subject)
    assert family().can(subject_of(image() if family is Conv2d else items(4, beside=True))) is None
    if family is Conv2d:
        masked = Layout(name="m", shape=(4, 4, 2), fields=("e", "there"), absent="masked", validity="there")
        assert "masked by its field there" in family().can(replace(flat, blocks=(masked,)))
    two = Layout(name="more", shape=(2, 3), fields=("a", "b", "c"))
    assert "more (2, 3)" in family().can(replace(flat, blocks=(two, two)))


def test_more_items_than_there_are_is_said():
    with pytest.raises(InputError, match="items: 9 are wanted, and the block 'constituents' has 4"):
        made(DeepSets, items(4), config={"items": 9})
    with pytest.raises(InputError, match="nothing is left behind layer 2"):
        made(Conv2d, image(), config={"window": 4})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weight_bits": (3,)}, "weight_bits needs 4 entries"),
        ({"activation_bits": (1, 3, 4)}, "between 2 and 16"),
        ({"each_widths": (0, 3)}, "at least 1"),
        ({"pool": "least"}, "pool"),
        ({"kernel": 2}, "kernel is odd"),
    ],
)
def test_configurations_that_mean_nothing_are_refused(change, said):
    with pytest.raises(InputError, match=said):
        Conv1d().read(BASE | change, "config.json")
