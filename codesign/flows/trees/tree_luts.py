"""How many look-up tables of six inputs an ensemble of trees takes: counted part by part from its plan.

Comparators are not free. What synthesis merges across parts is not seen here; :mod:`codesign.calibration.tree_fits`
says how far Yosys' count is from this one.
"""

from __future__ import annotations

from codesign.core.fixedpoint import Port
from codesign.flows.trees.tree_plan import TreePlan

__all__ = ("CHOSEN", "COMPARED", "SUMMED", "comparator_bits", "compared_luts", "luts_of", "width_of")

#: inputs of a look-up table
_INPUTS = 6
#: what synthesis leaves of comparators, of choices, and of the bits of leaves and sums, as shares: by least squares,
#: over the calibration's ensembles (reports/reference/tree_calibration.json)
COMPARED, CHOSEN, SUMMED = 0.75, 0.95, 0.6


def comparator_bits(plan: TreePlan, inputs: Port) -> list[int]:
    """Of each comparator the bits of its input that can matter: not those below the lowest one of its threshold."""
    found = []
    for feature, threshold in zip(plan.forest.features.tolist(), plan.forest.thresholds, strict=True):
        kind = inputs.types[feature]
        above = int(threshold) - kind.minimum
        found.append(kind.width - ((above & -above).bit_length() - 1))
    return found


def compared_luts(plan: TreePlan, inputs: Port) -> int:
    """Look-up tables of all comparators, each by itself."""
    return sum(max(1, -(-(bits - 1) // (_INPUTS - 1))) for bits in comparator_bits(plan, inputs))


def luts_of(plan: TreePlan, inputs: Port, choices: int) -> float:
    """Look-up tables of a core that has so many ``choices`` between single bits.

    A comparator of n bits: a chain, each table with five bits and what comes from below. A tree: one table for each
    bit of its leaves, doubled for each decision in a row above six. A sum: one table for each bit of what is added.
    """
    compared = compared_luts(plan, inputs)
    decided = added = 0
    for number, root in enumerate(plan.forest.roots.tolist()):
        leaves = plan.leaves(number)
        decided += width_of(leaves[0], leaves[-1]) << max(0, int(plan.forest.level[root]) - _INPUTS)
    for taken, constant in zip(plan.summed, plan.constant, strict=True):
        ends = [(leaves[0], leaves[-1]) for leaves in map(plan.leaves, taken)]
        ends += [(constant, constant)] if constant else []
        while len(ends) > 1:
            sums = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(ends[::2], ends[1::2], strict=False)]
            added += sum(width_of(*both) for both in sums)
            ends = sums + (ends[-1:] if len(ends) % 2 else [])
    return round(COMPARED * compared + CHOSEN * choices + SUMMED * (decided + added), 2)


def width_of(low: int, high: int) -> int:
    """Bits of a number between two codes, in two's complement."""
    return max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1
