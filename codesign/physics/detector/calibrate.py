"""Derive the calibrations of jets from simulated dijets: ``python -m codesign.physics.detector.calibrate``.

Offset at HLT: the mean density of pile-up in each bin of |eta| over the event's density. Response: the median of the
measured over the generated pT for isolated jets matched within 0.2, in bins of generated pT, inverted bin by bin
("numerical inversion", arXiv 1609.05331). Resolution: what the tiers lack of that of CMS (``resolution``).
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.runfolder import write_atomically
from codesign.physics.detector import particle_flow
from codesign.physics.detector.calibration import ETA_EDGES, PATH, TIERS, tables
from codesign.physics.detector.composition import offline_composition
from codesign.physics.detector.detector_record import nearest_jet
from codesign.physics.detector.resolution import published_resolution
from codesign.physics.detector.smearing import new_grid, wipe
from codesign.physics.detector.soft_pool import overlay, read_pool
from codesign.physics.detector.towers import PHIS, RING_AREA, RING_CENTRE, RINGS
from codesign.physics.events.l1_scales import SCALES

__all__ = ("main", "match", "offsets", "responses")

#: Bins in generated pT, GeV.
PT_EDGES = (15, 20, 25, 30, 40, 50, 70, 100, 140, 200, 300, 450, 700, 1100, 2000)
_MATCH = 0.2
_ALONE = 0.8
_LEAST_JETS = 30
_LEAST_FOUND = 0.85


def match(events: Any, collection: str, reach: float = _MATCH, alone: float = _ALONE) -> dict[str, NDArray[Any]]:
    """Generated jets with no other above a quarter of their pT within ``alone``, and their nearest jet.

    Returns arrays over generated jets: ``gen_pt``, ``gen_eta``, ``flavour``, ``event``, and ``place``: of the matched
    jet in the flattened collection, -1 where there is none within ``reach``.
    """
    import awkward as ak

    def flat(array: Any) -> NDArray[np.float64]:
        return np.asarray(ak.flatten(array), dtype=np.float64)

    def first(array: Any) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(np.asarray(ak.num(array)))]).astype(np.int64)

    gen, jets = events.GenJet, events[collection]
    gen_pt, gen_eta, gen_phi, gen_first = flat(gen.pt), flat(gen.eta), flat(gen.phi), first(gen.pt)
    jet_first = first(jets.pt)
    place = nearest_jet(gen_eta, gen_phi, gen_first, flat(jets.eta), flat(jets.phi), jet_first, reach)
    event = np.repeat(np.arange(len(events)), np.diff(gen_first))
    place = np.where(place < 0, -1, jet_first[event] + place)
    lonely = np.ones(len(gen_pt), np.bool_)
    for e in range(len(events)):
        part = slice(gen_first[e], gen_first[e + 1])
        eta, phi, pt = gen_eta[part], gen_phi[part], gen_pt[part]
        apart = np.hypot(eta[:, None] - eta, turn_all(phi[:, None] - phi))
        near = (apart <= alone) & (pt[None, :] > 0.25 * pt[:, None])
        lonely[part] = near.sum(axis=1) == 1
    flavour = np.abs(flat(gen.partonFlavour))
    return {
        "gen_pt": gen_pt[lonely],
        "gen_eta": gen_eta[lonely],
        "flavour": flavour[lonely],
        "event": event[lonely],
        "place": place[lonely],
    }


def turn_all(phi: NDArray[Any]) -> NDArray[Any]:
    """Bring angles to [-pi, pi)."""
    return (phi + np.pi) % (2 * np.pi) - np.pi


def offsets(pool: Path, mean: float = 46.0, events: int = 300) -> list[float]:
    """Per bin of |eta|: density of pile-up at HLT over the event's density, by means over crossings."""
    soft = read_pool([pool])
    random = np.random.default_rng(5)
    cells, used, count = new_grid()
    empty, _, _ = new_grid()
    ratio = np.zeros(RINGS)
    for _ in range(events):
        wipe(cells, used, count)
        n = random.poisson(mean)
        chosen, turns = random.integers(0, len(soft), n), random.integers(0, PHIS, n)
        overlay(cells, used, count, soft.first, soft.towers, soft.cells, chosen, turns, random.random(n) < 0.5)
        inputs = particle_flow.hlt_inputs(empty, cells)
        ring_pt = inputs[:, :5].sum(axis=1).reshape(RINGS, PHIS).sum(axis=1)
        ratio += ring_pt / (RING_AREA * PHIS) / particle_flow.density(inputs, 5.2) / events
    bins = np.digitize(np.abs(RING_CENTRE), ETA_EDGES) - 1
    return [float(np.average(ratio[bins == b], weights=RING_AREA[bins == b])) for b in range(len(ETA_EDGES) - 1)]


