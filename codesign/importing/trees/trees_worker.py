"""The process that holds XGBoost or LightGBM: their own margins of a model file, whose native parsers may crash.

``python -m codesign.importing.trees.trees_worker JOB.json``: a job names the library; the model and the values lie in
its folder.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.errors import InputError
from codesign.families.trees.own_margins import Margins, lightgbm_margins, xgboost_margins
from codesign.importing.own_process import answer_job

__all__ = ("work_on",)

_LIBRARIES: dict[str, Callable[[bytes], tuple[str, Margins]]] = {
    "xgboost": xgboost_margins,
    "lightgbm": lightgbm_margins,
}


def work_on(job: dict[str, Any]) -> dict[str, Any]:
    """Do one job."""
    work = Path(job["work"])
    content = (work / "model").read_bytes()
    try:
        name, margins = _LIBRARIES[job["library"]](content)
        found = margins(np.load(work / "values.npy", allow_pickle=False))
    except Exception as error:  # of any kind, by a library that was not written for such a file
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{job['library']} cannot run it ({type(error).__name__}: {said})") from None
    np.save(work / "margins.npy", np.asarray(found))
    return {"name": name}


if __name__ == "__main__":
    sys.exit(answer_job(sys.argv[1:], work_on))
