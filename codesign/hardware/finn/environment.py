"""FINN's own environment: a folder of packages in the user's cache, put in front of those that are installed.

FINN's requirements contradict ours (older bitstring, protobuf, pandas, scikit-learn), so it cannot be installed beside
us. It runs all the same with our torch, qonnx, onnx, pandas and scikit-learn: only what is not here, and the one
package whose interface has changed (bitstring), lie in the folder, about 20 MB. ``requirements.lock`` beside this file
names them; nothing is resolved.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from codesign.errors import ToolError
from codesign.hardware.process import run_tool
from codesign.lock import FOREVER, hold

if TYPE_CHECKING:
    from codesign.hardware.base import Availability

__all__ = ("HOW_TO_GET", "VERSION", "availability", "environment", "folder", "install", "is_set_up")

HOW_TO_GET = "codesign doctor --install finn"
VERSION = "1.6.1"
_SECONDS = 900.0


def _pinned() -> str:
    return (files("codesign.hardware.finn") / "requirements.lock").read_text(encoding="utf-8")


def folder() -> Path:
    """Where FINN's packages are, or will be: in ``$CODESIGN_CACHE``, else the user's cache folder."""
    cache = Path(os.environ.get("CODESIGN_CACHE") or platformdirs.user_cache_dir("codesign"))
    key = hashlib.sha256(_pinned().encode()).hexdigest()[:12]
    return cache / f"finn-{VERSION}-py{sys.version_info.major}{sys.version_info.minor}-{key}"


def is_set_up() -> bool:
    """Whether :func:`install` has been run for this Python and these versions."""
    return (folder() / "finn").is_dir()


def availability() -> Availability:
    """Whether FINN is set up for this Python."""
    from codesign.hardware.base import Availability

    if find_spec("pandas") is None:  # which it imports, and nothing else here does
        return Availability(False, "pandas is missing, which FINN imports: pip install 'codesign[finn]'")
    if is_set_up():
        return Availability(True, f"set up in {folder()}", VERSION)
    return Availability(False, f"FINN is not set up: {HOW_TO_GET}")


def environment() -> dict[str, str]:
    """What to add to the environment of a Python that runs FINN; ToolError where it is not set up."""
    if not is_set_up():
        raise ToolError(availability().reason)
    package = str(Path(__file__).resolve().parents[3])
    return {
        "PYTHONPATH": os.pathsep.join([str(folder()), package]),  # FINN's packages come first
        "OMP_NUM_THREADS": "1",
        "PYTHONNOUSERSITE": "1",
    }


def install() -> Path:
    """Set FINN up from PyPI unless it is there, try that it runs, and return the folder; ToolError says what failed."""
    place = folder()
    place.parent.mkdir(parents=True, exist_ok=True)
    with hold(place.with_suffix(".lock"), wait=FOREVER):
        if not place.is_dir():
            temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=".installing-finn-"))
            try:
                _fill(temporary)
                os.rename(temporary, place)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    return place


def _fill(place: Path) -> None:
    pinned = place / "requirements.lock"
    pinned.write_text(_pinned(), encoding="utf-8")
    pip = [sys.executable, "-P", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run_tool([*pip, "--only-binary", ":all:", "--target", place, "-r", pinned], place, _SECONDS, None, name="pip")
    package = str(Path(__file__).resolve().parents[3])
    path = {"PYTHONPATH": os.pathsep.join([str(place), package]), "FINN_BUILD_DIR": str(place)}
    check = "from codesign.hardware.finn.backend import load_finn; load_finn()"
    run_tool([sys.executable, "-P", "-c", check], place, _SECONDS, path, name="FINN")
