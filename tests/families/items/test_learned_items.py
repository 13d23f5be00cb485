"""Families on items that learn their precision: one training, a front, each network of it exact and counted."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from codesign.core.design import Design
from codesign.core.errors import CodesignError
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.families.conv1d.family import Conv1d
from codesign.families.conv2d.family import Conv2d
from codesign.families.deepsets.family import DeepSets
from codesign.families.interaction.family import Interaction
from codesign.families.jedi_linear.family import JediLinear
from codesign.families.linear_attention.family import LinearAttention
from codesign.families.mixer.family import Mixer
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings
from codesign.flows.alkaid.folded_flow import agrees
from codesign.graph.cost import constant_bits, graph_cost
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.testing import Case, conforms
from codesign.training import export, learned_precision
from codesign.training.learned_precision import Prices, learn_precision
from codesign.training.lesson import Budget
from tests.blocks.codes import codes_everywhere
from tests.families.items.lessons import lesson_of
from tests.families.items.networks import BASE, OWN, image, items
from tests.graph.everywhere import exact_codes

CASES = [
    (DeepSets, {}, lambda: items(6, True, True)),
    (JediLinear, {"pool": "mean"}, lambda: items(10)),
    (Conv1d, {}, lambda: items(6, True)),
    (Conv2d, {"pool": "flatten", "depthwise": True, "stride": 2}, image),
    (Interaction, {"item_width": 4}, lambda: items(6, True, True)),
    (LinearAttention, {}, lambda: items(6, True)),
    (Mixer, {}, lambda: items(5, True)),
]


def _name(value):
    return getattr(value, "name", "")


def candidate_of(family, more, **how):
    given = BASE | OWN.get(family, {}) | more | {"input_bits": 10, "precision": "learned", "beta_high": 1e-2} | how
    return family().read(given, "test")


def learned(family, more, toy, epochs=4):
    lesson, candidate = lesson_of(toy), candidate_of(family, more)
    return lesson, candidate, family().fit(candidate.training(), lesson, Budget(epochs, 40, 0.02), seed=1)


@pytest.mark.parametrize(
    ("family", "more", "toy"),
    [CASES[0], *(pytest.param(*case, marks=pytest.mark.slow) for case in CASES[1:])],
    ids=_name,
)
def test_the_networks_of_a_front_are_exact_and_counted(family, more, toy):
    toy = toy()
    lesson, candidate, files = learned(family, more, toy)
    trained = family().pick(files, candidate, lesson)
    design = trained.design()
    codes = np.concatenate([design.input_quantisation.codes(toy.x[:200]), probe_codes(design.inputs, 100)])
    truth = exact_codes(design, codes)
    assert np.array_equal(trained.references()["Brevitas"](codes), truth)
    assert np.array_equal(export.qonnx_codes(design, codes[::15]), truth[::15])
    assert len(np.unique(truth, axis=0)) > 3
    points = [(point["ebops"], point["score"]) for point in json.loads(files["front.json"])]
    assert all(a < b for one, next_ in pairwise(points) for a, b in zip(one, next_, strict=True))
    assert trained.cost() == graph_cost(design).bit_operations > 0
    again = family().load(trained.files(), candidate, design)
    assert np.array_equal(again.references()["Brevitas"](codes), truth)


def wrapping(family, more, toy):
    """A network of the front whose activations wrap and whose weights have ranges of their own."""
    lesson = lesson_of(toy)
    candidate = candidate_of(family, more, overflow="wrap", weight_range="learned")
    files = family().fit(candidate.training(), lesson, Budget(4, 40, 0.02), seed=1)
    return family().pick(files, candidate, lesson)


def wraps(design, codes):
    """Whether a quantiser has something to wrap, for these codes: what it gives is further off than its rounding."""
    graph = read_graph(design.onnx)
    found = graph.signals(design.inputs.values(codes), Exact())
    own = [n for n in graph.nodes if n.op == "FixedPoint" and n.attributes.get("overflow") == "WRAP"]
    return any((found[n.inputs[0]] - found[n.outputs[0]] > np.exp2(-graph.constants[n.inputs[3]])).any() for n in own)


@pytest.mark.parametrize("family", [JediLinear, Mixer], ids=_name)
def test_a_network_that_wraps_is_folded(family):
    """Of a mixer fields take turns, each with a type of its own."""
    toy = items(6, True)
    trained = wrapping(family, {}, toy)
    design = trained.design()
    codes = np.concatenate([design.input_quantisation.codes(toy.x[:100]), probe_codes(design.inputs, 100)])
    assert wraps(design, codes)
    assert np.array_equal(trained.references()["Brevitas"](codes), exact_codes(design, codes))
    for interval in (2, 6):
        assert agrees(design, interval, codes)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "more", "toy"), CASES, ids=_name)
def test_networks_that_wrap_are_exact_everywhere(family, more, toy, tmp_path):
    """In every domain and the RTL, unrolled, by modules, folded at once and in beats."""
    toy = toy()
    trained = wrapping(family, more, toy)
    design = trained.design()
    codes_everywhere(trained._network, design, toy.x, tmp_path, distinct=3)
    ways = {"modules": AlkaidSettings(modules="items")}
    ways |= {t: AlkaidSettings(interval=3, transport=t) for t in ("parallel", "beats")}
    for name, settings in ways.items():
        case = Case("wraps", lambda: design)
        outcome = conforms(Alkaid(), case, load_target("vu13p-360"), tmp_path / name, settings)
        if family is Interaction:
            assert "pairs of items" in outcome.refused
        else:
            assert outcome.verified.exact, outcome.verified.first_difference


@pytest.mark.slow
def test_one_training_serves_every_budget():
    toy = items(6, True, True)
    lesson, candidate, files = learned(DeepSets, {}, toy, epochs=12)
    family = DeepSets()
    budgets = [candidate_of(DeepSets, {}, budget=b) for b in (1e6, 300.0, 1e-3)]
    assert {str(c.training().record()) for c in budgets} == {str(candidate.training().record())}
    costs = [family.pick(files, c, lesson).cost() for c in budgets[:2]]
    assert costs[1] <= 300 < costs[0]
    with pytest.raises(CodesignError, match="no network of at most 0 effective bit operations"):
        family.pick(files, budgets[2], lesson)
    same = family.fit(candidate.training(), lesson, Budget(12, 40, 0.02), seed=1)
    assert same == files


def test_fixed_precision_writes_nothing_of_learning():
    fixed = DeepSets().read(BASE, "test")
    assert not fixed.record().keys() & fixed.own
    assert fixed.training() is fixed
    with pytest.raises(CodesignError, match="beta_low must not exceed beta_high"):
        candidate_of(DeepSets, {}, beta_low=1.0)


def enclosed(weight):
    return torch.as_tensor(constant_bits(weight.detach().numpy()), dtype=torch.float32)


def priced(family, more, toy, seed=3):
    torch.manual_seed(seed)
    lesson, candidate = lesson_of(toy), candidate_of(family, more)
    network = family().build(candidate, lesson.subject)
    precision = learn_precision(network, lesson.subject, Prices(1.0, 1.0), 4, 10)
    return lesson, network, precision


@pytest.mark.parametrize(("family", "more", "toy"), CASES[:1] + CASES[3:4], ids=_name)
def test_what_is_priced_is_what_the_graph_counts(family, more, toy, monkeypatch):
    """Of untrained networks, whose signals nearly reach their types: a bound, and a close one; planted: without a layer
    it is none. A price is of a weight's bits down to its last one, a count of those that its ones enclose."""
    monkeypatch.setattr(learned_precision, "weight_bits", lambda layer: enclosed(layer.quant_weight().value))
    lesson, network, precision = priced(family, more, toy())
    precision.calibrate(network, torch.as_tensor(lesson.train.x, dtype=torch.float32))
    expected = precision.operations()
    wiring = precision._wiring
    fewer = []
    for left_out in wiring.operands:
        precision._wiring = replace(wiring, operands=tuple(o for o in wiring.operands if o is not left_out))
        fewer.append(precision.operations())
    precision._wiring = wiring
    precision.freeze()
    network.eval().fold()
    design: Design = export.export(network, network.input_quantisation(lesson.quantisation), ("a", "b", "c"))
    counted = graph_cost(design).bit_operations
    assert min(fewer) < counted <= expected < 1.5 * counted


