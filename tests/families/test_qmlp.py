"""The fused training twin is the Brevitas network: same numbers, same gradients; folding changes nothing."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from codesign.core.errors import InputError
from codesign.families.mlp.config import MLPConfig, MLPSpace
from codesign.families.mlp.family import MLP
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.training import export
from codesign.training.brevitas_quantisers import activation_scale
from codesign.training.lesson import Subject
from codesign.training.loop import train
from codesign.training.network import Autograd
from tests.families.mlp_networks import CONFIGS, network_of, quantised


@pytest.mark.parametrize("config", CONFIGS)
def test_twin_has_the_same_numbers_and_gradients(config):
    _, x, y = quantised(config)
    network = network_of(config, x)
    values, labels = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    gradients = []
    outputs = []
    for forward in (network, network.fused):
        network.zero_grad()
        out = forward(values)
        torch.nn.functional.cross_entropy(out, labels).backward()
        outputs.append(out.detach())
        gradients.append({n: p.grad.clone() for n, p in network.named_parameters()})
    assert torch.equal(*outputs)
    brevitas, fused = gradients
    assert len(brevitas) == len(config.widths) * 3 + 2
    for name, expected in brevitas.items():
        # the same sums in another order: float32 rounding only
        torch.testing.assert_close(fused[name], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS)
def test_training_twin_steps_as_the_brevitas_network_would(config):
    """The same memory, step after step; with dead rows, weights equally large, ties and numbers that saturate."""
    _, x, y = quantised(config)
    values, labels = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    network = network_of(config, x)
    twin = network.twin(len(values))
    (flat,) = twin.parameters
    for seed in range(4):
        torch.manual_seed(seed)
        with torch.no_grad():
            flat.add_(0.1 * torch.randn_like(flat))
            twin.prunable[0][1] = 0.0
            twin.prunable[-1][0, :3] = torch.tensor([0.5, -0.5, 0.5])
            biases = network.layout.split(flat)[1]
            biases[0][0], biases[0][1], biases[0][2] = 0.0, -(2.0**-seed), 100.0
        value = twin.gradients(values, labels, torch.nn.functional.cross_entropy, 0.0)
        twin.finish()
        network.zero_grad()
        out = network(values)
        expected = torch.nn.functional.cross_entropy(out, labels)
        expected.backward()
        assert value == expected.item()
        gradients = torch.cat([p.grad.flatten() for p in network.in_order()])
        torch.testing.assert_close(flat.grad, gradients, rtol=1e-4, atol=1e-6)
        assert (gradients[-len(config.widths) :] != 0).any()


def test_twin_and_automatic_differentiation_train_alike():
    config = CONFIGS[2]
    _, x, y = quantised(config)
    losses = []
    for own in (True, False):
        torch.manual_seed(4)
        network = MLP().build(config, Subject.of_sizes(16, 5))
        if not own:
            network.twin = lambda events, net=network: Autograd(net)
            network.objective = lambda values, target, loss, net=network: loss(net(values), target)
        loss, how = torch.nn.functional.cross_entropy, {"epochs": 4, "batch": 100, "learning_rate": 5e-3}
        losses.append(train(network, x, y, loss, **how, sparsity=config.sparsity, seed=4).loss)
    # Adam and some sums round in another order
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0][-1] < losses[0][0]


@pytest.mark.parametrize("config", CONFIGS)
def test_folding_leaves_every_hidden_activation(config):
    _, x, _ = quantised(config)
    network = network_of(config, x).double().eval()
    hidden = []
    for _ in range(2):
        value = torch.as_tensor(x, dtype=torch.float64)
        for linear, activation in zip(network.linears, network.activations, strict=False):
            value = linear(value)
            value = activation(value if network.folded else value + 0.5 * activation_scale(activation))
        hidden.append(value.detach())
        network.fold()
    assert torch.equal(*hidden)
    assert hidden[0].unique().numel() > 1


@pytest.mark.parametrize("config", CONFIGS)
def test_trained_network_is_exact_in_qonnx(config):
    quantisation, x, y = quantised(config, events=2000)
    torch.manual_seed(3)
    network = MLP().build(config, Subject.of_sizes(16, 5))
    history = train(
        network,
        x,
        y,
        torch.nn.functional.cross_entropy,
        epochs=6,
        batch=100,
        learning_rate=5e-3,
        sparsity=config.sparsity,
        seed=3,
    )
    assert history.loss[-1] < history.loss[0]
    assert history.sparsity >= config.sparsity - 0.02
    design = export.export(network, quantisation, tuple("abcde"))
    rng = np.random.default_rng(1)
    low, high = design.inputs.bounds
    codes = np.concatenate([quantisation.codes(x), rng.integers(low, high + 1, (500, 16)), [low, high]])
    brevitas = export.brevitas_codes(network, design, codes)
    assert np.array_equal(brevitas, export.qonnx_codes(design, codes))
    ours = read_graph(design.onnx).run(design.inputs.values(codes), Exact())
    assert np.array_equal(brevitas, design.outputs.codes(ours))


def test_training_is_repeatable():
    config = CONFIGS[1]
    quantisation, x, y = quantised(config)
    hashes = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        network = MLP().build(config, Subject.of_sizes(16, 5))
        train(
            network,
            x,
            y,
            torch.nn.functional.cross_entropy,
            epochs=3,
            batch=100,
            learning_rate=5e-3,
            sparsity=0.3,
            seed=seed,
        )
        hashes.append(export.export(network, quantisation, tuple("abcde")).hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_space_draws_what_it_says():
    space = MLPSpace.model_validate(
        {
            "depth": {"low": 1, "high": 3},
            "width": [8, 16],
            "weight_bits": {"low": 2, "high": 4},
            "activation_bits": 3,
            "input_bits": 8,
        }
    )
    drawn = {}

    def choose(name, dimension):
        drawn[name] = dimension
        return {"depth": 2, "width_0": 8, "width_1": 16, "sparsity": 0.25}.get(name, 3)

    config = MLP().suggest(space, choose)
    assert config.widths == (8, 16)
    assert config.weight_bits == (3, 3, 3)
    assert config.sparsity == 0.25
    assert "width_2" not in drawn


@pytest.mark.parametrize(
    "change",
    [
        {"widths": (0,)},
        {"activation_bits": (1,)},
        {"weight_bits": (4,)},
        {"activation_bits": ()},
        {"input_bits": 1},
        {"sparsity": 1.0},
    ],
)
def test_impossible_network_is_refused(change):
    good = {"widths": (8,), "weight_bits": (4, 4), "activation_bits": (4,), "input_bits": 8}
    with pytest.raises(ValidationError):
        MLPConfig.model_validate(good | change)


def test_what_is_no_network_is_not_trained():
    how = {"epochs": 1, "batch": 1, "learning_rate": 1.0, "sparsity": 0.0, "seed": 1}
    with pytest.raises(
        InputError, match=r"the network Linear cannot be trained: derive it from codesign.training.network"
    ):
        train(torch.nn.Linear(2, 2), None, None, None, **how)


def test_a_network_may_bring_its_own_objective():
    config = CONFIGS[0]
    _, x, _ = quantised(config)
    seen = []

    def objective(values, target, loss):
        seen.append(len(values))
        return (network.fused(values) - target).square().mean()

    network = network_of(config, x)

    def never(outputs, target):
        raise AssertionError

    network.objective, network.twin = objective, lambda events: Autograd(network)
    target = np.full((len(x), 5), 2.0, np.float32)
    history = train(network, x, target, never, epochs=20, batch=100, learning_rate=0.02, sparsity=0.0, seed=1)
    assert set(seen) == {100}
    assert history.loss[-1] < 0.3 * history.loss[0]


@pytest.mark.parametrize("epochs", [1, 2, 3, 10, 11])
def test_a_training_of_a_handful_of_steps(epochs):
    """PyTorch's schedule divides by the steps of its first tenth, less one."""
    _, x, y = quantised(CONFIGS[0])
    how = {"batch": 600, "learning_rate": 0.02, "sparsity": 0.0, "seed": 4}
    history = train(network_of(CONFIGS[0], x), x, y, torch.nn.functional.cross_entropy, epochs=epochs, **how)
    assert len(history.loss) == epochs
    assert np.isfinite(history.loss).all()
