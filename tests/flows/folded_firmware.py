"""Folded firmware, compiled and simulated: what the tests of it share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from codesign.core.design import Design
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings
from codesign.rtl.firmware import Firmware
from codesign.verify.rtl import verify
from tests.graph.everywhere import exact_codes

TARGET = load_target("vu13p-360")


def compiled(design: Design, folder: Path, interval: int, transport: str | None = None) -> Firmware:
    """Firmware of the design in at most so many clocks an event, in ``folder``."""
    settings = AlkaidSettings.model_validate({"interval": interval, "transport": transport})
    return Alkaid().compile(design, TARGET, folder / "firmware", settings)


def checked(firmware: Firmware, folder: Path, events: int = 60):
    """The verdict of random and extreme codes, which the flow's own model gives too."""
    codes = probe_codes(firmware.design.inputs, events)
    truth = exact_codes(firmware.design, codes)
    assert np.array_equal(Alkaid().predict(firmware, codes), truth)
    assert Alkaid().predict(firmware, codes[:0]).shape == (0, truth.shape[1])
    assert len(np.unique(truth, axis=0)) > 5
    return verify(firmware, codes, {"exact": truth}, folder / "simulation")
