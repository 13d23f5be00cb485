"""The top entity in VHDL: the twin of :mod:`codesign.rtl.top_module`, without a threshold."""

from __future__ import annotations

from collections.abc import Sequence

from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.rtl.bit_parts import vhdl_assignments
from codesign.rtl.top_module import input_bits, output_bits

__all__ = ("HEADER", "vhdl_top")

#: what every VHDL source begins with
HEADER = "library ieee;\nuse ieee.std_logic_1164.all;\nuse ieee.numeric_std.all;\n"


def vhdl_top(
    name: str,
    core: str,
    inputs: Port,
    outputs: Port,
    core_inputs: Sequence[FixedPoint],
    core_outputs: Sequence[FixedPoint],
) -> str:
    """VHDL of an entity ``name`` with ports ``clk``, ``model_inp``, ``model_out`` packed by the design's types.

    ``core`` is the entity inside; ``core_inputs`` and ``core_outputs`` are the types of its ports' elements, of width 0
    where it has none.
    """
    width_in, width_out = sum(t.width for t in core_inputs), sum(t.width for t in core_outputs)
    if not width_in or not width_out:
        raise UnsupportedError("the circuit is constant: its outputs do not depend on its inputs, there is no hardware")
    assigned = [
        *vhdl_assignments("core_inp", input_bits(inputs, core_inputs)),
        *vhdl_assignments("model_out", output_bits(outputs, core_outputs)),
    ]
    lines = "".join(f"    {line}\n" for line in assigned)
    return f"""{HEADER}
entity {name} is
    port (
        clk : in std_logic;
        model_inp : in std_logic_vector({inputs.width - 1} downto 0);
        model_out : out std_logic_vector({outputs.width - 1} downto 0)
    );
end entity {name};

architecture rtl of {name} is
    signal core_inp : std_logic_vector({width_in - 1} downto 0);
    signal core_out : std_logic_vector({width_out - 1} downto 0);
begin
{lines}    core : entity work.{core} port map (clk => clk, model_inp => core_inp, model_out => core_out);
end architecture rtl;
"""
