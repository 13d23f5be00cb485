"""CTP7 and APx boards: ``algo_unpacked(link_in[N], link_out[M])``, a crossing every four clocks, as an entity.

After cms-hls4ml/CICADA at 0aafbd2c82d8, CICADA_v2p2p0/algo_unpacked.cpp: lines 15-24 (a link of 128 bits keeps its
lowest and highest byte for alignment and checksum; seven numbers of 16 bits between), 31-38 (links of 192 bits out,
interval 4), 71-75 (region 7 l + k is at bit 8 + 16 k of link l), 82-85 (where the score's four nibbles go). Links of
192 bits keep their lowest 16 bits, after GitoPR/ctp7cpp at d8597a151a14, vivado_hls/src/algo_unpacked.cpp. Ports are
named as Vivado HLS names those of such a function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.printing import visible
from codesign.handoff.patterns.ctp7_patterns import ctp7_patterns
from codesign.handoff.wrappers.input_words import InputWords, WordField
from codesign.handoff.wrappers.wrapper import Codes, PinBench, WrappedNetwork, Wrapper
from codesign.rtl.packing import offsets
from codesign.rtl.signatures import Pin, Signature, hls_control

__all__ = ("CTP7_MHZ", "Ctp7Wrapper")

#: four clocks a crossing
CTP7_MHZ, INTERVAL = 160.0, 4
_SLOT, _OUT_BITS = 16, 192
#: bits of a link in -> its first slot's lowest bit, and slots
_LINKS = {128: (8, 7), 192: (16, 11)}
_OUT_LOW, _OUT_SLOTS = 16, 11
#: where the score's nibbles go, the lowest first: bits of link_out[0]
_NIBBLES = (124, 92, 60, 28)


@dataclass(frozen=True)
class _OutputField:
    """Bits ``high`` to ``low`` of an output's code, taken to 16 bits and shifted, at ``at`` of link ``link``."""

    output: int
    link: int
    at: int
    low: int
    width: int
    shift: int = 0


