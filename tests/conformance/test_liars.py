"""The suite finds a flow that does not keep its contract, and says what it breaks."""

from dataclasses import replace

import numpy as np
import pytest

from codesign.core.errors import UnsupportedError
from codesign.core.figures import Fidelity, Figure
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.testing import CASES, Nonconformity, conforms

CASE = next(case for case in CASES if case.name == "dead-neurons")


class WrongOnce(Alkaid):
    """One integer of one event is off by one."""

    def predict(self, firmware, codes):
        out = super().predict(firmware, codes)
        if len(out) > 40:
            out[40, 0] += 1
        return out


class NothingOfNothing(Alkaid):
    """No events are no outputs, of whatever shape."""

    def predict(self, firmware, codes):
        return super().predict(firmware, codes) if len(codes) else np.zeros(0)


class Optimist(Alkaid):
    """Claims less latency than its RTL has, in the figure and by construction alike."""

    def load(self, design, target, folder):
        made = super().load(design, target, folder)
        return replace(made, rtl=replace(made.rtl, latency_cycles=made.rtl.latency_cycles - 1))


class Hasty(Alkaid):
    """Claims to take more than one event a clock."""

    def figures(self, firmware):
        hasty = Figure.of("initiation_interval", 0, Fidelity.COMPILED, "hasty", "0")
        return [hasty, *(f for f in super().figures(firmware) if f.quantity != "initiation_interval")]


class TwoLatencies(Alkaid):
    """Its figure is not what its RTL says."""

    def figures(self, firmware):
        figures = super().figures(firmware)
        return [f.model_copy(update={"value": f.value + 1}) if f.quantity == "latency_cycles" else f for f in figures]


class Dreamer(Alkaid):
    """Claims figures though there is no RTL."""

    def load(self, design, target, folder):
        return replace(super().load(design, target, folder), rtl=None)

    def figures(self, firmware):
        return super().figures(
            replace(firmware, rtl=super().load(firmware.design, firmware.target, firmware.folder).rtl)
        )


class Silent(Alkaid):
    """Does not measure what it promises."""

    def figures(self, firmware):
        return [f for f in super().figures(firmware) if f.quantity != "ff"]


class Trusting(Alkaid):
    """Opens firmware of any design."""

    def load(self, design, target, folder):
        own = getattr(self, "own", None) or design
        self.own = own
        return replace(super().load(own, target, folder), design=design)


class Lazy(Alkaid):
    """Refuses what every flow must do."""

    def compile(self, design, target, folder, settings=None, probe=None):
        raise UnsupportedError("not today")


@pytest.mark.parametrize(
    ("flow", "words"),
    [
        (WrongOnce, r"1 of \d+ events differ, first event 40 .*: output 0 is"),
        (NothingOfNothing, r"0 events gave float64 of shape \(0,\), expected int64 of shape \(0, 3\)"),
        (TwoLatencies, "a latency by construction that is not its figure"),
        (Dreamer, r"claims lut \(compiled\) without RTL"),
        (Silent, r"promises to measure \['ff'\], and does not"),
        (Trusting, "as firmware of a design that it does not hold"),
        (Lazy, "every flow must compile it, but it was refused: not today"),
    ],
)
def test_what_a_flow_breaks_is_said(flow, words, tmp_path):
    with pytest.raises(Nonconformity, match=f"alkaid, dead-neurons: .*{words}"):
        conforms(flow(), CASE, load_target("vu13p-360"), tmp_path, simulate=False)


def test_a_latency_that_simulation_does_not_confirm(tmp_path):
    with pytest.raises(Nonconformity, match=r"the measured latency is \d+ cycles and the firmware claims"):
        conforms(Optimist(), CASE, load_target("vu13p-360"), tmp_path)


def test_an_interval_that_simulation_does_not_confirm(tmp_path):
    with pytest.raises(Nonconformity, match="claims an interval of 0 cycles, simulated 1"):
        conforms(Hasty(), CASE, load_target("vu13p-360"), tmp_path)


def test_what_has_no_exact_hardware_must_be_refused(tmp_path):
    """A flow that compiles another design instead of the one with a zero point."""
    case = replace(next(c for c in CASES if c.name == "zero-point"), make=CASE.make)
    with pytest.raises(Nonconformity, match="has no exact hardware, but was compiled"):
        conforms(Alkaid(), case, load_target("vu13p-360"), tmp_path)
