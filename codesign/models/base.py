"""What a family of quantised networks must offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel

from codesign.space import Choose

if TYPE_CHECKING:
    import torch

__all__ = ("Choose", "Family", "Network")


class Network(Protocol):
    """What :meth:`Family.build` returns: a torch module whose ``forward`` is Brevitas' own, and what training calls.

    More is used where a network has it: ``objective(x, target, loss)``, its own training objective, a scalar, instead
    of ``loss(network.fused(x), target)``; ``match(x, target)``, called before the first step with all training events,
    and ``settle(x)``, called after the last; ``prunable``, the weights that may be pruned where not all may;
    ``penalty(progress)``, a price added to the objective while progress goes from 0 to 1; ``twin(events)``, a
    :class:`codesign.training.Twin`, which takes the place of ``fused``, ``objective`` and ``penalty`` in training
    (unless ``twin`` is None); and ``input_quantisation(base)``, the quantisation of the inputs that it learned on the
    grid of ``base`` (then ``ebops()`` says what it came to).
    """

    #: set once :meth:`fold` was called, and by whoever loads the weights of a folded network
    folded: bool

    def fused(self, x: torch.Tensor) -> torch.Tensor:
        """The numbers and gradients of ``forward`` before :meth:`fold`, in fewer operations; may be ``forward``."""

    def calibrate(self, x: torch.Tensor) -> None:
        """Set the ranges of activations from a batch (events, n), before the first step."""

    def fold(self) -> None:
        """Make the network the exact function that is exported: roundings into biases, biases onto their grid."""


class Family(Protocol):
    """A family of networks: its search space, its configuration, and how to build one.

    Where one training gives several candidates, a family has three methods more. ``shared(config)``: a configuration
    that all candidates of one training have in common, or None. ``front(config, x, y, loss, outputs=, epochs=, batch=,
    learning_rate=, seed=)``: that training, on pairs of arrays of the training and the validation split, as files of
    plain data by name. ``pick(config, files, inputs, outputs)``: the folded network of them that ``config`` means.
    """

    name: str
    #: pydantic model of the study's ``space`` section; each field is a dimension
    space: type[BaseModel]
    #: pydantic model of one candidate
    config: type[BaseModel]

    def suggest(self, space: BaseModel, choose: Choose) -> BaseModel:
        """Draw a candidate from the space, dimension by dimension (conditional dimensions included)."""

    def build(self, config: BaseModel, inputs: int, outputs: int) -> torch.nn.Module:
        """Build the untrained :class:`Network`; input and output are values, (events, n) to (events, m)."""

    def input_bits(self, config: BaseModel) -> int:
        """Width in bits of each input, the sign included."""

    def ebops(self, config: BaseModel, inputs: int, outputs: int) -> float:
        """Effective bit operations expected of a candidate before it is trained (arXiv 2405.00645): the sum over the
        weights that pruning leaves of weight bits times activation bits."""
