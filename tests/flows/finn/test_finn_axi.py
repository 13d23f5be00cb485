"""FINN's RTL in the AXI4-Stream wrapper: packets keep their ends, whoever stalls and whenever it is reset."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.finn.flow import FinnSettings
from codesign.verify.axi_simulation import episodes_for, first_difference, simulate_axi
from codesign.verify.rtl import verify
from tests.flows.finn.small_networks import small


def test_every_event_of_packets_with_random_stalls_and_resets(finn, tmp_path):
    design = small(seed=3)
    firmware = finn.compile(design, load_target("vu13p-360"), tmp_path / "fw", FinnSettings(initiation_interval=4))
    codes = np.concatenate([probe_codes(design.inputs)] * 2)[:2400]
    episodes = episodes_for(len(codes))
    received = simulate_axi(firmware, codes, episodes, tmp_path / "w")
    assert first_difference(episodes, received, finn.predict(firmware, codes)) is None
    assert all(r.events_in > r.events_out > 0 for r in received[1:3])  # resets met events inside
    assert received[3].waits_in > 100
    assert received[3].waits_out > 10


@pytest.mark.slow  # compiles a run-time library of its own, once
def test_waves_of_rtl_with_handshakes(finn, tmp_path):
    design = small(seed=3)
    firmware = finn.compile(design, load_target("vu13p-360"), tmp_path / "fw", FinnSettings(initiation_interval=4))
    codes = probe_codes(design.inputs)[:40]
    assert verify(firmware, codes, {"finn": finn.predict(firmware, codes)}, tmp_path / "w", waves="vcd").exact
    assert "m_axis_tdata" in (tmp_path / "w" / "dump.vcd").read_text()


@pytest.mark.slow
def test_a_million_events(finn, tmp_path):
    design = small(seed=3)
    firmware = finn.compile(design, load_target("vu13p-360"), tmp_path / "fw", FinnSettings(initiation_interval=1))
    codes = np.tile(probe_codes(design.inputs), (400, 1))[:1_000_000]
    reference = np.tile(finn.predict(firmware, probe_codes(design.inputs)), (400, 1))[:1_000_000]
    episodes = episodes_for(len(codes), seed=3)
    received = simulate_axi(firmware, codes, episodes, tmp_path / "w", seed=3)
    assert first_difference(episodes, received, reference) is None
