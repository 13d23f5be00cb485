"""The trigger's efficiency as a fragment of a Delphes card: Delphes' own module ``Efficiency`` with our map in it.

Delphes (JHEP 02 (2014) 057) keeps each candidate with the probability that ``EfficiencyFormula`` gives for its ``pt``,
``eta``; formulas are ROOT's TFormula. What a fast simulation's jet is to the trigger, the generated jet is here.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.runfolder import write_atomically
from codesign.tasks.outcome import Axis

__all__ = ("MAPPED", "write_card")

#: the axes that Delphes knows of a candidate
MAPPED = ("GenPt", "GenEta")

_CARD = """# A fragment of a Delphes card. Copy it beside your card, and into that:
#   source delphes.tcl
# and CodesignTrigger behind JetEnergyScale in ExecutionPath; what passed is CodesignTrigger/jets.
# Efficiency of generated jets in bins of pT [GeV] and |eta|; other pile-up than in the sample is not in it. Below the
# first bin nothing passes; above the last ones the last counts.

module Efficiency CodesignTrigger {{
  set InputArray JetEnergyScale/jets
  set OutputArray jets
  set EfficiencyFormula {{
{formula}
  }}
}}
"""


def write_card(path: Path, pt: Axis, eta: Axis, efficiency: NDArray[np.float64]) -> None:
    """Write the fragment of an efficiency (pT bins, \\|eta\\| bins)."""
    terms = []
    for i, (low, high) in enumerate(itertools.pairwise(pt.edges)):
        above = "" if i == pt.size - 1 else f" && pt < {high:g}"
        for j, (inner, outer) in enumerate(itertools.pairwise(eta.edges)):
            beyond = "" if j == eta.size - 1 else f" && abs(eta) < {outer:g}"
            where = f"(pt >= {low:g}{above} && abs(eta) >= {inner:g}{beyond})"
            terms.append(f"    {where} * ({efficiency[i, j]:.6f})")
    write_atomically(path, _CARD.format(formula=" +\n".join(terms)).encode())
