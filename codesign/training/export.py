"""From a trained Brevitas network to a :class:`~codesign.core.design.Design`, and Brevitas' own execution of it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import InputQuantisation, Port
from codesign.core.layout import FEATURES
from codesign.graph.ports import output_types, port_of_heads
from codesign.graph.reference import qonnx_codes
from codesign.tasks.heads import Head
from codesign.training.network import Network

__all__ = ("brevitas_codes", "export", "qonnx_codes")


def export(
    network: Network,
    input_quantisation: InputQuantisation,
    outputs: tuple[str, ...],
    trigger: str | None = None,
    heads: Sequence[Head] = (),
) -> Design:
    """Export a folded network to QONNX and derive the types of its outputs by interval arithmetic.

    ``heads``: where the network gives a tensor for each, the graph's outputs have their names. ``trigger`` names the
    output that the firmware compares with a programmable threshold.
    UnsupportedError where the graph is not exact (a scale that is no power of two, an accumulator beyond float32), or
    the network takes other blocks or gives other outputs.
    """
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # deprecations inside torch.onnx and Brevitas, which the user cannot act on
        from brevitas.export.onnx.qonnx.manager import QONNXManager

        from codesign.graph.clean import clean_model

        # onnxoptimizer cannot read this IR, does nothing and says so; QONNX' own clean-up does what is needed
        manager: Any = type("Manager", (QONNXManager,), {"run_onnx_passes": False})
        inputs, given = _inputs_of(network, input_quantisation.port)
        named, module = _heads_of(network, given, outputs, heads)
        exported = manager.export(
            module,
            args=given if len(given) > 1 else given[0],
            dynamo=False,  # the TorchScript exporter is ten times faster
            autograd_inlining=False,  # what a Function of ours computes is not looked into: it says what it is
            input_names=inputs,
            output_names=list(named),
            dynamic_axes={name: {0: "events"} for name in (*inputs, *named)},
        )
        model = clean_model(exported)
    model.graph.name = "codesign"
    model.producer_name, model.producer_version, model.doc_string = "codesign", "", ""
    content = model.SerializeToString(deterministic=True)
    types = output_types(content, input_quantisation.port)
    return Design(content, input_quantisation, port_of_heads(named, types), trigger)


def _inputs_of(network: Network, port: Port) -> tuple[list[str], tuple[torch.Tensor, ...]]:
    """Names of the graph's inputs, one for each block, and what the network is given of one event."""
    shapes = tuple(block.shape for block in port.blocks)
    if network.shapes and network.shapes != shapes:
        raise UnsupportedError(
            f"the network {type(network).__name__} takes blocks of shape {_show(network.shapes)}, and is to "
            f"see {', '.join(b.name for b in port.blocks)} of shape {_show(shapes)}: choose another view or family"
        )
    names = [FEATURES] if port.is_flat else [block.name for block in port.blocks]
    return names, tuple(torch.zeros(1, *shape) for shape in shapes)


def _heads_of(
    network: Network, given: tuple[torch.Tensor, ...], outputs: tuple[str, ...], heads: Sequence[Head]
) -> tuple[dict[str, tuple[str, ...]], torch.nn.Module]:
    """By the name of each head of the network, the names of its outputs; and what gives a tensor for each."""
    flat = not network.shapes and (len(given) > 1 or given[0].dim() > 2)
    module: torch.nn.Module = _Flattened(network) if flat else network
    with torch.no_grad():
        found = module(*given)
    parts = found if isinstance(found, tuple) else (found,)
    sizes = [part.shape[1] for part in parts]
    if sum(sizes) != len(outputs):
        raise UnsupportedError(
            f"the network {type(network).__name__} has {sum(sizes)} outputs, and {len(outputs)} are to be learned: "
            f"{', '.join(outputs[:20])}"
        )
    wanted = [len(head.outputs) for head in heads]
    if len(wanted) > 1 and not isinstance(found, tuple):
        sizes, module = wanted, _Divided(module, wanted)
    if len(sizes) == 1:
        return {"scores": outputs}, module
    if heads and sizes != wanted:
        raise UnsupportedError(
            f"the network {type(network).__name__} gives {sizes} outputs, and what is learned has "
            f"{', '.join(f'{head.name} ({len(head.outputs)})' for head in heads)}: one tensor for each, in this order"
        )
    names = [head.name for head in heads] or [f"scores_{i}" for i in range(len(sizes))]
    ends = accumulate(sizes, initial=0)
    return {name: outputs[low:high] for name, (low, high) in zip(names, pairwise(ends), strict=True)}, module


class _Flattened(torch.nn.Module):
    """A network of flat inputs, which is given blocks of any shape, one after another."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, *blocks: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        flat = [block.flatten(1) if block.dim() > 2 else block for block in blocks]
        return self.network(flat[0] if len(flat) == 1 else torch.cat(flat, dim=1))  # type: ignore[no-any-return]


class _Divided(torch.nn.Module):
    """A network of one tensor, which gives that of each head."""

    def __init__(self, network: torch.nn.Module, sizes: list[int]) -> None:
        super().__init__()
        self.network, self.sizes = network, sizes

    def forward(self, *blocks: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.network(*blocks).split(self.sizes, dim=1)  # type: ignore[no-any-return]


def _show(shapes: tuple[tuple[int, ...], ...]) -> str:
    return ", ".join("(" + ", ".join(map(str, shape)) + ")" for shape in shapes)


def brevitas_codes(network: Network, design: Design, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Run the Brevitas network on input codes (events, n); output codes (events, m)."""
    with torch.no_grad():
        values = network.of_flat(
            torch.as_tensor(design.inputs.values(codes), dtype=torch.float32, device=network.device)
        )
    return design.outputs.codes(values.cpu().numpy().astype(np.float64))


class _quiet:
    """Silence the exporters' own logging for the time of an export."""

    def __enter__(self) -> None:
        self._level = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self._level)
