"""What ``codesign data response`` does, as a plain function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.runfolder import RunFolder

__all__ = ("jet_response", "scores_of")


def jet_response(
    file: Path,
    corrections: tuple[Path, str] | None = None,
    trial: tuple[Path, int] | None = None,
    pictures: Path | None = None,
) -> list[dict[str, Any]]:
    """Response of every tier of an event file with generated jets; one row per tier, at generated pT 60 to 120 GeV.

    ``corrections``: a correctionlib file and the name of a correction in it, applied to the uncorrected offline pT;
    ``trial``: a run of ``jet-energy-offline`` and one of its trials, applied to the same jets by its compiled
    firmware's model; ``pictures``: a folder for the plots as SVG. InputError as in ``read_events``.
    """
    from codesign.tasks.jets.published import agreement, corrections_of, plots, summary, tiers_of

    named = {} if corrections is None else {corrections[1]: corrections_of(*corrections)}
    network = None if trial is None else scores_of(RunFolder(trial[0]), trial[1])
    tiers = tiers_of(file, named, network)
    if pictures is not None:
        from codesign.report.plot_picture import plot_pictures

        plot_pictures(plots(tiers, file.name), pictures)
    rows: list[dict[str, Any]] = [
        {
            "tier": name,
            "jets": jets,
            "response": f"{response.value:.3f} ± {response.error:.3f}",
            "resolution": f"{resolution.value:.3f} ± {resolution.error:.3f}",
        }
        for name, (response, resolution, jets) in summary(tiers).items()
    ]
    for name, factors in named.items():
        rows += [
            {
                "tier": f"{name} over the file's own pT, {low:g} < |eta| < {high:g}",
                "jets": jets,
                "response": f"{ratio.value:.3f} ± {ratio.error:.3f}",
                "resolution": "",
            }
            for (low, high), (ratio, jets) in agreement(file, factors).items()
        ]
    return rows


def scores_of(run: RunFolder, number: int) -> Any:
    """A trial's network as a function from features (jets, features) to scores (jets, outputs), with its integers."""
    from codesign.core.design import Design
    from codesign.pipeline.trial import firmware_for, flow_of, trial_of
    from codesign.study.definition import Study
    from codesign.tasks.jets.jet_energy import JetEnergyOffline
    from codesign.tasks.jets.jet_inputs import FEATURES

    origin = trial_of(run, number)[0]
    if isinstance(origin, Study) and origin.task != JetEnergyOffline.name:
        raise InputError(
            f"trial {number} of {run.path} is of the task '{origin.task}': what it learned is not of offline jets, to "
            f"which it would be applied here; give a run of '{JetEnergyOffline.name}' (codesign run jet-energy-offline)"
        )
    folder, firmware = firmware_for(run, number, None)
    design, flow = Design.load(folder.path), flow_of(run, number)
    if design.inputs.labels != FEATURES:
        raise InputError(
            f"trial {number} of {run.path} reads {', '.join(design.inputs.labels)}; a network of the task "
            f"'jet-energy-offline' reads {', '.join(FEATURES)}"
        )

    def scores(features: NDArray[np.float32]) -> NDArray[np.float64]:
        codes = design.input_quantisation.codes(features)
        return np.asarray(design.outputs.values(flow.predict(firmware, codes)), dtype=np.float64)

    return scores
