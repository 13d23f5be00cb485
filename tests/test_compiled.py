"""Compiled loops: without a place for machine code, and without Numba."""

import builtins
import os
import shutil
import subprocess
import sys

import pytest

from codesign.core.compiled import compile_kernel
from codesign.core.errors import ToolError


def add(a, b):
    return a + b


def test_without_a_folder_for_machine_code_the_loops_still_compile(monkeypatch):
    import numba.core.caching as caching

    monkeypatch.setattr(caching.config, "CACHE_LOCATOR_CLASSES", "")
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    function = compile_kernel(add)
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
        compile_kernel(add)
    assert "\n" not in str(caught.value)


def test_no_compiler_is_needed(tmp_path):
    # with nothing on the PATH, and nothing compiled before
    code = "from codesign.core.compiled import compile_kernel\ndef f(x):\n    return x * 2\n"
    source = tmp_path / "loops.py"
    source.write_text(code + "print(compile_kernel(f)(21))\n", encoding="utf-8")
    place = str(tmp_path / "machine-code")
    environment = {"PATH": str(tmp_path), "NUMBA_CACHE_DIR": place, "HOME": str(tmp_path)}
    assert shutil.which("g++", path=environment["PATH"]) is None
    done = subprocess.run([sys.executable, source], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "42"


LOOPS = """
from codesign.core.compiled import compile_kernel
from codesign.toy_constants import FACTOR


@compile_kernel
def f(x):
    return x * FACTOR
"""
USE = """
import sys
import codesign
codesign.__path__.append(sys.argv[1])
from codesign.toy_loops import f
print(f(21), f.stats.cache_hits[next(iter(f.stats.cache_hits))] if f.stats.cache_hits else 0)
"""


def test_machine_code_is_kept_by_content(tmp_path):
    """In another folder, at another time, it is there; with another constant of another module it is not."""

    def said(folder, factor):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "toy_constants.py").write_text(f"FACTOR = {factor}\n")
        (tmp_path / folder / "toy_loops.py").write_text(LOOPS)
        environment = os.environ | {"CODESIGN_KERNELS": str(tmp_path / "kernels")}
        command = [sys.executable, "-c", USE, str(tmp_path / folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert said("first", 2) == ["42", "0"]
    assert said("second", 2) == ["42", "1"]
    assert said("third", 3) == ["63", "0"]