def responses(events: Any, tier: str, offset: list[float]) -> dict[str, Any]:
    """Steps of measured and true pT per bin of |eta| of a tier, from events with generated jets."""
    import awkward as ak

    collection = {"l1": "L1Jet", "hlt": "HLTJet", "offline": "Jet"}[tier]
    found = match(events, collection, 0.3 if tier == "l1" else _MATCH)
    jets = ak.flatten(events[collection])
    if tier == "l1":
        raw = np.asarray(jets.rawEt - jets.puEt * offset[0], dtype=np.float64)
    else:
        raw = np.asarray(jets.pt * (1 - jets.rawFactor), dtype=np.float64)
    if tier == "offline":
        raw = raw / offline_composition().scale
    if tier == "hlt":
        rho = np.repeat(np.asarray(events.Rho.fixedGridRhoFastjetAllHLT), np.asarray(ak.num(events.HLTJet)))
        eta = np.abs(np.asarray(jets.eta))
        raw = raw - np.asarray(offset)[np.digitize(eta, ETA_EDGES) - 1] * rho * np.asarray(jets.area)
    has = found["place"] >= 0
    measured = np.where(has, raw[found["place"]], 0.0)
    true, eta = found["gen_pt"], np.abs(found["gen_eta"])
    if tier == "l1":  # saturated ones say nothing of the response
        full = np.where(has, np.asarray(jets.hwPt)[found["place"]] >= SCALES["L1Jet"].pt_most, False)
        measured, true, eta, has = measured[~full], true[~full], eta[~full], has[~full]
    table: dict[str, Any] = {"offset": offset, "measured": [], "true": [], "extra": {"pt": [], "width": []}}
    for low, high in pairwise(ETA_EDGES):
        steps: list[tuple[float, float, float]] = []
        for a, b in pairwise(PT_EDGES):
            here = (eta >= low) & (eta < high) & (true >= a) & (true < b)
            if here.sum() < _LEAST_JETS or has[here].mean() < _LEAST_FOUND:
                continue  # below threshold only what fluctuates upwards is found
            here &= has
            centre = float(np.exp(np.mean(np.log(true[here]))))
            lower, median, upper = np.quantile(measured[here] / true[here], [0.1587, 0.5, 0.8413])
            if not steps or centre * median > steps[-1][0]:
                steps.append((centre * float(median), centre, float((upper - lower) / 2 / median)))
        x, y, width = np.array(steps).reshape(-1, 3).T
        table["measured"].append(np.round(x, 3).tolist())
        table["true"].append(np.round(y, 3).tolist())
        # calibration stretches what is measured, and the width with it, by the slope of its curve
        slope = np.gradient(np.log(y), np.log(x)) if len(x) > 1 else np.ones(len(x))
        goal = published_resolution(tier, y, np.full(len(y), (low + high) / 2))
        missing = np.sqrt(np.maximum(goal**2 - (width * slope) ** 2, 0.0)) / slope
        table["extra"]["pt"].append(np.round(y, 3).tolist())
        table["extra"]["width"].append(np.round(missing, 4).tolist())
    return table


def main() -> None:
    """Simulate dijets with nothing added to find what resolution lacks, then with it, and write new calibrations."""
    from codesign.physics.detector.simulate import pool_files

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--card", default="qcd-flat")
    parser.add_argument("--passes", type=int, default=1, help="passes before the last: the first selects by old ones")
    options = parser.parse_args()
    hlt = [round(x, 4) for x in offsets(pool_files(options.card)[0])]
    shares = {"l1": [1.0] * len(hlt), "hlt": hlt, "offline": [0.0] * len(hlt)}
    bare = {tier: {**tables()[tier], "offset": shares[tier], "extra": None} for tier in TIERS}
    _write(bare)
    for _ in range(options.passes):
        found = _found(options.card, options.events, shares)
        bare = {tier: {**found[tier], "extra": None} for tier in TIERS}
        _write(bare)
    _write(found)
    widened = _found(options.card, options.events, shares)
    _write({tier: {**widened[tier], "extra": found[tier]["extra"]} for tier in TIERS})


def _found(card: str, events: int, shares: dict[str, list[float]]) -> dict[str, Any]:
    """Tables of all tiers from events of a card, simulated with the calibrations as they are."""
    import awkward as ak

    from codesign.physics.detector.simulate import simulated_events
    from codesign.physics.events import read_events

    fields = ["GenJet", "L1Jet.*", "HLTJet", "Jet", "Rho"]
    files = simulated_events(card, events)
    sample = ak.concatenate([chunk for path in files for chunk in read_events([path], fields)])
    return {tier: responses(sample, tier, shares[tier]) for tier in TIERS}


def _write(content: dict[str, Any]) -> None:
    write_atomically(PATH, (json.dumps(content, indent=1) + "\n").encode())
    tables.cache_clear()


if __name__ == "__main__":
    main()
