"""One job of a search in a process and a folder of its own, anywhere: files and words in, files and words out.

``carry_out`` runs where the cluster puts it, and needs nothing there but codesign: neither the run's folder nor the
search's database. It starts ``python -m codesign.dse.remote FOLDER``, so that a candidate that hangs, runs out of
memory or crashes takes no cluster worker along, and two candidates never share a process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codesign.store import packed, unpacked

__all__ = ("carry_out", "files_below", "write_files")

_JOB, _RESULT = "job.json", "result.json"


def files_below(root: Path, *paths: Path) -> dict[str, bytes]:
    """Content of the files among and below ``paths``, by their path relative to ``root``."""
    every = [p for path in paths for p in ([path] if path.is_file() else sorted(path.rglob("*")))]
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in every if p.is_file() and not p.is_symlink()}


def write_files(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files at their relative paths."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def carry_out(job: str, files: bytes, shared: bytes, seconds: float | None) -> tuple[str, bytes]:
    """Do a job (JSON) on files and shared files (zips); what came of it (JSON), and the files that are new (zip).

    After ``seconds`` it is ended. The answer has ``died`` where the process did not come to its end, ``late`` where it
    was ended.
    """
    from codesign.dse.pool import ONE_THREAD

    with tempfile.TemporaryDirectory(prefix="codesign-job-") as place:
        root = Path(place)
        for content in (shared, files):
            unzipped = unpacked(content)
            assert unzipped is not None, "the driver sends whole archives"
            write_files(root / "run", unzipped)
        before = files_below(root / "run", root / "run")
        (root / _JOB).write_text(job, encoding="utf-8")
        # the pipe is never written to: it closes with this process, however that ends, and the job ends with it
        process = subprocess.Popen(
            [sys.executable, "-m", "codesign.dse.remote", str(root)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            start_new_session=True,
        )  # fmt: skip
        answer: dict[str, Any] = {}
        try:
            # communicate() would close the pipe
            said: list[str] = []
            assert process.stderr is not None
            reader = threading.Thread(target=lambda: said.append(process.stderr.read()), daemon=True)  # type: ignore[union-attr]
            reader.start()
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                code, answer = 0, {"died": f"took longer than {seconds:g} s", "late": True}
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        reader.join(5)
        if not answer:
            if (root / _RESULT).is_file():
                answer = json.loads((root / _RESULT).read_text(encoding="utf-8"))
            elif code < 0:
                answer = {"died": f"was killed by {signal.Signals(-code).name}"}
            else:
                last = (said[0].strip().splitlines() if said else []) or ["nothing said"]
                answer = {"broken": f"a job on the cluster ended with exit code {code}: {last[-1][:300]}"}
        after = files_below(root / "run", root / "run")
        return json.dumps(answer), packed({n: c for n, c in after.items() if before.get(n) != c})


def _end_with_parent() -> None:
    sys.stdin.read()
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _main(root: Path) -> None:
    from codesign import store
    from codesign.dse import messages
    from codesign.dse.worker import Bench
    from codesign.errors import CodesignError
    from codesign.runfolder import RunFolder, write_atomically
    from codesign.study import parse_study

    threading.Thread(target=_end_with_parent, daemon=True).start()
    job = json.loads((root / _JOB).read_text(encoding="utf-8"))
    run = RunFolder(root / "run")
    study = parse_study(job["study"], "study.yaml")
    settings = messages.Settings(
        study, str(run.path), None, job["evaluate"], job["prove"], job["store"], job["measure"]
    )
    try:
        store.use(settings.store)
        answer = Bench(settings, run, lambda message: None).carry_out(job)
    except CodesignError as error:
        answer = {"broken": str(error)}
    write_atomically(root / _RESULT, json.dumps(answer).encode())


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
