"""Weights that learn their ranges and activations that wrap: the same integers everywhere, and what each does."""

import numpy as np
import pytest
import torch

from codesign.core.fixedpoint import InputQuantisation
from codesign.core.layout import Layout
from codesign.core.probes import probe_codes
from codesign.core.reading.onnx import onnx_model
from codesign.families.deepsets.family import DeepSets
from codesign.families.jedi_linear.family import JediLinear
from codesign.families.learned.family import MLPLearned
from codesign.graph.cost import graph_cost
from codesign.tasks.heads import Head, LossObjective
from codesign.training import export
from codesign.training.learned_quantisers import bits_of
from codesign.training.learned_ranges import needed_integers, ranged_weights, wrapped
from codesign.training.lesson import Budget, Fold, Lesson, Subject
from tests.families.items.lessons import lesson_of
from tests.families.items.networks import BASE, items
from tests.graph.everywhere import equal_everywhere, exact_codes

CHOICES = [("wrap", "magnitude"), ("saturate", "learned"), ("wrap", "learned")]


def flat_lesson(events=600):
    dice = np.random.default_rng(1)
    x = dice.normal(size=(events, 6)).astype(np.float32)
    y = (x[:, :3].sum(axis=1) > 0).astype(np.int64)
    layout = Layout.of_features(tuple("abcdef"), ("",) * 6)
    quantisation = InputQuantisation.of_blocks(x, (layout,), 12)
    values = quantisation.port.values(quantisation.codes(x))
    subject = Subject(layout.fields, (Head("c", ("n", "y"), LossObjective("cross-entropy")),))
    return Lesson(subject, quantisation, *(Fold(values[i::2], {"c": y[i::2]}) for i in (0, 1)))


def mlp(overflow, weight_range, **more):
    given = {"widths": (8, 6), "overflow": overflow, "weight_range": weight_range, "beta_high": 1e-3} | more
    return MLPLearned().read(given, "test")


@pytest.fixture(scope="module")
def lesson():
    return flat_lesson()


@pytest.mark.parametrize(("overflow", "weight_range"), CHOICES)
def test_networks_are_exact_in_every_domain(lesson, overflow, weight_range):
    """On real events, and on extreme ones, which wrap; with a budget, and without."""
    family, candidate = MLPLearned(), mlp(overflow, weight_range, budget=1e6)
    files = family.fit(candidate.training(), lesson, Budget(6, 64, 0.02), seed=1)
    trained = family.pick(files, candidate, lesson)
    design = trained.design()
    codes = probe_codes(design.inputs, 200)
    truth = exact_codes(design, codes)
    assert np.array_equal(trained.references()["Brevitas"](codes), truth)
    assert np.array_equal(export.qonnx_codes(design, codes), truth)
    equal_everywhere(design, codes)
    assert len(np.unique(truth, axis=0)) > 10
    again = family.load(trained.files(), candidate, design)
    assert np.array_equal(again.references()["Brevitas"](codes), truth)
    plain = mlp(overflow, weight_range)
    whole = family.pick(family.fit(plain, lesson, Budget(2, 64, 0.02), seed=1), plain, lesson)
    codes = probe_codes(whole.design().inputs, 100)
    assert np.array_equal(whole.references()["Brevitas"](codes), exact_codes(whole.design(), codes))
    used = {node.op_type for node in onnx_model(design.onnx).graph.node}
    assert ("FixedPoint" in used) == (overflow == "wrap")


def test_nothing_of_the_training_events_wraps(lesson):
    """What the exported network gives for them is what one of endless ranges gives; other events do wrap."""
    family, candidate = MLPLearned(), mlp("wrap", "magnitude")
    network = family.fit(candidate, lesson, Budget(6, 64, 0.02), seed=1).network
    x = torch.as_tensor(lesson.train.x, dtype=torch.float32)
    with torch.no_grad():
        found, beyond = network(x), network(8 * x)
        for activation in network.activations:
            bits_of(activation).integer.value.add_(2)
        assert torch.equal(found, network(x))
        assert not torch.equal(beyond, network(8 * x))


@pytest.mark.parametrize("family", [DeepSets, pytest.param(JediLinear, marks=pytest.mark.slow)], ids=lambda f: f.name)
def test_families_on_items_have_the_same_choices(family):
    toy = items(6, True, True)
    lesson = lesson_of(toy)
    more = {"input_bits": 10, "precision": "learned", "beta_high": 1e-2, "overflow": "wrap", "weight_range": "learned"}
    candidate = family().read(BASE | more, "test")
    trained = family().pick(family().fit(candidate.training(), lesson, Budget(4, 40, 0.02), seed=1), candidate, lesson)
    design = trained.design()
    codes = np.concatenate([design.input_quantisation.codes(toy.x[:100]), probe_codes(design.inputs, 100)])
    truth = exact_codes(design, codes)
    assert np.array_equal(trained.references()["Brevitas"](codes), truth)
    assert np.array_equal(export.qonnx_codes(design, codes[::15]), truth[::15])
    assert trained.cost() == graph_cost(design).bit_operations
    assert {"overflow", "weight_range"} <= candidate.record().keys()
    assert not {"overflow", "weight_range"} & family().read(BASE | {"precision": "learned"}, "test").record().keys()


def test_a_weight_saturates_at_its_range_which_then_has_a_gradient():
    weight = torch.tensor([0.4, 3.0, -3.0, 0.9], requires_grad=True)
    fraction = torch.tensor([2.0, 2.0, 2.0, -1.0], requires_grad=True)
    integer = torch.tensor([1.0, 1.0, 1.0, 0.0], requires_grad=True)
    found = ranged_weights(weight, fraction, integer)
    assert found.tolist() == [0.5, 1.75, -1.75, 0.0]
    found.sum().backward()
    assert weight.grad.tolist() == [1, 0, 0, 1]
    assert integer.grad.tolist() == pytest.approx([0, 2 * np.log(2), -2 * np.log(2), 0])
    assert fraction.grad.tolist() == pytest.approx([-0.1 * np.log(2), np.log(2) / 4, -np.log(2) / 4, 0.9 * np.log(2)])


def test_a_wrap_is_of_the_low_bits_and_its_range_follows_what_is_there():
    x = torch.tensor([[0.0, -1.0], [3.75, 1.5], [4.25, -2.25]])
    keep, integer, fraction = torch.tensor([0.0, 1.0]), torch.tensor([2.0, 1.0]), torch.tensor([1.0, 0.0])
    assert wrapped(x, keep, integer, fraction).tolist() == [[0.0, -1.0], [3.5, 1.0], [0.0, 1.0]]
    assert wrapped(x, keep * 0, -fraction, fraction).tolist() == [[0.0, 0.0]] * 3
    assert needed_integers(x, fraction, True, -8.0).tolist() == [3.0, 2.0]
    assert needed_integers(x.relu(), fraction, False, -8.0).tolist() == [3.0, 1.0]
    assert needed_integers(x * 0, fraction, False, -8.0).tolist() == [-8.0, -8.0]
