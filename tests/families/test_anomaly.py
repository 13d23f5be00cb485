"""Networks with a score: the fused twin, folding, exactness in QONNX and hardware, and that they find what is rare."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from codesign.core.errors import InputError
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.families.autoencoder.config import AutoencoderConfig, VAEConfig, VAESpace
from codesign.families.autoencoder.family import VAE, Autoencoder
from codesign.flows.alkaid.flow import Alkaid
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.training import export
from codesign.training.brevitas_quantisers import activation_scale, range_parameter
from codesign.training.lesson import Subject
from codesign.training.loop import train
from codesign.training.network import Autograd
from tests.families.anomaly_cases import CASES, N, built, data


def trained(family, config, epochs=12, seed=3, own=True):
    """A network that its own twin has trained, or automatic differentiation (not ``own``)."""
    quantisation, x, target = data(config, 3000)
    torch.manual_seed(seed)
    network = family.build(config, Subject.of_sizes(N, 1))
    if not own:
        network.twin = lambda events: Autograd(network)
    history = train(
        network,
        x,
        target,
        torch.nn.functional.mse_loss,
        epochs=epochs,
        batch=100,
        learning_rate=5e-3,
        sparsity=config.sparsity,
        seed=seed,
    )
    return quantisation, x, network, history


@pytest.mark.parametrize(("family", "config"), CASES)
def test_twin_has_the_same_numbers_and_gradients(family, config):
    _, values, _, network = built(family, config)
    gradients, outputs = [], []
    for forward in (network, network.fused):
        network.zero_grad()
        out = forward(values)
        out.square().mean().backward()
        outputs.append(out.detach())
        gradients.append({n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None})
    assert torch.equal(*outputs)
    assert outputs[0].unique().numel() > 10
    brevitas, fused = gradients
    assert brevitas.keys() == fused.keys()
    assert len(brevitas) == 2 * len(network.linears) + len(network.activations) + 2
    for name, expected in brevitas.items():
        torch.testing.assert_close(fused[name], expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@st.composite
def drawn(draw):
    """A family and a network of it."""
    family = draw(st.sampled_from([VAE(), Autoencoder()]))
    widths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3))
    layers = len(widths) + 1 if isinstance(family, VAE) else 2 * len(widths) + 2
    bits = st.integers(2, 8)
    return family, family.config(
        widths=tuple(widths),
        latent=draw(st.integers(1, 5)),
        weight_bits=tuple(draw(bits) for _ in range(layers)),
        activation_bits=tuple(draw(bits) for _ in range(layers - 1)),
        square_bits=draw(bits),
        score_bits=10,
        input_bits=draw(bits),
    )


def brevitas_objective(network, x, target, loss):
    """The objective by Brevitas' own quantisers and automatic differentiation; and what ends the quantised layers."""
    x = network.input(x) * network.gain
    hidden = network._hidden(x, len(network.activations))
    last = network.linears[-1](hidden)
    if isinstance(network.config, AutoencoderConfig):
        return loss(last, x), last
    last = network.squared(last + 0.5 * activation_scale(network.squared))
    return network.objective_of(last, hidden, target, loss), last


