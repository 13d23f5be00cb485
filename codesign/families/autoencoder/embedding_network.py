"""The Brevitas network of the family ``embedding-autoencoder``: an encoder that learns by itself, and an autoencoder of
what it gives, as in versions 5 and 6 of CMS' AXOL1TL."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from codesign.families.autoencoder.config import EmbeddingConfig
from codesign.families.autoencoder.event_views import EventViews, vicreg
from codesign.families.autoencoder.network import ReproducingNetwork
from codesign.training.brevitas_quantisers import activation_scale, set_activation_range
from codesign.training.fused_modules import half_up
from codesign.training.network import Loss, Phase, Tensors

__all__ = ("QuantEmbedding",)

_EMBEDDING, _BOTTLENECK = Phase("embedding", 1.0), Phase("bottleneck", 1.0)


class QuantEmbedding(ReproducingNetwork):
    """Encoder, embedding, autoencoder of that, and the sum of its squared errors. Values, (events, n) to (events, 1).

    In the first half of the epochs the encoder learns alone: that two views of an event have one embedding, and two
    events do not (VICReg, through a head that is for training only). In the second the autoencoder learns to reproduce
    the embedding, which it does not move; the encoder goes on by itself, and recovers from what is pruned of it.
    """

    config: EmbeddingConfig

    def __init__(self, config: EmbeddingConfig, names: tuple[str, ...]) -> None:
        super().__init__(config, len(names), config.sizes)
        self._encoder = len(config.widths) + 1
        wide = 4 * config.embedding
        self.head = nn.Sequential(nn.Linear(config.embedding, wide), nn.ReLU(), nn.Linear(wide, wide))
        self._views, self._phase = EventViews(names), _BOTTLENECK
        self._sample: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Brevitas' own computation: what is exported."""
        return self._score(half_up(self.squared, self._error(self.input(x) * self.gain), self.folded))

    def _embed(self, x: Tensor) -> Tensor:
        return self._hidden(x, self._encoder)

    def _reproduce(self, embedding: Tensor) -> Tensor:
        x = embedding
        for linear, activation in zip(self.linears[self._encoder : -1], self.activations[self._encoder :], strict=True):
            x = half_up(activation, linear(x), self.folded)
        return self.linears[-1](x)  # type: ignore[no-any-return]

    def _error(self, x: Tensor) -> Tensor:
        embedding = self._embed(x)
        return embedding - self._reproduce(embedding)

    def phases(self) -> Sequence[Phase]:
        """The embedding, then the bottleneck."""
        return (_EMBEDDING, _BOTTLENECK)

    @torch.no_grad()
    def enter(self, phase: Phase) -> None:
        """The autoencoder's ranges are those of the embedding that it is given."""
        self._phase = phase
        if phase is not _BOTTLENECK or self._sample is None:
            return
        x = self._embed(self._sample * self.gain)
        for linear, activation in zip(self.linears[self._encoder : -1], self.activations[self._encoder :], strict=True):
            x = linear(x)
            top = torch.quantile(x.flatten()[:100_000].clamp_min(0), 0.999).item()
            set_activation_range(activation, max(top, 2.0**-8))
            x = activation(x + 0.5 * activation_scale(activation))

    def match(self, x: Tensor, target: Tensors) -> None:
        """Each input's power of two, and what events are like."""
        super().match(x, target)
        self._views.fit(x)

    def calibrate(self, x: Tensor, quantile: float = 0.999) -> None:
        """Set each hidden activation's range, layer by layer, from the batch ``x`` (events, n)."""
        super().calibrate(x, quantile)
        self._sample = x

    def objective(self, x: Tensor, target: Tensors, loss: Loss) -> Tensor:
        """Of the encoder, and from the second phase on of the autoencoder as well, in units of the embedding's own
        variance."""
        with self.shortcut():
            one, other = (self.head(self._embed(self._views.draw(x) * self.gain)) for _ in range(2))
            value = vicreg(one, other)
            if self._phase is _EMBEDDING:
                return value
            embedding = self._embed(x * self.gain).detach()
            return value + loss(self._reproduce(embedding), embedding) / embedding.var().clamp_min(1e-6)

    @torch.no_grad()
    def fold(self) -> None:
        """Fold half an LSB of every quantiser into the bias in front of it, exactly, as an autoencoder of inputs does:
        what is reproduced is on the grid of the embedding."""
        if self.folded:
            return
        lsb = self._fold_hidden(len(self.activations))
        head, scale = self.linears[-1], activation_scale(self.squared).double()
        embedding = activation_scale(self.activations[self._encoder - 1]).double()
        grid = torch.minimum(self._grid(len(self.activations), lsb, scale), embedding)
        head.bias.copy_(-torch.floor((scale / 2 - head.bias.double()) / grid) * grid)
        self.folded = True
