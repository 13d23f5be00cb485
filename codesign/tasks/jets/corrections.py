"""The factorised correction as JSON for correctionlib, in the form and with the names of CMS's own files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from codesign.core.errors import InputError
from codesign.core.runfolder import write_atomically
from codesign.tasks.jets.factorised import ETA_BINS, LEAST_FACTOR, Curve, Factorised

if TYPE_CHECKING:
    import correctionlib.schemav2 as schema

__all__ = ("LEVELS", "correction_set", "fit_corrections", "write_corrections")

#: reference pT above which the closure is stated, GeV
_CLOSURE_PT = 30.0
#: the three steps; their product, each with the pT that the steps before give, is the compound correction "L1L2L3"
LEVELS = ("L1Offset", "L2Relative", "L3Absolute")


def correction_set(fitted: Factorised, tag: str, description: str) -> schema.CorrectionSet:
    """Corrections ``<tag>_L1Offset``, ``<tag>_L2Relative``, ``<tag>_L3Absolute`` and the compound ``<tag>_L1L2L3``.

    Inputs as CMS's: ``JetPt`` uncorrected [GeV], ``JetEta``, ``Rho`` [GeV per unit area], ``JetA``.
    """
    import correctionlib.schemav2 as cs

    meaning = {
        "JetPt": "uncorrected pT of the jet in GeV; of L2 and L3, what the steps before give",
        "JetEta": f"pseudorapidity of the jet, signed; an error beyond {ETA_BINS[-1]:g}",
        "Rho": "density of pile-up in GeV per unit of eta times phi",
        "JetA": "area of the jet",
    }

    def variables(*names: str) -> list[Any]:
        return [cs.Variable(name=n, type="real", description=meaning[n]) for n in names]

    def formula(expression: str, *names: str) -> Any:
        return cs.Formula(nodetype="formula", expression=expression, parser="TFormula", variables=list(names))

    def by_eta(contents: list[Any]) -> Any:
        bins = cs.Binning(nodetype="binning", input="JetEta", edges=list(ETA_BINS), content=contents, flow="error")
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


def fit_corrections(files: Sequence[Path], output: Path, tag: str, collection: str = "Jet") -> dict[str, float | str]:
    """Fit the factorised correction on event files with generated jets, and write it for correctionlib.

    Returns the names of what was written, and the median of corrected over generated pT before and after, of jets
    above 30 GeV on the half that was not fitted. InputError for a tag that is no name, or too few jets.
    """
    from codesign.data.sample import Splits
    from codesign.tasks.jets.jet_inputs import kinematics
    from codesign.tasks.jets.jet_sample import JetEnergySample, sample_of

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,99}", tag):
        raise InputError(f"'{tag}' is no tag: letters, digits and '_', as Mine2026_V1")
    if output.suffix != ".json":
        raise InputError(f"{output}: corrections are written as .json")
    names = [f.name for f in files]
    sample = sample_of(files, collection, JetEnergySample(files=tuple(map(str, files))), {"files": names})
    splits = Splits(train=0.5, validation=0.1, test=0.4, seed=1)
    train, test = sample.part("train", splits), sample.part("test", splits)
    pt, eta, rho, area = kinematics(train.features)
    fitted = Factorised.fit(pt, eta, rho, area, train.truth["reference_pt"])
    pt, eta, rho, area = kinematics(test.features)
    wanted, high = test.truth["reference_pt"], test.truth["reference_pt"] > _CLOSURE_PT
    if not high.any():
        raise InputError(f"no jet above {_CLOSURE_PT:g} GeV is left to judge the correction: give more events")
    before, after = (float(np.median((found / wanted)[high])) for found in (pt, pt * fitted(pt, eta, rho, area)))
    write_corrections(
        output, fitted, tag, f"Factorised correction of {collection}, fitted on {len(train)} jets of {', '.join(names)}"
    )
    return {
        "file": str(output),
        "correction": f"{tag}_L1L2L3",
        "jets fitted": len(train),
        "jets judged": int(high.sum()),
        "median response before": round(before, 4),
        "median response after": round(after, 4),
    }
