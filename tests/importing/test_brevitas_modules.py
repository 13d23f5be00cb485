"""Modules of Brevitas: the usual ones are taken and exact, others refused by the name of their layer."""

from __future__ import annotations

import pytest
import torch

import codesign
from codesign.core.errors import InputError, UnsupportedError
from tests.importing.brevitas_kinds import KINDS, built

FEW = ("fixed point per channel", "Softmax at the end", "bipolar activations", "QuantLSTM")


def check(name: str) -> None:
    kind = KINDS[name]
    module, example = built(kind)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    if kind.refused:
        with pytest.raises(UnsupportedError, match=kind.refused):
            codesign.import_model(module, example_input=example)
        return
    report = codesign.import_model(module, example_input=example).report
    (agreement,) = report.agreement
    assert agreement.runner.startswith("brevitas")
    assert agreement.tried > 1000
    assert agreement.equal + agreement.explained == agreement.tried
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert ("bias is not quantised" in " ".join(report.notes)) == (name in ("float bias", "BatchNorm merged"))


@pytest.mark.parametrize("name", FEW)
def test_some_kinds(name: str) -> None:
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in KINDS if n not in FEW])
def test_every_other_kind(name: str) -> None:
    check(name)


def test_the_list_has_what_is_usual() -> None:
    assert len(KINDS) >= 29
    assert sum(not k.refused for k in KINDS.values()) >= 22


def test_a_module_needs_an_example() -> None:
    module, example = built(KINDS["fixed point per tensor"])
    with pytest.raises(InputError, match="example_input"):
        codesign.import_model(module)
    with pytest.raises(InputError, match="does not take the example_input"):
        codesign.import_model(module, example_input=torch.zeros(1, 7))
    assert example.shape == (1, 4)
