"""A tool that is missing, fails, dies, hangs or has no room costs that project only, with its reason, and is gone."""

import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from codesign.core.errors import ToolError
from codesign.flows.hls4ml import csim
from codesign.flows.hls4ml.csim import compile_csim
from codesign.flows.hls4ml.flow import Hls4ml
from tests.families.mlp_networks import CONFIGS
from tests.flows.small_designs import TARGET, design_of
from tests.processes import wait_for, wait_until_gone


@pytest.fixture(scope="module")
def design():
    return design_of(CONFIGS[0])[1]


@pytest.fixture
def project(tmp_path):
    """A project in miniature, whose C simulation takes no time to compile."""
    (tmp_path / "firmware" / "ap_types").mkdir(parents=True)
    (tmp_path / "firmware" / "p.cpp").write_text("int one() { return 1; }\n")
    (tmp_path / "p_bridge.cpp").write_text('extern "C" void p_double(double *x, double *y) { y[0] = x[0]; }\n')
    return tmp_path


def compiler(monkeypatch, folder, text):
    """Put another g++ in front of the real one."""
    folder.mkdir()
    (folder / "g++").write_text(text)
    (folder / "g++").chmod(0o755 | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_without_a_compiler(design, monkeypatch, project, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    state = Hls4ml().available()
    assert not state.available
    assert "g++ is not on the PATH" in state.reason
    with pytest.raises(ToolError, match=r"g\+\+: cannot be started .* not found"):
        compile_csim(project, "p")


def test_a_compiler_that_fails_says_why(monkeypatch, project, tmp_path):
    compiler(monkeypatch, tmp_path / "tools", "#!/bin/sh\necho 'p.cpp:1: fatal error: no such thing'\nexit 1\n")
    with pytest.raises(ToolError, match=r"g\+\+: exit code 1; p.cpp:1: fatal error: no such thing"):
        compile_csim(project, "p")
    assert not (project / csim.LIBRARY).exists(), "no library of a compilation that failed"


def test_a_compiler_that_is_killed_in_mid_job_leaves_nothing(monkeypatch, project, tmp_path):
    note = tmp_path / "pids"
    compiler(
        monkeypatch,
        tmp_path / "tools",
        f"#!/bin/sh\nsleep 1000 &\necho $$ $! > {note}.part\nmv {note}.part {note}\nwait\n",
    )

    def kill():
        wait_for(note.exists)
        os.kill(int(note.read_text().split()[0]), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ToolError, match=r"g\+\+: ended by signal SIGKILL"):
        compile_csim(project, "p")
    killer.join()
    wait_until_gone(int(note.read_text().split()[1]))


def test_one_that_hangs_is_ended(monkeypatch, project, tmp_path):
    monkeypatch.setattr(csim, "_SECONDS", 1.0)
    compiler(monkeypatch, tmp_path / "tools", "#!/bin/sh\nexec sleep 1000\n")
    with pytest.raises(ToolError, match=r"g\+\+: stopped after 1 s"):
        compile_csim(project, "p")


def test_no_room_for_the_library(project):
    """As on a full disk: the linker may write no file beyond a few kilobytes."""
    code = (
        "import resource, sys; from pathlib import Path; from codesign.core.errors import ToolError\n"
        "from codesign.flows.hls4ml.csim import compile_csim\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try:\n    compile_csim(Path(sys.argv[1]), 'p')\nexcept ToolError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, project], capture_output=True, text=True, timeout=600)
    assert done.stdout.startswith("g++: "), (done.stdout, done.stderr)
    assert "\n" not in done.stdout.strip()
    assert not (project / csim.LIBRARY).exists()


def test_a_simulation_that_crashes_takes_nothing_along(design, tmp_path, monkeypatch):
    """The library of a project is loaded by a process of its own."""
    from codesign.flows.hls4ml import flow as flow_module

    def crashes(project, name):
        (project / "firmware").mkdir(exist_ok=True)
        bridge = project / f"{name}_bridge.cpp"
        bridge.write_text(f'extern "C" void {name}_double(double *, double *) {{ *(volatile int *)0 = 1; }}\n')
        (project / "firmware" / f"{name}.cpp").write_text("")
        compile_csim(project, name)

    monkeypatch.setattr(flow_module, "compile_csim", crashes)
    with pytest.raises(ToolError, match="C simulation: ended by signal SIGSEGV"):
        Hls4ml().compile(design, TARGET, tmp_path / "fw")


def test_hls4ml_that_stops_is_quoted(design, tmp_path, monkeypatch):
    """hls4ml runs in a process of its own; what it says there is in the reason."""
    (tmp_path / "hls4ml.py").write_text("raise RuntimeError('error: this hls4ml is broken')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"hls4ml: exit code 1; .*this hls4ml is broken"):
        Hls4ml().compile(design, TARGET, tmp_path / "fw")
