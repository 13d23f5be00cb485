"""Learned precision: the fused twin is the Brevitas network, folding changes no integer, every tool agrees."""

import numpy as np
import onnx
import pytest
import torch
from pydantic import ValidationError

from codesign.families.learned.config import LearnedMLPConfig, LearnedMLPSpace
from codesign.families.learned.family import MLPLearned
from codesign.families.learned.learned_fused import LearnedWorkspace
from codesign.training import export
from codesign.training.learned_quantisers import BIT_PRICE, row_grid
from codesign.training.lesson import Subject
from codesign.training.loop import train
from tests.families.learned_networks import CLASSES, events, exact_everywhere, exported, scattered

GRANULARITIES = ("weight", "channel", "tensor")


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_twin_has_the_same_numbers_and_gradients(granularity):
    network = scattered(granularity)
    _, _, x, y = events()
    values, labels = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    outputs, gradients = [], []
    for forward in (network, network.fused):
        network.zero_grad()
        out = forward(values)
        torch.nn.functional.cross_entropy(out, labels).backward()
        outputs.append(out.detach())
        gradients.append({n: p.grad.clone() for n, p in network.named_parameters()})
    assert torch.equal(*outputs)
    assert outputs[0].std() > 0.1
    brevitas, fused = gradients
    assert len(brevitas) == 4 * 3 + 4 * 2  # weight, its bits and bias per layer; two kinds of bits per signal
    for name, expected in brevitas.items():
        torch.testing.assert_close(fused[name], expected, rtol=1e-4, atol=1e-6)
        assert expected.abs().max() > 0


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_a_workspace_used_again_gives_each_step_its_own_gradients(granularity):
    """As the loop of a front does: the same memory, step after step, the price of every bit added in it."""
    _, _, x, y = events()
    values, labels = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    space = None
    for seed in (1, 2):
        network = scattered(granularity, seed=seed)
        flat = network.flat_parameters()
        space = space or LearnedWorkspace(network.layout, len(values))
        scores, ebops = space.forward(values, tuple(p.detach().numpy() for p in flat))
        leaf = scores.detach().requires_grad_()
        torch.nn.functional.cross_entropy(leaf, labels).backward()
        found = [g.clone() for g in space.backward(leaf.grad, network.config.beta(1.0), BIT_PRICE)]
        twin = network.fused(values)
        loss = torch.nn.functional.cross_entropy(twin, labels) + network.penalty(1.0)
        expected = torch.autograd.grad(loss, list(network.parameters()))
        assert torch.equal(twin, scores)
        assert ebops == network._ebops.item()
        names = [n for n, _ in network.named_parameters()]
        for gradient, ending in zip(
            found, (".weight", "weight_quant.tensor_quant.fraction.value", ".bias"), strict=False
        ):
            parts = [g.flatten() for n, g in zip(names, expected, strict=True) if n.endswith(ending)]
            torch.testing.assert_close(gradient, torch.cat(parts), rtol=1e-4, atol=1e-6)


def test_gradient_to_the_bits_is_that_of_hgq():
    """ln 2 (x - x_q) inside, ln 2 2**-f and ln 2 2**i where an activation saturates; written here from the paper."""
    network = MLPLearned().build(LearnedMLPConfig(widths=(1,)), Subject.of_sizes(1, 1))
    with torch.no_grad():
        for linear in network.linears:
            linear.weight.fill_(1.0)
        for quantiser, f, i in ((network.input, 9.0, 4.0), (network.activations[0], 2.0, 1.0)):
            bits = quantiser.act_quant.fused_activation_quant_proxy.tensor_quant
            bits.fraction.value.fill_(f)
            bits.integer.value.fill_(i)
    bits = network.activations[0].act_quant.fused_activation_quant_proxy.tensor_quant
    for x, f_expected, i_expected, out in (
        (0.8125, 0.8125 - 0.75, 0.0, 0.75),
        (0.9375, 0.9375 - 1.0, 0.0, 1.0),
        (5.0, 0.25, 2.0, 1.75),
        (-1.0, 0.0, 0.0, 0.0),
    ):
        network.zero_grad()
        value = network.fused(torch.full((3, 1), x))
        assert value.unique().item() == out
        value.sum().backward()
        assert bits.fraction.value.grad.item() == pytest.approx(3 * np.log(2) * f_expected, abs=1e-6)
        assert bits.integer.value.grad.item() == pytest.approx(3 * np.log(2) * i_expected, abs=1e-6)


