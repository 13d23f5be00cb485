"""CMS's NanoAOD, whatever its version, and files of ours: branches have the names of the common record already.

Between versions 9 and 15 names moved (https://cms-xpog.docs.cern.ch/autoDoc/): the energy density is
``fixedGridRhoFastjetAll`` up to 9 and ``Rho_fixedGridRhoFastjetAll`` since; the missing energy of particle flow is
``MET`` up to 14 and ``PFMET`` in 15, beside ``PuppiMET``. A file is read by what is there.
"""

from __future__ import annotations

from collections.abc import Mapping

from codesign.physics.events import scouting
from codesign.physics.events.container import Column, Native
from codesign.physics.events.event_record import RECORD, collection_of

__all__ = ("columns",)

#: name -> names that stand for it, the first that is there.
_ALIASES: dict[str, tuple[str, ...]] = {
    f"Rho_fixedGridRhoFastjet{region}": (f"fixedGridRhoFastjet{region}",)
    for region in ("All", "Central", "CentralCalo", "CentralChargedPileUp", "CentralNeutral")
} | {f"MET_{field}": (f"PFMET_{field}", f"PuppiMET_{field}") for field in ("pt", "phi", "sumEt")}


def columns(natives: Mapping[str, Native]) -> dict[str, Column] | None:
    """Fields of the common record in a file with these columns; None where it is not of this kind."""
    if not any(collection_of(n)[0] in RECORD or n == "event" or n.startswith("Scouting") for n in natives):
        return None
    found = {name: Column((name,)) for name in natives if not (name.startswith("n") and _counts(name, natives))}
    for name, others in _ALIASES.items():
        other = next((o for o in others if o in natives), None)
        if name not in found and other is not None:
            found[name] = Column((other,))
    for name, column in scouting.columns(natives).items():
        found.setdefault(name, column)
    return found


def _counts(name: str, natives: Mapping[str, Native]) -> bool:
    """Whether a column ``nJet`` is the counter of a collection: it adds nothing to the lists."""
    collection = name[1:]
    return not natives[name].jagged and (
        collection in natives or any(other.startswith(f"{collection}_") for other in natives)
    )
