"""The framework's own entity ``emp_payload``, with the network's entity on its links.

Ports as in cms-L1TK/l1tk-for-emp at 575c27b58cc8, kf/firmware/hdl/emp_payload.vhd lines 13-34.
"""

from __future__ import annotations

from codesign.rtl.vhdl_top import HEADER

__all__ = ("NOTHING", "PACKAGES", "payload_entity")

#: a word without anything in it
NOTHING = (
    "q(i).data <= (others => '0');", "q(i).valid <= '0';", "q(i).start <= '0';", "q(i).start_of_orbit <= '0';",
    "q(i).last <= '0';", "q(i).strobe <= '1';",
)  # fmt: skip
PACKAGES = ("ipbus", "emp_data_types", "emp_device_decl", "emp_ttc_decl", "emp_slink_types")


def payload_entity(links: int, results: int) -> str:
    """VHDL of ``emp_payload``: ``codesign_emp`` on the first links; all but those, clock and reset is tied."""
    uses = HEADER + "".join(f"use work.{name}.all;\n" for name in PACKAGES)
    nothing = "".join(f"        {line}\n" for line in NOTHING)
    return f"""{uses}
entity emp_payload is
    port (
        clk : in std_logic;
        rst : in std_logic;
        ipb_in : in ipb_wbus;
        clk40 : in std_logic;
        clk_payload : in std_logic_vector(2 downto 0);
        rst_payload : in std_logic_vector(2 downto 0);
        clk_p : in std_logic;
        rst_loc : in std_logic_vector(N_REGION - 1 downto 0);
        clken_loc : in std_logic_vector(N_REGION - 1 downto 0);
        ctrs : in ttc_stuff_array(N_REGION - 1 downto 0);
        d : in ldata(4 * N_REGION - 1 downto 0);
        backpressure : in std_logic_vector(SLINK_MAX_QUADS - 1 downto 0);
        ipb_out : out ipb_rbus;
        bc0 : out std_logic;
        q : out ldata(4 * N_REGION - 1 downto 0);
        gpio : out std_logic_vector(29 downto 0);
        gpio_en : out std_logic_vector(29 downto 0);
        slink_q : out slink_input_data_quad_array(SLINK_MAX_QUADS - 1 downto 0)
    );
end entity emp_payload;

architecture rtl of emp_payload is
begin
    algorithm : entity work.codesign_emp port map (
        clk => clk_p, rst => rst_loc(0), d => d({links - 1} downto 0), q => q({results - 1} downto 0)
    );
    others_out : for i in {results} to 4 * N_REGION - 1 generate
{nothing}    end generate;
    ipb_out <= IPB_RBUS_NULL;
    bc0 <= '0';
    gpio <= (others => '0');
    gpio_en <= (others => '0');
end architecture rtl;
"""
