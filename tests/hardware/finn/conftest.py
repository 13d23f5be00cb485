from __future__ import annotations

import pytest

from codesign.hardware.finn.environment import availability
from codesign.hardware.finn.flow import Finn


@pytest.fixture(scope="session")
def finn() -> Finn:
    state = availability()
    if not state.available:
        pytest.skip(state.reason)
    return Finn()
