"""Stubs of ours for the packages of the EMP framework, which are not public: for tests alone, and named so.

Names as cms-L1TK/l1tk-for-emp at 575c27b58cc8 uses them (kf/firmware/hdl/emp_payload.vhd and hybrid packages).
"""

from __future__ import annotations

from codesign.rtl.vhdl_top import HEADER

__all__ = ("emp_stub",)


def emp_stub(regions: int) -> str:
    """VHDL of the packages, for so many regions of four links."""
    return f"""\
-- Stubs of codesign's for the EMP framework's packages, for tests alone: in a project, take the framework's own.
{HEADER}
package ipbus is
    type ipb_wbus is record
        ipb_addr : std_logic_vector(31 downto 0);
        ipb_wdata : std_logic_vector(31 downto 0);
        ipb_strobe : std_logic;
        ipb_write : std_logic;
    end record;
    type ipb_rbus is record
        ipb_rdata : std_logic_vector(31 downto 0);
        ipb_ack : std_logic;
        ipb_err : std_logic;
    end record;
    constant IPB_WBUS_NULL : ipb_wbus := ((others => '0'), (others => '0'), '0', '0');
    constant IPB_RBUS_NULL : ipb_rbus := ((others => '0'), '0', '0');
end package;

{HEADER}
package emp_data_types is
    type lword is record
        data : std_logic_vector(63 downto 0);
        valid : std_logic;
        start : std_logic;
        start_of_orbit : std_logic;
        last : std_logic;
        strobe : std_logic;
    end record;
    constant LWORD_NULL : lword := ((others => '0'), '0', '0', '0', '0', '1');
    type ldata is array (natural range <>) of lword;
end package;

package emp_device_decl is
    constant N_REGION : integer := {regions};
end package;

{HEADER}
package emp_ttc_decl is
    type ttc_stuff_t is record
        bctr : std_logic_vector(11 downto 0);
        l1a : std_logic;
    end record;
    type ttc_stuff_array is array (natural range <>) of ttc_stuff_t;
end package;

{HEADER}
package emp_slink_types is
    constant SLINK_MAX_QUADS : integer := 1;
    type slink_input_data_quad_array is array (natural range <>) of std_logic_vector(3 downto 0);
end package;
"""
