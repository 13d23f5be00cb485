"""A start in floating point: what is normalised goes into the weights, and a training with quantisers begins there."""

import numpy as np
import pytest
import torch

from codesign.families.conv1d.family import Conv1d
from codesign.families.deepsets.family import DeepSets
from codesign.families.jedi_linear.family import JediLinear
from codesign.families.torch_trained import truths_of
from codesign.training.batch_normalisation import Normalisation
from codesign.training.float_start import begin_floating
from codesign.training.lesson import Budget
from codesign.training.loop import Events
from codesign.training.objectives import HeadsLoss
from codesign.training.quantised_layers import Walk
from tests.families.items.lessons import lesson_of
from tests.families.items.networks import BASE, OWN, items


def opened(family, toy):
    lesson = lesson_of(toy)
    candidate = family().read(BASE | OWN.get(family, {}) | {"input_bits": 10}, "test")
    torch.manual_seed(0)
    return lesson, family().build(candidate, lesson.subject)


def float_scores(network, x):
    """Without quantisers, as it stands."""
    network._walk(Walk.FLOATING)
    with torch.no_grad():
        found = network.of_flat(x)
    network._walk(Walk.RUNNING)
    return found


def before_and_after(network, x):
    """Scores of a network that saw 40 batches, normalised by what it saw, and once that is in its weights."""
    network.train()
    with network.floating():
        for part in x.repeat(40, 1).split(len(x)):
            network.of_flat(part)
        network.eval()
        with torch.no_grad():
            normalised = network.of_flat(x)
    return normalised, float_scores(network, x)


@pytest.mark.parametrize("family", [DeepSets, JediLinear, Conv1d], ids=lambda f: f.name)
def test_what_is_normalised_goes_into_the_weights(family):
    toy = items(6, True)
    _, network = opened(family, toy)
    x = torch.as_tensor(toy.x[:200], dtype=torch.float32)
    raw = float_scores(network, x)
    normalised, after = before_and_after(network, x)
    assert torch.allclose(normalised, after, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(raw, after, rtol=0.05, atol=0.05)


def test_a_normalisation_that_is_not_folded_is_seen(monkeypatch):
    monkeypatch.setattr(Normalisation, "fold", lambda self, bias: None)
    toy = items(6, True)
    _, network = opened(DeepSets, toy)
    normalised, after = before_and_after(network, torch.as_tensor(toy.x[:200], dtype=torch.float32))
    assert not torch.allclose(normalised, after, rtol=1e-3, atol=1e-3)


def test_it_learns_and_leaves_nothing_behind():
    toy = items(6, True)
    lesson, network = opened(DeepSets, toy)
    names = list(network.state_dict())
    truths, loss = truths_of(lesson.train, lesson.subject.heads), HeadsLoss(lesson.subject.heads)
    events = Events.of(lesson.train.x, truths, lesson.train.weights)
    before = float(loss(float_scores(network, events.inputs), events.targets))
    begin_floating(network, events, loss, 10, 0.02, 40, torch.Generator().manual_seed(1))
    assert float(loss(float_scores(network, events.inputs), events.targets)) < 0.95 * before
    assert list(network.state_dict()) == names
    assert not network.folded
    assert all(layer.walk is Walk.RUNNING for layer in network._layers())


def test_a_share_of_the_epochs_and_nothing_said_where_there_is_none():
    toy = items(6, True)
    lesson = lesson_of(toy)
    given = BASE | {"input_bits": 10, "precision": "learned", "beta_high": 1e-2}
    plain, floating = (DeepSets().read(given | more, "test") for more in ({}, {"float_share": 0.5}))
    assert "float_share" not in plain.record()
    assert floating.record()["float_share"] == 0.5
    told = []
    files = DeepSets().fit(
        floating.training(), lesson, Budget(6, 40, 0.02), seed=1, progress=lambda done, of: told.append((done, of))
    )
    assert told == [(n, 6) for n in range(1, 7)]
    assert files != DeepSets().fit(plain.training(), lesson, Budget(6, 40, 0.02), seed=1)
    design = DeepSets().pick(files, floating, lesson).design()
    codes = design.input_quantisation.codes(toy.x[:100])
    assert np.array_equal(
        DeepSets().pick(files, floating, lesson).references()["Brevitas"](codes),
        DeepSets()
        .load(DeepSets().pick(files, floating, lesson).files(), floating, design)
        .references()["Brevitas"](codes),
    )
