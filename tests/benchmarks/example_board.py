"""``python -m tests.benchmarks.example_board [RUN [TRIAL]]``: the example ``edge-vision`` on an ULX3S, images a second.

Of a finished run (``python -m tests.benchmarks.examples edge-vision``) the design that is best by validation, or TRIAL,
is placed and routed and its bitstream written (``codesign bitstream``), within ``--seconds``; golden events go through
the simulated board. Images a second: of the circuit, by the initiation interval that the RTL simulation measured at
the board's clock, and over the board's serial line, by the bytes of an image. Kept in ``examples.json`` as ``board``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from codesign.core.records import Verified
from codesign.core.runfolder import RunFolder, write_atomically
from codesign.pipeline.trial import design_of
from codesign.rtl.uart import BAUD, event_bytes
from tests.benchmarks.examples import RECORD
from tests.trees import ROOT, commit_of

TARGET, BITS_OF_A_BYTE = "ulx3s-85f", 10


def on_board(run: Path, trial: int, seconds: float) -> dict[str, Any]:
    """The bitstream's figures, or why there is none."""
    command = ["bitstream", str(run), str(trial), "--target", TARGET, "--json"]
    said = f"codesign bitstream runs/edge-vision {trial} --target {TARGET}"
    found: dict[str, Any] = {"command": said, "trial": trial, "target": TARGET}
    began = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "codesign.cli", *command], cwd=ROOT, stdout=subprocess.PIPE, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return found | {"failed": f"ended after {seconds:.0f} s"}
    found["seconds"] = round(time.monotonic() - began, 1)
    if done.returncode:
        return found | {"failed": f"exit code {done.returncode}"}
    made = json.loads(done.stdout)
    folder = RunFolder(run).trial(trial)
    verdict = folder.read("verify.json", Verified)
    assert verdict is not None
    assert verdict.initiation_interval is not None
    size = event_bytes(design_of(folder).inputs)
    return found | {
        "made": {k: v for k, v in made.items() if isinstance(v, int | float | None)},
        "bytes": Path(made["bitstream"]).stat().st_size,
        "interval": verdict.initiation_interval,
        "images_a_second": made["clock_mhz"] * 1e6 / verdict.initiation_interval,
        "image_bytes": size,
        "images_a_second_serial": BAUD / BITS_OF_A_BYTE / size,
    }


def main() -> None:
    """Make it, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, default=ROOT / "runs" / "examples" / "edge-vision")
    parser.add_argument("trial", nargs="?", type=int)
    parser.add_argument("--seconds", type=float, default=900)
    options = parser.parse_args()
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    trial = record["examples"]["edge-vision"]["best"]["trial"] if options.trial is None else options.trial
    record["board"] = on_board(options.run.resolve(), trial, options.seconds) | {"commit": commit_of()}
    print(json.dumps(record["board"], indent=1))
    write_atomically(RECORD, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
