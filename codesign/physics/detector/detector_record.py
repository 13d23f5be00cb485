"""From what was found in each event to the common record: calibrated objects in NanoAOD's names.

Raw columns: jets (pT, eta, phi, mass, area, energies of charged and neutral hadrons, electrons, photons, muons, numbers
of all and of charged constituents); generated jets (pT, eta, phi, mass, flavours of hadron and parton); L1 objects as
``level1`` gives them. The last column of jets of every kind is a normal number (``resolution``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numpy.typing import NDArray

from codesign.physics.detector import level1
from codesign.physics.detector.calibration import correct, pile_up_share
from codesign.physics.detector.composition import KINDS, Composition, offline_composition
from codesign.physics.detector.resolution import smear
from codesign.physics.detector.towers import PHI_STEP, RING_AREA, RING_CENTRE, turn
from codesign.physics.events.l1_scales import L1_SUMS, SCALES, hardware, physical

if TYPE_CHECKING:
    from codesign.physics.detector.event_chunk import Event

__all__ = ("assemble", "assemble_level1", "kinematics", "nearest_jet")

#: Jets are kept from this calibrated pT on, GeV: NanoAOD's offline jets start there.
JET_LEAST = 15.0
_L1_JET_LEAST = 8.0
#: Jets of the total and missing transverse energy of jets at L1 (P10017, section 5.4).
_HT_PT, _HT_ETA = 30.0, 2.4
_MATCH = 0.4
#: Collection -> PDG code, least pT [GeV], efficiency: CMS, JINST 13 (2018) P06015 (muons), JINST 16 (2021) P05014
#: (electrons and photons).
_LEPTONS: dict[str, tuple[int, float, float]] = {
    "Muon": (13, 3.0, 0.96),
    "Electron": (11, 5.0, 0.85),
    "Photon": (22, 10.0, 0.85),
}


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def kinematics(axes: Any) -> Any:
    """(jets, 4) pT, eta, phi, mass of four-momenta (jets, 4) px, py, pz, e."""
    out = np.empty((len(axes), 4))
    for i in range(len(axes)):
        x, y, z, e = axes[i]
        pt = math.hypot(x, y)
        mass2 = e * e - pt * pt - z * z
        out[i] = (pt, math.asinh(z / pt), math.atan2(y, x), math.sqrt(max(mass2, 0.0)))
    return out


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def nearest_jet(eta: Any, phi: Any, first: Any, other_eta: Any, other_phi: Any, other_first: Any, reach: float) -> Any:
    """Place in its event of the nearest other jet within ``reach``, -1 where there is none; by offsets of events."""
    out = np.full(len(eta), -1, np.int64)
    for event in range(len(first) - 1):
        for i in range(first[event], first[event + 1]):
            least = reach * reach
            for k in range(other_first[event], other_first[event + 1]):
                d2 = (eta[i] - other_eta[k]) ** 2 + turn(phi[i] - other_phi[k]) ** 2
                if d2 < least:
                    least = d2
                    out[i] = k - other_first[event]
    return out


class _Flat:
    """Objects of all events: rows (objects, columns) and the event of each; sorted and cut on the way."""

    def __init__(self, events: list[Event], name: str) -> None:
        parts = [e.objects[name] for e in events]
        self.events = len(events)
        self.event = np.repeat(np.arange(len(events)), [len(p) for p in parts])
        self.rows = np.concatenate(parts).astype(np.float64)

    def select(self, pt: NDArray[Any], keep: NDArray[np.bool_], most: int | None = None) -> NDArray[Any]:
        """Keep some, by falling pT in each event, the first ``most`` of each; returns their pT."""
        index = np.flatnonzero(keep)
        index = index[np.lexsort((-pt[index], self.event[index]))]
        if most is not None:
            counts = np.bincount(self.event[index], minlength=self.events)
            rank = np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)
            index = index[rank < most]
        self.event, self.rows = self.event[index], self.rows[index]
        return pt[index]

    @property
    def first(self) -> NDArray[np.int64]:
        """(events + 1,) offsets."""
        counts = np.bincount(self.event, minlength=self.events)
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])

    def collection(self, **fields: NDArray[Any]) -> Any:
        """Awkward lists of records."""
        import awkward as ak

        contents = [ak.contents.NumpyArray(np.ascontiguousarray(v)) for v in fields.values()]
        record = ak.contents.RecordArray(contents, list(fields), length=len(self.event))
        return ak.contents.ListOffsetArray(ak.index.Index64(self.first), record)


def _group(**fields: NDArray[Any]) -> Any:
    import awkward as ak

    return ak.contents.RecordArray([ak.contents.NumpyArray(v) for v in fields.values()], list(fields))


def _f(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)


def assemble(events: list[Event], first: int, block: int) -> Any:
    """Common record of events; ``first``: number of the first event less one; ``block``: luminosity block less one."""
    import awkward as ak

    n = len(events)
    gen = _Flat(events, "gen")
    gen.select(gen.rows[:, 0], gen.rows[:, 0] > 0)
    value = {name: np.array([e.values[name] for e in events]) for name in events[0].values}
    fields: dict[str, Any] = {
        "run": ak.contents.NumpyArray(np.ones(n, np.uint32)),
        "luminosityBlock": ak.contents.NumpyArray(np.full(n, block + 1, np.uint32)),
        "event": ak.contents.NumpyArray(np.arange(first + 1, first + n + 1, dtype=np.uint64)),
        "genWeight": ak.contents.NumpyArray(_f([e.weight for e in events])),
        "Pileup": _group(
            nTrueInt=_f([e.true_mean for e in events]),
            nPU=np.array([e.pile_up for e in events], np.int32),
            pool=np.array([e.pool for e in events], np.int32),
            nSoft=np.array([e.taken for e in events], np.int32),
            nFresh=np.array([e.anew for e in events], np.int32),
        ),
        "PV": _group(npvs=np.array([e.vertices for e in events], np.int32)),
        "Rho": _group(fixedGridRhoFastjetAll=_f(value["rho"]), fixedGridRhoFastjetAllHLT=_f(value["rho_hlt"])),
        "GenMET": _group(
            pt=_f(np.hypot(value["gen_x"], value["gen_y"])), phi=_f(np.arctan2(value["gen_y"], value["gen_x"]))
        ),
        "GenJet": gen.collection(
            **{name: _f(gen.rows[:, i]) for i, name in enumerate(("pt", "eta", "phi", "mass"))},
            hadronFlavour=gen.rows[:, 4].astype(np.uint8),
            partonFlavour=gen.rows[:, 5].astype(np.int16),
        ),
    }
    hlt, hlt_pt, fields["HLTJet"] = _jets(events, "hlt_jets", "hlt", gen, value["rho_hlt"])
    offline, offline_pt, fields["Jet"] = _jets(events, "jets", "offline", gen, None)
    x, y = value["met_x"], value["met_y"]
    change = offline_pt - offline.rows[:, 0]
    np.subtract.at(x, offline.event, change * np.cos(offline.rows[:, 2]))
    np.subtract.at(y, offline.event, change * np.sin(offline.rows[:, 2]))
    fields["PuppiMET"] = _group(pt=_f(np.hypot(x, y)), phi=_f(np.arctan2(y, x)), sumEt=_f(value["sum_et"]))
    fields |= _level1(events, gen)
    fields["TrigObj"] = _trigger_objects(hlt, hlt_pt, fields["L1Jet"])
    fields |= _leptons(events)
    return ak.Array(ak.contents.RecordArray(list(fields.values()), list(fields)))


def assemble_level1(events: list[Event]) -> dict[str, Any]:
    """The Level-1 collections of the common record alone, by name; the events need the truth and Level 1 only."""
    gen = _Flat(events, "gen")
    gen.select(gen.rows[:, 0], gen.rows[:, 0] > 0)
    return _level1(events, gen)


def _jets(
    events: list[Event], name: str, tier: str, gen: _Flat, rho: NDArray[Any] | None
) -> tuple[_Flat, NDArray[Any], Any]:
    """Calibrate and cut the jets of a tier; their rows, calibrated pT and collection."""
    jets = _Flat(events, name)
    raw = jets.rows[:, 0]
    offset = np.zeros(len(raw)) if rho is None else rho[jets.event] * jets.rows[:, 4]
    jets.rows[:, 0] += _widen(tier, raw - pile_up_share(tier, jets.rows[:, 1]) * offset, jets, jets.rows[:, 1:3], gen)
    pt = correct(tier, jets.rows[:, 0], jets.rows[:, 1], offset)
    pt = jets.select(pt, pt >= JET_LEAST)
    rows = jets.rows
    raw = rows[:, 0]
    match, place = _match(jets, rows[:, 1:3], gen)
    flavour = gen.rows[place, 4:6] if len(gen.rows) else np.zeros((len(rows), 2))
    flavour = np.where(match[:, None] < 0, 0, flavour)
    energy = np.maximum(rows[:, 5:10].sum(axis=1), 1e-6)
    fractions = rows[:, 5:10] / energy[:, None]
    made_of = offline_composition() if tier == "offline" else Composition()
    parts = dict(zip(KINDS, made_of.fractions(fractions).T, strict=True))
    charged, neutral = made_of.numbers(rows[:, 10], rows[:, 11])
    collection = jets.collection(
        pt=_f(pt),
        eta=_f(rows[:, 1]),
        phi=_f(rows[:, 2]),
        mass=_f(rows[:, 3] * pt / raw),
        rawFactor=_f(1 - made_of.scale * raw / pt),
        area=_f(rows[:, 4]),
        nConstituents=np.minimum(charged + neutral, 255).astype(np.uint8),
        chMultiplicity=np.minimum(charged, 255).astype(np.uint8),
        neMultiplicity=np.minimum(neutral, 255).astype(np.uint8),
        **{key: _f(values) for key, values in parts.items()},
        genJetIdx=match.astype(np.int16),
        hadronFlavour=flavour[:, 0].astype(np.uint8),
        partonFlavour=flavour[:, 1].astype(np.int16),
    )
    return jets, pt, collection


def _match(jets: _Flat, axes: NDArray[Any], gen: _Flat) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of jets with (eta, phi) ``axes``: the generated jet's place in its event (-1: none) and its row (0: none)."""
    match = nearest_jet(axes[:, 0], axes[:, 1], jets.first, gen.rows[:, 1], gen.rows[:, 2], gen.first, _MATCH)
    return match, np.where(match < 0, 0, gen.first[jets.event] + match)


