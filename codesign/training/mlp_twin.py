"""Training twins of networks that are fully connected layers of fixed precision, wholly or in part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from codesign.training.brevitas_quantisers import range_parameter
from codesign.training.mlp_fused import ParameterLayout, Workspace
from codesign.training.network import Loss, Tensors, Twin, loss_gradient

__all__ = ("MLPTwin", "in_order")


def in_order(linears: Iterable[Any], activations: Iterable[Any]) -> list[Tensor]:
    """Parameters of linear layers (out, in) and of the activations behind them, as they lie in a layout's flat ones."""
    linears = list(linears)
    return [*(m.weight for m in linears), *(m.bias for m in linears), *(range_parameter(a) for a in activations)]


class MLPTwin(Twin):
    """Layers in training: their parameters as one flat tensor, and memory that every step uses again.

    ``own``: the network's own parameters, as :func:`in_order` gives them; they get the values back when training ends.
    """

    def __init__(self, layout: ParameterLayout, events: int, own: list[Tensor]) -> None:
        self._own = own
        self._flat = torch.cat([p.detach().flatten() for p in own]).requires_grad_()
        self._space = Workspace(layout, events, self._flat.dtype)
        self._flat.grad = self._space.gradient
        self.parameters = [self._flat]
        self.prunable = layout.split(self._flat.detach())[0]

    def gradients(self, x: Tensor, target: Tensors, loss: Loss, progress: float) -> float:
        """The loss of a step, its gradients left in the parameters."""
        value, gradient = loss_gradient(self._space.forward(x, self._flat), target, loss)
        self._space.backward(gradient)
        return value

    @torch.no_grad()
    def finish(self) -> None:
        """Give the parameters back to the network."""
        for p, values in zip(self._own, self._flat.split([p.numel() for p in self._own]), strict=True):
            p.copy_(values.view(p.shape))
