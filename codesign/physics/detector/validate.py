"""What the simulation gives beside what CMS has published: ``python -m codesign.physics.detector.validate``.

Writes ``detector.json`` (every number with its statistical error) and ``detector.svg``. Rates are of one crossing's
probability times 2,544 filled bunches that each pass 11,245 times a second.
"""

from __future__ import annotations

import argparse
import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.runfolder import write_atomically
from codesign.physics.detector.calibrate import match
from codesign.physics.detector.calibration import TIERS
from codesign.physics.detector.event_card import PoolChoice, load_event_card
from codesign.physics.detector.level1 import UNIT
from codesign.physics.detector.resolution import CMS_SAMPLE, published_resolution
from codesign.physics.detector.soft_pool import HARD_SCALE, HARD_SHARE
from codesign.physics.detector.validation_plot import draw
from codesign.physics.events.l1_scales import SCALES

__all__ = ("COLLECTIONS", "crossings", "densities", "main", "rate_of_dijets", "resolutions")

COLLECTIONS = {"l1": "L1Jet", "hlt": "HLTJet", "offline": "Jet"}
#: kHz of crossings of filled bunches, at the 2,544 bunches per beam of the menus of 2018 to 2022.
CROSSINGS = 2544 * 11.245
_PT = (30, 40, 50, 70, 100, 140, 200, 300, 450, 700)
_ETA = (("barrel", 0.0, 1.3), ("endcap", 1.3, 2.5))
_THRESHOLDS = (20, 30, 35, 45, 60, 90, 120, 150, 180, 200)
_RESAMPLED = 100
#: pT of an L1 jet with a full tower, GeV.
_FULL = SCALES["L1Jet"].pt_most * UNIT
#: Density of pile-up (``fixedGridRhoFastjetAll``, GeV) in the same 200 top pairs of CMS as ``CMS_SAMPLE``: mean number
#: of collisions, density and its statistical error, in bins of the mean number of collisions.
_DENSITY_BINS = (30, 40, 46, 52, 65)
CMS_DENSITY = ((35.2, 26.5, 1.1), (43.0, 29.8, 1.5), (49.2, 33.3, 0.8), (55.5, 38.0, 1.0))


def _width(ratio: NDArray[Any]) -> tuple[float, float]:
    low, median, high = np.quantile(ratio, [0.1587, 0.5, 0.8413])
    return float(median), float((high - low) / 2 / median)


def resolutions(events: Any, tier: str, bins: tuple[float, ...], eta: tuple[float, float], alone: float) -> list[Any]:
    """Per bin of generated pT: ``pt`` (geometric mean), ``jets``, ``response`` and ``resolution`` with errors.

    Medians and half the central 68 % over the median, of calibrated over generated pT; errors by bootstrap. ``alone``:
    distance within which there is no other jet above a quarter of the pT. L1 jets whose tower is full carry the highest
    code instead of a measurement: their share is ``full``, and they count in nothing else. Bins of fewer than 30 jets
    are left out.
    """
    import awkward as ak

    found = match(events, COLLECTIONS[tier], 0.3 if tier == "l1" else 0.2, alone)
    pt = np.asarray(ak.flatten(events[COLLECTIONS[tier]].pt), dtype=np.float64)
    has = found["place"] >= 0
    true, measure = found["gen_pt"][has], pt[found["place"][has]]
    place = np.abs(found["gen_eta"][has])
    full = measure >= _FULL if tier == "l1" else np.zeros(len(measure), np.bool_)
    random = np.random.default_rng(1)
    out = []
    for low, high in pairwise(bins):
        here = (true >= low) & (true < high) & (place >= eta[0]) & (place < eta[1])
        share = float(np.mean(full[here])) if here.any() else 0.0
        here &= ~full
        if here.sum() < 30:
            continue
        ratio = measure[here] / true[here]
        again = np.array([_width(random.choice(ratio, len(ratio))) for _ in range(_RESAMPLED)])
        response, resolution = _width(ratio)
        out.append(
            {
                "low": low,
                "high": high,
                "pt": float(np.exp(np.mean(np.log(true[here])))),
                "jets": int(here.sum()),
                "full": share,
                "response": response,
                "response_error": float(again[:, 0].std()),
                "resolution": resolution,
                "resolution_error": float(again[:, 1].std()),
                "published": float(np.mean(published_resolution(tier, true[here], place[here]))),
            }
        )
    return out


def _leading(jets: Any) -> NDArray[np.float64]:
    import awkward as ak

    return np.asarray(ak.fill_none(ak.max(jets.pt, axis=1), 0.0), dtype=np.float64)


def crossings(events: Any) -> dict[str, Any]:
    """What a crossing of zero bias holds: jets, rates of a single L1 jet by threshold, and densities."""
    import awkward as ak

    n = len(events)
    leading = _leading(events.L1Jet[abs(events.L1Jet.eta) < 2.5])
    rates = {}
    for threshold in _THRESHOLDS:
        p = float(np.mean(leading >= threshold))
        if p:
            rates[str(threshold)] = {"khz": p * CROSSINGS, "error": math.sqrt(p * (1 - p) / n) * CROSSINGS}
    per_event = {
        f"{name} above {pt} GeV": float(ak.mean(ak.sum(events[name].pt > pt, axis=1)))
        for name, pt in (("L1Jet", 10), ("L1Jet", 20), ("L1Jet", 30), ("HLTJet", 30), ("Jet", 30), ("L1EG", 10))
    }
    return {
        "events": n,
        "per_event": per_event,
        "l1_single_jet_rate": rates,
        "collisions": float(ak.mean(events.Pileup.nPU)),
        "density_offline": float(ak.mean(events.Rho.fixedGridRhoFastjetAll)),
        "density_hlt": float(ak.mean(events.Rho.fixedGridRhoFastjetAllHLT)),
    }


