"""Raw hardware codes of a sample's features: what the firmware is given, before anything is prepared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.errors import InputError, nearest
from codesign.core.fixedpoint import FixedPoint, InputQuantisation
from codesign.physics.events.l1_scales import SCALES

__all__ = (
    "InputsSection", "ItemSort", "PreparedInput", "RawCode", "RawScale", "prepared_inputs", "raw_codes",
    "raw_quantisation",
)  # fmt: skip

#: bits of a raw code: an address of a table
_MOST_BITS = 16
#: of the names of Level-1 objects: met_pt, eg0_eta, muon3_phi, jet9_pt
_KINDS = {"met": "L1EtSum", "eg": "L1EG", "muon": "L1Mu", "jet": "L1Jet"}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RawScale(_Section):
    """How features become codes: ``code = clip(floor(x / step + 1/2))`` in so many bits; ``turn`` codes are 2 pi."""

    bits: int = Field(ge=1, le=_MOST_BITS, description="the sign included")
    signed: bool = Field(default=False, description="whether codes may be negative")
    step: float = Field(default=1.0, gt=0, description="of the feature for a code of 1")
    turn: int | None = Field(default=None, ge=2, description="codes of a full turn, of an azimuth")


class PreparedInput(_Section):
    """An input of the network: an expression over raw features, computed in the firmware.

    Of a pattern of features, such as ``*_pt``: one input for each, by its name, which the expression calls ``x``.
    """

    of: str = Field(max_length=500, description="as a table study's expressions are")
    fraction: int = Field(default=5, ge=0, le=12, description="binary places of its functions and ratios")
    bits: int | None = Field(default=None, ge=1, le=_MOST_BITS, description="it saturates to; the sign included")
    less: int = Field(default=0, ge=0, le=12, description="bits that it has fewer than the network's other inputs")
    where: Literal["firmware"] = Field(
        default="firmware", description="it is computed in the firmware, and in every exact model of it"
    )


Pattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.*?\[\]]+$", max_length=100)]


class ItemSort(_Section):
    """Items that the firmware sorts before anything is prepared of them; equal ones stay in their order."""

    by: Pattern = Field(description="the field that sorts, of every item in its order, such as jet*_pt")
    carried: tuple[Pattern, ...] = Field(
        default=(), max_length=16, description="other fields of the same items, in the same order, such as jet*_eta"
    )
    order: Literal["falling", "rising"] = Field(
        default="falling", description="which comes first: falling, the largest"
    )
    keep: int | None = Field(
        default=None, ge=1, le=64, description="items that stay, by the names of the first; null: all"
    )


class InputsSection(_Section):
    """``inputs`` of a study: the raw codes that the firmware is given, and what it makes of them for the network."""

    raw: Literal["l1-scales"] | dict[Pattern, RawScale] = Field(
        description="l1-scales, or by name of a feature, or a pattern of names such as '*_pt'"
    )
    sort: tuple[ItemSort, ...] = Field(
        default=(), max_length=16, exclude_if=lambda sorts: not sorts, description="items that are sorted first"
    )
    prepare: dict[Pattern, PreparedInput] = Field(
        min_length=1, max_length=1024, description="by name of an input, or of all features that match a pattern"
    )

    @model_validator(mode="before")
    @classmethod
    def _expressions_alone(cls, data: object) -> object:
        """``name: expression`` for an input with nothing but that."""
        if isinstance(data, dict) and isinstance(data.get("prepare"), Mapping):
            whole = {k: {"of": v} if isinstance(v, str) else v for k, v in data["prepare"].items()}
            return data | {"prepare": whole}
        return data

    @model_validator(mode="after")
    def _some_raw(self) -> Self:
        if not self.raw:
            raise ValueError("'raw' is l1-scales, or says bits and step of every feature")
        return self


def prepared_inputs(section: InputsSection, features: tuple[str, ...]) -> dict[str, tuple[PreparedInput, str | None]]:
    """Every prepared input by its name, and for one of a pattern the feature that its expression calls ``x``; those of
    patterns first, in the features' order.

    InputError where a pattern matches nothing, or two give one name.
    """
    found: dict[str, tuple[PreparedInput, str | None]] = {}
    for name, of in section.prepare.items():
        several = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name) is None
        made: dict[str, str | None] = {f: f for f in features if fnmatchcase(f, name)} if several else {name: None}
        if not made:
            raise InputError(f"inputs.prepare, '{name}': no feature matches{nearest(name, features)}")
        if twice := found.keys() & made.keys():
            raise InputError(f"inputs.prepare, '{name}': '{min(twice)}' is prepared already: leave one out")
        found |= {one: (of, feature) for one, feature in made.items()}
    of_patterns = {f: found[f] for f in features if f in found and found[f][1] is not None}
    return of_patterns | found


@dataclass(frozen=True)
class RawCode:
    """A raw feature: its type, ``step`` of the sample's number for a code of 1, ``size`` of that in an expression."""

    name: str
    kind: FixedPoint
    step: float
    size: float


def raw_codes(section: InputsSection, features: tuple[str, ...]) -> tuple[RawCode, ...]:
    """What the firmware is given for each feature of a sample; InputError where nothing is said of one."""
    if section.raw == "l1-scales":
        return tuple(map(_level1, features))
    found = []
    for name in features:
        said = [scale for pattern, scale in section.raw.items() if pattern == name or fnmatchcase(name, pattern)]
        if not said:
            raise InputError(
                f"inputs.raw says nothing of '{name}'{nearest(name, section.raw)}: give its bits and step, or a pattern"
            )
        scale = section.raw.get(name, said[0])
        size = 2 * np.pi / scale.turn if scale.turn else scale.step
        kind = FixedPoint(signed=scale.signed, integer_bits=scale.bits - int(scale.signed), fraction_bits=0)
        found.append(RawCode(name, kind, scale.step, size))
    return tuple(found)


def _level1(name: str) -> RawCode:
    match = re.fullmatch(r"(met|eg|muon|jet)\d*_(pt|eta|phi)", name)
    if match is None:
        raise InputError(
            f"inputs.raw: '{name}' is no Level-1 object's pt, eta or phi, of which l1-scales knows the codes: give "
            "bits and step of each feature instead"
        )
    scale = SCALES[_KINDS[match[1]]]
    if match[2] == "pt":
        return RawCode(name, FixedPoint(signed=False, integer_bits=scale.pt_bits, fraction_bits=0), 1.0, scale.pt_step)
    # azimuths are counted from -pi to pi
    bits = scale.eta_bits if match[2] == "eta" else (scale.phi_codes - 1).bit_length()
    size = scale.eta_step if match[2] == "eta" else 2 * np.pi / scale.phi_codes
    return RawCode(name, FixedPoint(signed=True, integer_bits=bits - 1, fraction_bits=0), 1.0, size)


def raw_quantisation(codes: tuple[RawCode, ...], units: tuple[str, ...]) -> InputQuantisation:
    """How features become raw codes."""
    return InputQuantisation(
        features=tuple(code.name for code in codes),
        units=units,
        offset=(0.0,) * len(codes),
        step=tuple(code.step for code in codes),
        types=tuple(code.kind for code in codes),
    )
