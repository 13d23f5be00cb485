"""Vivado out of context, against a stand-in that replays reports: none of its figures leaves this file."""

import os
import shutil
import stat
import sys
from dataclasses import replace

import pytest

from codesign.core.errors import ToolError, UnsupportedError
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.tools.vendor import find, vivado
from tests.families.mlp_networks import CONFIGS
from tests.flows.small_designs import TARGET, design_of
from tests.processes import wait_until_gone
from tests.tools.vendor.texts import POWER, TIMING, UTILISATION

REPLAY = """#!{python}
import os, subprocess, sys, time
from pathlib import Path

arguments = sys.argv[1:]
assert arguments[:7] == ["-mode", "batch", "-nojournal", "-nolog", "-notrace", "-source", arguments[6]], arguments
start = arguments.index("-tclargs")
assert Path(arguments[start - 1]).is_file(), "no script"
top, part, period, clock, *sources = arguments[start + 1 :]
assert sources and all(Path(s).is_file() for s in sources), sources
assert any(f"module {{top}}" in Path(s).read_text() for s in sources)
Path("asked.txt").write_text(f"{{top}} {{part}} {{period}} {{clock}}")
{behaviour}
"""
REPORTS = {"utilization_routed.rpt": UTILISATION, "timing_routed.rpt": TIMING, "power_routed.rpt": POWER}


def writes(*names):
    return "\n".join(f"Path({name!r}).write_text({REPORTS[name]!r})" for name in names)


@pytest.fixture(scope="module")
def firmware(tmp_path_factory):
    return Alkaid().compile(design_of(CONFIGS[0])[1], TARGET, tmp_path_factory.mktemp("vivado") / "fw")


@pytest.fixture
def replay(monkeypatch, tmp_path):
    """Put a program named vivado on the PATH that checks how it is called, and then does ``behaviour``."""

    def make(behaviour):
        tools = tmp_path / "tools"
        tools.mkdir(exist_ok=True)
        program = tools / "vivado"
        program.write_text(REPLAY.format(python=sys.executable, behaviour=behaviour))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")

    return make


def test_without_vivado_nothing_is_tried(firmware, tmp_path):
    if shutil.which("vivado"):
        pytest.skip("Vivado is here")
    assert not vivado.reaches(firmware)
    with pytest.raises(ToolError, match="Vivado is not on the PATH"):
        vivado.synthesise(firmware, tmp_path / "work", 10)


def test_reports_become_figures(firmware, replay, tmp_path):
    replay(writes(*REPORTS))
    assert vivado.reaches(firmware)
    figures = vivado.synthesise(firmware, tmp_path / "work", 120)
    assert {f.quantity: f.value for f in figures} == {
        "lut": 5365, "ff": 6171, "carry": 353, "dsp": 12, "bram": 2.5, "fmax": 380.952, "power": 3.412,
    }  # fmt: skip
    assert {f.version for f in figures} == {"2022.1", "2021.2", "2022.2"}, "each report's own"
    assert (tmp_path / "work" / "asked.txt").read_text() == f"codesign_top {TARGET.part} {TARGET.clock_ns:.4f} clk"


def test_a_report_that_is_missing_costs_its_own_figures_only(firmware, replay, tmp_path):
    replay(writes("utilization_routed.rpt", "power_routed.rpt"))
    work = tmp_path / "work"
    work.mkdir()
    (work / "timing_routed.rpt").write_text(TIMING)  # of an earlier run: must not be taken for this one's
    found = {f.quantity for f in vivado.synthesise(firmware, work, 60)}
    assert "power" in found
    assert "fmax" not in found
    replay(writes("timing_routed.rpt"))
    with pytest.raises(ToolError, match=r"wrote no utilization_routed.rpt .*: not measured"):
        vivado.synthesise(firmware, work, 60)


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("print('ERROR: [Place 30-640] design does not fit'); sys.exit(1)", r"exit code 1; ERROR: \[Place 30-640\]"),
        ("os.kill(os.getpid(), 9)", "ended by signal SIGKILL"),
        ("Path('utilization_routed.rpt').write_text('cut')", "does not say which version wrote it: not measured"),
    ],
)
def test_failures_have_a_reason(firmware, replay, tmp_path, behaviour, words):
    replay(behaviour)
    with pytest.raises(ToolError, match=f"^Vivado: .*{words}"):
        vivado.synthesise(firmware, tmp_path / "work", 120)


def test_one_that_hangs_is_ended_with_its_children(firmware, replay, tmp_path):
    replay(
        "child = subprocess.Popen(['sleep', '1000'])\n"
        "Path('pid.part').write_text(str(child.pid)); Path('pid.part').rename('pid')\n"
        "time.sleep(1000)"
    )
    work = tmp_path / "work"
    with pytest.raises(ToolError, match="Vivado: stopped after 5 s"):
        vivado.synthesise(firmware, work, 5)
    wait_until_gone(int((work / "pid").read_text()))


def test_what_is_nothing_for_vivado(firmware, replay, tmp_path):
    replay(writes(*REPORTS))
    assert vivado.reaches(firmware)
    assert not vivado.reaches(replace(firmware, target=load_target("ulx3s-85f")))
    assert not vivado.reaches(replace(firmware, rtl=replace(firmware.rtl, protocol="axi-stream")))
    bare = replace(firmware, rtl=None)
    assert not vivado.reaches(bare)
    with pytest.raises(UnsupportedError, match="only pipelined RTL"):
        vivado.synthesise(bare, tmp_path / "work", 10)


def test_the_newest_hls_compiler_is_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not find.vitis_hls().available
    for name, expected in (("vitis_hls", ["-f"]), ("vitis-run", ["--mode", "hls", "--tcl"])):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        assert find.vitis_command() == [str(tmp_path / name), *expected]
