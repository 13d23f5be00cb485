"""Moments of a search at which its processes wait to be killed from outside, where that is what is wanted next.

The harness (:mod:`tests.search.sigkills`) writes the stage that it wants, and trials to be spared, into ``armed`` in
the folder ``$TOY_STAGES``. The first process that comes there takes the file away, leaves its number as ``held.PID``,
and waits.
"""

import os
import time
from pathlib import Path

#: while one of these is wanted no trial is evaluated, so that the search does not come to its end before
_BEFORE = ("interpreter", "start-up", "recovery", "sample")


def reached(stage, trial=None):
    """Wait here to be killed if this is the stage that is wanted, of a trial that is not to be spared."""
    folder = Path(os.environ["TOY_STAGES"])
    armed = folder / "armed"
    wanted, *spared = _read(armed)
    if wanted != stage or str(trial) in spared:
        return
    try:
        armed.rename(folder / f"taken.{os.getpid()}")  # one process only
    except FileNotFoundError:
        return
    (folder / f"taken.{os.getpid()}").write_text("" if trial is None else str(trial))
    os.rename(folder / f"taken.{os.getpid()}", folder / f"held.{os.getpid()}")
    time.sleep(600)


def wait_for_turn():
    """Wait while the next kill is to be of a process that starts, or is not yet chosen."""
    folder = Path(os.environ["TOY_STAGES"])
    while not (folder / "free").exists():
        wanted, *_ = _read(folder / "armed")
        if wanted and not wanted.endswith(_BEFORE):
            return
        time.sleep(0.02)


def _read(path):
    try:
        return path.read_text().split("\n")
    except FileNotFoundError:
        return [""]


def watch_worker():
    """Have a worker stop by wherever it speaks to the search's storage, or writes the record of a trial."""
    import optuna

    from codesign.core.records import State, TrialStatus
    from codesign.core.runfolder import TrialFolder

    ask, tell, write = optuna.study.Study.ask, optuna.study.Study.tell, TrialFolder.write

    def asked(self, *arguments, **more):
        trial = ask(self, *arguments, **more)
        reached("worker drawing")
        return trial

    def told(self, *arguments, **more):
        reached("worker telling")
        tell(self, *arguments, **more)
        reached("worker told")

    def written(self, name, record):
        if isinstance(record, TrialStatus) and record.state is not State.RUNNING and not record.stage:
            reached("worker record", self.number)
        write(self, name, record)

    optuna.study.Study.ask, optuna.study.Study.tell, TrialFolder.write = asked, told, written


def watch_driver():
    """Have a driver stop by before and after it takes up what is there; the progress to which it tells its stages."""
    from codesign.search import engine
    from codesign.search.progress import Silent

    recover = engine.recover

    def recovered(*arguments):
        found = recover(*arguments)
        reached("driver recovery")
        return found

    engine.recover = recovered

    class Stages(Silent):
        def show(self, shown):
            reached("driver " + shown.stage.split(":")[0].split(" ")[0])

    return Stages()
