from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import awkward as ak
import pytest
import yaml

from codesign.physics.card import card_data
from codesign.physics.detector import simulated_events
from codesign.physics.events import read_events


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Path of a shipped card with a small pool of soft collisions; ``changes`` replace keys."""
    folder = tmp_path_factory.mktemp("event-cards")

    def make(name: str, mean: float = 46.0, collisions: int = 800, **changes: Any) -> str:
        pytest.importorskip("pythia8mc", reason="pythia8mc is not installed")
        pytest.importorskip("fastjet", reason="fastjet is not installed")
        _, card = card_data(name)
        card |= {"pile_up": {"mean": mean, "collisions": collisions}} | changes
        path = folder / f"{name}-{mean:g}-{collisions}-{len(list(folder.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump(card))
        return str(path)

    return make


@pytest.fixture(scope="session")
def simulated(small: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Events of a shipped card, simulated once per session, whatever the number of its workers."""
    base = tmp_path_factory.getbasetemp()
    cache = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "event-cache"
    known: dict[tuple[str, int, float], Any] = {}

    def make(name: str, events: int, mean: float = 46.0) -> Any:
        key = (name, events, mean)
        if key not in known:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("CODESIGN_CACHE", str(cache))
                files = simulated_events(small(name, mean), events)
            known[key] = ak.concatenate(list(read_events(files)))
        return known[key]

    return make
