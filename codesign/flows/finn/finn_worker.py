"""A process that runs FINN: one job a line in (JSON), one answer a line out, until its input ends.

FINN prints to standard output, changes global state and imports slowly, so it lives apart and stays warm between
candidates. Answers go out on a copy of standard output that FINN does not know; what FINN prints goes to standard
error.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from codesign.flows.finn import backend

__all__ = ("main",)


def _compile(job: dict[str, Any]) -> dict[str, Any]:
    folder = Path(job["folder"])
    with np.load(job["arrays"], allow_pickle=False) as arrays:
        layers = [
            {**layer, "weights": arrays.get(f"weights{i}"), "thresholds": arrays.get(f"thresholds{i}")}
            for i, layer in enumerate(job["layers"])
        ]
    low, high = job["input_range"]
    return backend.compile_layers(layers, (low, high), job["part"], job["clock_ns"], job["initiation_interval"], folder)


def _execute(job: dict[str, Any]) -> dict[str, Any]:
    from qonnx.core.modelwrapper import ModelWrapper

    integers = np.load(job["integers"], allow_pickle=False)
    np.save(job["result"], backend.execute(ModelWrapper(job["graph"]), integers), allow_pickle=False)
    return {}


_JOBS = {"compile": _compile, "execute": _execute}


def _answer(line: str) -> dict[str, Any]:
    try:
        job = json.loads(line)
        return {"ok": True, "result": _JOBS[job["job"]](job)}
    except NotImplementedError as error:
        return {"ok": False, "unsupported": True, "reason": " ".join(str(error).split())}
    except Exception as error:  # whatever FINN raises costs this job only
        traceback.print_exc()
        return {"ok": False, "unsupported": False, "reason": f"{type(error).__name__}: {' '.join(str(error).split())}"}


def main() -> None:
    """Answer until the input ends; then end at once, even in mid-job: nobody is left to hear of it."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    scratch = os.environ["FINN_BUILD_DIR"]
    jobs: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            jobs.put(line)
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    release = backend.load_finn()
    while True:
        answer = _answer(jobs.get())
        sys.stderr.flush()
        answers.write(json.dumps({**answer, "version": release}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
