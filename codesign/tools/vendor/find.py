"""Where the vendor's tools are. Nothing is run to find out: they take seconds to say their version."""

from __future__ import annotations

import shutil

from codesign.core.availability import Availability

__all__ = ("vitis_command", "vitis_hls", "vivado")


def vivado() -> Availability:
    """AMD Vivado, for synthesis, place and route of parts of AMD."""
    found = shutil.which("vivado")
    if found is None:
        return Availability(False, "Vivado is not on the PATH: source settings64.sh of your installation")
    return Availability(True, found)


def vitis_command() -> list[str] | None:
    """The command that runs a Tcl script in the vendor's HLS compiler, newest first; None where there is none.

    ``vitis-run`` came with Vitis 2023.2 and is all that is left from 2025.1 on (AMD UG1399).
    """
    if (found := shutil.which("vitis-run")) is not None:
        return [found, "--mode", "hls", "--tcl"]
    if (found := shutil.which("vitis_hls")) is not None:
        return [found, "-f"]
    return None


def vitis_hls() -> Availability:
    """AMD Vitis HLS, which compiles an HLS project to Verilog."""
    command = vitis_command()
    if command is None:
        return Availability(False, "neither vitis-run nor vitis_hls is on the PATH: source settings64.sh of Vitis")
    return Availability(True, command[0])
