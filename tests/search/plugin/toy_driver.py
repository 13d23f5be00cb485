"""Runs the toy study as the command line would: ``python -m toy_driver STUDY RUN TRIALS WORKERS [STORAGE]``."""

import os
import sys
from pathlib import Path

from codesign.core.errors import CodesignError
from codesign.search.engine import run_study
from codesign.search.progress import make_progress
from codesign.study.definition import load_study

if __name__ == "__main__":
    path, run, trials, workers, *storage = sys.argv[1:]
    progress = make_progress()
    if "TOY_STAGES" in os.environ:
        from toy_stages import reached, watch_driver

        reached("driver start-up")
        progress = watch_driver()
    try:
        run_study(
            load_study(path),
            Path(run),
            int(trials),
            int(workers),
            progress,
            storage=storage[0] if storage else None,
            pipeline="toy",
        )
    except CodesignError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