def _widen(tier: str, signal: NDArray[Any], jets: _Flat, axes: NDArray[Any], gen: _Flat) -> NDArray[np.float64]:
    """What ``smeared`` adds to each jet."""
    if not len(gen.rows):
        return np.zeros(len(signal))
    match, place = _match(jets, axes, gen)
    gen_pt = np.where(match < 0, 0.0, gen.rows[place, 0])
    return smear(tier, signal, axes[:, 0], gen_pt, gen.rows[place, 6], jets.rows[:, -1])


def _level1(events: list[Event], gen: _Flat) -> dict[str, Any]:
    """L1 jets, electrons and photons, muons and sums, all of them on the trigger's integer scales."""
    jets = _Flat(events, "l1_jets")
    ring = jets.rows[:, 2].astype(np.int64)
    eta = RING_CENTRE[ring]
    raw, pile_up = jets.rows[:, 0] * level1.UNIT, jets.rows[:, 1] * level1.UNIT
    axes = np.column_stack([eta, (jets.rows[:, 3] + 0.5) * PHI_STEP])
    raw = raw + _widen("l1", raw - pile_up, jets, axes, gen)
    jets.rows[:, 0] = raw
    pt = correct("l1", raw, eta, pile_up)
    pt = np.where(jets.rows[:, 4] > 0, SCALES["L1Jet"].pt_most * level1.UNIT, pt)  # of unknown energy: the highest code
    pt = jets.select(pt, pt >= _L1_JET_LEAST, level1.MOST_OBJECTS)
    eta, phi = RING_CENTRE[jets.rows[:, 2].astype(np.int64)], (jets.rows[:, 3] + 0.5) * PHI_STEP
    out = {
        "L1Jet": _integers(
            jets, "L1Jet", pt, eta, phi, rawEt=_f(jets.rows[:, 0]), puEt=_f(jets.rows[:, 1] * level1.UNIT)
        )
    }
    code_pt = physical("L1Jet", "pt", hardware("L1Jet", "pt", pt)).astype(np.float64)
    counted = (code_pt >= _HT_PT) & (np.abs(eta) < _HT_ETA)
    n = len(events)
    ht = np.bincount(jets.event[counted], code_pt[counted], n)
    mht = [-np.bincount(jets.event[counted], (code_pt * f(phi))[counted], n) for f in (np.cos, np.sin)]

    eg = _Flat(events, "l1_eg")
    pt = level1.EG_SCALE * eg.rows[:, 0] * level1.UNIT
    kept = (pt >= level1.EG_LEAST) & (eg.rows[:, 5] <= level1.EG_BEHIND * eg.rows[:, 0])
    pt = eg.select(pt, kept, level1.MOST_OBJECTS)
    ring = eg.rows[:, 1].astype(np.int64)
    width = RING_AREA[ring] / PHI_STEP
    quiet = eg.rows[:, 3] * level1.UNIT < 2.0 + 0.1 * pt + 0.12 * np.array([e.pile_up for e in events])[eg.event]
    out["L1EG"] = _integers(
        eg,
        "L1EG",
        pt,
        RING_CENTRE[ring] + eg.rows[:, 4] * width,
        (eg.rows[:, 2] + 0.5) * PHI_STEP,
        hwIso=quiet.astype(np.int32),
    )
    muons = _Flat(events, "l1_muons")
    pt = muons.select(muons.rows[:, 0], muons.rows[:, 0] >= 0.5, 8)
    charge = muons.rows[:, 3].astype(np.int32)
    out["L1Mu"] = _integers(
        muons, "L1Mu", pt, muons.rows[:, 1], muons.rows[:, 2], hwQual=muons.rows[:, 4].astype(np.int32), hwCharge=charge
    )

    sums = np.concatenate([e.objects["l1_sums"] for e in events]) * level1.UNIT
    zero = np.zeros(n)
    kinds: dict[str, Any] = {
        "ET": (sums[:, 0], zero, zero),
        "HT": (ht, zero, zero),
        "MET": (None, sums[:, 1], sums[:, 2]),
        "MHT": (None, *mht),
        "FET": (None, sums[:, 3], sums[:, 4]),
    }
    total = _Flat.__new__(_Flat)
    total.events, total.event = n, np.repeat(np.arange(n), len(kinds))
    pt = np.stack([np.hypot(x, y) if et is None else et for et, x, y in kinds.values()], axis=1).ravel()
    phi = np.stack([np.arctan2(y, x) for _, x, y in kinds.values()], axis=1).ravel()
    code, turned = hardware("L1EtSum", "pt", pt), hardware("L1EtSum", "phi", phi)
    out["L1EtSum"] = total.collection(
        pt=physical("L1EtSum", "pt", code),
        phi=physical("L1EtSum", "phi", turned),
        etSumType=np.tile(np.array([L1_SUMS[k] for k in kinds], np.int32), n),
        hwPt=code,
        hwPhi=turned,
    )
    return out