def test_the_gradient_of_the_price():
    """Of each width, against finite differences of one bit: what it multiplies, and the bits of six items, each
    quantised, and where nothing multiplies it added up."""
    lesson, network, precision = priced(DeepSets, {}, items(6))
    precision.calibrate(network, torch.as_tensor(lesson.train.x, dtype=torch.float32))
    network.zero_grad()
    precision.price(0.5).backward()
    signals = precision._wiring.signals[1].module.act_quant.fused_activation_quant_proxy.tensor_quant
    before = precision.work()
    expected = []
    for channel in range(len(signals.fraction.value)):
        with torch.no_grad():
            signals.fraction.value[channel] += 1
            expected.append(precision.work() - before)
            signals.fraction.value[channel] -= 1
    whole = torch.tensor(expected) + 1e-5
    assert torch.allclose(signals.fraction.value.grad, whole, rtol=1e-4)
    assert torch.allclose(signals.integer.value.grad, whole, rtol=1e-4)
    added = precision._wiring.signals[2].module.act_quant.fused_activation_quant_proxy.tensor_quant
    assert torch.allclose(added.fraction.value.grad, torch.tensor(2 * 6 + 1e-5))  # planted: of what is multiplied alone
    behind = precision._wiring.signals[3].module.act_quant.fused_activation_quant_proxy.tensor_quant
    assert [s.places for s in precision._wiring.signals] == [6, 6, 6, 1, 1]  # planted: all once
    assert behind.fraction.value.grad.max() < signals.fraction.value.grad.min()


def test_a_validity_keeps_its_type_and_no_price_is_on_it():
    lesson, network, precision = priced(DeepSets, {}, items(6, True))
    x = torch.as_tensor(lesson.train.x, dtype=torch.float32)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.5)
    for _ in range(3):
        optimiser.zero_grad()
        (network.fused(x).square().mean() + precision.price(0.0)).backward()
        optimiser.step()
    before, after = (q.blocks[0].types for q in (lesson.quantisation, network.input_quantisation(lesson.quantisation)))
    assert after[3] == before[3]
    assert all(a != b for a, b in zip(after[:3], before[:3], strict=True))
