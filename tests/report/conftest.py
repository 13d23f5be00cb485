"""Makes ``make_run`` importable, and the two runs that most tests read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from make_run import make_run


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "made-up")


@pytest.fixture
def own(tmp_path):
    """A small run that a test may damage."""
    return make_run(tmp_path / "made-up", trials=12, front=3)
