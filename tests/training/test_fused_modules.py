"""Any network's own forward by fused operations: Brevitas' numbers, its gradients, and nothing left behind."""

import copy
import logging

import pytest
import torch
from brevitas.nn import QuantConv1d, QuantConv2d, QuantIdentity, QuantLinear, QuantReLU, QuantSigmoid
from brevitas.quant.fixed_point import Int8ActPerTensorFixedPoint, Int8WeightPerTensorFixedPoint
from brevitas.quant.scaled_int import Int8WeightPerTensorFloat
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from codesign.training import fused
from codesign.training.brevitas_quantisers import (
    ActivationQuantiser,
    InputQuantiser,
    SignedActivationQuantiser,
    WeightQuantiser,
    activation_scale,
    range_parameter,
)
from codesign.training.fused_modules import FusedModules, half_up
from codesign.training.network import Network

CHANNELS = 6


class PerChannel(SignedActivationQuantiser):
    scaling_per_output_channel = True
    per_channel_broadcastable_shape = (1, CHANNELS, 1)
    scaling_stats_permute_dims = (1, 0, 2)


class PerField(ActivationQuantiser):
    scaling_per_output_channel = True
    per_channel_broadcastable_shape = (1, 1, 4)
    scaling_stats_permute_dims = (2, 0, 1)


class Nearest(Int8ActPerTensorFixedPoint):
    scaling_impl_type = "parameter"
    scaling_init = 1.0


class PerTensor(Int8WeightPerTensorFixedPoint):
    pass


class Every(Network):
    """Items through a shared layer, a convolution over them and one over a plane, a sum, and a head."""

    shapes = ((8, 4),)

    def __init__(self, bits, of_weights=WeightQuantiser, groups=2, stride=1, padding=1):
        super().__init__()
        weights = {"bias": True, "weight_quant": of_weights, "weight_bit_width": bits}
        self.input = QuantIdentity(act_quant=InputQuantiser, bit_width=6, scaling_init=4.0)
        self.each = QuantLinear(4, 4, **weights)
        self.active = QuantReLU(act_quant=ActivationQuantiser, bit_width=bits)
        self.fields = QuantReLU(act_quant=PerField, bit_width=bits)
        self.along = QuantConv1d(4, CHANNELS, 3, groups=groups, stride=stride, padding=padding, **weights)
        self.channels = QuantIdentity(act_quant=PerChannel, bit_width=bits)
        self.plane = QuantConv2d(1, 2, (3, 2), padding=(1, 0), stride=(2, 1), **weights)
        self.nearest = QuantIdentity(act_quant=Nearest, bit_width=bits)
        self.summed = QuantReLU(act_quant=ActivationQuantiser, bit_width=bits + 1)
        self.head = QuantLinear(2, 3, **weights)

    def forward(self, items):
        x = half_up(self.active, self.each(self.input(items)), self.folded)
        x = self.channels(self.along(self.fields(x).transpose(1, 2)))
        plane = self.nearest(self.plane(x.unsqueeze(1)))
        mean = plane.mean(dim=(2, 3)) + 0.5 * activation_scale(self.summed)
        return self.head(self.summed(mean)), plane.flatten(1), x.flatten(1)

    def calibrate(self, x):
        pass

    def fold(self):
        self.folded = True


def drawn(seed, ties=True, **how):
    torch.manual_seed(seed)
    network = Every(**how)
    for module in network.modules():
        if isinstance(module, QuantReLU | QuantIdentity) and module is not network.input:
            range_parameter(module).data += torch.randn_like(range_parameter(module))
    with torch.no_grad():  # a dead row, and two weights that are equally large
        network.each.weight[0] = 0.0
        if ties:
            network.along.weight[0, 0, :2] = torch.tensor([0.5, -0.5])
    range_parameter(network.summed).data.fill_(0.5)
    # on the input's grid, ties among them
    return network, torch.randint(-32, 32, (64, 32)).float() / 8


