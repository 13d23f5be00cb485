"""Makes ``wrapper_designs`` importable, and a design of the global trigger's words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import wrapper_designs as made


@pytest.fixture(scope="session")
def level1(tmp_path_factory):
    design, raw = made.level1_design()
    return made.compiled(design, raw, tmp_path_factory.mktemp("level1"))
