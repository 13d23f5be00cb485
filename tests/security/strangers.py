"""A run folder and a bundle that stand for a stranger's: made once in a process for each key, copied for each use."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from make_run import make_run

from codesign.core.trust.key import key_path
from codesign.handoff import write_bundle
from codesign.handoff.check import checksum
from tests.handoff.conftest import build

__all__ = ("bundle_in", "forge", "number", "run_in")


@functools.cache
def _made(key: Path) -> tuple[Path, int, Path]:
    """Sealed with this key, which is the user's at the moment: with another, nothing of it would be one's own."""
    folder = Path(tempfile.mkdtemp(prefix="codesign-stranger-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    run = make_run(folder / "run", trials=12, front=3)
    number = build(run)
    return run.path, number, write_bundle(run.path, number, folder / "bundle")


def run_in(folder: Path) -> tuple[Path, int]:
    """A run folder below ``folder``, and the number of its trial that can be handed on."""
    path, trial, _ = _made(key_path())
    return Path(shutil.copytree(path, folder / "run")), trial


def number() -> int:
    """The number of the trial that can be handed on."""
    return _made(key_path())[1]


def bundle_in(folder: Path) -> Path:
    """A bundle below ``folder``."""
    return Path(shutil.copytree(_made(key_path())[2], folder / "bundle"))


def forge(bundle: Path, name: str, content: bytes) -> None:
    """Replace a file of a bundle, its checksum with it: a stranger writes the manifest too."""
    (bundle / name).write_bytes(content)
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["files"]:
        if entry["path"] == name:
            entry |= {"size": len(content), "sha256": checksum(bundle / name)}
    path.write_text(json.dumps(manifest))
