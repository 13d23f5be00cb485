"""Make a bundle's files again from its design, and compare them byte for byte with those that came.

Nothing of a bundle runs: what is built or simulated is what was made here. Where the bytes are equal, that is the
bundle's own.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from codesign import __version__
from codesign.core.errors import CodesignError, InputError
from codesign.core.printing import visible
from codesign.core.reading.gz import gunzip
from codesign.handoff.interface import tools_of
from codesign.handoff.manifest import Manifest
from codesign.handoff.received import ReceivedBundle, in_one_line
from codesign.handoff.statement import Statement, checked, not_checked, wrong

__all__ = ("Maker", "made_again", "same_files")


@dataclass(frozen=True)
class Maker:
    """What made a bundle, in words, and whether the same versions are here: then equal designs are equal files."""

    words: str
    same: bool

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """As a manifest says."""
        made = {"codesign": manifest.codesign, **manifest.tools}
        here = {"codesign": __version__, **tools_of(manifest.flow, manifest.cmssw is not None)}
        words = ", ".join(f"{visible(name)} {visible(release)}" for name, release in made.items())
        return cls(words, made == here)

    def differs(self, name: str, why: str) -> Statement:
        """What it means that something is not what is made here: wrong where the same versions made it."""
        if self.same:
            return wrong(name, why)
        return not_checked(name, f"{why}: made by {self.words}; nothing of it was run")


def made_again(
    received: ReceivedBundle, maker: Maker, scratch: Path, name: str, make: Callable[[], object]
) -> Statement:
    """Let ``make`` write the part ``name`` (a file, or a folder and its slash) into ``scratch``, and compare."""
    try:
        in_one_line(name, make)
    except CodesignError as error:
        return not_checked(name, f"cannot be made here: {error}")
    return same_files(received, maker, scratch, name)


def same_files(received: ReceivedBundle, maker: Maker, scratch: Path, name: str) -> Statement:
    """Compare the part ``name`` of a bundle with what lies in ``scratch``: the same files, of the same bytes."""
    part = name.rstrip("/")
    found = {f for f in received.files if _within(f, part)}
    made = {f for p in scratch.rglob("*") if p.is_file() and _within(f := p.relative_to(scratch).as_posix(), part)}
    if lacking := sorted(made - found):
        return maker.differs(name, f"{lacking[0]} is missing")
    if not made and not found:
        return checked(name, "the bundle has none, and should have none")
    if strange := sorted(found - made):
        return maker.differs(name, f"{visible(strange[0])} does not follow from the design")
    for file in sorted(found):
        if not _same(received.folder / file, scratch / file):
            return maker.differs(name, f"{visible(file)} is not what codesign makes of the design")
    return checked(name, f"made again from the design: {len(found)} equal file{'s' if len(found) > 1 else ''}")


def _within(file: str, part: str) -> bool:
    return file == part or file.startswith(f"{part}/")


def _same(came: Path, made: Path) -> bool:
    given, expected = came.read_bytes(), made.read_bytes()
    return given == expected or (came.suffix == ".gz" and _unpacked_same(given, expected))


def _unpacked_same(given: bytes, expected: bytes) -> bool:
    """Whether two gzip files hold the same: libraries compress in more than one way."""
    content = gzip.decompress(expected)
    try:
        return gunzip(given, "", len(content)) == content
    except InputError:
        return False