@settings(deadline=None, max_examples=40)
@given(drawn(), st.integers(0, 1000), st.sampled_from([torch.float32, torch.float64]), st.floats(-3, 2.5))
def test_training_twin_steps_as_the_brevitas_network_would(case, seed, dtype, room):
    """Three steps in the same memory; with dead rows, weights equally large, ties and numbers that saturate."""
    family, config = case
    _, x, target = data(config, 200, seed)
    x, target = torch.as_tensor(x).to(dtype), torch.as_tensor(target).to(dtype)
    torch.manual_seed(seed)
    network = family.build(config, Subject.of_sizes(N, 1)).to(dtype)
    network.match(x, target)
    network.calibrate(x)
    range_parameter(network.squared).data.fill_(room)
    if isinstance(family, VAE):
        torch.nn.init.normal_(network.spread.weight)
    twin = network.twin(len(x))
    loss = torch.nn.functional.mse_loss
    for step in range(3):
        with torch.no_grad():
            for parameter in twin.parameters:
                parameter.add_(0.1 * torch.randn_like(parameter))
            twin.prunable[0][-1] = 0.0
            twin.prunable[-1][0, :2] = 0.5
            biases = network.layout.split(twin.parameters[0])[1]
            biases[0][0], biases[-1][0] = (0.0, 100.0, -100.0)[step], (0.25, -8.0, 8.0)[step]
        torch.manual_seed(seed + step)
        value = twin.gradients(*twin.prepared(x, target), loss, 0.0)
        found = [p.grad.clone() for p in twin.parameters]
        twin.finish()
        network.zero_grad()
        torch.manual_seed(seed + step)
        expected, last = brevitas_objective(network, x, target, loss)
        expected.backward()
        assert value == expected.item()
        if isinstance(family, VAE):
            assert torch.equal(twin._space.codes[-1] * twin._space.lsbs[-1], last)
        own = [p.grad for p in twin._own]
        flat = found[0].split([g.numel() for g in own])
        others = [p.grad for p in twin.parameters[1:]]
        near = {torch.float32: (1e-3, 1e-5), torch.float64: (1e-8, 1e-12)}[dtype]
        most = max(float(g.abs().max()) for g in (*own, *others))
        for ours, theirs in zip((*flat, *found[1:]), (*own, *others), strict=True):
            torch.testing.assert_close(ours.view(theirs.shape), theirs, rtol=near[0], atol=near[1] * most)


@pytest.mark.parametrize(("family", "config"), CASES)
def test_twin_and_automatic_differentiation_train_alike(family, config):
    own, automatic = (trained(family, config, epochs=2, own=own) for own in (True, False))
    # Adam and some sums round in another order
    assert own[3].loss == pytest.approx(automatic[3].loss, rel=1e-3)
    assert own[3].sparsity == automatic[3].sparsity
    again, other = trained(family, config, epochs=2), trained(family, config, epochs=2, seed=4)
    designs = [export.export(run[2], run[0], ("score",)).hash for run in (own, again, other)]
    assert designs[0] == designs[1] != designs[2]


@pytest.mark.parametrize(("family", "config"), CASES)
def test_folding_leaves_every_squared_number(family, config):
    _, values, _, network = built(family, config)
    network = network.double().eval()
    found = []
    for _ in range(2):
        x = network.input(values.double()) * network.gain
        hidden = network._hidden(x, len(network.activations))
        number = network.linears[-1](hidden)
        if isinstance(family, Autoencoder):
            number = x - number
        if not network.folded:
            number = number + 0.5 * activation_scale(network.squared)
        found.append(network.squared(number).detach())
        network.fold()
    assert torch.equal(*found)
    assert found[0].unique().numel() > 10


@pytest.mark.parametrize(("family", "config"), CASES)
def test_trained_network_is_exact_from_brevitas_to_the_circuit(family, config, tmp_path):
    quantisation, x, network, history = trained(family, config)
    assert history.loss[-1] < history.loss[0]
    assert history.sparsity >= config.sparsity - 0.05
    design = export.export(network, quantisation, ("score",))
    assert (design.outputs.size, design.outputs.types[0].signed) == (1, False)
    assert design.outputs.types[0].width <= config.score_bits
    codes = np.concatenate([design.inputs.codes(x.astype(np.float64)), probe_codes(design.inputs)])
    brevitas = export.brevitas_codes(network, design, codes)
    assert len(np.unique(brevitas)) > 20
    assert np.array_equal(brevitas, export.qonnx_codes(design, codes))
    ours = read_graph(design.onnx).run(design.inputs.values(codes), Exact())
    assert np.array_equal(brevitas, design.outputs.codes(ours))
    flow = Alkaid()
    firmware = flow.compile(design, load_target("vu13p-360"), tmp_path)
    assert np.array_equal(brevitas, flow.predict(firmware, codes))


