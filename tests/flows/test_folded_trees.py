"""Trees that take turns: exact in RTL simulation at the interval that they say, and of events that come at any edge."""

import numpy as np
import pytest

from codesign.core.errors import UnsupportedError
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.trees.flow import Trees, TreeSettings
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.testing import conforms
from codesign.verify.rtl import verify
from tests.flows.tree_designs import DESIGNS, TARGET

VU13P = load_target("vu13p-360")


@pytest.mark.slow
@pytest.mark.parametrize("stage_delay", [None, 1.0])
@pytest.mark.parametrize("interval", [2, 9])
@pytest.mark.parametrize("name", list(DESIGNS))
def test_its_verilog_is_exact(name, interval, stage_delay, tmp_path):
    """With an event every so many clocks; the interval that is measured is the one that it says."""
    settings = TreeSettings(interval=interval, stage_delay=stage_delay)
    made = conforms(Trees(), DESIGNS[name](), TARGET, tmp_path, settings)
    assert made.verified.exact
    assert made.verified.initiation_interval == made.firmware.rtl.initiation_interval <= interval


@pytest.mark.slow
def test_a_wrong_leaf_of_one_turn_is_seen(tmp_path):
    """One entry of one table, moved by one step."""
    design = DESIGNS["number"]()
    codes = probe_codes(design.inputs, 300)
    truth = design.outputs.codes(read_graph(design.onnx).run(design.inputs.values(codes), Exact()))
    firmware = Trees().compile(design, TARGET, tmp_path / "firmware", TreeSettings(interval=4))
    core = firmware.folder / "src" / "codesign_core.v"
    lines = core.read_text(encoding="utf-8").splitlines()
    tables = [n for n, line in enumerate(lines) if "'b" in line and line.endswith(("0;", "1;")) and len(line) > 60]
    for place in (tables[0], tables[-1]):
        line = lines[place]
        damaged = [*lines[:place], f"{line[:-2]}{1 - int(line[-2])};", *lines[place + 1 :]]  # the first leaf's last bit
        core.write_text("\n".join(damaged), encoding="utf-8")
        assert not verify(firmware, codes, {"exact": truth}, tmp_path / f"simulation-{place}").exact


def test_it_takes_no_longer_than_its_trees_need(tmp_path):
    """Where groups are even with fewer clocks, events need not stay for longer."""
    found = {}
    for interval in (1, 3, 9, 16):
        firmware = Trees().compile(
            DESIGNS["number"](), VU13P, tmp_path / str(interval), TreeSettings(interval=interval)
        )
        figures = {f.quantity: f.value for f in Trees().figures(firmware)}
        assert figures["initiation_interval"] == firmware.rtl.initiation_interval <= interval
        found[interval] = figures
    assert found[16]["initiation_interval"] < 16
    assert all(f.expected is None for f in Trees().figures(firmware))  # nobody calibrated them
    again = Trees().load(firmware.design, VU13P, firmware.folder)
    assert (again.rtl, again.settings) == (firmware.rtl, firmware.settings)


def test_a_design_that_triggers_is_refused(tmp_path):
    from dataclasses import replace

    design = DESIGNS["number"]()
    triggering = replace(design, trigger=design.outputs.labels[0])
    with pytest.raises(UnsupportedError, match="leave 'interval' at 1"):
        Trees().compile(triggering, VU13P, tmp_path, TreeSettings(interval=4))
    assert np.isfinite(Trees().compile(triggering, VU13P, tmp_path).latency_cycles)
