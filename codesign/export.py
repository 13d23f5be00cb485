"""From a trained Brevitas network to a :class:`~codesign.design.Design`, and Brevitas' own execution of it."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.design import Design
from codesign.fixedpoint import InputQuantisation
from codesign.graph.ports import design_of_graph
from codesign.graph.reference import qonnx_codes
from codesign.models.network import Network

__all__ = ("brevitas_codes", "export", "qonnx_codes")


def export(
    network: Network, input_quantisation: InputQuantisation, outputs: tuple[str, ...], trigger: str | None = None
) -> Design:
    """Export a folded network to QONNX and derive the types of its outputs by interval arithmetic.

    ``trigger`` names the output that the firmware compares with a programmable threshold.
    UnsupportedError where the graph is not exact (a scale that is no power of two, an accumulator beyond float32).
    """
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # deprecations inside torch.onnx and Brevitas, which the user cannot act on
        from brevitas.export.onnx.qonnx.manager import QONNXManager

        from codesign.graph.clean import cleaned

        # onnxoptimizer cannot read this IR, does nothing and says so; QONNX' own clean-up does what is needed
        manager: Any = type("Manager", (QONNXManager,), {"run_onnx_passes": False})
        exported = manager.export(
            network,
            args=torch.zeros(1, input_quantisation.port.size),
            dynamo=False,  # the TorchScript exporter is ten times faster
            input_names=["features"],
            output_names=["scores"],
            dynamic_axes={"features": {0: "events"}, "scores": {0: "events"}},
        )
        model = cleaned(exported)
    model.graph.name = "codesign"
    model.producer_name, model.producer_version, model.doc_string = "codesign", "", ""
    content = model.SerializeToString(deterministic=True)
    return design_of_graph(content, input_quantisation, outputs, trigger)


def brevitas_codes(network: Network, design: Design, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Run the Brevitas network on input codes (events, n); output codes (events, m)."""
    with torch.no_grad():
        values = network(torch.as_tensor(design.inputs.values(codes), dtype=torch.float32, device=network.device))
    return design.outputs.codes(values.cpu().numpy().astype(np.float64))


class _quiet:
    """Silence the exporters' own logging for the time of an export."""

    def __enter__(self) -> None:
        self._level = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self._level)
