"""Tables: of the right numbers, the same in training and folded, read by what is exported; planted: another entry."""

import math

import numpy as np
import pytest
import torch

from codesign.training import table_activations
from codesign.training.brevitas_quantisers import activation_scale
from codesign.training.quantised_layers import GridSignal, Walk
from codesign.training.table_activations import TableActivation, table_values

FUNCTIONS = {
    "exp": lambda x, top: math.exp(x - top),
    "sigmoid": lambda x, top: 1 / (1 + math.exp(-x)),
    "tanh": lambda x, top: math.tanh(x),
    "reciprocal": lambda x, top: 1 / max(x, 1 / 8),
}
#: largest value of a table of six bits, and value of its LSB
TOPS = {
    "exp": (63 / 64, 1 / 64),
    "sigmoid": (63 / 64, 1 / 64),
    "tanh": (31 / 32, 1 / 32),
    "reciprocal": (63 / 8, 1 / 8),
}


@pytest.mark.parametrize("exponent", [-4, -2])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_values_are_the_nearest(function, exponent):
    values = table_values(function, exponent, 5, 6)
    low = 0 if function == "reciprocal" else -16
    top, lsb = TOPS[function]
    assert len(values) == 32
    for value, code in zip(values, range(low, low + 32), strict=True):
        exact = FUNCTIONS[function](code * 2.0**exponent, 16 * 2.0**exponent)
        assert abs(value - max(min(exact, top), -top)) <= lsb / 2 + 1e-12
        assert value / lsb == round(value / lsb)
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 0


@pytest.mark.parametrize("function", FUNCTIONS)
def test_training_computes_what_the_table_says(function):
    torch.manual_seed(1)
    layer = TableActivation(function, 3, 5, 6)
    x = torch.randn(500, 3)
    layer.active.walk = Walk.CALIBRATING
    layer.active(GridSignal(x))
    layer.active.walk = Walk.RUNNING
    trained = layer(GridSignal(x)).values
    half = 0.5 * activation_scale(layer.active.quantiser)
    layer.walk = layer.active.walk = Walk.FOLDED
    assert torch.equal(layer(GridSignal(x + half)).values, trained)
    assert len(trained.unique()) > 4


def test_a_gradient_is_that_of_the_function():
    layer = TableActivation("tanh", 1, 6, 8)
    x = torch.tensor([[0.3], [-0.2]], requires_grad=True)
    layer(GridSignal(x)).values.sum().backward()
    assert torch.allclose(x.grad, 1 - torch.tanh(x.detach()) ** 2, atol=0.02)


def test_another_entry_is_seen(monkeypatch):
    layer = TableActivation("sigmoid", 1, 4, 5)
    layer.walk = layer.active.walk = Walk.FOLDED
    x = torch.linspace(-1, 0.9, 50)[:, None]
    before = layer(GridSignal(x)).values
    own = table_activations.table_values

    def wrong(*args):
        values = own(*args).copy()
        values[3] += 1 / 32
        return values

    monkeypatch.setattr(table_activations, "table_values", wrong)
    changed = (layer(GridSignal(x)).values != before).float().mean()
    assert 0 < changed < 0.5
    assert np.isfinite(before.detach().numpy()).all()
