"""Integers of the Level-1 trigger: round trips, saturation, and the values that the scales state."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.physics.events.l1_scales import SCALES, hardware, physical


@pytest.mark.parametrize("kind", SCALES)
def test_codes_survive(kind: str) -> None:
    scale = SCALES[kind]
    pt = np.arange(scale.pt_zero, scale.pt_most + 1)
    np.testing.assert_array_equal(hardware(kind, "pt", physical(kind, "pt", pt)), pt)
    phi = np.arange(scale.phi_codes)
    angles = physical(kind, "phi", phi)
    assert (angles >= np.float32(-np.pi)).all()
    assert (angles < np.float32(np.pi)).all()
    np.testing.assert_array_equal(hardware(kind, "phi", angles), phi)
    eta = np.arange(-(1 << scale.eta_bits - 1), 1 << scale.eta_bits - 1)
    np.testing.assert_array_equal(hardware(kind, "eta", physical(kind, "eta", eta)), eta)


def test_stated_values() -> None:
    assert physical("L1Jet", "pt", 2047) == 1023.5
    assert hardware("L1Jet", "pt", [0.0, 0.49, 0.5, 180.0, 5000.0, -1.0][3]) == 360
    np.testing.assert_array_equal(
        hardware("L1Jet", "pt", np.array([0.49, 0.5, 0.99, 1023.5, 5000.0, -1.0])), [0, 1, 1, 2047, 2047, 0]
    )
    assert hardware("L1EG", "pt", 400.0) == 511
    assert hardware("L1EtSum", "pt", 5000.0) == 4095
    assert hardware("L1Mu", "pt", 0.0) == 1
    assert physical("L1Mu", "pt", 0) == 0
    assert physical("L1Mu", "pt", 45) == 22
    assert physical("L1Jet", "eta", -60) == pytest.approx(-2.61)
    assert physical("L1Mu", "eta", 200) == pytest.approx(2.175)
    assert physical("L1Jet", "phi", 72) == pytest.approx(-np.pi)
    assert hardware("L1Jet", "phi", -np.pi / 2) == 108
    assert hardware("L1Mu", "phi", 2 * np.pi) == 0


@given(st.floats(-10, 10), st.floats(0, 3000), st.floats(-5, 5))
def test_nearest(phi: float, pt: float, eta: float) -> None:
    back = float(physical("L1Jet", "phi", hardware("L1Jet", "phi", phi)))
    assert abs(np.angle(np.exp(1j * (back - phi)))) <= np.pi / 144 + 1e-6
    code = int(hardware("L1Jet", "pt", pt))
    assert code * 0.5 <= pt
    assert pt < code * 0.5 + 0.5 or code == 2047
    assert abs(float(physical("L1Jet", "eta", hardware("L1Jet", "eta", eta))) - eta) <= 0.0435 / 2 + 1e-6


def test_lists() -> None:
    codes = ak.Array([[10, 2047], [], [0]])
    assert physical("L1Jet", "pt", codes).to_list() == [[5.0, 1023.5], [], [0.0]]
    assert hardware("L1Jet", "pt", physical("L1Jet", "pt", codes)).to_list() == codes.to_list()
