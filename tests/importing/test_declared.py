"""Declared input types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.importing.declared import DeclaredInputs, declared_inputs, fixed_point


def test_types_are_read() -> None:
    assert str(fixed_point("fixed<8,3>")) == "fixed<8,3>"
    assert str(fixed_point("ap_ufixed<8, 0>")) == "ufixed<8,0>"
    assert fixed_point("fixed<4,-2>").minimum == -8


@pytest.mark.parametrize("text", ["float", "fixed<0,0>", "fixed<25,3>", "fixed<8>", "fixed<8,3>;rm"])
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="type"):
        declared_inputs({"type": text})


def test_a_file_names_fields_units_and_physical_scales(tmp_path: Path) -> None:
    path = tmp_path / "types.yaml"
    path.write_text("type: fixed<8,4>\nfields:\n- {name: pt, type: 'ufixed<10,8>', unit: GeV, scale: 2.0}\n- eta\n")
    declared = declared_inputs(path)
    assert declared is not None
    assert declared.typed
    quantisation = declared.quantisation(2)
    assert quantisation.features == ("pt", "eta")
    assert quantisation.units == ("GeV", "1")
    assert quantisation.step == (0.5, 0.0625)
    # the model sees pt / 2
    assert quantisation.port.values(quantisation.codes(np.array([[6.0, 1.0]]))).tolist() == [[3.0, 1.0]]


def test_fields_of_items_are_repeated_and_a_wrong_number_is_refused() -> None:
    declared = DeclaredInputs.model_validate({"type": "fixed<8,4>", "fields": ["pt", "eta"]})
    assert declared.quantisation(6, 3).features == ("pt_0", "eta_0", "pt_1", "eta_1", "pt_2", "eta_2")
    with pytest.raises(InputError, match="lists 2 fields, and the model has 5 inputs"):
        declared.quantisation(5)


@pytest.mark.parametrize(
    "data",
    [
        {"types": "fixed<8,3>"},
        {"fields": ["a", "a"]},
        {"fields": [{"name": "a", "scale": 0.0}]},
        {"fields": [{"x": 1}]},
    ],
)
def test_other_keys_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        declared_inputs(data)
