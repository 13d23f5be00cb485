"""A process that makes chunks: one JSON request per line in, one JSON answer per line out.

A plain subprocess, since multiprocessing would either fork a parent full of threads or run the caller's script again.
It ends when its input closes, or on its next answer after its parent was killed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from codesign.errors import CodesignError, InputError
from codesign.physics.cache import write_chunk
from codesign.physics.card import Card
from codesign.physics.chunk import make_chunk

__all__ = ("main",)


def main() -> int:
    """Serve requests ``{card, label, number, jets, path}`` until the input ends."""
    # Pythia and FastJet print to file descriptor 1 from C++: keep the answers on one of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")

    for line in sys.stdin:
        request = json.loads(line)
        try:
            chunk = make_chunk(
                Card.model_validate(request["card"]),
                request["label"],
                request["number"],
                request["jets"],
                lambda done: answer(done=done),
            )
            write_chunk(Path(request["path"]), chunk)
        except CodesignError as error:
            answer(error=str(error), user=isinstance(error, InputError))
        except BrokenPipeError:
            return 1
        else:
            answer(finished=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
