"""Layer after layer of a model into a graph: what was read of each, and all that could not be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codesign.core.errors import UnsupportedError
from codesign.importing.keras.graph_writer import GraphWriter, WrittenSignal
from codesign.importing.keras.layer_reader import LayerCall, LayerReader, read_layer

__all__ = ("LayerWalk",)


class _Refused(WrittenSignal):
    """What a layer that cannot be read would give."""


@dataclass
class LayerWalk:
    """A graph in the making; ``layers`` in order of execution, as :class:`~.keras_process.ReadLayer`."""

    graph: GraphWriter
    readers: Mapping[str, LayerReader]
    layers: list[dict[str, Any]] = field(default_factory=list)
    _obstacles: list[str] = field(default_factory=list)

    def step(
        self,
        operation: Any,
        signals: tuple[WrittenSignal, ...],
        shape: tuple[int, ...],
        others: tuple[Any, ...] = (),
        named: Mapping[str, Any] | None = None,
    ) -> WrittenSignal:
        """Write a layer; ``shape`` is what Keras says comes out, without the events' axis. One that cannot be read is
        noted, and so is none that follows it."""
        name = type(operation).__name__
        if any(isinstance(s, _Refused) for s in signals):
            return _Refused("", shape)
        before = (self.graph.weights, self.graph.nonzero)
        try:
            out = read_layer(LayerCall(operation, signals, self.graph, self.readers, others, named))
            if out.shape != shape:
                raise UnsupportedError(f"read as {out.shape}, where Keras has {shape}")
        except UnsupportedError as error:
            self.refuse(operation, str(error))
            return _Refused("", shape)
        self.layers.append(
            {
                "name": str(operation.name)[:80],
                "kind": name,
                "weights": self.graph.weights - before[0],
                "nonzero": self.graph.nonzero - before[1],
                "ebops": _ebops(operation),
            }
        )
        return out

    def refuse(self, operation: Any, reason: str) -> None:
        """Note why a layer cannot be read."""
        self._obstacles.append(f"layer '{str(operation.name)[:80]}' ({type(operation).__name__}): {reason}")

    def finish(self) -> None:
        """UnsupportedError with every layer that could not be read."""
        if self._obstacles:
            raise UnsupportedError("; ".join(self._obstacles))


def _ebops(layer: Any) -> int | None:
    """Bit operations that HGQ2 has counted in training."""
    try:
        return int(layer.ebops) if getattr(layer, "enable_ebops", False) else None
    except Exception:  # of a layer that keeps none
        return None
