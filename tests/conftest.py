from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# nothing that an earlier run of the tests made is taken for what this one should make
os.environ["CODESIGN_STORE"] = "none"


@pytest.fixture(scope="session")
def published_data() -> Callable[[str], Path]:
    """Find a published file in ``$CODESIGN_DATA``, or beside the project in ``shared/data``; skip where absent."""

    def find(name: str) -> Path:
        root = Path(os.environ.get("CODESIGN_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
        if not (root / name).is_file():
            pytest.skip(f"published data absent: {root / name} (set CODESIGN_DATA)")
        return root / name

    return find
