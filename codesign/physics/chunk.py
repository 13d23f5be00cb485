"""One chunk of generated jets: collisions from Pythia, jets from FastJet, features. Runs in one process.

A chunk is decided by the card, the class and the chunk's number alone: each has its own seed and its own Pythia. So the
sample is the same however many processes make it, and a chunk begins with the same jets however many are asked for.

Both leading jets of a collision are used where both pass: each belongs to a parton of the class of its own. They share
the underlying event, so they never go to different splits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError, ToolError
from codesign.physics import kernels
from codesign.physics.card import Card
from codesign.physics.substructure import features_of_jagged

__all__ = ("LEADING", "Chunk", "make_chunk", "pythia_for", "seed_of", "seed_of_name", "started_pythia")

#: Number of constituents that are kept, the hardest.
LEADING = 32
#: Collisions per call of Pythia: few enough that a chunk does not overshoot by much.
_BATCH = 50
#: A class of which less than this share of collisions gives a jet is a mistake in the card.
_LEAST_EFFICIENCY = 0.01
#: Only particles within this many radii of a mother are clustered: anti-kt grows from the hardest outwards, so what
#: lies farther cannot reach the jet that holds the mother.
_REACH = 3.0


@dataclass(frozen=True)
class Chunk:
    """Jets of one class.

    ``features``: (jets, 16) float32 from all constituents; ``constituents``: (jets, 32, 3) float32: pT [GeV], delta-eta
    and delta-phi to the jet axis, hardest first, zero padded; ``collisions``: (jets,) int64, which collision of the
    chunk a jet is from; ``events``: collisions that were simulated.
    """

    features: NDArray[np.float32]
    constituents: NDArray[np.float32]
    collisions: NDArray[np.int64]
    events: int

    def __len__(self) -> int:
        return len(self.features)


def seed_of(card: Card, class_name: str, number: int) -> int:
    """Seed of a chunk, 1 to 900,000,000 (Pythia's range): from the card's seed, the class and the chunk's number."""
    return seed_of_name(card.seed, class_name, number)


def seed_of_name(seed: int, name: str, number: int) -> int:
    """Seed of piece ``number`` of ``name``, 1 to 900,000,000: as if drawn anew for each."""
    digest = hashlib.sha256(f"{seed}/{name}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 900_000_000 + 1


def pythia_for(card: Card, label: int, seed: int) -> Any:
    """Return an initialised Pythia for a class of the card; errors as of :func:`started_pythia`."""
    kind = card.classes[label]
    own = f"PartonLevel:MPI = {'on' if card.multiparton_interactions else 'off'}"
    return started_pythia(f"card '{card.name}', class '{kind.name}'", seed, (own, *card.common, *kind.settings))


def started_pythia(what: str, seed: int, settings: Iterable[str]) -> Any:
    """Return an initialised, quiet Pythia.

    ``what``: of whose settings an error speaks; ``seed``: 1 to 900,000,000; ``settings``: lines for ``readString``.

    Raises
    ------
    InputError: a setting that Pythia refuses, or settings that it cannot start with.
    ToolError: Pythia is not installed.
    """
    try:
        import pythia8mc
    except ImportError:
        raise ToolError("Pythia is not installed: pip install pythia8mc==8.317.2 fastjet==3.5.2.0") from None
    pythia = pythia8mc.Pythia("", False)
    for line in ("Print:quiet = on", "Random:setSeed = on", f"Random:seed = {seed}", *settings):
        if not pythia.readString(line):
            raise InputError(f"{what}: Pythia does not know the setting '{line}'")
    if not pythia.init():
        raise InputError(f"{what}: Pythia cannot start with these settings")
    return pythia


def make_chunk(card: Card, label: int, number: int, jets: int, progress: Callable[[int], None] | None = None) -> Chunk:
    """Generate the first ``jets`` jets of a chunk.

    ``label``: index of the class in the card; ``number``: of the chunk; ``progress(done)`` is called with the number of
    jets so far. InputError if the card does not work, ToolError if Pythia or FastJet is missing or fails.
    """
    try:
        import fastjet
    except ImportError:
        raise ToolError("FastJet is not installed: pip install pythia8mc==8.317.2 fastjet==3.5.2.0") from None
    pythia = pythia_for(card, label, seed_of(card, card.classes[label].name, number))
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, card.jets.radius)
    features: list[NDArray[np.float32]] = []
    leading: list[NDArray[np.float32]] = []
    collisions: list[NDArray[np.int64]] = []
    done = events = 0
    while done < jets:
        batch = pythia.nextBatch(_BATCH)
        if not len(batch):
            raise ToolError(
                f"card '{card.name}', class '{card.classes[label].name}': Pythia made no collision out of {_BATCH}"
            )
        pt, eta, phi, offsets, origin = _jets(batch, card, label, definition)
        collisions.append(events + origin)
        events += _BATCH
        features.append(features_of_jagged(pt, eta, phi, offsets))
        leading.append(kernels.hardest(pt, eta, phi, offsets, LEADING))
        done += len(offsets) - 1
        if events >= 20 * _BATCH and done < _LEAST_EFFICIENCY * events:
            raise InputError(
                f"card '{card.name}', class '{card.classes[label].name}': only {done} jets pass out of {events} "
                "collisions; check the mothers, the selection and the range of pTHat"
            )
        if progress is not None:
            progress(min(done, jets))
    return Chunk(
        np.concatenate(features)[:jets], np.concatenate(leading)[:jets], np.concatenate(collisions)[:jets], events
    )


def _jets(batch: Any, card: Card, label: int, definition: Any) -> tuple[NDArray[Any], ...]:
    """Find the jets of a batch: flat (pt, eta, phi) of constituents relative to the axis, offsets, place of origin."""
    import awkward as ak
    import fastjet

    layout = ak.to_packed(batch.prt).layout
    first = np.asarray(layout.offsets.data, dtype=np.int64)
    particles = layout.content
    kind, status, daughter = (np.asarray(particles[k].data) for k in ("id", "status", "daughter1"))
    px, py, pz, e = (np.asarray(particles["p"][k].data) for k in ("px", "py", "pz", "e"))
    mothers, mother_offsets = kernels.mothers(
        first, kind, status, daughter, px, py, pz, e, np.asarray(card.classes[label].partons, dtype=np.int64)
    )
    used, used_offsets = kernels.near(
        first, kind, status, px, py, pz, mothers, mother_offsets, _REACH * card.jets.radius
    )
    px, py, pz, e = px[used], py[used], pz[used], e[used]
    record = ak.contents.RecordArray(
        [ak.contents.NumpyArray(a) for a in (px, py, pz, e)],
        ["px", "py", "pz", "E"],
        parameters={"__record__": "Momentum4D"},
    )
    array = ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(used_offsets), record))
    selection = card.jets
    pt_min = card.classes[label].pt_min or selection.pt_min
    found = fastjet.ClusterSequence(array, definition).constituent_index(min_pt=pt_min)
    # events -> jets -> constituents, as offsets into one another
    nested = ak.to_packed(found).layout
    jets = np.asarray(nested.offsets.data, dtype=np.int64)
    members = np.asarray(nested.content.offsets.data, dtype=np.int64)
    index = np.asarray(nested.content.content.data, dtype=np.int64)
    result: tuple[NDArray[Any], ...] = kernels.match_nearest(
        px,
        py,
        pz,
        e,
        used_offsets,
        jets,
        members,
        index,
        mothers,
        mother_offsets,
        selection.radius,
        pt_min,
        np.inf if selection.pt_max is None else selection.pt_max,
        selection.abs_eta_max,
    )
    return result
