"""``python -m tests.benchmarks.trigger_events``: events per second of the simulation of trigger events. Prints JSON.

One process, of processor time and not the clock's, so that other work on the machine does not count; Pythia's start and
the loading of compiled code are told apart. With a process per core the rates add.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codesign.physics.detector import event_chunk as chunk
from codesign.physics.detector import load_event_card
from codesign.physics.detector.soft_pool import make_collisions, read_pool, write_collisions

#: The parts of an event that are timed, as ``chunk`` calls them.
PARTS = {"truth": "see_truth", "l1": "see_level1", "hlt": "_high_level", "offline": "_offline"}


def trigger_events(work: Path, events: int = 500) -> dict[str, Any]:
    """Soft collisions and, per card, events per second of processor time, and milliseconds per event of each tier."""
    card = load_event_card("zero-bias")
    make_collisions(card.pool(), 0, 50)  # loads what is compiled
    start = time.process_time()
    pool = make_collisions(card.pool(), 1, 2000)
    seconds = time.process_time() - start
    write_collisions(work / "soft.npz", pool)
    pool = read_pool([work / "soft.npz"])
    out: dict[str, Any] = {"events": events, "soft_collisions_per_second": round(2000 / seconds)}
    spent = dict.fromkeys(PARTS, 0.0)

    def timed(name: str, part: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            start = time.process_time()
            result = part(*arguments)
            spent[name] += time.process_time() - start
            return result

        return run

    originals = {name: getattr(chunk, part) for name, part in PARTS.items()}
    for name, part in PARTS.items():
        setattr(chunk, part, timed(name, originals[name]))
    try:
        for name in ("zero-bias", "ttbar"):
            card = load_event_card(name)
            start = time.process_time()
            chunk.make_events(card, 0, 1, pool)
            began = time.process_time() - start
            spent.update(dict.fromkeys(PARTS, 0.0))
            start = time.process_time()
            chunk.make_events(card, 1, events, pool)
            seconds = time.process_time() - start
            out[name] = {
                "start_seconds": round(began, 1),
                "events_per_second_per_core": round(events / max(seconds - began, 1e-9)),
                "milliseconds_per_event": {k: round(1000 * v / events, 2) for k, v in spent.items()},
            }
    finally:
        for name, part in PARTS.items():
            setattr(chunk, part, originals[name])
    return out


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(trigger_events(Path(folder)), indent=1))