@pytest.mark.parametrize(("family", "config"), CASES)
def test_what_is_rare_scores_higher(family, config):
    _, x, network, _ = trained(family, config, epochs=40)
    odd = x * 2.5
    if isinstance(family, Autoencoder):
        odd = x.copy()
        odd[:, 4] = -odd[:, 0]
        odd[:, 5] = -odd[:, 1]
    with torch.no_grad():
        usual, unusual = (network(torch.as_tensor(v)).numpy().ravel() for v in (x, odd))
    assert np.median(unusual) > np.quantile(usual, 0.7)


def test_a_target_of_another_shape_and_more_outputs_are_refused():
    family, config = CASES[0]
    with pytest.raises(InputError, match="has one output, a score, but the task wants 5"):
        family.build(config, Subject.of_sizes(N, 5))
    with pytest.raises(InputError, match="reproduce their 6 inputs"):
        family.build(config, Subject.of_sizes(N, 1)).match(torch.zeros(5, N), torch.zeros(5))


def test_gains_are_powers_of_two_nearest_to_the_targets_scale():
    *_, network = built(*CASES[0])
    assert network.gain.tolist() == [1, 2, 0.5, 1, 1, 4]


def test_space_draws_every_layer():
    space = VAESpace.model_validate(
        {
            "depth": 2,
            "width": [8, 16],
            "latent": 4,
            "weight_bits": 4,
            "activation_bits": 3,
            "input_bits": 8,
            "score_bits": {"low": 8, "high": 14},
        }
    )
    drawn = []

    def choose(name, dimension):
        drawn.append(name)
        return {"depth": 2, "beta": 0.7, "sparsity": 0.1}.get(name, 8)

    for family, layers in ((VAE(), 3), (Autoencoder(), 6)):
        drawn.clear()
        config = family.suggest(space, choose)
        assert len(config.weight_bits) == layers
        assert len(config.activation_bits) == layers - 1
        assert "score_bits" in drawn
        # a weight of 8 bits has five between its first one and its last, on average
        assert config.cost(57, 1) > 57 * 8 * 8 * 5 * 0.9


@pytest.mark.parametrize(
    "change", [{"square_bits": 9}, {"weight_bits": (4,)}, {"latent": 0}, {"activation_bits": (1,)}, {"widths": (0,)}]
)
def test_impossible_network_is_refused(change):
    with pytest.raises(ValidationError):
        VAEConfig.model_validate(CASES[0][1].model_dump() | change)


@pytest.mark.parametrize(("family", "config"), CASES)
def test_an_input_that_is_hardly_ever_there_costs_no_bits(family, config):
    """What cannot move a result is cleared, and its bias lies on the result's grid; the circuit's sums stay narrow."""
    quantisation, x, target = data(config, 3000)
    x[:, 2], target[:, 2] = 0.0, 0.0
    x[::1000, 2], target[::1000, 2] = 0.125, 1e-4
    torch.manual_seed(2)
    network = family.build(config, Subject.of_sizes(N, 1))
    loss = torch.nn.functional.mse_loss
    train(network, x, target, loss, epochs=6, batch=100, learning_rate=5e-3, sparsity=config.sparsity, seed=2)
    with torch.no_grad():
        network.linears[0].weight[0] = 1e-6
        before = network.folded
        network.folded = False
        network.settle(torch.as_tensor(x))
        network.linears[0].bias[0] = 0.3
        network.fold()
    assert before
    assert not network.linears[0].weight[0].any()
    lsb = float(activation_scale(network.activations[0]).detach())
    assert float(network.linears[0].bias[0].detach()) / lsb == round(float(network.linears[0].bias[0].detach()) / lsb)
    design = export.export(network, quantisation, ("score",))
    codes = design.inputs.codes(x.astype(np.float64))
    assert np.array_equal(export.brevitas_codes(network, design, codes), export.qonnx_codes(design, codes))
