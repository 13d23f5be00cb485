"""A module of a folded design is tried on what its ports can carry, not only on what some events bring to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from codesign.core.fixedpoint import FixedPoint
from codesign.core.targets import load_target
from codesign.flows.alkaid import folded_modules
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings
from codesign.testing.graphs import design_of
from tests.graph.everywhere import exact_codes

#: a trained deep set of 16 items, of whose item alkaid 0.8.2's canonicalize_msb_wraps makes another function
NETWORK = Path(__file__).parent / "files" / "wraps_of_an_item.onnx"


def wrong_events(folder: Path) -> int:
    design = design_of(NETWORK.read_bytes(), FixedPoint(signed=True, integer_bits=2, fraction_bits=2), 96)
    settings = AlkaidSettings.model_validate({"interval": 4})
    firmware = Alkaid().compile(design, load_target("vu13p-360"), folder / "firmware", settings)
    codes = np.random.default_rng(1).integers(-16, 16, (2000, 96))
    return int((Alkaid().predict(firmware, codes) != exact_codes(design, codes)).any(axis=1).sum())


def test_a_pass_that_is_wrong_for_few_items_is_left_out(tmp_path: Path) -> None:
    assert wrong_events(tmp_path) == 0


def test_without_trying_all_it_would_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folded_modules, "_carried", lambda kinds: np.zeros((0, len(kinds))))
    assert wrong_events(tmp_path) > 100


def test_ports_of_few_bits_carry_all_their_codes() -> None:
    kinds = [
        FixedPoint(signed=True, integer_bits=1, fraction_bits=2),
        FixedPoint(signed=False, integer_bits=2, fraction_bits=0),
        FixedPoint(signed=False, integer_bits=0, fraction_bits=0),
    ]
    values = folded_modules._carried(kinds)
    assert values.shape == (64, 3)
    assert len(np.unique(values, axis=0)) == 64
    assert values.min(axis=0).tolist() == [-2, 0, 0]
    assert values.max(axis=0).tolist() == [1.75, 3, 0]
