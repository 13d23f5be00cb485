"""What every way to a design ends in: a model that was trained, here or elsewhere, as an exact integer function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design

__all__ = ("WEIGHTS", "Reference", "Trained")

#: the file of a network's parameters
WEIGHTS = "weights.safetensors"
#: input codes (events, inputs) to output codes (events, outputs), both int64
Reference: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.int64]]


class Trained(ABC):
    """A trained model: a torch network, boosted trees, or a file of somebody else's. Nothing after it knows which."""

    @abstractmethod
    def design(self) -> Design:
        """The model as an exact integer function with typed ports; UnsupportedError where it has none."""

    def references(self) -> Mapping[str, Reference]:
        """By name ("Brevitas", "Keras", "XGBoost"), the source's own execution, which every domain must equal."""
        return {}

    def cost(self) -> float | None:
        """Effective bit operations of the model where training decided them; None where its candidate knew before."""
        return None

    @abstractmethod
    def files(self) -> Mapping[str, bytes]:
        """By name, plain data from which the model is loaded again. Nothing in it is ever run or unpickled."""

    @abstractmethod
    def tools(self) -> Mapping[str, str]:
        """By name, the version of each tool that had a part in the model."""
