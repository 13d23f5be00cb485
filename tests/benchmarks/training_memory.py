"""Memory of a training on many jets: a sample in a file, its parts, codes and one epoch, in a process of its own.

    python -m tests.benchmarks.training_memory [--events N]

Random jets of 64 constituents of 16 fields, a block of 4 GB for a million, which JEDI-linear learns. Prints the peaks
of what is resident: ``anonymous`` is memory that nothing but swapping gives back, ``resident`` has what of the files is
in memory as well. ``reports/reference/training_memory.json`` keeps the whole.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.layout import BlockValues, Layout
from codesign.core.mapped import chunks, mapped
from codesign.core.runfolder import write_atomically
from codesign.data.sample import Sample, Splits

RECORD = Path(__file__).parents[2] / "reports" / "reference" / "training_memory.json"
ITEMS, FIELDS, CLASSES = 64, 16, 5
SPLITS = Splits(train=0.8, validation=0.1, test=0.1, seed=1)


def sample_of(events: int) -> Sample:
    """Random jets; the class shifts the first field."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, events)
    values = mapped((events, ITEMS, FIELDS), np.float32)
    for part in chunks(values):
        values[part] = rng.standard_normal((part.stop - part.start, ITEMS, FIELDS), dtype=np.float32)
        values[part, :, 0] += labels[part, None]
    layout = Layout(name="constituents", shape=(ITEMS, FIELDS), fields=tuple(f"f{i}" for i in range(FIELDS)))
    return Sample(
        features=np.zeros((events, 1), np.float32), labels=labels, feature_names=("none",), units=("1",),
        class_names=tuple(f"c{i}" for i in range(CLASSES)), blocks=(BlockValues(layout, values),),
        view=("constituents",),
    )  # fmt: skip


def trained(events: int, epochs: int = 1) -> dict[str, Any]:
    """Train on so many jets here; what the process had in memory at most, MB."""
    import torch

    from codesign.core.fixedpoint import InputQuantisation
    from codesign.families.jedi_linear.family import JediLinear
    from codesign.tasks.heads import Head, LossObjective
    from codesign.training.coded import Coded
    from codesign.training.lesson import Budget, Fold, Lesson, Subject
    from tests.families.items.networks import BASE

    torch.set_num_threads(1)
    peak, done = {"anonymous": 0, "resident": 0}, threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            status = Path("/proc/self/status").read_text()
            for key, name in (("anonymous", "RssAnon:"), ("resident", "VmRSS:")):
                peak[key] = max(peak[key], int(status.split(name)[1].split()[0]) // 1024)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.process_time()
    sample = sample_of(events)
    layout = sample.blocks[0].layout
    candidate = JediLinear().read(BASE, "config.json")
    folds, quantisation = [], None
    for name in ("train", "validation"):
        part = sample.part(name, SPLITS)
        quantisation = quantisation or InputQuantisation.of_blocks(part.x, (layout,), candidate.input_width())
        folds.append(Fold(Coded.of(quantisation, part.x), {"class": part.y}))
    assert quantisation is not None
    heads = (Head("class", sample.class_names, LossObjective("cross-entropy")),)
    lesson = Lesson(Subject(layout.labels, heads, blocks=(layout,)), quantisation, *folds)
    JediLinear().fit(candidate, lesson, Budget(epochs, 1024, 0.01), 1)
    done.set()
    watcher.join()
    return {"events": events, **{f"{key}_mb": value for key, value in peak.items()},
            "cpu_seconds": round(time.process_time() - start, 1)}  # fmt: skip


def measured(events: int) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.training_memory", "--here", "--events", str(events)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--here", action="store_true", help="in this process, without keeping it")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(trained(options.events)))
        return
    found = measured(options.events)
    print(found)
    write_atomically(RECORD, (json.dumps(found, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
