"""The types of a model's inputs as the user declares them: a YAML file, or plain data of the same form.

    type: fixed<8,3>          # of every field that is not listed, or of all
    fields:                   # in the order of the model's inputs; a name alone has the type above
      - {name: pt, type: "ufixed<12,9>", unit: GeV, offset: 0.0, scale: 1.0}
      - name: eta

``fixed<W,I>`` has W bits, the sign among them, I of them before the point. The value that the model sees is
``(x - offset) / scale`` of the physical quantity x, rounded half up to the type's step and saturated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint, InputQuantisation
from codesign.core.reading.yaml import read_yaml
from codesign.core.validation import validate

__all__ = ("DeclaredField", "DeclaredInputs", "declared_inputs", "fixed_point")

_TYPE = re.compile(r"\s*(u?fixed|ap_u?fixed)\s*<\s*([0-9]{1,2})\s*,\s*(-?[0-9]{1,2})\s*>\s*")
_WIDEST = 24


def fixed_point(text: str) -> FixedPoint:
    """``fixed<W,I>`` or ``ufixed<W,I>`` as a type; ValueError for any other text, or more than 24 bits."""
    found = _TYPE.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is no type: write fixed<W,I> or ufixed<W,I>, W bits with I before the point")
    signed, width, before = not found[1].removeprefix("ap_").startswith("u"), int(found[2]), int(found[3])
    if not 1 <= width <= _WIDEST:
        raise ValueError(f"'{text}' has {width} bits: an input has 1 to {_WIDEST}")
    return FixedPoint(signed=signed, integer_bits=before - int(signed), fraction_bits=width - before)


def _check(text: str | None) -> str | None:
    if text is not None:
        fixed_point(text)
    return text


class DeclaredField(BaseModel):
    """One input of the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    type: str | None = None
    unit: str = "1"
    offset: float = Field(default=0.0, allow_inf_nan=False)
    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str) else data

    @field_validator("type")
    @classmethod
    def _known(cls, given: str | None) -> str | None:
        return _check(given)


class DeclaredInputs(BaseModel):
    """``--inputs``: what the model's inputs are. Without any type, names and units only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str | None = None
    fields: tuple[DeclaredField, ...] = ()
    outputs: tuple[str, ...] = Field(default=(), description="names of the outputs")

    @field_validator("type")
    @classmethod
    def _known(cls, given: str | None) -> str | None:
        return _check(given)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        names = [f.name for f in self.fields]
        if twice := next((n for n in names if names.count(n) > 1), None):
            raise ValueError(f"the field '{twice}' stands twice")
        if len(set(self.outputs)) < len(self.outputs):
            raise ValueError("an output's name stands twice")
        return self

    @property
    def typed(self) -> bool:
        """Whether it says the type of every input."""
        return self.type is not None or (bool(self.fields) and all(f.type is not None for f in self.fields))

    def quantisation(self, size: int, items: int = 1, types: tuple[FixedPoint, ...] | None = None) -> InputQuantisation:
        """Of ``size`` inputs, which may be ``items`` times the same fields; ``types`` where none are declared here.

        InputError where the number of fields is another one.
        """
        given = self.fields or tuple(DeclaredField(name=f"x{i}") for i in range(size))
        if len(given) * items == size and items > 1 and self.fields:
            given = tuple(f.model_copy(update={"name": f"{f.name}_{i}"}) for i in range(items) for f in given)
        if len(given) != size:
            per = f", or {size // items} for each of its {items} items" if items > 1 else ""
            raise InputError(f"--inputs lists {len(given)} fields, and the model has {size} inputs{per}")
        kinds = types or tuple(fixed_point(f.type or self.type or "") for f in given)
        return InputQuantisation(
            features=tuple(f.name for f in given),
            units=tuple(f.unit for f in given),
            offset=tuple(f.offset for f in given),
            step=tuple(f.scale * kind.lsb for f, kind in zip(given, kinds, strict=True)),
            types=kinds,
        )


def declared_inputs(given: DeclaredInputs | Path | str | Mapping[str, Any] | None) -> DeclaredInputs | None:
    """What the user gave as ``inputs``: a file's path, one type for all (``fixed<8,3>``), or data of the same form."""
    if given is None or isinstance(given, DeclaredInputs):
        return given
    if isinstance(given, str) and "<" in given:
        try:
            fixed_point(given)
        except ValueError as error:
            raise InputError(f"inputs: {error}") from None
        return DeclaredInputs(type=given)
    if isinstance(given, Mapping):
        return validate(DeclaredInputs, dict(given), "inputs")
    return validate(DeclaredInputs, read_yaml(Path(given)), str(given))
