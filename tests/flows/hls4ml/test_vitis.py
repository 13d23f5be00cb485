"""Vitis HLS, against a stand-in that runs hls4ml's script as it is told and replays reports: no figure leaves here."""

import sys

import numpy as np
import pytest

from codesign.core.errors import ToolError
from codesign.core.figures import Fidelity
from codesign.flows.hls4ml.flow import PROJECT, Hls4ml
from codesign.pipeline.trial import synthesisers
from codesign.training import export
from tests.families.mlp_networks import CONFIGS
from tests.flows.small_designs import TARGET, design_of
from tests.tools.vendor.texts import COSIM, CSYNTH, UTILISATION

REPLAY = """#!{python}
import re, sys
from pathlib import Path

assert sys.argv[1:] == ["--mode", "hls", "--tcl", "build_prj.tcl"], sys.argv
chosen = dict(re.findall(r"(\\w+) +([01])", Path("build_opt.tcl").read_text()))
if {fails!r} in chosen and chosen[{fails!r}] == "1":
    print("ERROR: [HLS 200-70] Compilation errors found")
    raise SystemExit(1)
solution = Path("{project}_prj/solution1")
if chosen["synth"] == "1":
    assert chosen["reset"] == "1" and chosen["vsynth"] == "0", chosen
    (solution / "syn" / "report").mkdir(parents=True, exist_ok=True)
    (solution / "syn" / "report" / "{project}_csynth.xml").write_text({csynth!r})
    (solution / "syn" / "verilog").mkdir(parents=True, exist_ok=True)
    (solution / "syn" / "verilog" / "{project}.v").write_text("module {project} (input ap_clk); endmodule\\n")
if chosen["cosim"] == "1":
    assert chosen["reset"] == "0" and chosen["synth"] == "0", chosen
    assert "fout.precision(17);" in Path("{project}_test.cpp").read_text()
    events = Path("tb_data/tb_input_features.dat").read_text().splitlines()
    results = Path("tb_data/tb_output_predictions.dat").read_text().splitlines()
    assert len(events) == len(results)
    {spoil}
    (solution / "sim" / "report").mkdir(parents=True, exist_ok=True)
    (solution / "sim" / "report" / "{project}_cosim.rpt").write_text({cosim!r})
    Path("tb_data/rtl_cosim_results.log").write_text("\\n".join(results) + "\\n")
"""


@pytest.fixture
def replay(monkeypatch, tmp_path_factory):
    """Put a program named vitis-run on the PATH."""
    tools = tmp_path_factory.mktemp("tools")

    def make(fails="", spoil="pass"):
        program = tools / "vitis-run"
        program.write_text(
            REPLAY.format(python=sys.executable, project=PROJECT, csynth=CSYNTH, cosim=COSIM, fails=fails, spoil=spoil)
        )
        program.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    return make


@pytest.fixture(scope="module")
def trained():
    return design_of(CONFIGS[0])


def test_the_vendors_figures_and_its_simulation(trained, replay, tmp_path):
    network, design, codes = trained
    flow = Hls4ml()
    replay()
    firmware = flow.compile(design, TARGET, tmp_path / "fw")
    figures = {f.quantity: f for f in flow.figures(firmware)}
    assert set(figures) == set(flow.vendor_quantities)
    assert {(f.fidelity, f.tool, f.version) for f in figures.values()} == {(Fidelity.VENDOR, "Vitis HLS", "2023.2")}
    assert figures["latency_ns"].value == pytest.approx(9 * TARGET.clock_ns, rel=1e-4)
    assert firmware.notes == ()

    right = export.brevitas_codes(network, design, codes)
    verdict = flow.verify(firmware, codes, {"brevitas": right}, tmp_path)
    assert verdict.exact, verdict.first_difference
    assert (verdict.proven, verdict.latency_cycles, verdict.initiation_interval) == ("RTL", 9, 1)
    assert (verdict.tool, verdict.version) == ("Vitis HLS co-simulation", "2023.2")

    replay(spoil="first, *others = results[3].split(); results[3] = ' '.join([str(float(first) + 1), *others])")
    verdict = flow.verify(firmware, codes, {"brevitas": right}, tmp_path)
    assert not verdict.exact
    assert verdict.first_difference.startswith("event 3, output 'a': RTL")
    replay(spoil="results[3] = '0.123 ' * len(results[3].split())")
    with pytest.raises(ToolError, match="a value that no output of the design can have"):
        flow.verify(firmware, codes, {"brevitas": right}, tmp_path)

    replay(spoil="results.pop()")
    with pytest.raises(ToolError, match=r"gave 599 results of 600 events"):
        flow.verify(firmware, codes, {"brevitas": right}, tmp_path)
    replay(fails="cosim")
    with pytest.raises(ToolError, match=r"Vitis HLS: exit code 1; ERROR: \[HLS 200-70\] Compilation errors"):
        flow.verify(firmware, codes, {"brevitas": right}, tmp_path)

    # Vivado takes what C synthesis wrote, by the name of its clock
    vivado = tmp_path / "tools" / "vivado"
    vivado.parent.mkdir()
    vivado.write_text(
        f"#!{sys.executable}\nimport sys; from pathlib import Path\n"
        f"assert sys.argv[sys.argv.index('-tclargs') + 1] == {PROJECT!r} and 'ap_clk' in sys.argv\n"
        f"Path('utilization_routed.rpt').write_text({UTILISATION!r})\n"
    )
    vivado.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{vivado.parent}:/usr/bin:/bin")
        ways = synthesisers(flow, firmware)
        assert list(ways) == ["synthesis"]
        placed = {f.quantity: f for f in ways["synthesis"](tmp_path / "work")}
    assert placed["lut"].value == 5365
    assert placed["lut"].settings["strategy"] == "latency"


def test_a_c_synthesis_that_fails_costs_its_figures_only(trained, replay, tmp_path):
    network, design, codes = trained
    flow = Hls4ml()
    replay(fails="synth")
    firmware = flow.compile(design, TARGET, tmp_path / "fw")
    assert flow.figures(firmware) == []
    assert any("C synthesis gave no figures: Vitis HLS: exit code 1" in note for note in firmware.notes)
    assert np.array_equal(flow.predict(firmware, codes), export.brevitas_codes(network, design, codes))
