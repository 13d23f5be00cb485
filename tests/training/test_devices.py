"""A step on another device: no device is mixed, and nothing is fetched from it but the loss.

Torch's ``meta`` device stands for a GPU: it has shapes and types and refuses every number.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from codesign.core.errors import InputError
from codesign.families.attention.family import Attention
from codesign.families.autoencoder.family import VAE, Autoencoder
from codesign.families.gru.family import Gru
from codesign.families.learned.family import MLPLearned
from codesign.families.mlp.family import MLP
from codesign.study.definition import Training
from codesign.training.devices import device_named
from codesign.training.learned_precision import Prices, learn_precision
from codesign.training.lesson import Subject
from codesign.training.network import Autograd
from tests.families.items.networks import BASE, FAMILIES, OWN, image, items, subject_of

MLP_CONFIG = {"widths": [6], "weight_bits": [4, 4], "activation_bits": [4], "input_bits": 6}
CODER = {"widths": [6], "latent": 2, "square_bits": 6, "score_bits": 10, "input_bits": 6}
FLAT = [
    (MLP, MLP_CONFIG, 2),
    (MLPLearned, {"widths": [6], "input_bits": 6}, 2),
    (MLPLearned, {"widths": [6], "input_bits": 6, "overflow": "wrap", "weight_range": "learned"}, 2),
    (VAE, CODER | {"weight_bits": [4, 4], "activation_bits": [4]}, 1),
    (Autoencoder, CODER | {"weight_bits": [4] * 4, "activation_bits": [4] * 3}, 1),
]


class OneDevice(TorchDispatchMode):
    """Fails where an operation is given tensors of the processor beside those of the device; numbers may be."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        kinds = {t.device.type for t in tensors if t.dim() > 0}
        if len(kinds) > 1 and func is not torch.ops.aten._to_copy.default:
            pytest.fail(f"{func} is given tensors on {kinds}")
        return func(*args, **(kwargs or {}))


def step_on(network, inputs, target, monkeypatch):
    """One step on the device; what of its parameters has a gradient there."""
    with network.shortcut():  # the widths of the quantisers are read on the processor
        pass
    network.to("meta")
    monkeypatch.setattr(torch.Tensor, "item", lambda tensor: 0.0)  # the loss, which is told
    twin = network.twin_on("meta", len(target))
    assert type(twin) is Autograd
    with OneDevice():
        x = torch.empty(len(target), inputs, device="meta")
        target = x if target.shape == (len(target), inputs) else target.to("meta")
        twin.gradients(x, target, LOSSES[target.dtype], 0.5)
    return {p.grad.device.type for p in twin.parameters if p.grad is not None}


LOSSES = {
    torch.int64: torch.nn.functional.cross_entropy,
    torch.float32: lambda out, target: (out - target).square().mean(),
}


@pytest.mark.parametrize(("family", "config", "outputs"), FLAT, ids=lambda v: getattr(v, "name", ""))
def test_a_step_of_features(family, config, outputs, monkeypatch):
    network = family().build(family().read(config, "test"), Subject.of_sizes(5, outputs))
    target = torch.zeros(8, dtype=torch.int64) if family in (MLP, MLPLearned) else torch.zeros(8, 5)
    assert step_on(network, 5, target, monkeypatch) == {"meta"}


@pytest.mark.parametrize(
    ("family", "learns"),
    [(f, learns) for f in FAMILIES for learns in (False, True) if not (learns and f in (Attention, Gru))],
    ids=lambda v: getattr(v, "name", v),
)
def test_a_step_of_items(family, learns, monkeypatch):
    toy = image(20) if family.axes == 3 else items(5, True, events=20)
    subject = subject_of(toy)
    network = family().build(family().read(BASE | OWN.get(family, {}), "test"), subject)
    if learns:
        learn_precision(network, subject, Prices(1e-5, 1e-3), 4, 8)
    assert step_on(network, toy.x.shape[1], torch.zeros(8, dtype=torch.int64), monkeypatch) == {"meta"}


def test_what_is_mixed_is_seen():
    with OneDevice(), pytest.raises(pytest.fail.Exception, match="given tensors on"):
        torch.empty(3, device="meta").expand(3) * torch.ones(3)


def test_the_device_of_a_study(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [device_named(name) for name in ("cpu", "auto")] == ["cpu", "cpu"]
    with pytest.raises(InputError, match="device: cuda: PyTorch finds no GPU here"):
        device_named("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [device_named(name) for name in ("cpu", "auto", "cuda")] == ["cpu", "cuda", "cuda"]
    assert "device" not in Training().record()
    assert Training(device="cuda").record()["device"] == "cuda"
    assert Training(epochs=3).budget().epochs == 3