def _integers(objects: _Flat, kind: str, pt: Any, eta: Any, phi: Any, **more: NDArray[Any]) -> Any:
    codes = {name: hardware(kind, name, values) for name, values in (("pt", pt), ("eta", eta), ("phi", phi))}
    assert kind in SCALES
    return objects.collection(
        **{name: physical(kind, name, code) for name, code in codes.items()},
        **{f"hw{name.capitalize()}": code for name, code in codes.items()},
        **more,
    )


def _trigger_objects(hlt: _Flat, pt: NDArray[Any], l1: Any) -> Any:
    """HLT jets as NanoAOD has them: ``id`` 1, and the pT of the nearest L1 jet within 0.5, 0 where there is none."""
    jets = l1.content
    first = np.asarray(l1.offsets.data)
    eta, phi = (np.asarray(jets[name].data, dtype=np.float64) for name in ("eta", "phi"))
    match = nearest_jet(hlt.rows[:, 1], hlt.rows[:, 2], hlt.first, eta, phi, first, 0.5)
    l1_pt = np.append(np.asarray(jets["pt"].data), np.float32(0))
    place = np.where(match < 0, len(l1_pt) - 1, first[hlt.event] + match)
    return hlt.collection(
        pt=_f(pt),
        eta=_f(hlt.rows[:, 1]),
        phi=_f(hlt.rows[:, 2]),
        id=np.ones(len(pt), np.uint16),
        l1pt=l1_pt[place],
    )


def measured_leptons(true: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """Those of true muons, electrons and photons (n, 6; ``true_leptons``) that are found offline, pT smeared."""
    pt = true[:, 1] * (1 + 0.02 * random.normal(size=len(true)))
    found = random.random(len(true))
    kept = np.zeros(len(true), np.bool_)
    for code, least, chance in _LEPTONS.values():
        kept |= (true[:, 0] == code) & (pt > least) & (found < chance)
    kept &= (true[:, 0] != _LEPTONS["Photon"][0]) | (true[:, 5] < 0.3)
    return np.column_stack([true[:, 0], pt, true[:, 2:]])[kept]


def _leptons(events: list[Event]) -> dict[str, Any]:
    """Muons, electrons and photons of the hard collision as the offline reconstruction finds them."""
    out = {}
    for name, (code, _, _) in _LEPTONS.items():
        some = _Flat(events, "leptons")
        pt = some.select(some.rows[:, 1], some.rows[:, 0] == code)
        fields = {"pt": _f(pt), "eta": _f(some.rows[:, 2]), "phi": _f(some.rows[:, 3])}
        if name != "Photon":
            fields["charge"] = some.rows[:, 4].astype(np.int32)
        out[name] = some.collection(**fields)
    return out
