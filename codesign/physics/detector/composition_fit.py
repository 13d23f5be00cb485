"""Offline jets beside CMS's simulation: ``python -m codesign.physics.detector.composition_fit NANOAOD``.

Jets of top pairs above 30 GeV within |eta| < 2.5 with a generated partner, no lepton's (each of chEmEF and muEF below
one half). The numbers of ``composition`` are fitted on CMS's even events, by means; tables of both halves, before and
after, are written to ``composition.json`` of the records. ``--fit`` also writes the detector's own.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.runfolder import write_atomically
from codesign.physics.detector.composition import KINDS, PATH, Composition, offline_composition

__all__ = ("COLUMNS", "apply_composition", "fit_composition", "jet_rows", "main", "means_of")

COLUMNS = (*KINDS, "nConstituents", "chMultiplicity", "neMultiplicity", "rawFactor")
Rows = NDArray[np.float64]
#: how near a mean is to be, as a share of CMS's
AIM = 0.20


def jet_rows(events: Any) -> Rows:
    """(jets, 9) of ``COLUMNS`` of the jets that are compared."""
    import awkward as ak

    jets = events.Jet
    kept = (jets.pt > 30) & (abs(jets.eta) < 2.5) & (jets.genJetIdx >= 0) & (jets.muEF < 0.5) & (jets.chEmEF < 0.5)
    return np.column_stack([np.asarray(ak.flatten(jets[kept][name]), dtype=np.float64) for name in COLUMNS])


def apply_composition(found: Composition, rows: Rows) -> Rows:
    """What jets of the towers become."""
    n = len(KINDS)
    charged, neutral = found.numbers(rows[:, n], rows[:, n + 1])
    raw = 1 - (1 - rows[:, -1]) * found.scale
    return np.column_stack([found.fractions(rows[:, :n]), charged + neutral, charged, neutral, raw])


def fit_composition(own: Rows, cms: Rows) -> Composition:
    """The composition with which the means of the towers' jets are those of CMS's."""
    mean, aim = own.mean(axis=0), cms.mean(axis=0)
    neutral, muons = mean[1], mean[4]
    from_muons = float(np.clip((muons - aim[4]) / muons, 0, 1))
    gains = [aim[0] - mean[0] - from_muons * muons, aim[2] - mean[2], aim[3] - mean[3]]
    shares = [float(np.clip(gain / neutral, 0, 1)) for gain in gains]
    return Composition(
        neutral_to_charged=round(shares[0], 4),
        neutral_to_electrons=round(shares[1], 4),
        neutral_to_photons=round(shares[2], 4),
        muons_to_charged=round(from_muons, 4),
        charged_number=round(float(aim[6] / mean[6]), 4),
        neutral_number=round(float(aim[7] / mean[7]), 4),
        scale=round(float((1 - aim[8]) / (1 - mean[8])), 4),
    )


def means_of(own: Rows, cms: Rows) -> dict[str, Any]:
    """By column: the means with statistical errors, the ratio with its own, and whether it is within the aim."""
    found = {}
    for name, ours, theirs in zip(COLUMNS, own.T, cms.T, strict=True):
        mean, other = float(ours.mean()), float(theirs.mean())
        error, unsure = (float(v.std(ddof=1)) / math.sqrt(len(v)) for v in (ours, theirs))
        ratio = mean / other
        found[name] = {
            "simulation": [round(mean, 4), round(error, 4)],
            "cms": [round(other, 4), round(unsure, 4)],
            "ratio": round(ratio, 3),
            "error": round(abs(ratio) * math.hypot(error / mean, unsure / other), 3),
            "within": bool(abs(ratio - 1) <= AIM),
        }
    return found


def main() -> None:
    """Fit, judge and write."""
    import awkward as ak

    from codesign.physics.detector.event_card import load_event_card
    from codesign.physics.detector.simulate import provenance_of, simulated_events
    from codesign.physics.events import read_events

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nanoaod", type=Path, help="CMS's top pairs, such as shared/data's cms_nanoaod")
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--own", type=Path, help="simulated top pairs, made with the composition as it is, instead")
    parser.add_argument("--fit", action="store_true", help="write what is fitted as the detector's own")
    parser.add_argument("-o", "--output", type=Path, default=Path("reports/reference"))
    given = parser.parse_args()
    fields = ["Jet"]
    cms = ak.concatenate(list(read_events(given.nanoaod, fields)))
    own = ak.concatenate(list(read_events(given.own or simulated_events("ttbar", given.events), fields)))
    now = offline_composition()
    towers = _undone(jet_rows(own), now)
    fitted_on, judged_on = jet_rows(cms[::2]), jet_rows(cms[1::2])
    fitted = fit_composition(towers, fitted_on)
    if given.fit:
        write_atomically(PATH, (json.dumps(fitted.model_dump(mode="json"), indent=1) + "\n").encode())
    after = apply_composition(fitted, towers)
    provenance = {"file": given.own.name} if given.own else provenance_of(load_event_card("ttbar"))
    content = {
        "selection": "pT > 30 GeV, |eta| < 2.5, generated partner, chEmEF < 0.5, muEF < 0.5",
        "jets": {"simulation": len(towers), "cms, fitted": len(fitted_on), "cms, judged": len(judged_on)},
        "fitted": fitted.model_dump(mode="json"),
        "half that was fitted": {"towers": means_of(towers, fitted_on), "detector": means_of(after, fitted_on)},
        "half that was judged": {"towers": means_of(towers, judged_on), "detector": means_of(after, judged_on)},
        "cms_file": given.nanoaod.name,
        "provenance": {k: v for k, v in provenance.items() if k != "card"},
    }
    write_atomically(given.output / "composition.json", (json.dumps(content, indent=1) + "\n").encode())
    print(json.dumps(content["half that was judged"], indent=1))


def _undone(rows: Rows, now: Composition) -> Rows:
    """Jets of the towers, of those that the detector's own composition made of them; numbers to rounding."""
    n = len(KINDS)
    out = rows.copy()
    left = 1 - now.neutral_to_charged - now.neutral_to_electrons - now.neutral_to_photons
    neutral = rows[:, 1] / max(left, 1e-6)
    muons = rows[:, 4] / max(1 - now.muons_to_charged, 1e-6)
    out[:, 0] -= now.neutral_to_charged * neutral + now.muons_to_charged * muons
    out[:, 2] -= now.neutral_to_electrons * neutral
    out[:, 3] -= now.neutral_to_photons * neutral
    out[:, 1], out[:, 4] = neutral, muons
    out[:, n + 1] = rows[:, n + 1] / now.charged_number
    out[:, n + 2] = rows[:, n + 2] / now.neutral_number
    out[:, n] = out[:, n + 1] + out[:, n + 2]
    out[:, -1] = 1 - (1 - rows[:, -1]) / now.scale
    return out


if __name__ == "__main__":
    main()
