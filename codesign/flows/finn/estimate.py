"""What FINN's estimates say, put right where its formulas are known to be wrong.

- DSP: FINN takes four products into one DSP slice whatever their widths; its RTL packs as many as fit the slice's
  multiplier (``NUM_LANES`` in ``mvu.sv``, computed here in the same way).
- Initiation interval: FINN takes the slowest layer and leaves out what lies between the layers. A width converter
  between widths neither of which divides the other is slower than either side: its cycles are counted too.
- Latency: FINN adds up the cycles of all layers and leaves out the depth of their pipelines, which for small networks
  is as much again. The registers of each kind of module are added. What overlaps is not taken off, so it is an upper
  bound.
- LUT: FINN's estimate of its RTL matrix unit is 0, whatever its size. There is no figure then; synthesis measures it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd
from typing import Any

__all__ = ("converter_cycles", "dsp_slices", "initiation_interval", "lanes", "latency_bound")


def lanes(weight_bits: int, activation_bits: int, narrow: bool, seven_series: bool) -> int:
    """Products that FINN's RTL computes in one DSP slice, DSP48E1 (25 bits wide) or DSP48E2 (27 bits)."""
    wide = 25 if seven_series else 27
    if weight_bits == wide:
        return 1
    return 1 + (wide - int(not narrow) - weight_bits) // (weight_bits + activation_bits - 1)


def dsp_slices(folding: Sequence[Mapping[str, Any]], seven_series: bool) -> int:
    """DSP slices that the RTL of all matrix units instantiates."""
    total = 0
    for layer in folding:
        if layer["kind"] == "MVAU_rtl":
            each = lanes(layer["weight_bits"], layer["activation_bits"], layer["narrow"], seven_series)
            total += -(-layer["PE"] // each) * layer["SIMD"]
    return total


def converter_cycles(taken: int, given: int, beats: int) -> int:
    """Clock cycles that a width converter needs for an event of so many beats of ``taken`` bits; it gives ``given``.

    FINN's converter (``genGeneric`` in ``vpc.sv``) holds one beat of either side and neither takes a beat unless it
    has room for it, nor learns in the same cycle that room is made. In units of what both widths share, so that no
    factor is left in common, one turn takes ``given`` beats, gives ``taken``, and does both at once in one cycle only.
    """
    shared = gcd(taken, given)
    taken, given = taken // shared, given // shared
    return -(-beats * (taken + given - 1) // given)


def initiation_interval(slowest: int, modules: Sequence[Mapping[str, Any]]) -> int:
    """Clock cycles between events: FINN's slowest layer, or the slowest width converter between its layers."""
    converters = [m for m in modules if m["kind"] == "StreamingDataWidthConverter" and "beats" in m]
    return max([slowest, *(converter_cycles(m["bits"][0], m["bits"][1], m["beats"]) for m in converters)])


def latency_bound(cycles: int, folding: Sequence[Mapping[str, Any]], modules: Sequence[Mapping[str, Any]]) -> int:
    """FINN's sum of cycles plus the registers that an event passes, in clock cycles."""
    depth = 2  # an event to beats, and beats to an event
    for module in modules:
        depth += {"StreamingFIFO": 2, "StreamingDataWidthConverter": 2}.get(module["kind"], 0)
    for layer in folding:
        if layer["kind"] == "MVAU_rtl":
            # replay buffer, then PIPELINE_DEPTH of mvu.sv, then the output queue and its register
            simd = layer["SIMD"]
            depth += 1 + 3 + (simd - 1).bit_length() + int(simd == 1) + 1 + 2
        else:
            # a comparison and a register more for each bit of the output (DEEP_PIPELINE), then the output queue
            depth += 2 * layer["bits"] + 2
    return cycles + depth
