"""Every plot of a report as a PDF, for a paper or a talk."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from codesign.core.errors import InputError
from codesign.report.answer import answer
from codesign.report.collect import Run, collect
from codesign.report.hypervolume import progress
from codesign.report.picture import front_picture
from codesign.report.plot_picture import plot_pictures, save_picture
from codesign.report.plots import roc_areas

__all__ = ("write_figures",)


def write_figures(run: Path, output: Path | None = None) -> list[Path]:
    """Draw every plot of a run into a folder, by default ``reports/<run folder's name>/figures``, and return the files.

    ``front.pdf`` and ``progress.pdf`` of a search, and ``trial-NNNN-<plot>.pdf`` of each design on the front.
    InputError where there is nothing to draw, or something other than a folder lies there.
    """
    found = collect(Path(run))
    folder = output or Path("reports") / Path(run).resolve().name / "figures"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"-o {folder}: figures are written into a folder: give the name of one")
    made: list[Path] = []
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if not found.provisional:
            with suppress(InputError):  # of models without a metric there is no front to draw; their plots are drawn
                made.append(front_picture(Path(run), folder / "front.pdf"))
        made += _progress(found, folder)
        for point in [r.point for r in answer(found, "").recommended] + answer(found, "").others:
            prefix = f"trial-{point.trial.number:04d}-"
            made += plot_pictures(point.plots, folder, ".pdf", prefix, roc_areas(found, point))
    except ImportError as error:
        raise InputError(f"the pictures need the package '{error.name}': pip install mplhep") from None
    if not made:
        raise InputError(f"{run} has nothing to draw yet: let 'codesign run' finish first")
    return made


def _progress(run: Run, folder: Path) -> list[Path]:
    grown = progress(run.trials, run.objectives)
    if len({volume for _, volume in grown}) < 2:
        return []
    import matplotlib
    import mplhep
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context({**mplhep.style.CMS, "font.size": 14}):
        canvas = Canvas(figsize=(8.6, 5.0), layout="constrained")
        axes = canvas.add_subplot()
        axes.step([n for n, _ in grown], [v for _, v in grown], where="post", color="#0072B2", linewidth=2)
        axes.set_xlabel("trial")
        axes.set_ylabel("hypervolume of the front")
        axes.set_ylim(bottom=0)
        save_picture(canvas, folder / "progress.pdf")
    return [folder / "progress.pdf"]