def learned(network, x, forward):
    network.zero_grad()
    out = forward(x)
    (out * torch.linspace(-1, 2, out.numel()).view_as(out)).sum().backward()
    return out.detach(), {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


def gradients_differ(found, expected):
    """Names of parameters whose gradients, in float64, differ by more than the order of a sum."""
    assert all(gradient.dtype == torch.float64 for gradient in expected.values())
    return {
        name
        for name, gradient in expected.items()
        if not torch.allclose(found[name], gradient, rtol=1e-9, atol=1e-9 * max(1.0, float(gradient.abs().max())))
    }


@pytest.mark.parametrize("compiled", [True, False])
@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 99),
    bits=st.integers(2, 8),
    of_weights=st.sampled_from([WeightQuantiser, PerTensor]),
    groups=st.sampled_from([1, 2]),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
)
def test_the_numbers_and_gradients_are_those_of_brevitas(compiled, seed, bits, of_weights, groups, stride, padding):
    ties = of_weights is WeightQuantiser  # of a whole tensor Brevitas shares the gradient among the largest
    how = {"bits": bits, "of_weights": of_weights, "groups": groups, "stride": stride, "padding": padding}
    network, x = drawn(seed, ties, **how)
    with pytest.MonkeyPatch.context() as patch:
        if not compiled:
            patch.setattr(fused, "_compiles", lambda x: False)
        assert torch.equal(network.fused(x), network.of_flat(x))
        network, x = network.double(), x.double()
        expected, found = learned(network, x, network.of_flat), learned(network, x, network.fused)
    assert FusedModules(network).unknown == ()
    assert torch.equal(found[0], expected[0])
    assert len(expected[0].unique()) > 3
    assert gradients_differ(found[1], expected[1]) == set()


@pytest.mark.parametrize(
    ("layer", "fault", "seen"),
    [
        ("channels", {"nearest": True}, "numbers"),
        ("channels", {"top": 2}, "numbers"),
        ("fields", {"rectified": False}, "gradients"),
    ],
)
def test_a_planted_fault_is_seen(layer, fault, seen, monkeypatch):
    """Of one activation: to the nearest, one code less, and a gradient where the rectifier has none."""
    from dataclasses import replace

    network, x = drawn(3, bits=3)
    network, x = network.double(), x.double()
    expected = learned(network, x, network.of_flat)
    with network.shortcut():
        stand = vars(getattr(network, layer))["forward"]
    monkeypatch.setattr(stand, "_how", replace(stand._how, **fault))
    found = learned(network, x, network.fused)
    assert torch.equal(found[0], expected[0]) == (seen == "gradients")
    assert gradients_differ(found[1], expected[1])


def test_nothing_is_left_behind_and_a_copy_is_its_own():
    network, x = drawn(1, bits=4)
    before = {name: set(vars(module)) for name, module in network.named_modules()}
    expected = network.fused(x)
    with network.shortcut():
        assert "forward" in vars(network.each)
    with pytest.raises(RuntimeError, match="split"):
        network.fused(x[:, :30])
    before[""] |= {"_fused_modules"}
    assert {name: set(vars(module)) for name, module in network.named_modules()} == before
    other = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert torch.equal(other.fused(x), expected)


class Strange(Every):
    """Layers of which only some are known."""

    def __init__(self):
        super().__init__(bits=4)
        self.head = QuantLinear(2, 3, bias=True, weight_quant=Int8WeightPerTensorFloat)
        self.bent = QuantSigmoid(bit_width=4)

    def forward(self, items):
        return self.bent(super().forward(items)[0])


def test_what_is_not_known_stays_with_brevitas_and_the_log_says_so(caplog):
    torch.manual_seed(0)
    network, x = Strange().double(), torch.randint(-32, 32, (16, 32)).double() / 8
    network.eval()  # Brevitas' own sigmoid collects its range while it trains
    with caplog.at_level(logging.INFO, "codesign"):
        expected, found = learned(network, x, network.of_flat), learned(network, x, network.fused)
        network.fused(x)
    assert torch.equal(found[0], expected[0])
    assert gradients_differ(found[1], expected[1]) == set()
    assert [r.getMessage() for r in caplog.records] == [
        "Strange trains slower: Brevitas computes head (QuantLinear), bent (QuantSigmoid)"
    ]


def test_a_network_of_ones_own_is_trained_without_brevitas_quantisers(monkeypatch):
    """Not one quantiser of Brevitas runs in a step."""
    from brevitas.core.quant import RescalingIntQuant

    network, x = drawn(2, bits=4)
    twin = network.twin(len(x))
    target = torch.zeros_like(network.of_flat(x))
    monkeypatch.setattr(RescalingIntQuant, "forward", lambda *_: pytest.fail("Brevitas' own"))
    before = network.head.weight.detach().clone()
    twin.gradients(x, target, nn.functional.mse_loss, 0.0)
    assert network.each.weight.grad is not None
    assert torch.equal(network.head.weight, before)
