"""The search of a study that is named: by its file, or as one that is shipped."""

from __future__ import annotations

from pathlib import Path

from codesign.core.records import Front
from codesign.core.store import default_url
from codesign.search.engine import run_study
from codesign.study.definition import Study, in_its_file, load_study

__all__ = ("run",)


def run(study: Study | Path | str, folder: Path | str, trials: int | None = None, *, workers: int = 1) -> Front:
    """Search a study, prove its front, and keep all of it in a run folder, as ``codesign run`` does.

    ``study``: one that is shipped, such as ``"jet-tagger"``, the path of a YAML file, or a parsed one; ``trials``: how
    many candidates, by default the study's own number. Called again on the same folder, it goes on where it was. What
    was made before, samples among it, is taken from the store of this machine. InputError, a line, for what is wrong in
    the study.
    """
    if isinstance(study, Study):
        return run_study(study, Path(folder), trials, workers, store=default_url())
    with in_its_file(str(study)):
        return run(load_study(str(study)), folder, trials, workers=workers)
