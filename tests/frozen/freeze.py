"""``python -m tests.frozen.freeze``: what this commit makes, kept for every later one to open.

The study and the events are those of the first frozen version. Left out are logs, which name folders of the machine,
and locks.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.trees import ROOT, commit_of

HERE = Path(__file__).resolve().parent
#: where the study and the events are taken from
FIRST = "7957331"
GIVEN = ("frozen.yaml", "jets.parquet")
MADE = ("run", "bundle", "store")
_LEFT_OUT = (".log", "log.txt", ".lock")
#: so that the same files give the same archive
_DATE = (2000, 1, 1, 0, 0, 0)


def freeze(commit: str) -> Path:
    """Run the frozen study in an empty folder, hand a trial off, and pack both with the store."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with zipfile.ZipFile(HERE / FIRST / "made.zip") as archive:
            for member in GIVEN:
                archive.extract(member, folder)
        environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(folder / "data")}
        for words in ("run frozen.yaml --run run --store store --trials 3 --no-report", "handoff run 1 -o bundle"):
            command = [sys.executable, "-m", "codesign.cli", *words.split()]
            subprocess.run(command, cwd=folder, env=environment, check=True)
        kept = HERE / commit / "made.zip"
        kept.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(p for made in (*GIVEN, *MADE) for p in _files(folder / made)):
                if not path.name.endswith(_LEFT_OUT):
                    member = zipfile.ZipInfo(str(path.relative_to(folder)), _DATE)
                    archive.writestr(member, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return kept


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commit", default=commit_of()[:7], help="by whose name it is kept (default: this one's)")
    print(freeze(parser.parse_args().commit))
