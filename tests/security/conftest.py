"""Two users, each with a key of their own; designs so small that compiling them takes no time; marks of what ran."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.core import plugins, store
from codesign.core.runfolder import RunFolder
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.base import Flow
from codesign.rtl.firmware import Firmware
from tests.make_run import design
from tests.security.shared_run import Shared, made_by_ann


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


@pytest.fixture
def no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test runs in its own folder, where no name may have made a file."""
    monkeypatch.chdir(tmp_path)
    yield
    assert [p for p in tmp_path.rglob("MARK*") if p.name.startswith("MARK")] == []


@pytest.fixture(scope="session")
def compiled_network(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    """A real network, compiled."""
    config = {"widths": [3], "weight_bits": [2, 2], "activation_bits": [2], "input_bits": 5, "sparsity": 0.5}
    folder = tmp_path_factory.mktemp("compiled") / "firmware"
    return Alkaid().compile(design(config), load_target("vu13p-360"), folder)


@pytest.fixture
def own(compiled_network: Firmware, tmp_path: Path) -> Firmware:
    """A copy of it that a test may change."""
    shutil.copytree(compiled_network.folder, tmp_path / "firmware")
    return replace(compiled_network, folder=tmp_path / "firmware")


@pytest.fixture(scope="session")
def original(tiny, tmp_path_factory):
    """Ann's run and her key, made once."""
    place = tmp_path_factory.mktemp("original")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODESIGN_KEY", str(place / "home-ann" / "key"))
        number = made_by_ann(place / "run", tiny).trial.number
    return place, number


@pytest.fixture
def shared(become, tiny, tmp_path, original):
    place, number = original
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    run = RunFolder(tmp_path / "run")
    return Shared(run, run.trial(number), tiny, plugins.load(Flow, "alkaid"))
