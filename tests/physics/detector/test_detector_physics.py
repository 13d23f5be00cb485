"""Distributions of simulated events against physics, symmetries and what CMS has published."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from scipy.stats import kstest

from codesign.physics.detector import calibration, resolution
from codesign.physics.detector.calibrate import match
from codesign.physics.detector.calibration import ETA_EDGES, TIERS, correct
from codesign.physics.detector.resolution import JER, JER_PT, SHARED, published_resolution, smear
from codesign.physics.detector.simulate import GENERATION_VERSION
from codesign.physics.detector.validate import (
    CMS_DENSITY,
    COLLECTIONS,
    crossings,
    densities,
    rate_of_dijets,
    resolutions,
)
from codesign.physics.detector.validation_plot import draw
from codesign.physics.events import read_events

ROOT = Path(__file__).resolve().parents[3]
ZERO_BIAS, DIJETS = 500, 450


@pytest.mark.slow
def test_zero_bias(simulated: Callable[..., Any]) -> None:
    """Pile-up is what the card says, jets are few, and the harder the rarer."""
    events = simulated("zero-bias", ZERO_BIAS)
    seen = crossings(events)
    expected = 46 - 1  # the primary collision is not pile-up
    assert abs(seen["collisions"] - expected) < 4 * math.hypot(9, math.sqrt(46)) / math.sqrt(ZERO_BIAS)
    jets = seen["per_event"]
    assert 2 < jets["L1Jet above 10 GeV"] < 7
    assert jets["L1Jet above 30 GeV"] < 0.6
    assert jets["Jet above 30 GeV"] < 0.35
    assert jets["Jet above 30 GeV"] < jets["HLTJet above 30 GeV"]  # without vertices, more of pile-up stays
    rates = [rate["khz"] for rate in seen["l1_single_jet_rate"].values()]
    assert len(rates) >= 4
    assert all(high >= low for high, low in pairwise(rates))
    assert rates[0] <= 2544 * 11.245


@pytest.mark.slow
def test_azimuth_and_reflection(simulated: Callable[..., Any]) -> None:
    """No direction in azimuth, and no side, is preferred."""
    events = simulated("zero-bias", ZERO_BIAS)
    for name, least in (("L1Jet", 10), ("HLTJet", 15), ("Jet", 15)):
        jets = ak.flatten(events[name][events[name].pt > least])
        # codes of L1 are edges of bins: spread over their width
        spread = np.random.default_rng(1).uniform(0, 2 * np.pi / 144, len(jets)) if name == "L1Jet" else 0
        phi = (np.asarray(jets.phi) + np.pi + spread) % (2 * np.pi) / (2 * np.pi)
        if name != "L1Jet":  # those are at the middles of towers of 5 degrees
            assert kstest(phi, "uniform").pvalue > 1e-4, name
        assert abs(np.mean(np.exp(2j * np.pi * phi))) < 4 / math.sqrt(len(jets)), name
        assert abs(np.mean(np.sign(jets.eta))) < 4 / math.sqrt(len(jets)), name


@pytest.mark.slow
def test_density_grows_with_pile_up(simulated: Callable[..., Any]) -> None:
    """In proportion at HLT and offline, as the number of vertices nearly does."""
    rho = {}
    for mean in (46.0, 92.0):
        events = simulated("zero-bias", ZERO_BIAS if mean == 46 else 100, mean)
        per_collision = events.Rho.fixedGridRhoFastjetAllHLT / events.Pileup.nPU
        rho[mean] = (float(ak.mean(per_collision)), float(ak.std(per_collision)) / math.sqrt(len(events)))
        vertices = float(ak.mean(events.PV.npvs) / ak.mean(events.Pileup.nPU))
        assert 0.6 < vertices < 0.85
        slope, _ = np.polyfit(np.asarray(events.Pileup.nPU), np.asarray(events.Rho.fixedGridRhoFastjetAll), 1)
        assert 0.3 < slope < 1.2  # GeV per collision
    assert abs(rho[92.0][0] / rho[46.0][0] - 1) < 0.15 + 4 * math.hypot(rho[46.0][1], rho[92.0][1])


@pytest.mark.slow
@pytest.mark.parametrize("tier", TIERS)
def test_response_and_resolution(tier: str, simulated: Callable[..., Any]) -> None:
    """As published, within errors and the tenths that a parametrisation may be off."""
    events = simulated("qcd-flat", 700)
    rows = resolutions(events, tier, (50, 80, 120, 200, 400), (0.0, 2.5), 0.8)
    assert len(rows) >= 3
    for row in rows:
        assert abs(row["response"] - 1) < 0.05 + 4 * row["response_error"], row
        assert abs(row["resolution"] / row["published"] - 1) < 0.2 + 4 * row["resolution_error"] / row["published"], row


def test_full_towers_are_no_measurement(simulated: Callable[..., Any]) -> None:
    """L1 jets with a full tower, the more the harder, count in no resolution; no other tier has any."""
    events = simulated("qcd-flat", DIJETS)
    rows = resolutions(events, "l1", (60, 120, 250, 500), (0.0, 2.5), 0.8)
    shares = [row["full"] for row in rows]
    assert len(shares) == 3
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0 < shares[-1] < 1
    assert abs(rows[-1]["response"] - 1) < 0.1
    assert rows[-1]["resolution"] < 0.2
    assert all(row["full"] == 0 for row in resolutions(events, "hlt", (60, 500), (0.0, 2.5), 0.8))


def test_record_is_of_these_events(tmp_path: Path) -> None:
    """The numbers in ``reports/reference`` are of the events that the code makes now, and make a picture."""
    content = json.loads((ROOT / "reports" / "reference" / "detector.json").read_text(encoding="utf-8"))
    assert content["provenance"]["generation_version"] == GENERATION_VERSION
    assert content["provenance"]["calibration"] == calibration.calibration_hash()
    draw(content, tmp_path / "some.svg")
    text = (tmp_path / "some.svg").read_text(encoding="utf-8")
    assert text.count('<g id="axes_') == 6


def test_density_of_cms(published_data: Callable[[str], Path]) -> None:
    """The densities that are quoted are those of CMS's file; of the same events, ``densities`` finds the same."""
    path = published_data("cms_nanoaod/nano_tt_v15.root")
    rows = densities(ak.concatenate(list(read_events([path], ["Pileup", "Rho"]))))
    assert len(rows) == len(CMS_DENSITY)
    for row in rows:
        assert abs(row["collisions"] - row["cms_collisions"]) < 0.06
        assert abs(row["density"] - row["cms_density"]) < 0.06
        assert abs(row["density_error"] - row["cms_density_error"]) < 0.06


