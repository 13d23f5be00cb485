"""FINN's build with Vivado, against stand-ins that replay reports: none of their figures leaves this file."""

import json
import subprocess
import sys

import pytest

from codesign.core.errors import ToolError, UnsupportedError
from codesign.core.figures import Fidelity
from codesign.core.targets import load_target
from codesign.flows.finn.environment import FINN, environment
from codesign.flows.finn.flow import FinnSettings
from codesign.flows.finn.vivado_build import build, configuration, read_reports
from tests.flows.finn.small_networks import small

# keys as finn-plus 1.6.1 writes them (finn.util.vivado.parse_ooc_synth_results, finn.builder.build_dataflow_steps)
OUT_OF_CONTEXT = {
    "LUT": 1234, "FF": 2345, "DSP": 12, "BRAM": 3, "WNS": 0.5, "total_power_W": 1.25, "clk_period_ns": 5.0,
    "vivado_version": "2024.2", "fmax_mhz": 222.2,
}  # fmt: skip
SIMULATED = [{"latency_cycles": [70, 72], "intervals": [16, 16], "samples": 2, "throughput_fps": 12500000.0}]

REPLAY = """
import json, sys, yaml
from pathlib import Path

def main():
    assert sys.argv[1:4] == ["build", "--batch", "--accept-defaults"], sys.argv
    config = yaml.safe_load(Path(sys.argv[-2]).read_text())
    assert Path(sys.argv[-1]).name == "integers.onnx" and Path(sys.argv[-1]).is_file()
    if {fails}:
        print("ERROR: [Place 30-640] design does not fit")
        raise SystemExit(1)
    output = Path(config["output_dir"])
    (output / "report").mkdir(parents=True)
    (output / "bitfile").mkdir()
    (output / "bitfile" / "finn-accel.bit").write_bytes(b"bits")
    (output / "report" / "ooc_synth_and_timing.json").write_text({placed!r})
    (output / "report" / "rtlsim_performance.json").write_text({simulated!r})
"""


@pytest.fixture
def firmware(finn, tmp_path):
    return finn.compile(small(), load_target("kv260"), tmp_path / "fw", FinnSettings(initiation_interval=16))


@pytest.fixture
def replay(monkeypatch, tmp_path):
    """Put stand-ins for Vivado and FINN in place; returns how to choose whether the build fails."""

    def make(fails=False):
        tools = tmp_path / "tools"
        tools.mkdir()
        (tools / "vivado").write_text("#!/bin/sh\necho 'vivado v2024.2 (64-bit)'\n")
        (tools / "vivado").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
        monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
        place = FINN.folder() / "finn" / "interface"
        place.mkdir(parents=True)
        for folder in (place, place.parent):
            (folder / "__init__.py").touch()
        texts = {"placed": json.dumps(OUT_OF_CONTEXT), "simulated": json.dumps(SIMULATED)}
        (place / "run_finn.py").write_text(REPLAY.format(fails=fails, **texts))

    return make


def test_build_and_its_reports(firmware, replay, tmp_path):
    replay()
    bitstream, figures = build(firmware, tmp_path / "build", 60)
    assert bitstream.read_bytes() == b"bits"
    assert {(f.fidelity, f.version) for f in figures} == {(Fidelity.VENDOR, "Vivado 2024.2")}
    found = {f.quantity: f.value for f in figures}
    assert found == {
        "lut": 1234, "ff": 2345, "dsp": 12, "bram": 3, "fmax": 222.2, "power": 1.25, "latency_cycles": 72,
        "initiation_interval": 16,
    }  # fmt: skip


def test_a_build_that_fails_says_why(firmware, replay, tmp_path):
    replay(fails=True)
    with pytest.raises(ToolError, match=r"finn build: exit code 1; .*Place 30-640"):
        build(firmware, tmp_path / "build", 60)


def test_without_vivado_it_is_said(firmware, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="vivado is not on the PATH"):
        build(firmware, tmp_path / "build", 60)


def test_broken_and_empty_reports(tmp_path):
    with pytest.raises(ToolError, match="no figures"):
        read_reports(tmp_path, "Vivado 2024.2")
    (tmp_path / "ooc_synth_and_timing.json").write_text("{")
    with pytest.raises(ToolError, match="not valid JSON"):
        read_reports(tmp_path, "Vivado 2024.2")


def test_a_part_without_a_board_is_refused(finn, tmp_path):
    firmware = finn.compile(small(), load_target("vu13p-240"), tmp_path / "fw")
    with pytest.raises(UnsupportedError, match="no board with part xcvu13p"):
        configuration(firmware, tmp_path)


def test_finn_itself_takes_the_configuration(firmware, tmp_path):
    config = configuration(firmware, tmp_path / "output")
    (tmp_path / "build.yaml").write_text(json.dumps(config))
    program = (
        "import sys; from pathlib import Path\n"
        "from finn.builder.build_dataflow_config import DataflowBuildConfig as C\n"
        "c = C.from_yaml(Path(sys.argv[1]).read_text()); print(c._resolve_fpga_part(), c._resolve_cycles_per_frame())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, tmp_path / "build.yaml"],
        env={**environment(), "PATH": "/usr/bin:/bin", "FINN_BUILD_DIR": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split()[-2:] == ["xck26-sfvc784-2LV-c", "16"]
