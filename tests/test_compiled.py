"""Compiled loops: without a place for machine code, and without Numba."""

import builtins
import shutil
import subprocess
import sys

import pytest

from codesign.compiled import compiled
from codesign.errors import ToolError


def add(a, b):
    return a + b


def test_without_a_folder_for_machine_code_the_loops_still_compile(monkeypatch):
    import numba.core.caching as caching

    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    function = compiled(add)
    assert function(2, 3) == 5
    assert function.signatures  # it was compiled, not interpreted


def test_without_numba_one_line_says_what_to_do(monkeypatch):
    load = builtins.__import__

    def without(name, *rest, **more):
        if name == "numba":
            raise ModuleNotFoundError("No module named 'numba'")
        return load(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ToolError, match=r"numba.*cannot be loaded.*pip install") as caught:
        compiled(add)
    assert "\n" not in str(caught.value)


def test_no_compiler_is_needed(tmp_path):
    # with nothing on the PATH, and nothing compiled before
    code = "from codesign.compiled import compiled\ndef f(x):\n    return x * 2\n"
    source = tmp_path / "loops.py"
    source.write_text(code + "print(compiled(f)(21))\n", encoding="utf-8")
    place = str(tmp_path / "machine-code")
    environment = {"PATH": str(tmp_path), "NUMBA_CACHE_DIR": place, "HOME": str(tmp_path)}
    assert shutil.which("g++", path=environment["PATH"]) is None
    done = subprocess.run([sys.executable, source], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "42"