def test_pile_up_under_jets(simulated: Callable[..., Any]) -> None:
    """Before calibration an HLT jet holds the density times its area more, and L1's subtraction takes as much off."""
    events = simulated("qcd-flat", DIJETS)
    jets = events.HLTJet
    offset = jets.pt * (1 - jets.rawFactor)
    central = abs(jets.eta) < 1.3
    found = match(events, "HLTJet")
    raw = np.asarray(ak.flatten(offset))[found["place"]]
    here = (found["place"] >= 0) & (found["gen_pt"] > 30) & (found["gen_pt"] < 60) & (np.abs(found["gen_eta"]) < 1.3)
    rho = float(ak.mean(events.Rho.fixedGridRhoFastjetAllHLT))
    area = float(np.median(np.asarray(ak.flatten(jets.area[central]))))
    assert abs(area / (math.pi * 0.16) - 1) < 0.05
    excess = float(np.median(raw[here] - found["gen_pt"][here]))
    assert 0.3 < excess / (rho * area) < 1.2  # less the response's deficit


def test_flavours(simulated: Callable[..., Any]) -> None:
    """Gluon jets have more constituents than those of light quarks."""
    events = simulated("qcd-flat", DIJETS)
    found = match(events, COLLECTIONS["offline"])
    number = np.asarray(ak.flatten(events.Jet.nConstituents), dtype=float)[found["place"]]
    here = (found["place"] >= 0) & (np.abs(found["gen_eta"]) < 2) & (found["gen_pt"] > 60) & (found["gen_pt"] < 200)
    gluon, quark = (
        number[here & sel] for sel in (found["flavour"] == 21, (found["flavour"] > 0) & (found["flavour"] < 4))
    )
    assert min(len(gluon), len(quark)) > 30
    error = math.hypot(gluon.std() / math.sqrt(len(gluon)), quark.std() / math.sqrt(len(quark)))
    assert gluon.mean() - quark.mean() > 3 * error


