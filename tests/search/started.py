"""A search in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.search.conftest import PLUGIN, STUDY


def start(tmp_path, behaviour, trials=6, workers=1, most_bytes=None):
    (tmp_path / "toy.yaml").write_text(STUDY)
    root = Path(__file__).parents[2]
    paths = [root, PLUGIN, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = os.environ | {"TOY": behaviour, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    command = [sys.executable, "-m", "toy_driver", "toy.yaml", "run", str(trials), str(workers)]
    if most_bytes is not None:
        command = ["prlimit", f"--fsize={most_bytes}", *command]
    return subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
