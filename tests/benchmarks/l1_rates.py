"""``python -m tests.benchmarks.l1_rates``: rates of common Level-1 seeds beside those that CMS published.

Zero bias is simulated at the luminosity of the published rates, with crossings of one hard collision more behind it,
weighted (:mod:`codesign.physics.detector.rate_sample`). Writes ``reports/reference/l1_rates.json``; what was simulated
lies in the cache, so that a measurement that was ended goes on.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.runfolder import write_atomically
from codesign.physics.detector.event_card import load_event_card
from codesign.physics.detector.level1 import CHOSEN_BY_RATES
from codesign.physics.detector.rate_sample import balanced_weights
from codesign.physics.detector.seed_rates import CROSSINGS, PILE_UP, SOURCE, seed_rates
from codesign.physics.detector.simulate import provenance_of
from codesign.physics.detector.tiers import joined, tier_pieces
from tests.trees import ROOT, commit_of

RECORD = ROOT / "reports" / "reference" / "l1_rates.json"
CARD = "zero-bias-rate"
#: what was chosen by the published rates, on other crossings than those of the record
CHOSEN = (
    "the slope of the towers' threshold in missing energy, by ETM60 and ETM80",
    "the most that a muon is measured above its momentum, by SingleMu16 and SingleMu22",
    "the share of HCAL behind an electron or photon, by DoubleEG_15_10",
)
#: what is not the same on both sides
DIFFERS = (
    "energy: 13 TeV of CMS, 13.6 TeV here (hard jets are some 6 to 10 % more)",
    "pile-up: that of CMS's lumi sections, which the source does not give as a number; here the luminosity times"
    " Pythia's inelastic cross-section, with the card's spread",
    "Level 1: CMS's calibration of 2017 (caloParam_2017_v1_40); here a parametric one of the published resolution",
    "no W and no Z bosons here: their leptons are some 0.3 kHz above 22 GeV at this luminosity",
)


def measured(events: int, harder: int, seed: int, workers: int | None) -> dict[str, Any]:
    """Simulate and compare."""
    kinds = [("seeds", events, seed), ("seeds-hard", harder, seed + 1)]
    pieces = [
        piece
        for tier, number, own in kinds
        if number
        for piece in tier_pieces(tier, CARD, number, PILE_UP, own, workers=workers)
    ]
    weights = balanced_weights(events, harder, joined(pieces, "pile_up"), joined(pieces, "hard"))
    rows = seed_rates(joined(pieces, "fires"), weights / events)
    provenance = provenance_of(load_event_card(CARD, pile_up=PILE_UP, seed=seed))
    return {
        "published": {"source": SOURCE, "luminosity": 2e34, "bunches": 2592, "crossings_khz": CROSSINGS},
        "simulated": {"events": events, "harder": harder, "pile_up": PILE_UP} | provenance,
        "differs": list(DIFFERS),
        "chosen by published rates": {"what": list(CHOSEN), "values": CHOSEN_BY_RATES},
        "seeds": rows,
        "readings": {
            said: sum(row.get("reading") == said for row in rows.values())
            for said in ("within a factor of two", "outside a factor of two", "not told")
        },
        "largest_factor": float(max(np.exp(abs(np.log(row["ratio"]))) for row in rows.values() if "ratio" in row)),
    }


def main() -> None:
    """Simulate, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--harder", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=2900)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--output", type=Path, default=RECORD)
    given = parser.parse_args()
    record = {"commit": commit_of(), "date": datetime.now(UTC).isoformat(timespec="seconds")}
    record |= measured(given.events, given.harder, given.seed, given.workers)
    write_atomically(given.output, (json.dumps(record, indent=1) + "\n").encode())
    for name, row in record["seeds"].items():
        print(name, f"{row['khz']:.2f} +- {row['error']:.2f} kHz, {row['published']['khz']:.2f}", row.get("reading"))


if __name__ == "__main__":
    main()
