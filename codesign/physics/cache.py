"""Where generated chunks are kept between runs: one folder per card and version, one file per chunk."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

import numpy as np
import platformdirs

from codesign.core.errors import InputError, ToolError
from codesign.core.lock import FOREVER, hold
from codesign.core.reading.npz import npz_arrays
from codesign.core.runfolder import write_atomically
from codesign.physics.chunk import LEADING, Chunk
from codesign.physics.substructure import FEATURE_NAMES

__all__ = ("Cached", "cache_folder", "chunk_path", "generator_versions", "hold_folder", "read_chunk", "write_chunk")


class Cached(Protocol):
    """What is kept under its name and the hash of all that decides it."""

    @property
    def name(self) -> str:
        """Name for people."""

    def digest(self) -> str:
        """Hash of what decides the content."""


def generator_versions() -> dict[str, str]:
    """Versions of Pythia and FastJet as installed; ToolError naming what to install."""
    try:
        return {"pythia8mc": version("pythia8mc"), "fastjet": version("fastjet")}
    except PackageNotFoundError as error:
        raise ToolError(f"{error.name} is not installed: pip install pythia8mc==8.317.2 fastjet==3.5.2.0") from None


def cache_folder(card: Cached, generation: int, kind: str = "jets") -> Path:
    """Folder of a card's chunks: under ``$CODESIGN_CACHE``, else the user's cache; ``kind`` of what is in the chunks.

    Its name holds the hash of the card, the version of this generation code, and Pythia's and FastJet's.
    """
    root = os.environ.get("CODESIGN_CACHE") or platformdirs.user_cache_dir("codesign")
    tools = "-".join(generator_versions().values())
    return Path(root) / kind / f"{card.name}-{card.digest()}-{generation}-{tools}"


def chunk_path(folder: Path, class_name: str, number: int) -> Path:
    """File of one chunk."""
    return folder / f"{class_name}-{number:05d}.npz"


def write_chunk(path: Path, chunk: Chunk) -> None:
    """Write a chunk, whole or not at all."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        features=chunk.features,
        constituents=chunk.constituents,
        collisions=chunk.collisions,
        events=np.int64(chunk.events),
    )
    write_atomically(path, buffer.getvalue())


def read_chunk(path: Path, jets: int) -> Chunk | None:
    """Read the first ``jets`` of a chunk; None where the file is missing, damaged or shorter, to be made again."""
    try:
        data = npz_arrays(path)
        chunk = Chunk(data["features"], data["constituents"], data["collisions"], int(data["events"]))
    except (InputError, ValueError, KeyError, TypeError):
        return None
    n = len(chunk.features)
    if (
        n < jets
        or chunk.features.shape != (n, len(FEATURE_NAMES))
        or chunk.constituents.shape != (n, LEADING, 3)
        or len(chunk.collisions) != n
    ):
        return None
    return Chunk(chunk.features[:jets], chunk.constituents[:jets], chunk.collisions[:jets], chunk.events)


@contextlib.contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: a second process waits, then finds the chunks made.

    The lock only saves double work. It is the atomic renames that keep the files whole, so that where a file system
    knows no locks, generation goes on without. The kernel frees the lock of a killed process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            held.enter_context(hold(folder / "lock", wait=FOREVER))
        yield
