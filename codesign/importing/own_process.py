"""A job for a process of its own, which loads a stranger's file with a stranger's library: both ends of it.

The library may crash, hang or fill the memory: then there is one line of why, and nothing else is lost. What it answers
is read as a stranger's data.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from codesign.core.errors import CodesignError, InputError, ToolError, UnsupportedError
from codesign.core.process import run_tool
from codesign.core.reading.json import member_json

__all__ = ("MEMORY_BYTES", "answer_job", "ask_process", "our_packages")

#: of the data of such a process: the largest of the networks here needs one
MEMORY_BYTES = 12 << 30
_ERRORS = {"InputError": InputError, "UnsupportedError": UnsupportedError, "ToolError": ToolError}


def ask_process(
    module: str, work: Path, job: Mapping[str, object], seconds: float, variables: Mapping[str, str], name: str
) -> dict[str, object]:
    """What a module says that is run on a job, with ``work`` as a folder of ours for both; the error that it says.

    ToolError, with ``name``: it crashed, or needs more than ``seconds``.
    """
    written = work / "job.json"
    written.write_text(json.dumps({**job, "work": str(work)}))
    command: list[str | Path] = [sys.executable, "-P", "-m", module, written]
    run_tool(command, work, seconds, variables, name=name)
    answer = member_json(work, "answer.json")
    if not isinstance(answer, dict):
        raise ToolError(f"{name}: its process gave no answer")
    if not answer.pop("ok", False):
        raise _ERRORS.get(str(answer.get("kind")), ToolError)(str(answer.get("reason")))
    return answer


def our_packages() -> dict[str, str]:
    """The environment of a Python that finds this copy of codesign first, and the packages that are installed here."""
    package = str(Path(__file__).resolve().parents[2])
    before = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([package, *([before] if before else [])]), "OMP_NUM_THREADS": "1"}


def answer_job(arguments: list[str], work_on: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """Do the job of a file, in the process itself; 0 also where it is refused, with the reason in the answer."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    try:
        answer = {"ok": True, **work_on(job)}
    except CodesignError as error:
        answer = {"ok": False, "kind": type(error).__name__, "reason": str(error)}
    except MemoryError:
        answer = {"ok": False, "kind": "UnsupportedError", "reason": f"needs more than {MEMORY_BYTES >> 30} GiB"}
    Path(job["work"], "answer.json").write_text(json.dumps(answer), encoding="utf-8")
    return 0
