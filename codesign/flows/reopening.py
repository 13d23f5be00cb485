"""The one door to firmware that lies in a folder: used as it is only where this user's seal says who made it.

A folder may come from anybody, and what a flow writes is run here: Verilog in a simulator, C++ and libraries of an HLS
project, a graph that FINN executes. So firmware without a seal is made again from its design, which is data, in another
folder; only that is used, and it takes the place of what was recorded if it is the same. Firmware that differs from
what its design compiles to is refused, unless it is to be made anew.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from codesign.core.design import Design
from codesign.core.errors import InputError, ToolError
from codesign.core.records import Verified
from codesign.core.runfolder import TrialFolder
from codesign.core.targets import Target
from codesign.core.trust.seal import SEAL, contents, is_sealed, seal_files, seal_folder, sealed_files
from codesign.flows.base import Flow
from codesign.flows.settings import flow_settings, record_settings
from codesign.rtl.firmware import Firmware

__all__ = (
    "bitstream_files",
    "firmware_in",
    "identity",
    "is_own_bitstream",
    "refuse_links",
    "reopen_firmware",
    "seal_bitstream",
    "seal_firmware",
    "seal_verdict",
    "verdict_of",
)

#: what tools read as a source; the rest of a firmware's folder is records, reports, scripts of no flow here, binaries
_SOURCES = {
    ".v", ".vh", ".sv", ".svh", ".vhd", ".dat", ".mem", ".hex", ".txt", ".c", ".cc", ".cpp", ".h", ".hpp",
    ".tcl", ".xdc", ".sdc",
}  # fmt: skip
#: firmware that was found in a trial's folder and differs from what its design compiles to
_ASIDE = "firmware.before"
_BITSTREAM = (".bit", ".json", ".txt", ".log")
_VERDICT = "verify.json"
_VERDICT_SEAL = ".verify.seal.json"
_PROVEN_ON = "golden.npz"
_MOST_LISTED = 100_000


def seal_firmware(flow: Flow, firmware: Firmware, settings: BaseModel | None = None) -> None:
    """Seal firmware that was just made, or written to by a tool, here; ``settings`` are those it was compiled with."""
    seal_folder(firmware.folder, "firmware", _facts(flow, firmware.design, firmware.target, settings))


def firmware_in(
    folder: Path, flow: Flow, design: Design, target: Target, settings: BaseModel | None = None
) -> Firmware | None:
    """The firmware in ``folder`` if this user made it so, of this design, target, flow and settings; else None."""
    if not is_sealed(folder, "firmware", _facts(flow, design, target, settings)):
        return None
    firmware: Firmware = flow.load(design, target, folder)
    return firmware


def reopen_firmware(folder: TrialFolder, flow: Flow, design: Design, target: Target, again: bool = False) -> Firmware:
    """A trial's firmware for its study's target, by the rule above; ``again`` makes it anew whatever is there.

    What was made again takes the recorded one's place where the folder can be written to. InputError where a source
    differs from the recorded one, and for a folder with links that lead out of it; errors as of the flow's ``compile``.
    """
    settings = flow_settings(flow, folder.read_json("config.json") or {})
    if not again and (firmware := firmware_in(folder.firmware, flow, design, target, settings)) is not None:
        return firmware
    refuse_links(folder.path)
    state = flow.available()
    if not state.available:
        raise ToolError(f"trial {folder.number}: its firmware is to be made here first: {state.reason}")
    with _workshop(folder.path) as (place, beside):
        made = flow.compile(design, target, place / "firmware", settings)
        recorded = folder.firmware
        different = _first_difference(made.folder, recorded) if recorded.is_dir() else None
        if different is not None and not again:
            run = folder.path.parent.parent
            raise InputError(
                f"trial {folder.number}: {recorded / different} is not what its design compiles to here, and you did "
                f"not make it; nothing of it was run: 'codesign verify {run} {folder.number} --again' makes it anew"
            )
        seal_firmware(flow, made, settings)
        if not beside:
            return made
        if recorded.exists():
            old = folder.path / _ASIDE if different is not None else place / "old"
            shutil.rmtree(old, ignore_errors=True)
            os.rename(recorded, old)
        os.rename(made.folder, recorded)
        return flow.load(design, target, recorded)


@contextlib.contextmanager
def _workshop(folder: Path) -> Iterator[tuple[Path, bool]]:
    """A folder to compile in, and whether it lies in ``folder``, from where things can take their place.

    Where nothing can be written there, one that stays as long as this process.
    """
    try:
        place, beside = Path(tempfile.mkdtemp(dir=folder, prefix=".compiling-")), True
    except OSError:
        place, beside = Path(tempfile.mkdtemp(prefix="codesign-firmware-")), False
        atexit.register(shutil.rmtree, place, ignore_errors=True)
    try:
        yield place, beside
    finally:
        if beside:
            shutil.rmtree(place, ignore_errors=True)


def _facts(flow: Flow, design: Design, target: Target, settings: BaseModel | None) -> dict[str, Any]:
    return {
        "flow": flow.name,
        "design": design.hash,
        "target": target.made_for(),
        "settings": record_settings(flow.settings() if settings is None else settings),
    }


def _first_difference(made: Path, recorded: Path) -> str | None:
    """The first source in ``made``, by name, that ``recorded`` has not or has otherwise; no link is followed."""
    for path in sorted(p for p in made.rglob("*") if p.is_file() and p.suffix in _SOURCES):
        name = path.relative_to(made)
        if _bytes(recorded, name, path.stat().st_size) != path.read_bytes():
            return name.as_posix()
    return None


def _bytes(folder: Path, name: Path, size: int) -> bytes | None:
    """A file's content, if it is one of this size that no link leads to."""
    path = folder / name
    if any((folder / part).is_symlink() for part in (*reversed(name.parents), name)):
        return None
    if not path.is_file() or path.stat().st_size != size:
        return None
    return path.read_bytes()


