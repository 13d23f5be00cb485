"""SIGKILLs over the driver and the workers of a search, at every stage, compared with a search that nothing disturbs.

``python -m tests.search.sigkills [--count 60] [--storage journal|sqlite|postgresql ...] [-o FILE]`` writes how many
processes were killed in which stage, which trials were lost or counted twice, and whether the front is the same.
Evaluation and proof are the toy package's doubles; driver, workers, storage and records are the real ones.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import yaml

from codesign.core.records import Front, State, TrialStatus
from codesign.core.runfolder import RunFolder
from codesign.search.storage import open_study
from codesign.study.definition import parse_study
from tests.processes import PATIENCE, wait_for
from tests.search.conftest import PLUGIN, STUDY

STAGES = Path(__file__).parent / "stages"
STORAGES = ("journal", "sqlite", "postgresql")

#: where a driver is killed while it starts; each after another kill of a driver, for it must start first
_DRIVER_STARTS = ("driver interpreter", "driver start-up", "driver recovery", "driver sample")
_SEARCH = ("worker interpreter", "worker start-up", "worker drawing", "worker evaluation", "worker record")
_TOLD = ("worker telling", "worker told")
_END = (
    "worker baseline", "driver baseline", "worker proof", "worker start-up", "driver proof", "driver interpreter",
    "worker proof", "driver front", "driver recovery", "worker proof",
)  # fmt: skip
#: one that a test can afford
SHORT = (
    "worker interpreter", "worker start-up", "worker evaluation", "worker telling", "driver search", "worker proof",
)  # fmt: skip
#: kills of a candidate that is being evaluated or proven: the second one would be its own fault
_BLAMED = ("worker evaluation", "worker record", "worker proof")


def plan(count):
    """Stages in the order in which processes are to be killed there."""
    if count <= len(SHORT):
        return list(SHORT[:count])
    block = 1 + 2 + len(_SEARCH) + len(_TOLD)
    found = []
    while len(found) < count - len(_END):
        starts = [_DRIVER_STARTS[(len(found) // block * 2 + i) % len(_DRIVER_STARTS)] for i in range(2)]
        found += [*_SEARCH, *_TOLD, "driver search", *starts]
    return [*found[: count - len(_END)], *_END]


class Disturbed:
    """A search whose processes are killed as planned."""

    def __init__(self, place, trials, workers, storage):
        self.run = place / "run"
        self._command = [
            sys.executable, "-m", "toy_driver", str(place / "toy.yaml"), str(self.run), str(trials), str(workers),
            *([storage] if storage else []),
        ]  # fmt: skip
        self._stages = place / "stages"
        self._stages.mkdir()
        self._errors = (place / "errors.txt").open("w")
        paths = [STAGES, Path(__file__).parents[2], PLUGIN]
        self._environment = os.environ | {
            "TOY": "", "TOY_STAGES": str(self._stages), "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "CODESIGN_STORE": "none",
        }  # fmt: skip
        self.starts, self.killed = 0, Counter()
        self._spared = set()
        self._driver = None

    def kill(self, stages):
        """Kill a process in each of these stages, and let the search come to its end."""
        self._arm(stages[0] if stages else None)
        for stage, following in zip(stages, [*stages[1:], None], strict=False):
            self._start()
            held = self._held()
            if held is None:
                print(f"not reached: {stage}", file=sys.stderr)
                self._arm(following)
                continue
            if stage in _BLAMED:
                self._spared.add(held.read_text())
            number = int(held.suffix[1:])
            held.unlink()
            if stage.startswith("driver"):
                os.kill(self._driver.pid, signal.SIGKILL)
                assert number == self._driver.pid
                self._driver.wait()
                self._wait_for_workers()
                self._arm(following)
            else:
                self._arm(following)  # before another worker starts
                os.kill(number, signal.SIGKILL)
            self.killed[stage] += 1
        self._start()
        code = self._driver.wait(PATIENCE)
        assert code == 0, f"the driver ended with {code}: {Path(self._errors.name).read_text()}"

    def end(self):
        """Leave nothing behind."""
        if self._driver is not None and self._driver.poll() is None:
            self._driver.kill()
            self._driver.wait()
        self._errors.close()

    def _start(self):
        if self._driver is None or self._driver.poll() is not None:
            self._driver = subprocess.Popen(self._command, env=self._environment, stderr=self._errors)
            self.starts += 1

    def _arm(self, stage):
        if stage is None:
            (self._stages / "free").touch()
            return
        temporary = self._stages / "next"
        temporary.write_text("\n".join([stage, *sorted(self._spared)]))
        temporary.rename(self._stages / "armed")

    def _held(self):
        """The file of the process that waits to be killed; None where the driver came to its end before."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if held := next(self._stages.glob("held.*"), None):
                return held
            if self._driver.poll() is not None:
                return next(self._stages.glob("held.*"), None)
            time.sleep(0.01)
        raise AssertionError(f"nothing happens: {Path(self._errors.name).read_text()}")

    def _wait_for_workers(self):
        """Workers go when their driver is gone; none of them is to take what is meant for the next."""
        wait_for(lambda: not self._processes())

    def _processes(self):
        """The processes that have this search's environment, and have not ended."""
        ours, found = f"TOY_STAGES={self._stages}\0".encode(), []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended, or is another user's
                found += [folder.name] if ours in (folder / "environ").read_bytes() else []
        return found
        for held in self._stages.glob("held.*"):
            held.unlink()


