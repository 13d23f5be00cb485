"""The peer's own environment: HGQ2 on JAX, pinned, in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

import platformdirs

from codesign.core.process import run_tool

__all__ = ("ONE_THREAD", "interpreter", "pinned")

LOCK = Path(__file__).with_name("requirements.lock")
#: both sides are given one core
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONPATH": "",
}


def pinned() -> dict[str, str]:
    """Version of each package."""
    lines = LOCK.read_text(encoding="utf-8").split()
    return dict(line.split("==") for line in lines)


def interpreter() -> Path:
    """Python of the environment, which is made from PyPI on first use; ToolError says what failed."""
    cache = Path(os.environ.get("CODESIGN_CACHE") or platformdirs.user_cache_dir("codesign"))
    key = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = cache / f"peers-py{sys.version_info.major}{sys.version_info.minor}-{key}"
    python = folder / "bin" / "python"
    if not (folder / "complete").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        cache.mkdir(parents=True, exist_ok=True)
        run_tool([sys.executable, "-m", "venv", folder], cache, 300, name="venv")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        run_tool([*pip, "--only-binary", ":all:", "-r", LOCK], cache, 1800, name="pip")
        run_tool(
            [python, "-c", "import os; os.environ['KERAS_BACKEND'] = 'jax'; import hgq.layers, alkaid.converter"],
            cache,
            300,
            ONE_THREAD,
            name="HGQ2",
        )
        (folder / "complete").touch()
    return python
