"""What is learned at once: heads, each some outputs of a model with an objective of their own, and its weight."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

from pydantic import JsonValue

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ("OBJECTIVES", "Head", "LossObjective", "TorchLoss", "WeightedTorchLoss", "require_heads")

#: outputs (events, m) and target of a batch to a scalar, the mean over its events
TorchLoss: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
#: the same with the weights of the events, (events,)
WeightedTorchLoss: TypeAlias = "Callable[[Tensor, Tensor, Tensor], Tensor]"

#: names of objectives that any family can read
OBJECTIVES = ("cross-entropy", "squared", "quantile", "reconstruction", "own")


@dataclass(frozen=True)
class LossObjective:
    """What is made smaller: a name that any family can read, and where it is the task's own, its function for torch.

    ``name``:

    - ``cross-entropy``: the target, (events,) int64, is the index of the output that shall be largest;
    - ``squared``: (events, m) or (events,), a number per output;
    - ``quantile``: (events,), a number, of which the outputs are the ``quantiles``, one each: the pinball loss (Koenker
      and Bassett, Econometrica 46 (1978) 33);
    - ``reconstruction``: (events, n), a number per input, which the network reproduces;
    - ``own``: only ``function`` says what it is.

    A family that cannot do with a name says so in :meth:`codesign.families.base.Family.can`. ``weighted``: the function
    of events with weights; needed where ``function`` is no mean over events, for any other it follows.
    """

    name: str
    function: TorchLoss | None = field(default=None, compare=False)
    quantiles: tuple[float, ...] = ()
    weighted: WeightedTorchLoss | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """ValueError where the name and the rest do not belong together."""
        if (self.name == "quantile") != bool(self.quantiles):
            raise ValueError(
                f"the objective '{self.name}' has the quantiles {self.quantiles}: those of 'quantile' alone"
            )
        if not all(0 < q < 1 for q in self.quantiles) or sorted(set(self.quantiles)) != list(self.quantiles):
            raise ValueError(f"quantiles are numbers between 0 and 1, rising, not {self.quantiles}")
        if (self.name == "own") != (self.function is not None):
            raise ValueError(f"the objective '{self.name}': a function is of the objective 'own', and it needs one")
        if self.weighted is not None and self.function is None:
            raise ValueError("an objective with a function of weighted events has one of events without")

    def record(self) -> dict[str, JsonValue]:
        """Plain JSON for a key; what the function does is known by the hash of its code."""
        return {"name": self.name, "quantiles": list(self.quantiles)}


@dataclass(frozen=True)
class Head:
    """Some outputs of a model: their names, what they learn, and its weight in the sum of all heads' losses."""

    name: str
    outputs: tuple[str, ...]
    objective: LossObjective
    weight: float = 1.0

    def __post_init__(self) -> None:
        """ValueError where it has no outputs, another number than its objective needs, or a weight that is none."""
        if not self.name.isidentifier() or not self.name.isascii():
            raise ValueError(f"'{self.name}' is no name of a head: letters, digits and underscores, as in flavour")
        if not self.outputs:
            raise ValueError(f"the head '{self.name}' has no outputs")
        quantiles = self.objective.quantiles
        if quantiles and len(quantiles) != len(self.outputs):
            raise ValueError(f"the head '{self.name}' has {len(self.outputs)} outputs of {len(quantiles)} quantiles")
        if not (isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"the head '{self.name}' has the weight {self.weight}: expected a number of at least 0")

    def record(self) -> dict[str, JsonValue]:
        """Plain JSON for a key: all of it."""
        return {
            "name": self.name,
            "outputs": list(self.outputs),
            "objective": self.objective.record(),
            "weight": self.weight,
        }


def require_heads(heads: Iterable[Head]) -> tuple[Head, ...]:
    """The heads; ValueError where there are none, two have one name, or nothing of them is learned."""
    found = tuple(heads)
    for what, names in (
        ("heads", [head.name for head in found]),
        ("outputs", [output for head in found for output in head.outputs]),
    ):
        if not names or len(set(names)) < len(names):
            raise ValueError(f"the {what} are {', '.join(names) or 'none'}: expected at least one, each with its name")
    if not any(head.weight for head in found):
        raise ValueError(f"no head has a weight above 0: {', '.join(head.name for head in found)}")
    return found
