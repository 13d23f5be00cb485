"""A tool's own environment: a folder of packages in the user's cache, put in front of those that are installed.

For tools whose packages contradict ours, or shadow another's. Only what is not here, or is another version, lies in the
folder: ``requirements.lock`` in the tool's package names it, and nothing is resolved. The tool runs in a process of its
own, with the folder first on its path.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import platformdirs

from codesign.core.errors import ToolError
from codesign.core.lock import FOREVER, hold
from codesign.core.process import run_tool

__all__ = ("OwnEnvironment",)

_SECONDS = 900.0


@dataclass(frozen=True)
class OwnEnvironment:
    """What is installed for a tool, and where.

    Attributes
    ----------
    tool: its name in ``codesign doctor --install``, and what errors call it.
    title: how it is written in a sentence.
    version: of the tool.
    package: the package of ours that holds its ``requirements.lock``.
    holds: a folder that is in the environment once it is whole.
    check: Python that is tried once in a new environment.
    folder_variable: an environment variable that is the folder while ``check`` runs; empty for none.
    """

    tool: str
    title: str
    version: str
    package: str
    holds: str
    check: str
    folder_variable: str = ""

    @property
    def how_to_get(self) -> str:
        """The command that sets it up."""
        return f"codesign doctor --install {self.tool}"

    def pinned(self) -> str:
        """Its requirements, each of one version."""
        return (files(self.package) / "requirements.lock").read_text(encoding="utf-8")

    def folder(self) -> Path:
        """Where its packages are, or will be: in ``$CODESIGN_CACHE``, else the user's cache folder."""
        cache = Path(os.environ.get("CODESIGN_CACHE") or platformdirs.user_cache_dir("codesign"))
        key = hashlib.sha256(self.pinned().encode()).hexdigest()[:12]
        return cache / f"{self.tool}-{self.version}-py{sys.version_info.major}{sys.version_info.minor}-{key}"

    def is_set_up(self) -> bool:
        """Whether :meth:`install` has been run for this Python and these versions."""
        return (self.folder() / self.holds).is_dir()

    def variables(self) -> dict[str, str]:
        """What to add to the environment of a Python that runs the tool; ToolError where it is not set up."""
        if not self.is_set_up():
            raise ToolError(f"{self.title} is not set up: {self.how_to_get}")
        return self._variables(self.folder())

    def install(self) -> Path:
        """Set it up from PyPI unless it is there, try that it runs, return the folder; ToolError says what failed."""
        place = self.folder()
        place.parent.mkdir(parents=True, exist_ok=True)
        with hold(place.with_suffix(".lock"), wait=FOREVER):
            if not place.is_dir():
                temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".installing-{self.tool}-"))
                try:
                    self._fill(temporary)
                    os.rename(temporary, place)
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
        return place

    def _variables(self, place: Path) -> dict[str, str]:
        package = str(Path(__file__).resolve().parents[2])
        return {
            "PYTHONPATH": os.pathsep.join([str(place), package]),  # the tool's packages come first
            "OMP_NUM_THREADS": "1",
            "PYTHONNOUSERSITE": "1",
        }

    def _fill(self, place: Path) -> None:
        pinned = place / "requirements.lock"
        pinned.write_text(self.pinned(), encoding="utf-8")
        pip = [sys.executable, "-P", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        run_tool([*pip, "--only-binary", ":all:", "--target", place, "-r", pinned], place, _SECONDS, None, name="pip")
        variables = self._variables(place)
        if self.folder_variable:
            variables[self.folder_variable] = str(place)
        run_tool([sys.executable, "-P", "-c", self.check], place, _SECONDS, variables, name=self.title)
