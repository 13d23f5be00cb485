from __future__ import annotations

import pytest

from codesign.flows.finn.environment import availability
from codesign.flows.finn.flow import Finn


@pytest.fixture(scope="session")
def finn() -> Finn:
    state = availability()
    if not state.available:
        pytest.skip(state.reason)
    return Finn()
