"""Reports of the vendor's tools become figures of fidelity vendor; what they do not say is absent, never filled in."""

import pytest

from codesign.core.errors import ToolError
from codesign.core.figures import Fidelity
from codesign.tools.vendor import hls_reports, reports
from tests.tools.vendor.texts import COSIM, CSYNTH, POWER, SEVEN_SERIES, TIMING, UTILISATION, timing


def values(figures):
    assert {f.fidelity for f in figures} <= {Fidelity.VENDOR}
    return {f.quantity: f.value for f in figures}


def test_utilisation():
    figures = reports.utilisation(UTILISATION)
    assert values(figures) == {"lut": 5365, "ff": 6171, "carry": 353, "dsp": 12, "bram": 2.5}
    assert {(f.tool, f.version) for f in figures} == {("Vivado", "2022.1")}
    # another family, another release, a thousands separator and a footnote; it has no DSPs, and none are made up
    assert values(reports.utilisation(SEVEN_SERIES)) == {"lut": 1234, "ff": 2048}
    assert reports.utilisation(SEVEN_SERIES)[0].version == "2018.2"


def test_timing():
    assert values(reports.timing(TIMING)) == {"fmax": round(1e3 / (2.778 - 0.153), 3)}
    assert values(reports.timing(timing("-0.500"))) == {"fmax": round(1e3 / 3.278, 3)}
    with pytest.raises(ToolError, match=r"worst negative slack \(a design without timed paths has none\) is 'NA'"):
        reports.timing(timing("NA"))
    two = "clk    {0.000 1.389}        2.778           360.000\nslow   {0.000 5.000}        10.000          100.000"
    with pytest.raises(ToolError, match="has 2 clocks, expected one"):
        reports.timing(timing(clocks=two))


def test_power():
    assert values(reports.power(POWER)) == {"power": 3.412}
    assert reports.power(POWER)[0].unit == "W"


@pytest.mark.parametrize("read", [reports.utilisation, reports.timing, reports.power])
@pytest.mark.parametrize("text", ["", "Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.\n", UTILISATION[:700]])
def test_another_or_a_cut_report_is_not_measured(read, text):
    with pytest.raises(ToolError, match=r"^Vivado: .*: (Fmax )?not measured$"):
        read(text)


def test_c_synthesis():
    figures = hls_reports.c_synthesis(CSYNTH, 2.5)
    assert values(figures) == {
        "bram": 1.5, "dsp": 5, "ff": 1432, "lut": 7654, "latency_cycles": 9, "latency_ns": 22.5,
        "initiation_interval": 1,
    }  # fmt: skip
    assert {(f.tool, f.version) for f in figures} == {("Vitis HLS", "2023.2")}
    undefined = CSYNTH.replace("<Worst-caseLatency>9<", "<Worst-caseLatency>undef<")
    assert not {"latency_cycles", "latency_ns"} & set(values(hls_reports.c_synthesis(undefined, 2.5)))
    old = CSYNTH.replace("DSP>", "DSP48E>")
    assert values(hls_reports.c_synthesis(old, 2.5))["dsp"] == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CSYNTH[:500], "csynth.xml is not whole"),
        (CSYNTH.replace("Version>", "Release>"), "does not say which version wrote it"),
        (CSYNTH.replace("Resources>", "Sources>"), "has no resources"),
    ],
)
def test_a_broken_c_synthesis_is_not_measured(text, words):
    with pytest.raises(ToolError, match=words):
        hls_reports.c_synthesis(text, 2.5)


def test_co_simulation():
    found = hls_reports.co_simulation(COSIM)
    assert (found.latency_cycles, found.initiation_interval) == (9, 1)
    one_event = COSIM.replace("|              1|              1|              1|", "|" + "             NA|" * 3)
    assert hls_reports.co_simulation(one_event).initiation_interval is None
    with pytest.raises(ToolError, match="status is 'Fail'"):
        hls_reports.co_simulation(COSIM.replace("Pass", "Fail"))
    with pytest.raises(ToolError, match="no row for Verilog"):
        hls_reports.co_simulation(COSIM.replace("Verilog", "SystemC"))
