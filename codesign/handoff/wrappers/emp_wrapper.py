"""The EMP framework's payload (Serenity, correlator, P2GT): packets on 64-bit links, time multiplexed by 6 at 360 MHz.

Ports as in cms-L1TK/l1tk-for-emp at 575c27b58cc8, kf/firmware/hdl/emp_payload.vhd lines 13-34. A packet is one event:
``start`` with its first word, ``last`` with its last one, ``valid`` with all, on all links alike. A packet that is not
so is dropped whole, and the next one that begins is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codesign.core.errors import InputError
from codesign.handoff.patterns.emp_vectors import EmpWord, emp_vectors
from codesign.handoff.wrappers.emp_links import FRAMES, LINK_BITS, EmpLinks
from codesign.handoff.wrappers.emp_packets import PacketClock, PacketRules, hard_traffic, multiplexed_traffic
from codesign.handoff.wrappers.emp_payload import NOTHING, PACKAGES, payload_entity
from codesign.handoff.wrappers.emp_stub import emp_stub
from codesign.handoff.wrappers.emp_vector_bench import vector_bench, vector_rules
from codesign.handoff.wrappers.wrapper import Codes, PinBench, WrappedNetwork, Wrapper
from codesign.rtl.firmware import Firmware
from codesign.rtl.packing import bit_range, pack
from codesign.rtl.signatures import Pin, Signature
from codesign.rtl.vhdl_top import HEADER

__all__ = ("EmpWrapper",)

#: events of a bench at a packet every 54 clocks
_MULTIPLEXED = 60
#: fields of a word, as the framework declares them; 0 is one bit
_LWORD = {"data": LINK_BITS, "valid": 0, "start": 0, "start_of_orbit": 0, "last": 0, "strobe": 0}
#: of a bench, in the order of their analysis
_SOURCES = ("test/emp_stub.vhd", "codesign_emp.vhd", "emp_payload.vhd")
_TIED = (
    "clk => clk", "rst => '0'", "ipb_in => IPB_WBUS_NULL", "clk40 => clk", "clk_payload => (others => clk)",
    "rst_payload => (others => '0')", "clken_loc => (others => '1')", "ctrs => (others => ((others => '0'), '0'))",
    "backpressure => (others => '0')", "ipb_out => open", "bc0 => open", "gpio => open", "gpio_en => open",
    "slink_q => open",
)  # fmt: skip


@dataclass(frozen=True)
class EmpWrapper(Wrapper):
    """Around a network whose events come on links."""

    firmware: Firmware
    network: WrappedNetwork
    links: EmpLinks
    threshold: int | None = None

    destination = "emp"

    @classmethod
    def of(cls, firmware: Firmware, network: WrappedNetwork, threshold: int | None = None) -> EmpWrapper:
        """InputError where an event does not fit a packet. Of a design that triggers ``threshold`` is a code; without
        one nothing fires until the generic is set."""
        own = firmware.design.threshold
        if own is not None and threshold is None:
            threshold = own.types[0].maximum
        made = cls(firmware, network, EmpLinks.of(firmware), None if own is None else threshold)
        if made._delay < 0:
            raise InputError(
                "emp: the network's result is there before its last word: compile it with another interval"
            )
        return made

    @property
    def _results(self) -> int:
        """Links that hold a result."""
        return -(-self._result_bits // LINK_BITS)

    @property
    def _result_bits(self) -> int:
        """The packed outputs, and above them the trigger bit of a design that has one."""
        return self.network.outputs + int(self.threshold is not None)

    @property
    def _regions(self) -> int:
        return -(-max(self.links.links, self._results) // 4)

    @property
    def _delay(self) -> int:
        """Clocks from the one in which a packet is known to be whole to the one in which its result is there."""
        whole = self.network.latency + 2
        return whole - self.links.frames if self.links.beats else whole

    @property
    def signature(self) -> Signature:
        """What a bench plays; the rest of the payload's ports is tied."""
        channels = 4 * self._regions
        return Signature(
            "emp_payload",
            "clk_p",
            (
                Pin("rst_loc", "in", self._regions, "resets of the links' regions; that of region 0 forgets all"),
                Pin("d", "in", meaning="links in", count=channels, type="ldata", record=_LWORD),
                Pin("q", "out", meaning="links out", count=channels, type="ldata", record=_LWORD),
            ),
            PACKAGES,
            _TIED,
        )

    # ------------------------------------------------------------------------------------------------- sources
    def files(self) -> dict[str, str]:
        """The payload, what it holds, and the stubs."""
        return {
            "codesign_emp.vhd": self._inner(),
            "emp_payload.vhd": payload_entity(self.links.links, self._results),
            "test/emp_stub.vhd": emp_stub(self._regions),
        } | vector_bench(self.signature, self.links.links, self._results, self.links.frames + self._delay + 2)

    def rules(self) -> list[str]:
        """``make run VECTORS=FILE``."""
        return vector_rules(self.network, _SOURCES)

    def _inner(self) -> str:
        net, links = self.network, self.links
        k, frames, delay, bits = links.links, links.frames, self._delay, LINK_BITS * links.links
        interval = max(net.interval, frames)
        if links.beats:
            assigned = "".join(
                f"    model_inp({p.low + p.width - 1} downto {p.low}) <= r({p.link}).data({p.width - 1} downto 0);\n"
                for p in links.parts
            )
            store, kept = "", ""
        else:
            store = f"    signal store, held : std_logic_vector({bits * frames - 1} downto 0);\n"
            assigned = f"    model_inp <= held({net.inputs - 1} downto 0);\n"
            older = f" & store(store'high downto {bits})" if frames > 1 else ""
            kept = f"            store <= frame{older};\n            held <= frame{older};\n            go <= whole;\n"
        first = "begins" if links.beats else "go"
        told = f"rst => rst, first => {first}, " if net.started else ""
        ends = ", valid => open, error => open" if net.started else ""
        frame = "".join(
            f"    frame({LINK_BITS * (i + 1) - 1} downto {LINK_BITS * i}) <= r({i}).data;\n" for i in range(k)
        )
        good = " and ".join(
            f"r({i}).valid = '1' and r({i}).start = begin_bit and r({i}).last = last_bit" for i in range(k)
        )
        out = "".join(
            f"                q({i}).data({min(LINK_BITS, self._result_bits - LINK_BITS * i) - 1} downto 0) <= "
            f"result({min(LINK_BITS * (i + 1), self._result_bits) - 1} downto {LINK_BITS * i});\n"
            f"                q({i}).valid <= '1';\n                q({i}).start <= '1';\n"
            f"                q({i}).last <= '1';\n                q({i}).start_of_orbit <= orbit({delay});\n"
            for i in range(self._results)
        )
        later = "".join(
            f"            {name}({delay} downto 1) <= {name}({delay - 1} downto 0);\n" for name in ("passed", "orbit")
        )
        shifted = later if delay else ""
        cleared = f"            passed({delay} downto 1) <= (others => '0');\n" if delay else ""
        if kept:
            kept = kept.replace("            held <=", "            if whole = '1' then held <=").replace(
                ";\n            go", "; end if;\n            go"
            )
        nothing = "".join(f"                {line}\n" for line in NOTHING)
        return f"""{HEADER}use work.emp_data_types.all;

entity codesign_emp is
{self._generic}    port (
        clk : in std_logic;
        rst : in std_logic;
        d : in ldata({k - 1} downto 0);
        q : out ldata({self._results - 1} downto 0)
    );
end entity codesign_emp;

architecture rtl of codesign_emp is
{net.component()}    constant FRAMES : natural := {frames};
    -- clocks from one packet's start to the next one's, at least
    constant INTERVAL : natural := {interval};
    signal r : ldata({k - 1} downto 0);
    signal frame : std_logic_vector({bits - 1} downto 0);
{store}    signal model_inp : std_logic_vector({net.inputs - 1} downto 0);
    signal model_out : std_logic_vector({net.outputs - 1} downto 0);
    signal result : std_logic_vector({self._result_bits - 1} downto 0);
    -- words of this packet so far, and clocks since the last one that began
    signal count : natural range 0 to FRAMES := 0;
    signal since : natural range 0 to INTERVAL := INTERVAL;
    signal begin_bit, last_bit, good, begins, whole, soo : std_logic;
    signal go : std_logic := '0';
    signal kept_soo : std_logic := '0';
    -- of a packet that is whole, until its result is there
    signal passed, orbit : std_logic_vector({delay} downto 0) := (others => '0');
begin
{frame}{assigned}    network : {net.top} port map (
        clk => clk, {told}{net.tied}model_inp => model_inp, model_out => model_out{ends}
    );
{self._compared}    begin_bit <= '1' when count = 0 else '0';
    last_bit <= '1' when count = FRAMES - 1 else '0';
    good <= '1' when {good} else '0';
    begins <= '1' when count = 0 and good = '1' and since >= INTERVAL else '0';
    whole <= '1' when good = '1' and count = FRAMES - 1 and (count > 0 or begins = '1') else '0';
    soo <= r(0).start_of_orbit when count = 0 else kept_soo;
    passed(0) <= whole;
    orbit(0) <= soo;
    process (clk)
        -- not the framework's LWORD_NULL: GHDL 2.0 translates a package's constant of records into other bits
        procedure empty is
        begin
            for i in q'range loop
{nothing}            end loop;
        end procedure;
    begin
        if rising_edge(clk) then
            r <= d;
            empty;
            kept_soo <= soo;
            if since < INTERVAL then
                since <= since + 1;
            end if;
            if begins = '1' then
                since <= 1;
            end if;
            if good = '1' and whole = '0' and (count > 0 or begins = '1') then
                count <= count + 1;
            else
                count <= 0;
            end if;
{kept}{shifted}            if passed({delay}) = '1' then
{out}            end if;
            if rst = '1' then
                for i in r'range loop
                    r(i).valid <= '0';
                end loop;
                empty;
                count <= 0;
                since <= INTERVAL;
                go <= '0';
{cleared.replace("            ", "                ", 1)}            end if;
        end if;
    end process;
end architecture rtl;
"""

    @property
    def _generic(self) -> str:
        if self.threshold is None:
            return ""
        return f"    generic (\n        threshold : integer := {self.threshold}\n    );\n"

    @property
    def _compared(self) -> str:
        """The result: the packed outputs, and above them whether the score reaches the threshold."""
        design = self.firmware.design
        if design.trigger_index is None:
            return "    result <= model_out;\n"
        high, low = bit_range(design.outputs, design.trigger_index)
        kind = "signed" if design.outputs.types[design.trigger_index].signed else "unsigned"
        return (
            "    result(result'high - 1 downto 0) <= model_out;\n"
            f"    result(result'high) <= '1' when {kind}(model_out({high} downto {low})) >= threshold else '0';\n"
        )

    # --------------------------------------------------------------------------------------------------- benches
    def _packets(self, inputs: Codes) -> list[list[list[EmpWord]]]:
        """Words [event][frame][link]; an orbit starts with every tenth."""
        found = []
        for i, event in enumerate(self.links.words(self.firmware, inputs)):
            last = len(event) - 1
            found.append(
                [
                    [EmpWord(w, True, f == 0, f == last, f == 0 and i % 10 == 0) for w in row]
                    for f, row in enumerate(event)
                ]
            )
        return found

    def _result(self, output: Codes) -> list[int]:
        design, mask = self.firmware.design, (1 << LINK_BITS) - 1
        (text,) = pack(design.outputs, output[None, :])
        word = int(text, 16)
        if self.threshold is not None:
            word |= int(design.fires(output[None, :], self.threshold)[0]) << self.network.outputs
        return [word >> LINK_BITS * i & mask for i in range(self._results)]

    def patterns(self, inputs: Codes, outputs: Codes) -> dict[str, str]:
        """Text vectors in, a packet every 54 frames, and the results as they come out."""
        empty = {link: EmpWord() for link in range(self.links.links)}
        frames: list[dict[int, EmpWord]] = []
        for event in self._packets(inputs[:100]):
            frames += [dict(enumerate(row)) for row in event] + [empty] * (FRAMES - len(event))
        results = [
            {i: EmpWord(word, True, True, True, n % 10 == 0) for i, word in enumerate(self._result(row))}
            for n, row in enumerate(outputs[:100])
        ]
        return {"test/in.txt": emp_vectors(frames), "test/results.txt": emp_vectors(results)}

    def benches(self, inputs: Codes, outputs: Codes) -> list[PinBench]:
        """Time multiplexed by 6, and as close as may be with gaps, broken packets and resets."""
        packets = self._packets(inputs)
        least = max(self.network.interval, self.links.frames)
        return [
            self._bench(
                "time multiplexed by 6: 54 words at 360 MHz", multiplexed_traffic(packets[:_MULTIPLEXED]), outputs
            ),
            self._bench("gaps, broken packets and resets", hard_traffic(packets, least), outputs),
        ]

    def _bench(self, name: str, traffic: Sequence[PacketClock], outputs: Codes) -> PinBench:
        nothing = [EmpWord()] * self.links.links
        # registers start with anything: a reset comes first
        clocks = [PacketClock(nothing, -1, True)] * 2 + [*traffic] + [PacketClock(nothing)] * (self._delay + 4)
        rules = PacketRules(self.links.frames, max(self.network.interval, self.links.frames), self._delay)
        found = list(rules.results(clocks))
        expected = [self._expected(self._result(outputs[i]) if i >= 0 else None, orbit) for i, orbit in found]
        played = [self._pins(clock.words, int(clock.reset)) for clock in clocks]
        return PinBench(name, self.signature, _SOURCES, played, expected, sum(i >= 0 for i, _ in found))

    def _pins(self, words: list[EmpWord], reset: int) -> dict[str, int]:
        pins = {"rst_loc": reset}
        for i, word in enumerate(words):
            pins |= {
                f"d[{i}].data": word.data, f"d[{i}].valid": int(word.valid), f"d[{i}].start": int(word.start),
                f"d[{i}].start_of_orbit": int(word.start_of_orbit), f"d[{i}].last": int(word.last),
                f"d[{i}].strobe": 1,
            }  # fmt: skip
        return pins

    def _expected(self, result: list[int] | None, orbit: bool) -> dict[str, int]:
        row: dict[str, int] = {}
        for i in range(4 * self._regions):
            is_result = result is not None and i < self._results
            row |= {f"q[{i}].{flag}": int(is_result) for flag in ("valid", "start", "last")}
            row[f"q[{i}].data"] = result[i] if is_result and result is not None else 0
            row[f"q[{i}].start_of_orbit"] = int(is_result and orbit)
            row[f"q[{i}].strobe"] = 1
        return row

    @property
    def _told(self) -> str:
        if self.threshold is None:
            return ""
        return (
            f" Bit {self.network.outputs} of the result says whether the score reaches the generic `threshold` of "
            f"`codesign_emp` ({self.threshold})."
        )

    def readme(self) -> list[str]:
        """Ports, where each item lies, latency."""
        links = self.links
        where = (
            [f"| `d({p.link}).data({p.width - 1} downto 0)` | {p.meaning} |" for p in links.parts]
            if links.beats
            else [
                "| `d(l).data` of frame f | bits from 64 (f x links + l) on of the packed inputs, as the bundle's "
                "README has them |"
            ]
        )
        clocks = links.frames + 1 + self._delay
        return [
            "# Into the EMP framework",
            "",
            f"An event is a packet of {links.frames} words on {links.links} links: `start` with the first, `last` with "
            "the last, `valid` with all. The next begins "
            f"{max(self.network.interval, links.frames)} clocks after it or later (time multiplexed by 6 at 360 MHz: "
            f"{FRAMES}). Its result is one word on {self._results} links, {clocks} clocks after the first word. A "
            f"packet that is not whole is dropped, and so is one that comes too early.{self._told}",
            "`make run VECTORS=FILE` plays a text vector of yours: `build/results.txt`.",
            "",
            "Copy `network/`, `codesign_emp.vhd` and `emp_payload.vhd`, as VHDL-2008. `test/emp_stub.vhd` holds stubs "
            "of ours for the framework's packages, which are not public: leave it here. `test/in.txt` is for the "
            "boards' buffers, and `test/results.txt` the word of each event, packed as the bundle's README says.",
            "",
            *self.signature.markdown(),
            "",
            "| where | what |",
            "|---|---|",
            *where,
        ]
