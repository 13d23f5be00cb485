"""``python -m tests.benchmarks.cms_response NANOAOD JSON TEXTS``: ``data response`` on CMS's sample and corrections.

What ``codesign data response NANOAOD --corrections JSON --correction SUMMER22`` prints, and beside it CMS's numbers:

- the corrections of correctionlib's file on the sample's jets, beside the text files of the same corrections, which are
  evaluated here by their own formulas: the largest relative difference;
- the resolution of offline jets beside CMS's own resolution of simulation (JRV1), in bins of generated pT, both with
  the jets' pT, eta and density: the difference in standard deviations;
- response 1 of corrected jets, within |eta| < 1.3 and 1.3 to 2.5, at generated pT above 30 GeV.

``TEXTS``: the folder of the text files. Writes ``reports/reference/cms_response.json``.
"""

from __future__ import annotations

import argparse
import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.cli.jets import jet_response
from codesign.core.runfolder import write_atomically
from codesign.tasks.jets.jet_sample import JetEnergySample, sample_of
from codesign.tasks.jets.published import corrections_of
from codesign.tasks.jets.response import median, resolution
from tests.trees import ROOT

RECORD = ROOT / "reports" / "reference" / "cms_response.json"
ERA = "Summer22_22Sep2023"
COMPOUND = f"{ERA}_V3_MC_L1L2L3Res_AK4PFPuppi"
RELATIVE, RESOLUTION = f"{ERA}_V3_MC_L2Relative_AK4PFPuppi", f"{ERA}_JRV1_MC_PtResolution_AK4PFPuppi"
EDGES = (30.0, 45.0, 60.0, 90.0, 130.0, 250.0)
Array = NDArray[np.float64]


def text_rows(path: Path) -> Array:
    """The numbers of a text file of corrections, (bins, columns); a row may be shorter."""
    with gzip.open(path, "rt") as stream:
        rows = [[float(x) for x in line.split()] for line in stream.read(1 << 20).splitlines()[1:] if line.strip()]
    widest = max(len(r) for r in rows)
    return np.array([r + [0.0] * (widest - len(r)) for r in rows])


def relative_of(rows: Array, pt: Array, eta: Array) -> Array:
    """L2Relative by the formula in the head of its text, at pT within the bin's range."""
    place = np.clip(np.searchsorted(rows[:, 0], eta, side="right") - 1, 0, len(rows) - 1)
    low, high, p = rows[place, 3], rows[place, 4], rows[place, 5:].T
    x = np.clip(pt, low, high)
    t = np.log10(x)
    body = p[0] + p[1] / (t**2 + p[2]) + p[3] * np.exp(-p[4] * (t - p[5]) ** 2) + p[6] * np.exp(-p[7] * (t - p[8]) ** 2)
    return np.maximum(0.0001, np.where(x < p[10], p[9], body))


def resolution_of(rows: Array, pt: Array, eta: Array, rho: Array) -> Array:
    """Relative resolution by the formula in the head of its text."""
    found = np.zeros(len(pt))
    for row in rows:
        here = (eta >= row[0]) & (eta < row[1]) & (rho >= row[2]) & (rho < row[3])
        x = np.clip(pt[here], row[5], row[6])
        a, b, c, d = row[7:11]
        found[here] = np.sqrt(a * abs(a) / x**2 + b * b * x**d + c * c)
    return found


def measure(nanoaod: Path, corrections: Path, texts: Path) -> dict[str, Any]:
    """All of the record."""
    rows = jet_response(nanoaod, (corrections, COMPOUND))
    sample = sample_of([nanoaod], "Jet", JetEnergySample(files=(str(nanoaod),), max_eta=2.5), {})
    raw = np.exp2(sample.features[:, sample.feature_names.index("log2_pt")].astype(np.float64))
    rho, area = (sample.features[:, sample.feature_names.index(n)].astype(np.float64) for n in ("rho", "area"))
    eta, generated = sample.truth["eta"].astype(np.float64), sample.truth["reference_pt"].astype(np.float64)
    whole, relative = (corrections_of(corrections, n) for n in (COMPOUND, RELATIVE))
    by_text = relative_of(text_rows(texts / f"{RELATIVE}.jec.txt.gz"), raw, eta)
    by_library = relative(raw, eta, rho, area)
    # L1FastJet is 1 in these corrections, L3Absolute and the residuals of simulation too
    product = whole(raw, eta, rho, area)
    jer = text_rows(texts / f"{RESOLUTION}.jr.txt.gz")
    corrected = raw * product
    bins = []
    for low, high in pairwise(EDGES):
        here = (generated >= low) & (generated < high)
        found = resolution((corrected / generated)[here])
        cms = float(np.mean(resolution_of(jer, generated[here], eta[here], rho[here])))
        pull = (found.value - cms) / (found.error or 1.0)
        bins.append(
            {
                "low": low,
                "high": high,
                "jets": int(here.sum()),
                "measured": [round(found.value, 4), round(found.error or 0, 4)],
                "cms": round(cms, 4),
                "pull": round(pull, 2),
            }
        )
    closure = []
    for near, far in ((0.0, 1.3), (1.3, 2.5)):
        here = (np.abs(eta) >= near) & (np.abs(eta) < far) & (generated > EDGES[0])
        found = median((corrected / generated)[here])
        closure.append(
            {
                "eta": [near, far],
                "jets": int(here.sum()),
                "response": [round(found.value, 4), round(found.error or 0, 4)],
                "pull": round((found.value - 1) / (found.error or 1.0), 2),
            }
        )
    return {
        "command": f"codesign data response {nanoaod.name} --corrections {corrections.name} --correction {COMPOUND}",
        "rows": rows,
        "corrections": {
            "jets": len(raw),
            "L2Relative, largest relative difference from the text file": float(np.abs(by_library / by_text - 1).max()),
            "whole chain, largest relative difference from the text files": float(np.abs(product / by_text - 1).max()),
        },
        "resolution": bins,
        "closure": closure,
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nanoaod", type=Path)
    parser.add_argument("corrections", type=Path)
    parser.add_argument("texts", type=Path)
    given = parser.parse_args()
    content = measure(given.nanoaod, given.corrections, given.texts)
    write_atomically(RECORD, (json.dumps(content, indent=1) + "\n").encode())
    print(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
