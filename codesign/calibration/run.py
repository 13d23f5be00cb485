"""Run a calibration (``make calibration``), in parts if wanted: ``python -m codesign.calibration.run WORK``.

Writes the table, and the fits that :mod:`codesign.flows.expected` ships, from whatever is measured by then.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from codesign.calibration.measure import measure
from codesign.calibration.plan import plan
from codesign.calibration.table import fits, table, text
from codesign.core.interrupt import interruptible, keeps
from codesign.core.runfolder import write_atomically
from codesign.flows.expected import FITS

__all__ = ("main",)


def main() -> None:
    """Measure the plan's networks that are not measured yet, for at most so many seconds; write table and fits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="where designs, firmware and logs go; the same folder goes on")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no network after this time")
    parser.add_argument("--output", type=Path, help="write the table here")
    parser.add_argument("--fits", type=Path, default=FITS, help="with --output: write the fits here")
    options = parser.parse_args()
    with interruptible():
        keeps(f"networks that were measured are in {options.work}, and the same command goes on from there")
        _calibrate(options)


def _calibrate(options: argparse.Namespace) -> None:
    start = time.monotonic()
    for one in plan():
        if time.monotonic() - start > options.seconds:
            break
        measure(one, options.work / one.name, print)
    if options.output is not None:
        made = table(options.work, plan())
        write_atomically(options.output, text(made).encode())
        write_atomically(options.fits, (json.dumps(fits(made), indent=1) + "\n").encode())
        print(f"{len(made['networks'])} networks: {options.output}")


if __name__ == "__main__":
    main()
