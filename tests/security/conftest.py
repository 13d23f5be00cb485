"""Two users, each with a key of their own, and a design so small that compiling it takes no time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codesign.core import store
from tests.make_run import design


@pytest.fixture
def become(tmp_path, monkeypatch) -> Callable[[str], None]:
    """Be the user of this name from here on: with their key, in the same folders."""

    def switch(name: str) -> None:
        monkeypatch.setenv("CODESIGN_KEY", str(tmp_path / f"home-{name}" / "key"))

    switch("ann")
    yield switch
    store.use(None)


@pytest.fixture(scope="session")
def tiny():
    """A design of a few adders."""
    config = {"widths": [2], "weight_bits": [2, 2], "activation_bits": [2], "input_bits": 4, "sparsity": 0.8}
    return design(config, 3)


@pytest.fixture
def marker(tmp_path):
    """A file that every attack here would make."""
    path = tmp_path / "ran"
    yield path
    assert not path.exists(), "something that was read was run"
