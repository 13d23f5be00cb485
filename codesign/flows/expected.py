"""What a closer tool is expected to find where only the compiler's own figure is known, with a band of error.

The fits come from calibrations (:mod:`codesign.calibration.run` of networks, :mod:`codesign.calibration.tree_fits` of
boosted trees, :mod:`codesign.calibration.repeated_fits` of networks on items) and are shipped beside this file, one for
each kind of circuit. A figure outside the range that was calibrated, or of an FPGA family, a flow or a kind of circuit
that was not, gets no expectation: nothing is extrapolated.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from math import exp, log
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from codesign.core.figures import QUANTITIES, Expected, Fidelity, Figure
from codesign.graph.model_kind import CircuitKind

__all__ = ("FITS", "REPEATED_FITS", "TREE_FITS", "Fit", "expect", "with_expected")

FITS = Path(__file__).resolve().parent / "fits.json"
TREE_FITS = FITS.with_name("tree_fits.json")
REPEATED_FITS = FITS.with_name("repeated_fits.json")
#: how many models of a kind there are, in words
_MANY = {"network": "networks", "trees": "ensembles of trees", "repeated": "networks of a module for each item",
         "folded": "folded networks", "items": "networks on items", "tables": "networks with tables",
         "products": "networks with products"}  # fmt: skip


class Fit(BaseModel):
    """One fit: ``ln(found) = intercept + slope ln(given)``, for ``given`` between ``low`` and ``high``.

    ``band`` is the half-width in the logarithm that holds 68 % of the leave-one-out residuals, and ``error_fitted``
    their mean as a share; ``fidelity`` and ``tool`` say how the truth was found. ``networks``: how many models of
    ``kind`` the flow compiled for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    flow: str = "alkaid"
    kind: CircuitKind = "network"
    family: str
    quantity: str
    fidelity: Fidelity
    tool: str
    networks: int
    low: float
    high: float
    spearman: float
    error_fitted: float
    slope: float
    intercept: float
    band: float


@cache
def _fits() -> tuple[Fit, ...]:
    return tuple(
        Fit(**f) for path in (FITS, TREE_FITS, REPEATED_FITS) for f in json.loads(path.read_text(encoding="utf-8"))
    )


def expect(
    quantity: str, value: float, family: str, kind: CircuitKind | None = "network", flow: str = "alkaid"
) -> Expected | None:
    """What a closer tool should find of a compiled figure on FPGAs of ``family``; None where nobody calibrated it."""
    for fit in _fits():
        calibrated = (fit.family, fit.quantity, fit.kind, fit.flow) == (family, quantity, kind, flow)
        if calibrated and fit.low <= value <= fit.high:
            middle = fit.intercept + fit.slope * log(value)
            low, best, high = (round(exp(middle + side * fit.band), 1) for side in (-1, 0, 1))
            size = f"{fit.low:,.0f} to {fit.high:,.0f} {QUANTITIES[quantity][0]}"
            source = f"calibration on {fit.networks} {_MANY[fit.kind]} of {size}, 68 % of them within the band"
            return Expected(value=best, low=low, high=high, fidelity=fit.fidelity, tool=fit.tool, source=source)
    return None


def with_expected(
    figures: Sequence[Figure], family: str, kind: CircuitKind | None = "network", flow: str = "alkaid"
) -> list[Figure]:
    """The same figures, the compiled ones with what a closer tool is expected to find."""
    return [
        f.model_copy(update={"expected": expect(f.quantity, f.value, family, kind, flow)})
        if f.fidelity == Fidelity.COMPILED
        else f
        for f in figures
    ]