def counted(run, study, storage):
    """What became of each trial, and how often the storage knows it."""
    found = {t.number: t.read("status.json", TrialStatus) for t in RunFolder(run).trials()}
    trials = open_study(RunFolder(run), study, storage).get_trials(deepcopy=False)
    known = Counter(t.user_attrs["trial"] for t in trials if t.state.name == "COMPLETE")
    return found, known


def trace(run):
    """What every trial was and scored."""
    names = ("config.json", "metrics.json", "figures.json")
    return {t.number: [t.read_json(name) for name in names] for t in RunFolder(run).trials()}


def compare(place, stages, trials, workers, sampler, storage=None):
    """As a record: the kills by stage, trials lost and counted twice, and whether front and trials are the same."""
    search = {"trials": trials, "sampler": sampler, "population": 8}
    text = yaml.safe_dump(yaml.safe_load(STUDY) | {"search": search})
    study = parse_study(text, "toy.yaml")
    began = time.monotonic()
    searches = []
    for name, kills in (("disturbed", stages), ("calm", [])):
        folder = place / name
        folder.mkdir(parents=True)
        (folder / "toy.yaml").write_text(text)
        search = Disturbed(folder, trials, workers, storage)
        try:
            search.kill(kills)
        finally:
            search.end()
        searches.append(search)
    disturbed, calm = searches
    found, known = counted(disturbed.run, study, storage)
    fronts = [Front.model_validate_json((s.run / "front.json").read_text()) for s in searches]
    return {
        "kills": sum(disturbed.killed.values()),
        "stages": dict(sorted(disturbed.killed.items())),
        "trials": trials,
        "workers": workers,
        "sampler": sampler,
        "starts of the driver": disturbed.starts,
        "lost": [n for n in range(trials) if n not in found or n not in known],
        "doubled": [n for n, times in known.items() if times > 1],
        "failed": [n for n, status in found.items() if status.state == State.FAILED],
        "trials equal": trace(disturbed.run) == trace(calm.run),
        "front": len(fronts[1].points),
        "front equal": fronts[0] == fronts[1],
        "seconds": round(time.monotonic() - began, 1),
    }


@contextlib.contextmanager
def storage_of(kind, place):
    """URL of a storage of this kind, while it is there; None for the journal."""
    if kind == "journal":
        yield None
    elif kind == "sqlite":
        place.mkdir(parents=True, exist_ok=True)
        yield f"sqlite:///{place}/search.db"
    else:
        from tests.search.postgresql_server import Server

        root = Path(tempfile.mkdtemp(prefix="codesign-pg-", dir="/tmp"))
        server = Server(root)
        server.start()
        try:
            yield server.url
        finally:
            server.stop()
            shutil.rmtree(root)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60, help="kills in each storage")
    parser.add_argument("--storage", choices=STORAGES, action="append", help="by default all")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sampler", default="random", help="with several workers only a random one can be repeated")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    sys.path.insert(0, str(PLUGIN))
    records = []
    for kind in options.storage or STORAGES:
        with tempfile.TemporaryDirectory(prefix="codesign-sigkills-") as folder:
            with storage_of(kind, Path(folder) / "storage") as storage:
                stages = plan(options.count)
                trials = 2 * options.count + 10
                found = compare(Path(folder), stages, trials, options.workers, options.sampler, storage)
            records.append({"storage": kind} | found)
            print(json.dumps(records[-1]), flush=True)
    if options.output is not None:
        options.output.write_text(json.dumps(records, indent=1) + "\n")
    sound = all(
        r["kills"] == options.count and r["trials equal"] and r["front equal"] and not (r["lost"] or r["doubled"])
        for r in records
    )
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main()
