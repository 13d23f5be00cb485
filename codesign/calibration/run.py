"""Run a calibration, in parts if wanted: ``python -m codesign.calibration.run WORK [--seconds N]``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from codesign.calibration.measure import measure
from codesign.calibration.plan import plan


def main() -> None:
    """Measure the plan's networks that are not measured yet, for at most so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    options = parser.parse_args()
    start = time.monotonic()
    for one in plan():
        if time.monotonic() - start > options.seconds:
            break
        measure(one, options.work / one.name, print)


if __name__ == "__main__":
    main()
