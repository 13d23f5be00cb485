"""The factorised correction as JSON for correctionlib, in the form and with the names of CMS's own files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesign.core.runfolder import write_atomically
from codesign.tasks.jets.factorised import ETA_BINS, LEAST_FACTOR, Curve, Factorised

if TYPE_CHECKING:
    import correctionlib.schemav2 as schema

__all__ = ("LEVELS", "correction_set", "write_corrections")

#: the three steps; their product, each with the pT that the steps before give, is the compound correction "L1L2L3"
LEVELS = ("L1Offset", "L2Relative", "L3Absolute")


def correction_set(fitted: Factorised, tag: str, description: str) -> schema.CorrectionSet:
    """Corrections ``<tag>_L1Offset``, ``<tag>_L2Relative``, ``<tag>_L3Absolute`` and the compound ``<tag>_L1L2L3``.

    Inputs as CMS's: ``JetPt`` uncorrected [GeV], ``JetEta``, ``Rho`` [GeV per unit area], ``JetA``.
    """
    import correctionlib.schemav2 as cs

    meaning = {
        "JetPt": "uncorrected pT of the jet in GeV; of L2 and L3, what the steps before give",
        "JetEta": "pseudorapidity of the jet",
        "Rho": "density of pile-up in GeV per unit of eta times phi",
        "JetA": "area of the jet",
    }

    def variables(*names: str) -> list[Any]:
        return [cs.Variable(name=n, type="real", description=meaning[n]) for n in names]

    def formula(expression: str, *names: str) -> Any:
        return cs.Formula(nodetype="formula", expression=expression, parser="TFormula", variables=list(names))

    def by_eta(contents: list[Any]) -> Any:
        bins = cs.Binning(nodetype="binning", input="JetEta", edges=list(ETA_BINS), content=contents, flow="clamp")
        return cs.Transform(nodetype="transform", input="JetEta", rule=formula("abs(x)", "JetEta"), content=bins)

    def correction(level: str, inputs: list[Any], data: Any) -> Any:
        return cs.Correction(
            name=f"{tag}_{level}",
            version=1,
            inputs=inputs,
            output=cs.Variable(name="correction", type="real", description="factor on JetPt"),
            data=data,
        )

    inputs = variables("JetPt", "JetEta", "Rho", "JetA")
    offsets = [formula(f"max(1-z*{b!r}*y/x,{LEAST_FACTOR!r})", "JetPt", "Rho", "JetA") for b in fitted.slope]
    curves = [formula(_expression(curve), "JetPt") for curve in fitted.relative]
    return cs.CorrectionSet(
        schema_version=2,
        description=description,
        corrections=[
            correction("L1Offset", inputs, by_eta(offsets)),
            correction("L2Relative", inputs[:2], by_eta(curves)),
            correction("L3Absolute", inputs[:1], formula(_expression(fitted.absolute), "JetPt")),
        ],
        compound_corrections=[
            cs.CompoundCorrection(
                name=f"{tag}_L1L2L3",
                inputs=inputs,
                output=cs.Variable(name="correction", type="real", description="factor on JetPt"),
                inputs_update=["JetPt"],
                input_op="*",
                output_op="*",
                stack=[f"{tag}_{level}" for level in LEVELS],
            )
        ],
    )


def _expression(curve: Curve) -> str:
    c0, c1, c2 = curve.coefficients
    x = f"log10(max(min(x,{curve.high!r}),{curve.low!r}))"
    return f"({c0!r})+({c1!r})*{x}+({c2!r})*{x}*{x}"


def write_corrections(path: Path, fitted: Factorised, tag: str, description: str) -> None:
    """Write the JSON, whole or not at all."""
    made = correction_set(fitted, tag, description)
    write_atomically(path, made.model_dump_json(exclude_unset=True, indent=1).encode())
