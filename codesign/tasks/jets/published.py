"""Jet energy on event files with generated jets, such as CMS's own: every tier's response, with what is applied to it.

What a file holds decides which tiers are shown: Level-1 and high-level trigger jets of ``TrigObj`` (pT only), HLT jets
of ours, offline jets uncorrected and as the file corrects them; the factors of a correctionlib file on the uncorrected
offline pT; and a trained network on the jets that it reads.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError, nearest
from codesign.core.records import Plot
from codesign.tasks.jets.jet_inputs import density_of, jet_inputs, raw_pt
from codesign.tasks.jets.jet_plots import curve, response_lines
from codesign.tasks.jets.jet_sample import MATCH_RADIUS
from codesign.tasks.jets.response import bin_response, median, resolution
from codesign.tasks.jets.turn_on import OFFLINE_PT, efficiency

if TYPE_CHECKING:
    from codesign.core.records import Metric

__all__ = ("Factors", "Tier", "agreement", "corrections_of", "plots", "summary", "tiers_of")

Array = NDArray[np.float64]
#: uncorrected pT, eta, rho, area -> factors; (jets,) each
Factors = Callable[[Array, Array, Array, Array], Array]
#: features (jets, features) -> scores (jets, outputs)
Scores = Callable[[NDArray[np.float32]], Array]

_HLT_JET = 1
_PT_EDGES = (20.0, 30.0, 45.0, 60.0, 90.0, 130.0, 200.0, 400.0)
_LEAST = 20
#: what a correction of a jet may depend on
_INPUTS = frozenset({"JetPt", "JetEta", "Rho", "JetA"})
#: the bin in which resolutions of tiers are quoted, GeV
_QUOTED = (60.0, 120.0)


@dataclass
class Tier:
    """Jets of one tier with generated partners: pT, partner's pT, offline partner's pT (-1: none) in GeV, and eta."""

    pt: Array = field(default_factory=lambda: np.empty(0))
    generated: Array = field(default_factory=lambda: np.empty(0))
    offline: Array = field(default_factory=lambda: np.empty(0))
    eta: Array = field(default_factory=lambda: np.empty(0))

    def add(self, pt: Array, generated: Array, offline: Array, eta: Array) -> None:
        """Add jets, those without a generated partner (-1) or without a pT left out."""
        good = (generated > 0) & (pt > 0)
        for name, values in (("pt", pt), ("generated", generated), ("offline", offline), ("eta", eta)):
            setattr(self, name, np.concatenate([getattr(self, name), values[good]]))


def corrections_of(path: Path, name: str) -> Factors:
    """A correction, or a compound one, of a correctionlib file (.json or .json.gz), as a function of a jet.

    Raises
    ------
    InputError: the file cannot be read, no such correction, or one with an input that is not known here.
    """
    import correctionlib

    if not path.is_file():
        raise InputError(f"{path}: no such file of corrections")
    try:
        found = correctionlib.CorrectionSet.from_file(str(path))
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path}: not a file of corrections for correctionlib ({str(error)[:80]})") from None
    known = [*found.compound, *found]
    if name not in known:
        raise InputError(f"{path}: no correction '{name}'{nearest(name, known)}; it has {_listed(known)}")
    chosen = found.compound[name] if name in found.compound else found[name]
    names = [i.name for i in chosen.inputs]
    if unknown := set(names) - _INPUTS:
        fitting = [
            n
            for n in known
            if {i.name for i in (found.compound if n in found.compound else found)[n].inputs} <= _INPUTS
        ]
        also = f"; it has {_listed(fitting)} without such inputs" if fitting else ""
        raise InputError(f"{path}: '{name}' needs {', '.join(sorted(unknown))}, which is not known here{also}")

    def factors(pt: Array, eta: Array, rho: Array, area: Array) -> Array:
        values = {"JetPt": pt, "JetEta": eta, "Rho": rho, "JetA": area}
        try:
            return np.asarray(chosen.evaluate(*(values[n] for n in names)), dtype=np.float64)
        except (RuntimeError, IndexError) as error:
            ranges = ", ".join(f"{n} {values[n].min():g} to {values[n].max():g}" for n in names if len(pt))
            raise InputError(f"{path}: '{name}' is not for jets of {ranges} ({str(error)[:120]})") from None

    return factors


def _listed(names: Sequence[str]) -> str:
    """Names for a message, the first twelve."""
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ", ".join(names[:12]) + more


def tiers_of(
    paths: str | Path | Iterable[str | Path],
    corrections: dict[str, Factors] | None = None,
    network: Scores | None = None,
    collection: str = "Jet",
) -> dict[str, Tier]:
    """Every tier of the files, matched with generated jets within 0.2, one to one.

    ``corrections``: by name, applied to the uncorrected pT of ``collection``; so is ``network``. InputError as in
    ``read_events``.
    """
    from codesign.physics.events import read_located

    optional = ("TrigObj.pt", "TrigObj.eta", "TrigObj.phi", "TrigObj.id", "TrigObj.l1pt", "HLTJet")
    found: dict[str, Tier] = {}
    for piece in read_located(paths, ("Jet", "GenJet", "Rho", "PV.npvs", collection), optional=optional):
        events = piece.events
        for name, jets, pt in _measure(events):
            _add(found, name, events, jets, pt)
        jets = events[collection]
        flat, eta, area = (_flat(v) for v in (raw_pt(jets), jets.eta, jets.area))
        with piece.named():
            inputs = jet_inputs(events, collection)
        rho = np.asarray(density_of(events, collection), dtype=np.float64)[inputs.event]
        made = {name: flat * factors(flat, eta, rho, area) for name, factors in (corrections or {}).items()}
        if network is not None:
            from codesign.tasks.jets.jet_heads import heads_of

            made["network"] = flat * np.exp(heads_of(network(inputs.features)).correction)
        for name, pt in made.items():
            _add(found, name, events, jets, pt)
    return {name: tier for name, tier in found.items() if len(tier.pt)}


def _measure(events: Any) -> list[tuple[str, Any, Array]]:
    """Tiers as they stand in the file: name, jets with eta and phi, pT (jets,)."""
    found: list[tuple[str, Any, Array]] = []
    if "TrigObj" in events.fields:
        objects = events.TrigObj[events.TrigObj.id == _HLT_JET]
        found.append(("HLT", objects, _flat(objects.pt)))
        if "l1pt" in objects.fields:
            found.append(("L1 (of HLT jets)", objects, _flat(objects.l1pt)))
    if "HLTJet" in events.fields:
        found.append(("HLT uncorrected", events.HLTJet, _flat(raw_pt(events.HLTJet))))
    found.append(("offline uncorrected", events.Jet, _flat(raw_pt(events.Jet))))
    found.append(("offline", events.Jet, _flat(events.Jet.pt)))
    return found


def _add(found: dict[str, Tier], name: str, events: Any, jets: Any, pt: Array) -> None:
    generated, offline = _partner_pt(jets, events.GenJet), _partner_pt(jets, events.Jet)
    found.setdefault(name, Tier()).add(pt, generated, offline, _flat(jets.eta))


def _partner_pt(jets: Any, others: Any) -> Array:
    from codesign.physics.events.matching import match
    from codesign.tasks.jets.jet_sample import partner_values

    return partner_values(others.pt, match(jets, others, MATCH_RADIUS))


def _flat(values: Any) -> Array:
    import awkward as ak

    return np.asarray(ak.flatten(values), dtype=np.float64)


def summary(tiers: dict[str, Tier]) -> dict[str, tuple[Metric, Metric, int]]:
    """Median response, resolution and number of jets of each tier, at generated pT 60 to 120 GeV."""
    found = {}
    for name, tier in tiers.items():
        inside = (tier.generated >= _QUOTED[0]) & (tier.generated < _QUOTED[1])
        if inside.sum() >= _LEAST:
            response = tier.pt[inside] / tier.generated[inside]
            found[name] = (median(response), resolution(response), int(inside.sum()))
    return found


def agreement(
    path: str | Path, factors: Factors, eta_edges: tuple[float, ...] = (0.0, 1.3, 2.5, 3.0, 5.2), min_pt: float = 15.0
) -> dict[tuple[float, float], tuple[Metric, int]]:
    """Corrected over the file's own offline pT: median in bins of \\|eta\\| above ``min_pt``, and number of jets.

    1 where the file was made with these very corrections.
    """
    from codesign.physics.events import read_events

    ratios: list[Array] = []
    etas: list[Array] = []
    for events in read_events(path, ("Jet", "Rho")):
        jets = events.Jet
        pt, eta, area, own = (_flat(v) for v in (raw_pt(jets), jets.eta, jets.area, jets.pt))
        rho = np.repeat(np.asarray(density_of(events, "Jet"), dtype=np.float64), _counts(jets))
        good = own > min_pt
        ratios.append((pt * factors(pt, eta, rho, area) / own)[good])
        etas.append(np.abs(eta[good]))
    ratio, eta = np.concatenate(ratios), np.concatenate(etas)
    found = {}
    for low, high in itertools.pairwise(eta_edges):
        inside = (eta >= low) & (eta < high)
        if inside.sum() >= _LEAST:
            found[low, high] = (median(ratio[inside]), int(inside.sum()))
    return found


def _counts(jets: Any) -> NDArray[np.int64]:
    import awkward as ak

    return np.asarray(ak.num(jets.pt), dtype=np.int64)


def plots(tiers: dict[str, Tier], where: str) -> list[Plot]:
    """Median response and resolution of every tier against generated pT, and turn-on curves against offline pT."""
    lines = [
        response_lines(name, bin_response(t.pt / t.generated, t.generated, t.eta, _PT_EDGES, (0.0, 2.5), _LEAST))
        for name, t in tiers.items()
    ]
    edges = np.geomspace(40, 300, 16)
    on = []
    for name, tier in tiers.items():
        if name.startswith("offline"):
            continue
        x, y, low, high = efficiency(tier.pt > OFFLINE_PT, tier.offline, edges)
        on += [curve(name, x, y, low, high)] if len(x) else []
    caption = f"{where}; matched within {MATCH_RADIUS:g}; bands: one standard deviation."
    return [
        Plot(
            name="tiers-response", title="Response of every tier, |eta| < 2.5", x_label="generated pT [GeV]",
            y_label="median response", log_x=True, series=[m for m, _ in lines if m.x], caption=caption,
        ),
        Plot(
            name="tiers-resolution", title="Resolution of every tier, |eta| < 2.5", x_label="generated pT [GeV]",
            y_label="half the 16 % to 84 % width over the median", log_x=True,
            series=[r for _, r in lines if r.x], caption=caption,
        ),
        Plot(
            name="tiers-turn-on", title=f"Turn-on of pT > {OFFLINE_PT:g} GeV", x_label="offline pT [GeV]",
            y_label="efficiency", series=on, caption=caption,
        ),
    ]  # fmt: skip
