"""The suite that every family of torch networks passes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from codesign.families.torch_family import TorchFamily
from codesign.testing.cases import untrained_design
from codesign.testing.drawing import highest, lowest
from codesign.testing.family_tests import FamilyTests
from codesign.testing.nonconformity import must
from codesign.training.export import brevitas_codes

__all__ = ("TorchFamilyTests",)


class TorchFamilyTests(FamilyTests):
    """What :class:`codesign.testing.FamilyTests` tries, and the networks before any training."""

    def test_networks_are_exact(self, family: TorchFamily, space: Mapping[str, Any]) -> None:
        """Calibrated, folded and exported: Brevitas, QONNX and exact arithmetic give the same integers."""
        for draw in (lowest, highest):
            config, _ = self._drawn(family, space, draw)
            network, design = untrained_design(family, config, self.outputs, self.inputs, blocks=self.blocks)
            must(network.folded, f"{family.name}: a network that was folded does not say so")
            must(
                design.outputs.size == self.outputs,
                f"{family.name}: has {design.outputs.size} outputs, not those asked",
            )
            self._exact(family, {"Brevitas": partial(brevitas_codes, network, design)}, design)
            before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
            network.fold()
            must(_same(before, network.state_dict()), f"{family.name}: folded a second time it is another network")


def _same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())
