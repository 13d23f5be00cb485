"""Damaged and forged files through the doors that read them: what is executed, what hangs, what ends in a traceback.

    python -m tests.security.fuzz --count 5000 --seed 1 -o fuzz.json

Each case is one file of a store, run folder, bundle, study, ONNX, ROOT, HDF5, Parquet or NumPy sample, with bits
flipped, cut, spliced or with values replaced, given to a door in a forked process. Stores and run folders are damaged
with the seal as it was, and sealed anew with the user's own key, so that what stands behind the seal reads them too.
That process is watched by what it does: an audit hook sees processes, connections, loaded libraries and writes outside
of its folder; a limit of processor time above that of the undamaged file sees hangs; what is neither read nor refused
with one line is a traceback. A door goes as far as the start of its first tool: to give one what this user did not make
is an execution. A case is told by its seed and number: ``--only N`` runs one again, and prints its error.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tests.security.fuzzing import bundles, files, runs
from tests.security.fuzzing.damage import TEXT, damaged
from tests.security.fuzzing.subject import Subject
from tests.security.fuzzing.watch import HANG, in_child
from tests.trees import changed, commit_of

SUBJECTS: dict[str, Subject] = {**runs.SUBJECTS, **bundles.SUBJECTS, **files.SUBJECTS}
_IMPORTED = (
    "alkaid.types", "awkward", "codesign.cli", "codesign.flows.alkaid.flow", "codesign.handoff.apply.job",
    "codesign.handoff.examination", "codesign.physics.events.show", "codesign.report.html", "h5py", "onnxruntime",
    "pyarrow.parquet", "safetensors.torch", "uproot", "uproot.models.RNTuple", "uproot.models.TTree",
    "codesign.search.resolve", "codesign.search.cluster", "codesign.pipeline", "codesign.families",
    "codesign.physics.detector.event_card", "dask_jobqueue", "codesign.pipeline.flow_comparison", "codesign.data.files",
    "codesign.search.progress", "codesign.flows.alkaid.alkaid_layers", "codesign.flows.finn.flow",
    "codesign.flows.hls4ml", "codesign.tools.vendor.vivado", "codesign.families.autoencoder.family",
    "codesign.families.learned.family",
    "codesign.tasks.anomalies.anomaly", "codesign.tasks.jets.jet_energy", "codesign.verify.rtl", "hist", "pandas",
    "rich.progress", "sklearn.ensemble",
)  # fmt: skip
_RECORDED = {"executions": "executed", "hangs": "hang", "tracebacks": "traceback", "refused": "refused", "read": "read"}


class _Fuzz:
    """Cases of one seed: what is whole is made once, in ``root``, and copied for each."""

    def __init__(self, root: Path, seed: int) -> None:
        self._root, self._seed = root, seed
        self._whole: dict[str, tuple[Path, Path]] = {}
        self._clean: dict[tuple[str, int], dict[str, Any]] = {}

    def case(self, number: int) -> dict[str, Any]:
        """Run one case: what it is of, which file was damaged, the outcome, and what was executed."""
        name = list(SUBJECTS)[number % len(SUBJECTS)]
        subject, rng = SUBJECTS[name], np.random.default_rng([self._seed, number])
        which = int(rng.integers(len(subject.doors)))
        clean = self._read_whole(name, subject, which)
        path = self._copied(name, subject)
        every = sorted(subject.files(path))
        victim = every[int(rng.integers(len(every)))]
        content = victim.read_bytes()
        spoilt = damaged(content, rng, victim.suffix in TEXT)
        said = {"number": number, "of": name, "door": subject.doors[which].__name__}
        said["file"] = str(victim.relative_to(self._work))
        subject.place(path, victim, spoilt)
        forbidden = None if subject.own or spoilt == content else spoilt
        found = in_child(self._work, subject.doors[which], path, clean["seconds"], forbidden)
        known = {_nameless(s) for s in clean["seen"]}
        if found.get("seconds", 0) > clean["seconds"] + HANG:
            found["outcome"] = "hang"
        seen = [s for s in found["seen"] if _nameless(s) not in known]
        if subject.doors[which] in subject.refused and found["outcome"] == "read":
            seen.append("passed what must be refused")
        if "error" in found:  # the scratch folder is no part of it
            found["error"] = str(found["error"]).replace(f"{self._work}/", "")
        return said | found | {"seen": seen}

    @property
    def _work(self) -> Path:
        return self._root / "work"

    def _copied(self, name: str, subject: Subject) -> Path:
        if name not in self._whole:
            folder = self._root / re.sub(r"\W+", "-", name)
            folder.mkdir()
            self._whole[name] = folder, subject.make(folder)
        folder, made = self._whole[name]
        shutil.rmtree(self._work, ignore_errors=True)
        shutil.copytree(folder, self._work)
        return self._work / made.relative_to(folder)

    def _read_whole(self, name: str, subject: Subject, which: int) -> dict[str, Any]:
        """What comes of the undamaged file, which must be read, or refused where nobody else's is taken."""
        if (name, which) not in self._clean:
            path = self._copied(name, subject)
            found = in_child(self._work, subject.doors[which], path, 60)
            expected = "refused" if subject.doors[which] in subject.refused else "read"
            if found["outcome"] != expected:
                raise AssertionError(f"{name}: the undamaged file is not {expected}: {found}")
            self._clean[name, which] = found
        return self._clean[name, which]


