"""A bench as files that need GHDL and make alone: harness, a test bench that compares every word, and its words."""

from __future__ import annotations

from collections.abc import Sequence

from codesign.handoff.wrappers.wrapper import PinBench, WrappedNetwork
from codesign.rtl.signatures import HARNESS
from codesign.rtl.vhdl_top import HEADER

__all__ = ("bench_files", "bench_words", "makefile", "whole_makefile")

_TB = "codesign_tb"


def bench_files(bench: PinBench, place: str) -> dict[str, str]:
    """The files of one bench in the folder ``place``."""
    signature = bench.signature
    wide, out = signature.width("in"), signature.width("out")
    digits = -(-wide // 4)
    return {
        f"{place}/harness.vhd": signature.vhdl_harness(),
        f"{place}/tb.vhd": _bench_text(place, 4 * digits, wide, out, bench),
    } | bench_words(bench, place)


def bench_words(bench: PinBench, place: str) -> dict[str, str]:
    """What is played, and what must come out."""
    signature = bench.signature
    out, digits = signature.width("out"), -(-signature.width("in") // 4)
    stimulus = "".join(f"{signature.drive(clock):0{digits}x}\n" for clock in bench.clocks)
    places = signature.places("out")
    lines = []
    for expected in bench.expected:
        bits = ["-"] * out
        for name, value in expected.items():
            for i in range(places[name].width):
                bits[out - 1 - places[name].low - i] = str(value >> i & 1)
        lines.append("".join(bits) + "\n")
    return {f"{place}/stimulus.hex": stimulus, f"{place}/expected.txt": "".join(lines)}


def _bench_text(place: str, padded: int, wide: int, out: int, bench: PinBench) -> str:
    return f"""{HEADER}use std.textio.all;
use std.env.all;

-- {bench.name}: plays stimulus.hex and compares every output bit with expected.txt, in which - may be anything
entity {_TB} is
end entity {_TB};

architecture bench of {_TB} is
    signal clk : std_logic := '0';
    signal d : std_logic_vector({wide - 1} downto 0) := (others => '0');
    signal q : std_logic_vector({out - 1} downto 0);
begin
    harness : entity work.{HARNESS} port map (clk => clk, d => d, q => q);
    process
        file given : text open read_mode is "{place}/stimulus.hex";
        file wanted : text open read_mode is "{place}/expected.txt";
        variable row, other : line;
        variable word : std_logic_vector({padded - 1} downto 0);
        variable bits : string(1 to {out});
        variable clocks, wrong : natural := 0;
        variable equal : boolean;
    begin
        while not endfile(given) loop
            readline(given, row);
            hread(row, word);
            clk <= '0';
            d <= word({wide - 1} downto 0);
            wait for 5 ns;
            clk <= '1';
            wait for 5 ns;
            readline(wanted, other);
            read(other, bits);
            equal := true;
            for i in bits'range loop
                if bits(i) = '0' and q({out} - i) /= '0' then equal := false; end if;
                if bits(i) = '1' and q({out} - i) /= '1' then equal := false; end if;
            end loop;
            if not equal then
                wrong := wrong + 1;
                report "clock " & integer'image(clocks) & " differs" severity warning;
            end if;
            clocks := clocks + 1;
        end loop;
        if wrong > 0 then
            report "FAIL: " & integer'image(wrong) & " of " & integer'image(clocks) & " clocks" severity failure;
        end if;
        report "PASS: {bench.events} events, " & integer'image(clocks) & " clocks";
        finish;
    end process;
end architecture bench;
"""


def makefile(network: WrappedNetwork, benches: Sequence[tuple[PinBench, str]], more: Sequence[str] = ()) -> str:
    """``make test`` for benches and their folders, where all is VHDL; ``more``: other rules."""
    rules = []
    for bench, place in benches:
        build = f"build/{place.rpartition('/')[2]}"
        own = " ".join((*bench.sources, f"{place}/harness.vhd", f"{place}/tb.vhd"))
        rules += [
            f"\tmkdir -p {build}",
            f"\t$(GHDL) -a $(FLAGS) --workdir={build} $(NETWORK) {own}",
            f"\t$(GHDL) -r $(FLAGS) --workdir={build} {_TB} --ieee-asserts=disable",
        ]
    said = "simulates every bench in GHDL and compares every word; it needs nothing else."
    return whole_makefile(said, ("GHDL ?= ghdl",), network.vhdl, rules, more)


def whole_makefile(
    said: str, tools: Sequence[str], network: Sequence[str], rules: Sequence[str], more: Sequence[str]
) -> str:
    """A Makefile whose target ``test`` has these rules: what it is said to do, the tools, the network's sources."""
    sources = " \\\n\t".join(network)
    return "\n".join(
        [
            f"# 'make test' {said}",
            *tools,
            "FLAGS = --std=08 -fsynopsys",
            f"NETWORK = {sources}",
            "",
            ".PHONY: test clean",
            "test:",
            *rules,
            "",
            *more,
            "clean:",
            "\trm -rf build",
            "",
        ]
    )