def test_rate_of_dijets(simulated: Callable[..., Any]) -> None:
    """Weighted dijets give falling rates, positive and with errors smaller than themselves."""
    rates = rate_of_dijets(simulated("qcd-flat", DIJETS), 46.0)
    assert "180" in rates
    values = [r["khz"] for r in rates.values()]
    assert all(high > low > 0 for high, low in pairwise(values))
    assert all(0 < r["error"] < r["khz"] for r in rates.values())
    # between a tenth and ten times a kilohertz: CMS takes all L1 jets above 180 GeV within its 100 kHz
    assert 0.1 < rates["180"]["khz"] < 10


def test_published_resolution(published_data: Callable[[str], Path]) -> None:
    """The numbers that are quoted are those of CMS's file."""
    path = published_data("cms_jec/Summer22_22Sep2023_JRV1_MC_PtResolution_AK4PFPuppi.jr.txt.gz")
    text = gzip.decompress(path.read_bytes()).decode()
    rows = [list(map(float, line.split())) for line in text.splitlines()[1:]]
    for (low, high), expected in zip(pairwise(ETA_EDGES), JER, strict=True):
        eta = (low + high) / 2
        row = next(r for r in rows if r[0] <= eta < r[1] and r[2] <= 25 < r[3])
        for pt, value in zip(JER_PT, expected, strict=True):
            noise, stochastic, constant, power = row[7:11]
            found = math.sqrt(noise * abs(noise) / pt**2 + stochastic**2 * pt**power + constant**2)
            assert abs(found - value) < 6e-4


def test_published_of_tiers() -> None:
    pt, eta = np.array([35.0, 80.0, 300.0]), np.array([0.1, 2.0, -0.5])
    offline, hlt, l1 = (published_resolution(tier, pt, eta) for tier in ("offline", "hlt", "l1"))
    assert np.all(offline < hlt)
    assert np.all(hlt < l1)
    np.testing.assert_allclose(published_resolution("offline", np.array([80.0]), np.array([0.4])), [0.110])


def test_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """Widths are the table's, tiers share what is in common, and without a generated jet nothing is added."""
    bins = len(ETA_EDGES) - 1
    extra = {"pt": [[20.0, 200.0]] * bins, "width": [[0.2, 0.1]] * bins}
    monkeypatch.setattr(resolution, "tables", lambda: {tier: {"extra": extra} for tier in TIERS})
    random = np.random.default_rng(1)
    n = 20_000
    common, signal, eta = random.normal(size=n), np.full(n, 100.0), np.full(n, 0.5)
    gen = np.full(n, 200.0)
    hlt, offline = (smear(t, signal, eta, gen, common, random.normal(size=n)) for t in ("hlt", "offline"))
    assert abs(hlt.std() - 10) < 0.3
    assert abs(np.corrcoef(hlt, offline)[0, 1] - SHARED["hlt"]) < 0.03
    assert not smear("hlt", signal, eta, np.zeros(n), common, common).any()
    assert abs(smear("hlt", signal, eta, np.full(n, 20.0), common, random.normal(size=n)).std() - 20) < 0.6


@pytest.mark.parametrize("tier", TIERS)
def test_calibration(tier: str) -> None:
    """Rises with pT, never negative, and goes through the steps of its table."""
    pt = np.geomspace(0.5, 3000, 400)
    for number, eta in enumerate((np.array(ETA_EDGES[1:]) + ETA_EDGES[:-1]) / 2):
        out = correct(tier, pt, np.full(len(pt), eta))
        assert np.all(np.diff(out) > 0), eta
        table = calibration.tables()[tier]
        steps = np.array(table["measured"][number])
        if len(steps):
            np.testing.assert_allclose(correct(tier, steps, np.full(len(steps), eta)), table["true"][number])
    assert not correct(tier, np.zeros(3), np.zeros(3), np.ones(3)).any()
