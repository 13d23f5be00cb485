"""Named variations of a sample's inputs, by which a systematic error is told: scale, shift, resolution, efficiency and
pile-up. A design is judged on the varied events at the working points that the usual ones fixed, as a trigger would be.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.errors import InputError, nearest
from codesign.core.layout import FEATURES, Layout
from codesign.data.sample import Part

__all__ = ("Variation",)

Values = NDArray[np.float32]

#: what a variation does: one of them
_KINDS = ("scale", "shift", "smear", "lose", "pile_up")
_PILE_UP = "pile_up"
_SEED = 19
_NUMBERED = re.compile(r"(.*?)(\d+)_(.+)")


class Variation(BaseModel):
    """One source of a systematic error. ``scale``, ``shift`` and ``pile_up`` are tried upwards and downwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60, description="of the systematic error, such as scale")
    inputs: tuple[str, ...] = Field(
        default=(), description="names of features, or block.field of all items of a block; * stands for anything"
    )
    scale: float | None = Field(default=None, gt=0, lt=1, description="energy scale: by so large a share, up and down")
    shift: float | None = Field(
        default=None, gt=0, lt=1e6, description="by so much in the input's unit, up and down, where it is not 0"
    )
    smear: float | None = Field(default=None, gt=0, le=2, description="resolution: a normal factor of this width more")
    lose: float | None = Field(
        default=None, gt=0, lt=1, description="efficiency: this share of the objects is not there; the next move up"
    )
    pile_up: float | None = Field(
        default=None, gt=0, lt=1, description="its mean by so large a share, up and down, by weights of the events"
    )

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"'{self.name}' needs one of {', '.join(_KINDS)}, and has {' and '.join(given) or 'none'}")
        if bool(self.inputs) == (given[0] == _PILE_UP):
            raise ValueError(f"'{self.name}': inputs are named of every kind but pile_up")
        return self

    @property
    def ways(self) -> dict[str, int]:
        """How it is tried, by name: 1 upwards, -1 downwards."""
        one_sided = self.smear is not None or self.lose is not None
        return {self.name: 1} if one_sided else {f"{self.name}_up": 1, f"{self.name}_down": -1}

    def must_fit(self, blocks: Sequence[Layout], truth: Sequence[str]) -> None:
        """InputError where the sample has no such input, or does not know its pile-up."""
        if self.pile_up is not None and _PILE_UP not in truth:
            raise InputError(f"'{self.name}' varies pile-up, which this sample does not know of its events")
        known = [name for block in blocks for name in _names(block)]
        for pattern in self.inputs:
            if not any(_fits(pattern, name) for name in known):
                shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
                raise InputError(f"'{self.name}': no input '{pattern}'{nearest(pattern, known)}: there are {shown}")

    def of(self, part: Part, blocks: Sequence[Layout], way: int = 1) -> Part:
        """The part as it would be; ``blocks``: of the sample, those of features first."""
        if self.pile_up is not None:
            return replace(part, weights=self._weights(part, way))
        random = np.random.default_rng([_SEED, zlib.crc32(f"{self.name} {part.name}".encode())])
        changed: dict[str, Values] = {}
        for block in blocks:
            names = _names(block)
            chosen = np.array([any(_fits(pattern, name) for pattern in self.inputs) for name in names])
            if chosen.any():
                changed[block.name] = self._block(part.block(block.name), block, names, chosen, way, random)
        others = {name: changed.get(name, values) for name, values in part.blocks.items()}
        return replace(part, features=changed.get(FEATURES, part.features), blocks=others)

    def _block(
        self, values: Values, block: Layout, names: Sequence[str], chosen: NDArray[np.bool_], way: int,
        random: np.random.Generator,
    ) -> Values:  # fmt: skip
        made = np.array(values, dtype=np.float32)
        if self.lose is not None:
            _lose(made, block, names, chosen, self.lose, random)
            return made
        some = made[..., chosen]
        if self.scale is not None:
            some = some * np.float32(1 + way * self.scale)
        elif self.shift is not None:
            some = np.where(some != 0, some + np.float32(way * self.shift), some)
        else:
            width = self.smear or 0.0
            some = some * np.maximum(1 + width * random.normal(size=some.shape), 0.0).astype(np.float32)
        made[..., chosen] = some
        return made

    def _weights(self, part: Part, way: int) -> Values:
        """Weights that move the mean of the pile-up: of a normal distribution exactly by that share."""
        along = part.truth[_PILE_UP].astype(np.float64)
        width = float(along.var())
        tilt = way * (self.pile_up or 0.0) * along.mean() / width if width else 0.0
        factors = np.exp(np.clip(tilt * (along - along.mean()), -50, 50))
        own = np.ones(len(part)) if part.weights is None else part.weights
        return np.asarray(own * factors / factors.mean(), dtype=np.float32)


def _names(block: Layout) -> tuple[str, ...]:
    """By which the fields of a block are named in a study."""
    return block.fields if block.name == FEATURES else tuple(f"{block.name}.{field}" for field in block.fields)


def _fits(pattern: str, name: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None


def _lose(
    values: Values, block: Layout, names: Sequence[str], chosen: NDArray[np.bool_], share: float,
    random: np.random.Generator,
) -> None:  # fmt: skip
    """Take a share of the objects away, in place; those behind a lost one move up, and the last places are empty."""
    if len(block.shape) > 1:
        items = values.reshape(len(values), block.items, block.shape[-1])
        items[:] = _closed_up(items, random.random(items.shape[:2]) < share)
        return
    for columns in _objects(names, chosen):
        items = values[:, columns]  # (events, objects, quantities)
        values[:, columns] = _closed_up(items, random.random(items.shape[:2]) < share)


def _objects(names: Sequence[str], chosen: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """Columns, (objects, quantities), of each kind of objects of which something is chosen: ``jet0_pt``, ``jet0_eta``,
    ``jet1_pt``, ...; what has no number, as ``met_pt``, is an object alone."""
    kinds: dict[str, dict[int, list[int]]] = {}
    for column, name in enumerate(names):
        found = _NUMBERED.fullmatch(name)
        kind, number = (found[1], int(found[2])) if found else (name.rsplit("_", 1)[0] + " alone", 0)
        kinds.setdefault(kind, {}).setdefault(number, []).append(column)
    for objects in kinds.values():
        rows = [columns for _, columns in sorted(objects.items())]
        if not chosen[[column for columns in rows for column in columns]].any():
            continue
        if len({len(columns) for columns in rows}) == 1:
            yield np.array(rows)
        else:  # no objects of one kind: each alone
            yield from (np.array([columns]) for columns in rows)


def _closed_up(items: Values, lost: NDArray[np.bool_]) -> Values:
    """Items (events, n, fields) without those that are lost, (events, n), in their order, zeros behind them."""
    order = np.argsort(lost, axis=1, kind="stable")
    kept = np.take_along_axis(items, order[:, :, None], axis=1)
    return np.where(np.take_along_axis(lost, order, axis=1)[:, :, None], np.float32(0), kept)