def refuse_links(folder: Path) -> None:
    """InputError where a link in a trial's folder leads out of it: tools write their files there."""
    inside, waiting, listed = folder.resolve(), [folder], 0
    if folder.is_symlink():
        raise InputError(f"{folder} is a symbolic link: a run folder holds files only")
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                listed += 1
                if listed > _MOST_LISTED:
                    raise InputError(f"{folder} holds more than {_MOST_LISTED:,} files: this is no trial's folder")
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_symlink():
                    if not Path(entry.path).resolve().is_relative_to(inside):
                        raise InputError(f"{entry.path} is a symbolic link that leads out of the run: remove it")
                elif not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
                    raise InputError(f"{entry.path} is no file: remove it")


# ------------------------------------------------------------------------------------------------- what was made of it
def bitstream_files(work: Path) -> list[Path]:
    """A bitstream in the folder where it was made, with what its tools say of it."""
    every = (p for p in work.iterdir() if p.is_file() and not p.is_symlink() and p.name != SEAL)
    return sorted(p for p in every if p.suffix in _BITSTREAM)


def seal_bitstream(work: Path, design: Design) -> None:
    """Seal the bitstream of a design that was just made in ``work``."""
    seal_files(work / SEAL, bitstream_files(work), "bitstream", {"design": design.hash})


def is_own_bitstream(work: Path, design: Design) -> bool:
    """Whether this user made what lies in ``work``, of this design."""
    return sealed_files(work / SEAL, bitstream_files(work), "bitstream", {"design": design.hash})


def seal_verdict(folder: TrialFolder, firmware: Firmware) -> None:
    """Seal the verdict that a simulation just gave of ``firmware``, with the events that it was given on."""
    seal_files(folder.path / _VERDICT_SEAL, _judge(folder), "verdict", identity(firmware))


def verdict_of(folder: TrialFolder, firmware: Firmware) -> Verified | None:
    """The verdict of this very firmware, where this user's simulation gave it; anyone else's is a claim."""
    if not sealed_files(folder.path / _VERDICT_SEAL, _judge(folder), "verdict", identity(firmware)):
        return None
    return folder.read(_VERDICT, Verified)


def _judge(folder: TrialFolder) -> list[Path]:
    return [folder.path / _VERDICT, folder.path / _PROVEN_ON]


def identity(firmware: Firmware) -> dict[str, Any]:
    """What a verdict or a figure is of: the sources, as what is compiled of them may differ from time to time."""
    every = contents(firmware.folder) or {}
    sources = {name: found for name, found in sorted(every.items()) if Path(name).suffix in _SOURCES}
    listed = hashlib.sha256("".join(f"{name}\n{found}\n" for name, found in sources.items()).encode()).hexdigest()
    return {"design": firmware.design.hash, "target": firmware.target.made_for(), "sources": listed}
