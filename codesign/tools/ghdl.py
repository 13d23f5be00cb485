"""GHDL: VHDL analysed, simulated under cocotb, and translated to Verilog. It is a program of the system's, not PyPI's.

No open simulator mixes VHDL and Verilog. What is VHDL throughout runs in GHDL itself; entities around firmware in
Verilog become Verilog (``ghdl --synth``), in which an unbound component stays an instance of the firmware's module.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from codesign.core import quoting
from codesign.core.errors import InputError, ToolError
from codesign.core.process import last_words, near, run_tool

__all__ = ("GHDL", "analyse", "find_ghdl", "ghdl_version", "run_bench", "to_verilog")

GHDL = "ghdl"
#: alkaid's 'sll' of vectors is VHDL-2008's; its or_reduce is of Synopsys' package
STANDARD = ("--std=08", "-fsynopsys")
_MISSING = "ghdl is missing: apt install ghdl (Debian), dnf install ghdl (Fedora); PyPI has none"
_SECONDS = 1800.0


def find_ghdl() -> str:
    """Where the program is; ToolError with how to get it."""
    path = shutil.which(GHDL)
    if path is None:
        raise ToolError(_MISSING)
    return path


@cache
def ghdl_version() -> str:
    """Its version, such as ``2.0.0``; ToolError where there is none."""
    try:
        done = subprocess.run([find_ghdl(), "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError(f"ghdl does not say its version: {error}") from None
    words = done.stdout.split()
    return words[1] if len(words) > 1 else "unknown"


def _vhdl(sources: Sequence[Path], work: Path) -> list[str]:
    for path in sources:
        if path.suffix not in (".vhd", ".vhdl"):
            raise InputError(f"{path.name} is no VHDL source (.vhd): ghdl is not given it")
    return near(sources, work)


def analyse(sources: Sequence[Path], work: Path) -> None:
    """Analyse sources, in their order, into the library of the folder ``work``; ToolError with the first errors."""
    work.mkdir(parents=True, exist_ok=True)
    run_tool([find_ghdl(), "-a", *STANDARD, *_vhdl(sources, work)], work, _SECONDS, None, work / "build.log", name=GHDL)


def run_bench(top: str, bench: Path, environment: dict[str, str], work: Path) -> str:
    """Run the analysed entity ``top`` under the cocotb test module ``bench``; what was printed."""
    from cocotb_tools.config import libs_dir

    own = {**environment, "TOPLEVEL_LANG": "vhdl"}
    command = [
        find_ghdl(), "-r", *STANDARD, quoting.plain(top), f"--vpi={libs_dir}/libcocotbvpi_ghdl.so",
        "--ieee-asserts=disable",
    ]  # fmt: skip
    return run_tool(command, work, _SECONDS, own, work / "simulation.log", name=f"ghdl, {bench.stem}").output


def to_verilog(sources: Sequence[Path], top: str, work: Path) -> str:
    """The entity ``top`` and all that it holds as Verilog; an unbound component is an instance without a module."""
    work.mkdir(parents=True, exist_ok=True)
    command = [
        find_ghdl(), "--synth", *STANDARD, "-Wno-binding", "--out=verilog", *_vhdl(sources, work), "-e",
        quoting.plain(top),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise ToolError(f"ghdl --synth: {last_words(done.stderr)}")
    return done.stdout