def _nameless(seen: str) -> str:
    """What was seen, without the random names of temporary files."""
    return re.sub(r"\W\w{8}\b", "", seen)


def fuzz(
    numbers: range, seed: int, say: Callable[[str], None] = lambda text: None, seconds: float = math.inf
) -> dict[str, Any]:
    """Run cases, for so many seconds; counts of what came of them (``executions``, ...), and the bad ones."""
    for module in _IMPORTED:  # once, before all processes
        importlib.import_module(module)
    began = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="codesign-fuzz-"))
    before = os.environ.get("CODESIGN_KEY")
    os.environ["CODESIGN_KEY"] = str(root / "key")  # of its own: nothing is sealed with the user's
    counts: dict[str, Counter[str]] = {}
    bad: list[dict[str, Any]] = []
    try:
        cases = _Fuzz(root, seed)
        for done, number in enumerate(numbers, 1):
            found = cases.case(number)
            count = counts.setdefault(found["of"], Counter())
            count.update([found["outcome"]] + ["executed"] * bool(found["seen"]))
            if found["seen"] or found["outcome"] in ("hang", "traceback"):
                bad.append(found)
                say("{number}: {of}, {file}, {door}: {outcome} {seen}".format(**found))
            if done % 100 == 0:
                say(f"{done} of {len(numbers)}: {dict(sum(counts.values(), Counter()))}")
            if time.monotonic() - began > seconds:
                break
    finally:
        os.environ.pop("CODESIGN_KEY") if before is None else os.environ.update(CODESIGN_KEY=before)
        shutil.rmtree(root, ignore_errors=True)
    return _summed(counts) | {"seed": seed, "seconds": round(time.monotonic() - began), "bad": bad}


def _summed(counts: dict[str, Counter[str]]) -> dict[str, Any]:
    total = sum(counts.values(), Counter())
    kinds = {name: {key: count[of] for key, of in _RECORDED.items()} for name, count in counts.items()}
    cases = sum(total[of] for of in _RECORDED.values() if of != "executed")
    return {"cases": cases, **{key: total[of] for key, of in _RECORDED.items()}, "by kind": kinds}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--start", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="run this case alone")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no further case after so long")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    one = given.only is not None
    numbers = range(given.only, given.only + 1) if one else range(given.start, given.start + given.count)
    facts = {
        "commit": commit_of()[:12] + "-dirty" * changed(),
        "date": datetime.now(UTC).date().isoformat(),
        "first": numbers.start,
    }
    found = facts | fuzz(numbers, given.seed, lambda text: print(text, file=sys.stderr, flush=True), given.seconds)
    text = json.dumps(found, indent=1)
    given.output.write_text(text + "\n") if given.output else print(text)
    return int(bool(found["executions"] or found["hangs"] or found["tracebacks"]))


if __name__ == "__main__":
    sys.exit(main())