@dataclass(frozen=True)
class Ctp7Wrapper(Wrapper):
    """Around a network with numbers of at most 16 bits; ``bits`` of a link in."""

    design: Design
    network: WrappedNetwork
    words: InputWords
    places: tuple[_OutputField, ...]
    bits: int

    destination = "ctp7"

    @classmethod
    def of(cls, design: Design, network: WrappedNetwork, bits: int = 128) -> Ctp7Wrapper:
        """InputError where a number is wider than its place."""
        if network.started:
            raise InputError("ctp7: the network takes a new event each clock: compile the design with interval 1")
        for port in (design.inputs, design.outputs):
            for label, kind in zip(port.labels, port.types, strict=True):
                if kind.width > _SLOT:
                    raise InputError(f"ctp7: '{visible(label)}' is {kind}, wider than the {_SLOT} bits of its place")
        first, slots = _LINKS[bits]
        fields = [
            WordField(f"link_in_{i // slots}_V", first + _SLOT * (i % slots), max(1, kind.width), kind.signed)
            for i, kind in enumerate(design.inputs.types)
        ]
        return cls(design, network, InputWords.of_codes(design, fields), _places(design), bits)

    @property
    def signature(self) -> Signature:
        """As HLS gives the function."""
        _, slots = _LINKS[self.bits]
        outs = 1 + max(place.link for place in self.places)
        reserved = (
            "the lowest byte and the highest are the link's own"
            if self.bits == 128
            else "bits 15..0 are the link's own"
        )
        return Signature(
            "algo_unpacked",
            "ap_clk",
            (
                *hls_control(
                    "an event is there; not looked at in the three clocks after one",
                    "a new result is there",
                    "the event that is there is taken",
                ),
                *(
                    Pin(f"link_in_{i}_V", "in", self.bits, f"a link of a crossing; {reserved}")
                    for i in range(-(-self.design.inputs.size // slots))
                ),
                *(
                    Pin(f"link_out_{i}_V", "out", _OUT_BITS, "held until the next result; other bits are 0")
                    for i in range(outs)
                ),
                *(Pin(f"link_out_{i}_V_ap_vld", "out", meaning="as ap_done") for i in range(outs)),
            ),
        )

    def files(self) -> dict[str, str]:
        """The entity."""
        signature, net, latency = self.signature, self.network, self.network.latency
        outs = 1 + max(place.link for place in self.places)
        low = offsets(self.design.outputs)
        fields = []
        for number, place in enumerate(self.places):
            kind = self.design.outputs.types[place.output]
            way = "signed" if kind.signed else "unsigned"
            start = low[place.output]
            if kind.width:
                code = f"resize({way}(model_out({start + kind.width - 1} downto {start})), {_SLOT})"
                value = f"std_logic_vector(shift_left({code}, {place.shift}))"
            else:
                value = "(others => '0')"
            fields.append(f"    number_{number} <= {value};\n")
        assigned = "".join(
            f"                link_{p.link}({p.at + p.width - 1} downto {p.at}) <= "
            f"number_{n}({p.low + p.width - 1} downto {p.low});\n"
            for n, p in enumerate(self.places)
        )
        signals = "".join(
            f"    signal link_{i} : std_logic_vector({_OUT_BITS - 1} downto 0) := (others => '0');\n"
            for i in range(outs)
        )
        numbers = ", ".join(f"number_{n}" for n in range(len(self.places)))
        driven = "".join(f"    link_out_{i}_V <= link_{i};\n    link_out_{i}_V_ap_vld <= done;\n" for i in range(outs))
        text = f"""{signature.vhdl_entity()}
architecture rtl of algo_unpacked is
{net.component()}    signal model_inp : std_logic_vector({net.inputs - 1} downto 0);
    signal model_out : std_logic_vector({net.outputs - 1} downto 0);
    signal {numbers} : std_logic_vector({_SLOT - 1} downto 0);
{signals}    -- alive(n): an event was sampled n edges before the last one
    signal alive : std_logic_vector({latency} downto 0) := (others => '0');
    constant NONE : std_logic_vector({latency} downto 0) := (others => '0');
    signal left : unsigned(1 downto 0) := "00";
    signal done, take : std_logic := '0';
begin
{self.words.vhdl("model_inp")}{"".join(fields)}    network : {net.top} port map (
        clk => ap_clk, model_inp => model_inp, model_out => model_out
    );
    take <= '1' when ap_start = '1' and left = 0 and ap_rst = '0' else '0';
    process (ap_clk) begin
        if rising_edge(ap_clk) then
            if ap_rst = '1' then
                alive <= (others => '0');
                left <= "00";
                done <= '0';
            else
                alive <= alive(alive'high - 1 downto 0) & take;
                done <= alive({latency});
                if take = '1' then
                    left <= to_unsigned({INTERVAL - 1}, 2);
                elsif left /= 0 then
                    left <= left - 1;
                end if;
            end if;
            if alive({latency}) = '1' and ap_rst = '0' then
{assigned}            end if;
        end if;
    end process;
{driven}    ap_done <= done;
    ap_ready <= take;
    ap_idle <= '1' when ap_start = '0' and alive = NONE and done = '0' else '0';
end architecture rtl;
"""
        return {"algo_unpacked.vhd": text}

    # --------------------------------------------------------------------------------------------------- words
    def links_out(self, outputs: Codes) -> list[list[int]]:
        """Words of each link out, (events, links), of output codes (events, m)."""
        found = []
        for row in outputs:
            links = [0] * (1 + max(place.link for place in self.places))
            for place in self.places:
                number = (int(row[place.output]) << place.shift) & ((1 << _SLOT) - 1)
                links[place.link] |= (number >> place.low & ((1 << place.width) - 1)) << place.at
            found.append(links)
        return found

    def _links_in(self, inputs: Codes, seed: int = 0) -> list[dict[str, int]]:
        """Words by the pins, with anything in the bytes that are the links' own."""
        words, usable = self.words.words_of(inputs)
        assert usable.all()
        rng = np.random.default_rng(seed)
        own = _own_bits(self.bits)
        pins = [pin.name for pin in self.signature.pins if pin.name.startswith("link_in")]
        return [
            {
                pin: words.get(pin, [0] * len(inputs))[i] | (int.from_bytes(rng.bytes(self.bits // 8), "little") & own)
                for pin in pins
            }
            for i in range(len(inputs))
        ]

    def patterns(self, inputs: Codes, outputs: Codes) -> dict[str, str]:
        """Pattern files in and out."""
        events = [list(event.values()) for event in self._links_in(inputs)]
        return {
            "test/patterns_inp.txt": ctp7_patterns(events, self.bits),
            "test/patterns_out_ref.txt": ctp7_patterns(self.links_out(outputs), _OUT_BITS),
        }

    def benches(self, inputs: Codes, outputs: Codes) -> list[PinBench]:
        """A crossing every four clocks, and one with gaps, starts that are held too long, and resets."""
        return [self._bench(inputs, outputs, calm) for calm in (True, False)]

    def _bench(self, inputs: Codes, outputs: Codes, calm: bool) -> PinBench:
        rng, latency = np.random.default_rng(4), self.network.latency
        events, results = self._links_in(inputs, 1), self.links_out(outputs)
        clocks: list[dict[str, int]] = []
        of: list[int] = []
        for i, event in enumerate(events):
            clocks.append({**event, "ap_start": 1})
            others = INTERVAL - 1 + (0 if calm else int(rng.integers(0, 6)) * (i % 5 == 4))
            for k in range(others):
                held = int(calm or (k < INTERVAL - 1 and rng.random() < 0.5))
                clocks.append({**events[int(rng.integers(len(events)))], "ap_start": held})
            of += [i] * (1 + others)
        if not calm:
            for at in rng.integers(0, len(clocks), 6):
                clocks[int(at)]["ap_rst"] = 1
        clocks += [{**events[0], "ap_start": 0}] * (latency + 3)
        of += [0] * (latency + 3)
        alive, left, done, links = [-1] * (latency + 1), 0, False, [0] * len(results[0])
        expected = []
        for pins, own in zip(clocks, of, strict=True):
            take = bool(pins["ap_start"]) and not left and not pins.get("ap_rst")
            if pins.get("ap_rst"):
                alive, left, after = [-1] * (latency + 1), 0, False
            else:
                after = alive[latency] >= 0
                links = results[alive[latency]] if after else links
                # whatever starts an event in this clock is sampled: the event's own words, or another's in a gap
                alive = [_event_of(events, pins, own) if take else -1, *alive[:-1]]
                left = INTERVAL - 1 if take else max(0, left - 1)
            done = after
            ready = bool(pins["ap_start"]) and not left and not pins.get("ap_rst")
            idle = not pins["ap_start"] and max(alive) < 0 and not done
            row = {"ap_done": int(done), "ap_ready": int(ready), "ap_idle": int(idle)}
            for i, word in enumerate(links):
                row |= {f"link_out_{i}_V": word, f"link_out_{i}_V_ap_vld": int(done)}
            expected.append(row)
        name = "a crossing every four clocks" if calm else "gaps, early starts and resets"
        return PinBench(name, self.signature, ("algo_unpacked.vhd",), clocks, expected, len(events))

    def readme(self) -> list[str]:
        """Ports, where each input and output lies."""
        rows = []
        for place in self.places:
            label = self.design.outputs.labels[place.output]
            rows.append(
                f"| `{visible(label)}` | `link_out_{place.link}_V({place.at + place.width - 1} downto {place.at})` | "
                f"bits {place.low + place.width - 1} to {place.low} of its code << {place.shift} |"
            )
        return [
            "# Into a CTP7 or APx",
            "",
            f"`algo_unpacked` takes a crossing every {INTERVAL} clocks of {CTP7_MHZ:g} MHz; its result is there "
            f"{self.network.latency + 2} clocks later. Copy `network/` and `algo_unpacked.vhd`, in the order of the "
            "Makefile, as VHDL-2008, in place of what HLS makes of the function. `test/patterns_inp.txt` and "
            "`test/patterns_out_ref.txt` are for the board's buffers, and for the function's own test bench.",
            "",
            "The pipeline is made for 160 MHz by a count of adders; no place and route has seen it.",
            "",
            *self.signature.markdown(),
            "",
            "## Inputs",
            "",
            "Each is the code of the design's input, two's complement where it is signed.",
            "",
            *self.words.markdown(),
            "",
            "## Outputs",
            "",
            "| output | where | what |",
            "|---|---|---|",
            *rows,
        ]


def _own_bits(bits: int) -> int:
    first, _ = _LINKS[bits]
    return ((1 << first) - 1) | ((0xFF << 120) if bits == 128 else 0)


def _event_of(events: list[dict[str, int]], pins: dict[str, int], event: int) -> int:
    """Which event the words at the pins are of."""
    words = {name: word for name, word in pins.items() if name.startswith("link_in")}
    return event if events[event] == words else events.index(words)


def _places(design: Design) -> tuple[_OutputField, ...]:
    """One score that an ``ap_ufixed<16,8>`` holds goes where CICADA's does; numbers else in slots of 16 bits."""
    kinds = design.outputs.types
    if len(kinds) == 1 and _is_score(kinds[0]):
        shift = 8 - kinds[0].fraction_bits
        return tuple(_OutputField(0, 0, at, 4 * n, 4, shift) for n, at in enumerate(_NIBBLES))
    return tuple(
        _OutputField(i, i // _OUT_SLOTS, _OUT_LOW + _SLOT * (i % _OUT_SLOTS), 0, _SLOT) for i in range(len(kinds))
    )


def _is_score(kind: FixedPoint) -> bool:
    return not kind.signed and kind.integer_bits <= 8 and kind.fraction_bits <= 8
