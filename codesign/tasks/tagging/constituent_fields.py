"""Fields of a jet's constituents that a network may be given in the place of (pT, delta-eta, delta-phi).

A network that adds up what it makes of each constituent has a jet's mass within reach once an item brings its own
pT r^2: of a collimated jet m^2 / pT is about the sum of pT_i r_i^2 (a sum over pairs otherwise, arXiv:1305.0007).
log pT tells soft constituents apart, which a linear pT of a wide spectrum puts into one or two codes.

They are columns of the sample, made offline in float32. Firmware is given them: by links that carry them, by tables of
the quantised pT, or by whatever prepares inputs in front of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from codesign.core.fixedpoint import InputQuantisation, QuantisedBlock
from codesign.core.layout import BlockValues, Layout
from codesign.physics.substructure import CONSTITUENTS

__all__ = ("FIELDS", "field_block", "fields_layout", "widened")

#: below these a logarithm is of no constituent that a detector measures
_LEAST_PT, _LEAST_R, _LEAST_Z = 0.1, 1e-3, 1e-4
#: share of the present items whose fields are within the range of their codes
_WITHIN = 0.999

#: of pT [GeV], delta-eta, delta-phi (jets, items), and the sum of pT (jets, 1)
_Field = Callable[..., NDArray[np.float64]]

#: unit of each field, and what it is
FIELDS: Mapping[str, tuple[str, _Field]] = MappingProxyType(
    {
        "pt": ("GeV", lambda pt, eta, phi, total: pt),
        "deta": ("1", lambda pt, eta, phi, total: eta),
        "dphi": ("rad", lambda pt, eta, phi, total: phi),
        "log_pt": ("ln(GeV)", lambda pt, eta, phi, total: np.log(np.maximum(pt, _LEAST_PT))),
        "z": ("1", lambda pt, eta, phi, total: pt / total),
        "log_z": ("1", lambda pt, eta, phi, total: np.log(np.maximum(pt / total, _LEAST_Z))),
        "r": ("1", lambda pt, eta, phi, total: np.hypot(eta, phi)),
        "log_r": ("1", lambda pt, eta, phi, total: np.log(np.maximum(np.hypot(eta, phi), _LEAST_R))),
        "pt_deta": ("GeV", lambda pt, eta, phi, total: pt * eta),
        "pt_dphi": ("GeV", lambda pt, eta, phi, total: pt * phi),
        "pt_r2": ("GeV", lambda pt, eta, phi, total: pt * (eta**2 + phi**2)),
    }
)


def fields_layout(fields: Sequence[str]) -> Layout:
    """The block of constituents of these fields."""
    units = tuple(FIELDS[name][0] for name in fields)
    shape = (*CONSTITUENTS.shape[:-1], len(fields))
    return Layout(name=CONSTITUENTS.name, shape=shape, fields=tuple(fields), units=units, absent="code")


def field_block(constituents: NDArray[np.floating], fields: Sequence[str]) -> BlockValues:
    """These fields of constituents (jets, 32, 3): pT [GeV], delta-eta, delta-phi; zeros of those that are not there.

    ``z`` is the share of the pT of the constituents given.
    """
    pt, eta, phi = np.moveaxis(np.asarray(constituents, dtype=np.float64), -1, 0)
    total = np.maximum(pt.sum(axis=1, keepdims=True), _LEAST_PT)
    made = np.stack([FIELDS[name][1](pt, eta, phi, total) for name in fields], axis=-1)
    return BlockValues(fields_layout(fields), np.where(pt[..., None] > 0, made, 0).astype(np.float32))


def widened(found: InputQuantisation, x: NDArray[np.floating]) -> InputQuantisation:
    """The same with coarser steps where the range of codes ends below what 99.9 % of the present items of the flat
    ``x`` (events, n) have: products with pT have tails far beyond four standard deviations, and heavy jets lie there.
    """
    blocks, start = [], 0
    for block in found.blocks:
        rows = block.rows(np.asarray(x, dtype=np.float64)[:, start : start + block.size])
        start += block.size
        blocks.append(_widened(block, rows) if len(block.shape) > 1 else block)
    return InputQuantisation(blocks=tuple(blocks))


def _widened(block: QuantisedBlock, rows: NDArray[np.float64]) -> QuantisedBlock:
    there = rows[(rows != 0).any(axis=2)]
    reach = np.quantile(np.abs(there - block.offset), _WITHIN, axis=0)
    step = [max(own, far / -kind.minimum) for own, far, kind in zip(block.step, reach, block.types, strict=True)]
    return block.model_copy(update={"step": tuple(float(s) for s in step)})
