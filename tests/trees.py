"""This project at another commit, beside this one: the same installed packages, its own code and command line."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from codesign.core.errors import InputError, ToolError

ROOT = Path(__file__).resolve().parents[1]


def git(*arguments: str) -> str:
    """What git says in this project; ToolError where it fails."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        raise ToolError("git is needed to compare with another commit") from None
    if done.returncode:
        raise ToolError(f"git {arguments[0]}: {done.stderr.strip().splitlines()[-1] if done.stderr else 'failed'}")
    return done.stdout.strip()


def commit_of(name: str = "HEAD") -> str:
    """The full hash of a commit by any name; InputError where there is none."""
    try:
        return git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except ToolError:
        raise InputError(f"no commit '{name}' here: give BASE=commit, as 'git log' names it") from None


def changed() -> bool:
    """Whether files that git knows differ from the commit, but for the record that the night writes meanwhile."""
    return bool(git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!reports/reference/nightly.json"))


@dataclass(frozen=True)
class Tree:
    """A checkout, and how to run its code: by this process' Python, with ``folder`` before all that is installed."""

    name: str
    commit: str
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        """For processes that run this tree's code, one thread each, without a store."""
        quiet = {"PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1", "CODESIGN_STORE": "none"}
        return {**os.environ, **quiet, **more}

    def command(self, *arguments: object) -> list[str]:
        """``codesign`` of this tree."""
        return [sys.executable, "-m", "codesign.cli", *map(str, arguments)]

    def codesign(self, *arguments: object, cwd: Path, seconds: float = 1800) -> str:
        """Run ``codesign`` of this tree; what it printed. ToolError with its last line where it fails."""
        done = subprocess.run(
            self.command(*arguments), cwd=cwd, env=self.environment(), capture_output=True, text=True, timeout=seconds
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["nothing said"]
            raise ToolError(f"{self.name} ({self.commit[:7]}): codesign {arguments[0]}: {said[-1]}")
        return done.stdout


def name_plug_ins(folder: Path) -> None:
    """Give a checkout a distribution of its own, found before the installed one: its entry points."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = project.get("version", "0")
    distribution = folder / f"{project['name']}-{version}.dist-info"
    distribution.mkdir()
    named = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
    (distribution / "METADATA").write_text(named, encoding="utf-8")
    lines = []
    for group, entries in project.get("entry-points", {}).items():
        lines += [f"[{group}]", *(f"{name} = {module}" for name, module in entries.items()), ""]
    (distribution / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


@contextmanager
def both(base: str) -> Iterator[tuple[Tree, Tree]]:
    """The tree of a commit, checked out for as long as this lasts, and the present one, as its files are now."""
    commit = commit_of(base)
    with tempfile.TemporaryDirectory(prefix="codesign-base-") as scratch:
        folder = Path(scratch) / "tree"
        git("worktree", "add", "--detach", str(folder), commit)
        try:
            name_plug_ins(folder)
            yield Tree("base", commit, folder), Tree("present", commit_of() + "+" * changed(), ROOT)
        finally:
            git("worktree", "remove", "--force", str(folder))
