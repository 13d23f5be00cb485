"""What a family of quantised networks must offer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from pydantic import BaseModel

from codesign.plugins import PlugIn
from codesign.space import Choose

if TYPE_CHECKING:
    import torch

    from codesign.models.network import Network

__all__ = ("Choose", "Family")


class Family(PlugIn):
    """A family of networks: its search space, its configuration, and how to build one.

    Where one training gives several candidates, :meth:`shared` says so, and :meth:`front` and :meth:`pick` do it.
    """

    kind = "families"
    name: str
    #: pydantic model of the study's ``space`` section; each field is a dimension
    space: type[BaseModel]
    #: pydantic model of one candidate
    config: type[BaseModel]

    @abstractmethod
    def suggest(self, space: BaseModel, choose: Choose) -> BaseModel:
        """Draw a candidate from the space, dimension by dimension (conditional dimensions included)."""

    @abstractmethod
    def build(self, config: BaseModel, inputs: int, outputs: int) -> Network:
        """Build the untrained network; input and output are values, (events, n) to (events, m)."""

    @abstractmethod
    def input_bits(self, config: BaseModel) -> int:
        """Width in bits of each input, the sign included."""

    @abstractmethod
    def ebops(self, config: BaseModel, inputs: int, outputs: int) -> float:
        """Effective bit operations expected of a candidate before it is trained (arXiv 2405.00645): the sum over the
        weights that pruning leaves of weight bits times activation bits."""

    def sparsity(self, config: BaseModel) -> float:
        """Share of the prunable weights that training sets to zero, by magnitude."""
        return 0.0

    def shared(self, config: BaseModel) -> BaseModel | None:
        """A configuration that all candidates of one training have in common; None where each has its own training."""
        return None

    def front(
        self,
        config: BaseModel,
        x: tuple[NDArray[Any], NDArray[Any]],
        y: tuple[NDArray[Any], NDArray[Any]],
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        *,
        outputs: int,
        epochs: int,
        batch: int,
        learning_rate: float,
        seed: int,
    ) -> Mapping[str, bytes]:
        """That training, on pairs of arrays of the training and the validation split, as files of plain data."""
        raise NotImplementedError(f"{self.name} shares no training")

    def pick(self, config: BaseModel, files: Mapping[str, bytes], inputs: int, outputs: int) -> Network:
        """The folded network of these files that ``config`` means."""
        raise NotImplementedError(f"{self.name} shares no training")

    def parameter(self, config: Mapping[str, Any], name: str) -> Any:
        """What the dimension ``name`` of the space has to be for :meth:`suggest` to give ``config``; else KeyError.

        By the names of the configuration's entries: ``widths_2``, ``weight_bits_head``, ``depth``.
        """
        if name in config:
            return config[name]
        if name == "depth":
            return len(config["widths"])
        if name == "bits":  # one for the whole network
            return config["weight_bits"][0]
        base, _, place = name.rpartition("_")
        for entry in (base, f"{base}s"):
            if isinstance(config.get(entry), list):
                return config[entry][-1 if place == "head" else int(place)]
        raise KeyError(name)