def test_ebops_are_bits_times_bits_and_their_gradient_counts_bits(monkeypatch):
    network = scattered()
    _, _, x, _ = events()
    network.fused(torch.as_tensor(x, dtype=torch.float32))
    monkeypatch.setattr("codesign.families.learned.network.BIT_PRICE", 0.0)
    network.penalty(1.0).backward()
    expected = 0
    for linear, quantiser in zip(network.linears, (network.input, *network.activations), strict=True):
        bits = quantiser.act_quant.fused_activation_quant_proxy.tensor_quant
        width = (bits.fraction() + bits.integer()).detach().int()
        width = torch.where(width >= 1, width + int(bits.signed), 0).tolist()
        fraction = linear.weight_quant.tensor_quant.fraction().detach().round()
        codes = torch.round(linear.weight.detach() * 2**fraction).int().abs().tolist()
        rows = [[c.bit_length() for c in row] for row in codes]
        expected += sum(b * w for row in rows for b, w in zip(row, width, strict=True))
        grown = bits.fraction.value.grad / network.config.beta_high
        column = [sum(b) if w else 0 for b, w in zip(zip(*rows, strict=True), width, strict=True)]
        assert torch.allclose(grown, torch.tensor(column, dtype=torch.float32))
        used = linear.weight_quant.tensor_quant.fraction.value.grad / network.config.beta_high
        price = [[w if b else 0.0 for b, w in zip(row, width, strict=True)] for row in rows]
        assert torch.allclose(used, torch.tensor(price))
        smaller = torch.tensor(price) / (np.log(2) * linear.weight.detach())
        assert torch.allclose(linear.weight.grad / network.config.beta_high, smaller, rtol=1e-4)
    assert network.penalty(1.0).item() == pytest.approx(expected * network.config.beta_high, rel=1e-5)


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_folding_changes_no_hidden_integer(granularity):
    network = scattered(granularity)
    physical, base, _, _ = events()
    quantisation = network.input_quantisation(base)
    x = torch.as_tensor(quantisation.port.values(quantisation.codes(physical)), dtype=torch.float64)
    before = _last_hidden(network.double(), x)
    scores = network(x)
    network.fold()
    after = _last_hidden(network, x)
    read = (network.linears[-1].weight != 0).any(dim=0)
    assert read.sum() >= 3
    assert torch.equal(before[:, read], after[:, read])
    assert before[:, read].unique().numel() > 4
    assert (network(x) - scores).abs().max() <= 2.0**-5  # the head's bias alone is rounded


def _last_hidden(network, x):
    with torch.no_grad():
        x = network.input(x if network.folded else x + 0.5 * network.input.act_quant.scale())
        for linear, activation in zip(network.linears, network.activations, strict=False):
            x = linear(x)
            x = activation(x if network.folded else x + 0.5 * activation.act_quant.scale())
    return x


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_every_tool_gives_the_same_integers(granularity, tmp_path):
    network = scattered(granularity)
    design, codes = exported(network)
    _, outputs = exact_everywhere(network, design, codes, tmp_path / "fw")
    assert (outputs.max(axis=0) > outputs.min(axis=0)).all()
    graph = onnx.load_from_string(design.onnx).graph
    assert {n.op_type for n in graph.node} == {"Quant", "Gemm", "Relu"}


def test_one_unsigned_bit_is_no_bipolar_quantiser(tmp_path):
    network = scattered()
    bits = network.activations[1].act_quant.fused_activation_quant_proxy.tensor_quant
    with torch.no_grad():
        bits.integer.value.copy_(1 - bits.fraction().round())
    design, codes = exported(network)
    _, outputs = exact_everywhere(network, design, codes, tmp_path / "fw")
    assert (outputs.max(axis=0) > outputs.min(axis=0)).any()
    graph = onnx.load_from_string(design.onnx).graph
    constants = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    assert 1.0 in [float(constants[n.input[3]]) for n in graph.node if n.op_type == "Quant"]


def test_a_network_of_one_width_and_a_dead_network(tmp_path):
    torch.manual_seed(0)
    network = MLPLearned().build(LearnedMLPConfig(widths=(4,)), Subject.of_sizes(16, 5))
    design, codes = exported(network)
    exact_everywhere(network, design, codes, tmp_path / "plain")
    dead = MLPLearned().build(LearnedMLPConfig(widths=(4, 4)), Subject.of_sizes(16, 5))
    bits = dead.activations[0].act_quant.fused_activation_quant_proxy.tensor_quant
    with torch.no_grad():
        bits.fraction.value[1:] = -7  # three of four neurons have no bits
        dead.linears[0].weight[0] = 0
        dead.linears[0].bias[0] = 1.7  # and one is constant
    physical, base, _, _ = events()
    values = torch.as_tensor(base.port.values(base.codes(physical)), dtype=torch.float32)
    expected = dead.fused(values)[0].detach()
    dead.fold()
    assert all((linear.weight == 0).all() for linear in dead.linears[:1])
    assert (dead(values) - expected).abs().max() <= 2.0**-4
    assert dead.ebops() == 0


