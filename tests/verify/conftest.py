from __future__ import annotations

import pytest

from tests.verify.small_firmware import Small, make_small


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make_small(tmp_path_factory.mktemp("small") / "firmware")
