"""A process that makes pieces of samples: one JSON request per line in, one JSON answer per line out.

A plain subprocess, since multiprocessing would either fork a parent full of threads or run the caller's script again.
It ends when its input closes, or on its next answer after its parent was killed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codesign.core.errors import CodesignError, InputError

__all__ = ("MAKERS", "main")

Done = Callable[[int], None]


def _jets(request: dict[str, Any], done: Done) -> None:
    from codesign.physics.cache import write_chunk
    from codesign.physics.card import Card
    from codesign.physics.chunk import make_chunk

    card = Card.model_validate(request["card"])
    chunk = make_chunk(card, request["label"], request["number"], request["jets"], done)
    write_chunk(Path(request["path"]), chunk)


def _collisions(request: dict[str, Any], done: Done) -> None:
    from codesign.physics.detector.event_card import EventCard
    from codesign.physics.detector.soft_pool import make_collisions, write_collisions

    card = EventCard.model_validate(request["card"])
    write_collisions(Path(request["path"]), make_collisions(card, request["number"], request["collisions"], done))


def _events(request: dict[str, Any], done: Done) -> None:
    from codesign.physics.detector.event_card import EventCard
    from codesign.physics.detector.event_chunk import make_events
    from codesign.physics.detector.soft_pool import read_pool
    from codesign.physics.events import write_events

    card = EventCard.model_validate(request["card"])
    pool = read_pool([Path(p) for p in request["pool"]])
    events = make_events(card, request["number"], request["events"], pool, done)
    write_events(Path(request["path"]), [events], metadata=request["metadata"])


def _tier(request: dict[str, Any], done: Done) -> None:
    import numpy as np

    from codesign.core.runfolder import written_atomically
    from codesign.physics.detector.event_card import EventCard
    from codesign.physics.detector.soft_pool import read_pool
    from codesign.physics.detector.tiers import TIERS

    card, pool = EventCard.model_validate(request["card"]), read_pool([Path(p) for p in request["pool"]])
    arrays = TIERS[request["tier"]].make(card, request["number"], request["events"], pool, done)
    with written_atomically(Path(request["path"])) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


#: What can be asked for: name -> function of the request and of a function that is told how much is done.
MAKERS: dict[str, Callable[[dict[str, Any], Done], None]] = {
    "jets": _jets,
    "collisions": _collisions,
    "events": _events,
    "tier": _tier,
}


def main() -> int:
    """Serve requests ``{make, path, ...}`` until the input ends."""
    # Pythia and FastJet print to file descriptor 1 from C++: keep the answers on one of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")

    for line in sys.stdin:
        request = json.loads(line)
        try:
            MAKERS[request["make"]](request, lambda done: answer(done=done))
        except CodesignError as error:
            answer(error=str(error), user=isinstance(error, InputError))
        except BrokenPipeError:
            return 1
        else:
            answer(finished=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
