from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import pytest
import yaml

from codesign.physics.card import card_data
from codesign.physics.detector import simulated_events
from codesign.physics.detector.simulate import pool_files
from codesign.physics.detector.soft_pool import SoftPool, read_pool, write_collisions
from codesign.physics.events import read_events

#: in the pool that all tests share: starting Pythia for them takes 6 s, each thousand 4 s
COLLISIONS = 300
_FEW = 100  # what cards without pile-up take


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Path of a shipped card with a small pool of soft collisions; ``changes`` replace keys."""
    folder = tmp_path_factory.mktemp("event-cards")

    def make(name: str, mean: float = 46.0, collisions: int = COLLISIONS, **changes: Any) -> str:
        pytest.importorskip("pythia8mc", reason="pythia8mc is not installed")
        pytest.importorskip("fastjet", reason="fastjet is not installed")
        _, card = card_data(name)
        card |= {"pile_up": {"mean": mean, "collisions": collisions}} | changes
        path = folder / f"{name}-{mean:g}-{collisions}-{len(list(folder.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump(card))
        return str(path)

    return make


@pytest.fixture(scope="session")
def event_cache(small: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder of all simulated events, with its pool: made once per session, whatever the number of workers.

    A shorter piece of a pool is the beginning of a longer one.
    """
    base = tmp_path_factory.getbasetemp()
    cache = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "event-cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODESIGN_CACHE", str(cache))
        (path,) = pool_files(small("zero-bias"))
    few, whole = path.with_name(path.name.replace(str(COLLISIONS), str(_FEW))), read_pool([path])
    if not few.is_file():
        towers, muons = whole.first[_FEW], whole.muon_first[_FEW]
        first, muon_first = whole.first[: _FEW + 1], whole.muon_first[: _FEW + 1]
        write_collisions(
            few,
            SoftPool(first, whole.towers[:towers], whole.cells[:towers], muon_first, whole.muons[:muons], whole.seen),
        )
    return cache


@pytest.fixture(scope="session")
def simulated(small: Callable[..., str], event_cache: Path) -> Callable[..., Any]:
    """Events of a shipped card, simulated once per session, whatever the number of its workers."""
    known: dict[tuple[str, int, float], Any] = {}

    def make(name: str, events: int, mean: float = 46.0) -> Any:
        key = (name, events, mean)
        if key not in known:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("CODESIGN_CACHE", str(event_cache))
                files = simulated_events(small(name, mean), events)
            known[key] = ak.concatenate(list(read_events(files)))
        return known[key]

    return make