def test_weights_come_back_as_they_were_saved():
    network = scattered()
    _, _, x, _ = events()
    values = torch.as_tensor(x, dtype=torch.float32)
    network.fold()
    again = MLPLearned().build(network.config, Subject.of_sizes(16, 5))
    again.load_state_dict(network.state_dict())
    again.folded = True
    assert torch.equal(network(values), again(values))


def test_plain_training_prunes_under_a_price(tmp_path):
    """The family in the ordinary training: the penalty is felt, and the result is exact."""
    physical, base, x, y = events(2000)
    bit_operations = []
    for beta in (1e-7, 3e-3):
        torch.manual_seed(3)
        config = LearnedMLPConfig(widths=(16, 8), beta_low=1e-7, beta_high=beta)
        network = MLPLearned().build(config, Subject.of_sizes(16, 5))
        history = train(
            network,
            x,
            y,
            torch.nn.functional.cross_entropy,
            epochs=15,
            batch=100,
            learning_rate=2e-2,
            sparsity=0.0,
            seed=3,
        )
        assert history.loss[-1] < history.loss[0]
        bit_operations.append(network.ebops())
    assert bit_operations[1] < 0.5 * bit_operations[0]
    quantisation = network.input_quantisation(base)
    design = export.export(network, quantisation, CLASSES)
    exact_everywhere(network, design, quantisation.codes(physical), tmp_path / "fw")


def test_inputs_are_rounded_where_features_become_codes():
    network = scattered()
    physical, base, x, _ = events()
    quantisation = network.input_quantisation(base)
    assert quantisation.offset == base.offset
    bits = network.input.act_quant.fused_activation_quant_proxy.tensor_quant
    assert [t.fraction_bits for t in quantisation.types] == bits.fraction().detach().round().int().tolist()
    values = quantisation.port.values(quantisation.codes(physical))
    inside = np.abs(values - x) < np.array([2.0**t.integer_bits for t in quantisation.types]) / 2
    error = np.abs(values - x) / quantisation.port.lsbs
    saturated = np.abs(x) >= np.array([2.0**t.integer_bits for t in quantisation.types]) - quantisation.port.lsbs
    assert error[~saturated].max() <= 0.5 + 2.0**-3
    assert inside.any()


def test_grid_of_rows():
    rows = torch.tensor([[0.75, 0.0, -2.0], [0.0, 0.0, 0.0], [4.0, -12.0, 0.0]])
    assert row_grid(rows).flatten().tolist() == [0.25, 1.0, 4.0]


def test_space_draws_what_it_says():
    space = LearnedMLPSpace.model_validate({"depth": {"low": 1, "high": 3}, "width": [8, 16]})
    given = {"depth": 2, "width_0": 8, "width_1": 16, "beta_low": 1e-6, "beta_high": 1e-3, "fraction_bits": 5}
    config = MLPLearned().suggest(space, lambda name, d: given.get(name, getattr(d, "value", None)))
    assert config.widths == (8, 16)
    assert config.beta(0) == pytest.approx(1e-6)
    assert config.beta(0.5) == pytest.approx(10**-4.5)
    assert config.beta(1) == pytest.approx(1e-3)


@pytest.mark.parametrize("change", [{"widths": (0,)}, {"beta_low": 1.0}, {"granularity": "bit"}, {"input_bits": 2}])
def test_impossible_network_is_refused(change):
    with pytest.raises(ValidationError):
        LearnedMLPConfig.model_validate({"widths": (8,)} | change)


def test_price_may_be_constant_and_starts_need_a_budget():
    ramp, constant = LearnedMLPConfig(widths=(4,)), LearnedMLPConfig(widths=(4,), beta_low=None, beta_high=1e-4)
    assert [constant.beta(p) for p in (0, 0.5, 1)] == pytest.approx([1e-4] * 3)
    assert [ramp.beta(p) for p in (0, 1)] == pytest.approx([1e-5, 3e-3])
    with pytest.raises(ValidationError, match="give a budget"):
        LearnedMLPConfig(widths=(4,), starts=2)
    space = LearnedMLPSpace.model_validate(
        {"depth": 1, "width": 4, "beta_low": [None, 1e-5], "granularity": ["weight", "channel"], "budget": [100, 400]}
    )
    drawn = MLPLearned().suggest(space, lambda name, d: getattr(d, "values", (getattr(d, "value", None),))[-1])
    assert (drawn.granularity, drawn.budget, drawn.beta_low, drawn.starts) == ("channel", 400, 1e-5, 1)
    assert drawn.training() == drawn.model_copy(update={"budget": 99.0}).training()
    assert ramp.training() is ramp
