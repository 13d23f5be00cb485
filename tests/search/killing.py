"""``evaluate`` and ``prove`` of real candidates that kill their worker in one stage, once for each trial."""

import os
import signal

from codesign.pipeline.whole import WholePipeline

#: the stage in which the trial of this number dies
EVALUATION = ("bound", "training", "export", "compile", "gate", "judging")
#: the stage in which the first, second, third trial that is proven dies
PROOF = ("simulation", "synthesis", "test")


def _die(marker):
    marker.touch()
    os.kill(os.getpid(), signal.SIGKILL)


class DeadlyPipeline(WholePipeline):
    def evaluate(self, study, config, folder, seed, train, validation, stage, settings=None):
        deaths = folder.path.parent.parent / "deaths"
        deaths.mkdir(exist_ok=True)

        def deadly(name):
            stage(name)
            marker = deaths / f"{folder.number}-{name}"
            if EVALUATION.index(name) == folder.number and not marker.exists():
                _die(marker)

        return super().evaluate(study, config, folder, seed, train, validation, deadly, settings)

    def prove(self, study, folder, sample, seed, stage):
        deaths = folder.path.parent.parent / "deaths"
        died = [p.name for p in deaths.glob("proof-*")]
        mine = any(name.startswith(f"proof-{folder.number}-") for name in died)

        def deadly(name):
            stage(name)
            if not mine and len(died) < len(PROOF) and PROOF[len(died)] == name:
                _die(deaths / f"proof-{folder.number}-{name}")

        super().prove(study, folder, sample, seed, deadly)
