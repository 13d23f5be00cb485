"""A network of items with one dead channel."""

from __future__ import annotations

from codesign.training.quantised_layers import ActivationLayer, ConvolutionLayer, Matrix


def one_dead(network):
    """The second channel of the first layer never fires; the last row of every matrix is zero."""
    first = next(m for m in network.modules() if isinstance(m, ActivationLayer) and not m._signed)
    first.bias[1] = -100.0
    for module in network.modules():
        if isinstance(module, Matrix | ConvolutionLayer):
            module.weight[-1] = 0.0