def densities(events: Any) -> list[dict[str, float]]:
    """Offline density in bins of the mean number of collisions, with statistical errors, beside CMS's."""
    true, rho = np.asarray(events.Pileup.nTrueInt), np.asarray(events.Rho.fixedGridRhoFastjetAll)
    out = []
    for (low, high), (mean, cms, error) in zip(pairwise(_DENSITY_BINS), CMS_DENSITY, strict=True):
        here = rho[(true >= low) & (true < high)]
        if len(here) > 1:
            row = {"low": low, "high": high, "collisions": float(true[(true >= low) & (true < high)].mean())}
            row |= {"density": float(here.mean()), "density_error": float(here.std(ddof=1) / math.sqrt(len(here)))}
            out.append(row | {"cms_collisions": mean, "cms_density": cms, "cms_density_error": error})
    return out


def rate_of_dijets(events: Any, mean: float, jets: str = "L1Jet") -> dict[str, Any]:
    """Rates of a single central L1 jet, by threshold, from weighted dijets: where zero bias has too few events.

    Dijets that start at ``HARD_SCALE`` are a known share of all collisions, ``mean`` of which are in a crossing. A
    weight is (15 GeV / pT-hat)^4.5 (card ``qcd-flat``). ``jets``: ``GenJet`` for the rate of generated jets.
    """
    weight = _hard_weights(events)
    leading = _leading(events[jets][abs(events[jets].eta) < 2.5])
    out = {}
    for threshold in (t for t in _THRESHOLDS if t >= 60):
        passed = weight[leading >= threshold]
        if len(passed) < 10:
            continue
        scale = mean * HARD_SHARE * CROSSINGS
        out[str(threshold)] = {"khz": float(passed.sum()) * scale, "error": float(np.hypot.reduce(passed)) * scale}
    return out


def _hard_weights(events: Any) -> NDArray[np.float64]:
    """Shares (events,) of weighted dijets that start at ``HARD_SCALE`` among those, 0 of softer ones."""
    weight = np.asarray(events.genWeight, dtype=np.float64)
    hard = weight <= (15 / HARD_SCALE) ** 4.5
    return np.asarray(np.where(hard, weight, 0.0) / weight[hard].sum())


def _events(card: str, number: int, collisions: int) -> Any:
    import awkward as ak

    from codesign.physics.detector.simulate import simulated_events
    from codesign.physics.events import read_events

    return ak.concatenate(list(read_events(simulated_events(card, number, pool=PoolChoice(collisions=collisions)))))


def measure(dijets: int, top_pairs: int, zero_bias: int, collisions: int) -> dict[str, Any]:
    """All numbers, from as many events of each card, and so many soft collisions."""
    from codesign.physics.detector.simulate import provenance_of

    content: dict[str, Any] = {}
    events = _events("qcd-flat", dijets, collisions)
    content["dijets"] = {
        "events": dijets,
        **{t: {name: resolutions(events, t, _PT, (low, high), 0.8) for name, low, high in _ETA} for t in TIERS},
    }
    mean = load_event_card("qcd-flat").pile_up.mean
    content["l1_single_jet_rate_of_dijets"] = rate_of_dijets(events, mean)
    content["generated_single_jet_rate_of_dijets"] = rate_of_dijets(events, mean, "GenJet")
    events = _events("ttbar", top_pairs, collisions)
    content["top_pairs"] = {"events": top_pairs}
    for tier in TIERS:
        rows = resolutions(events, tier, (40, 60, 120, 250), (0.0, 5.2), 0.0)
        for row, (_, _, width, error) in zip(rows, CMS_SAMPLE[tier], strict=True):
            row |= {"published": width, "published_error": error}
        content["top_pairs"][tier] = rows
    content["top_pairs"]["density"] = densities(events)
    events = _events("zero-bias", zero_bias, collisions)
    content["zero_bias"] = crossings(events)
    provenance = provenance_of(load_event_card("zero-bias"))
    content["provenance"] = {key: value for key, value in provenance.items() if key not in ("card", "seed")}
    content["provenance"]["soft_collisions"] = collisions
    return content


def main() -> None:
    """Simulate, compare and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dijets", type=int, default=6000)
    parser.add_argument("--top-pairs", type=int, default=1000)
    parser.add_argument("--zero-bias", type=int, default=4000)
    parser.add_argument("--collisions", type=int, default=20_000, help="soft ones")
    parser.add_argument("-o", "--output", type=Path, default=Path("reports/reference"))
    options = parser.parse_args()
    content = measure(options.dijets, options.top_pairs, options.zero_bias, options.collisions)
    write_atomically(options.output / "detector.json", (json.dumps(content, indent=1) + "\n").encode())
    draw(content, options.output / "detector.svg")
    print(json.dumps({"top_pairs": content["top_pairs"], "zero_bias": content["zero_bias"]}, indent=1))


if __name__ == "__main__":
    main()
