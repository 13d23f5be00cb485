"""CMS's global trigger of Run 3 (uGT): a block with the ports of its anomaly triggers, and the wrapper that compares.

The ports follow cms-l1-globaltrigger/mp7_ugt_legacy at 6892efd3829a (firmware/hdl/payload/gtl/axol1tl_trigger/
model_v6): ``axol1tl_v6_da.vhd`` lines 11-70 for the block, ``axol1tl_v6_wrapper.vhd`` lines 21-41 and 76 for the
wrapper and its comparison; bits of objects as in firmware/hdl/packages/gtl_pkg.vhd lines 155-183 and 222-323. An event
comes each crossing, at 40 MHz.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.printing import visible
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.handoff.wrappers.input_words import CODE_OF, InputWords, WordField
from codesign.handoff.wrappers.wrapper import Codes, PinBench, WrappedNetwork, Wrapper
from codesign.physics.events.l1_scales import SCALES
from codesign.physics.events.ugt_vectors import UgtCrossing, ugt_vectors
from codesign.rtl.packing import bit_range
from codesign.rtl.signatures import Pin, Signature, hls_control
from codesign.rtl.vhdl_top import HEADER

__all__ = (
    "BLOCK",
    "CROSSINGS_MHZ",
    "SCORE_BITS",
    "WRAPPER",
    "UgtWrapper",
    "ugt_decisions",
    "ugt_inputs",
)

CROSSINGS_MHZ = 40.0
SCORE_BITS = 18
_MUON_BITS, _CALO_BITS, _SUM_BITS = 64, 32, 20
#: the block's name of each kind of object, the trigger's own, how many, and bits of a word
OBJECTS: tuple[tuple[str, str, int, int], ...] = (
    ("muons", "mu", 8, _MUON_BITS), ("jets", "jet", 12, _CALO_BITS), ("egammas", "eg", 12, _CALO_BITS),
    ("taus", "tau", 12, _CALO_BITS),
)  # fmt: skip
#: the block's name of each sum, and the trigger's own
SUMS = (
    ("et", "ett"), ("ht", "htt"), ("etmiss", "etm"), ("htmiss", "htm"), ("ethfmiss", "etmhf"), ("hthfmiss", "htmhf"),
)  # fmt: skip
#: of each kind of object in a study's names: the block's, and where pT, eta and phi lie
_FIELDS: Mapping[str, tuple[str, str, Mapping[str, tuple[int, int]]]] = {
    "met": ("etmiss", "L1EtSum", {"pt": (0, 12), "phi": (12, 8)}),
    "eg": ("egammas", "L1EG", {"pt": (0, 9), "eta": (9, 8), "phi": (17, 8)}),
    "jet": ("jets", "L1Jet", {"pt": (0, 11), "eta": (11, 8), "phi": (19, 8)}),
    "tau": ("taus", "L1Tau", {"pt": (0, 9), "eta": (9, 8), "phi": (17, 8)}),
    "muon": ("muons", "L1Mu", {"phi": (0, 10), "pt": (10, 9), "eta": (23, 9)}),
}
_COUNT = {name: count for name, _, count, _ in OBJECTS}

BLOCK = Signature(
    "codesign_ugt",
    "ap_clk",
    (
        *hls_control(
            "an event is there in this clock", "a score is there in this clock", "the event is taken: as ap_start"
        ),
        *(
            Pin(f"{name}_{i}", "in", bits, f"{own} {bits}-bit words, the hardest first")
            for name, own, count, bits in OBJECTS
            for i in range(count)
        ),
        *(Pin(name, "in", 32, "a sum") for name, _ in SUMS),
        Pin("anomaly_score", "out", SCORE_BITS, "the score's code"),
        Pin("anomaly_score_ap_vld", "out", meaning="as ap_done"),
    ),
)
WRAPPER = Signature(
    "codesign_ugt_wrapper",
    "lhc_clk",
    (
        Pin("mu", "in", _MUON_BITS, "muons", 8, "muon_objects_array", True),
        *(
            Pin(own, "in", _CALO_BITS, "calorimeter objects", 12, "calo_objects_array", True)
            for own in ("eg", "jet", "tau")
        ),
        *(Pin(own, "in", _SUM_BITS, "sums") for _, own in SUMS),
        Pin("adt_out", "out", meaning="whether the score reaches the threshold, a generic"),
        Pin("anomaly_score_o", "out", SCORE_BITS, "the score"),
    ),
    ("gtl_pkg",),
)


def ugt_decisions(
    design: Design, crossings: Sequence[UgtCrossing], threshold: int, algorithm: int = 0
) -> tuple[list[UgtCrossing], Codes]:
    """Crossings of a vector file with the bit of ``algorithm`` as the design decides it, and its scores, (crossings,).

    By the design's exact graph, from raw words on; the threshold is a code.
    """
    pins = {pin for crossing in crossings for pin in crossing.words}
    words = {pin: [crossing.words.get(pin, 0) for crossing in crossings] for pin in pins}
    codes = ugt_inputs(design).codes_of(words, len(crossings))
    found = design.outputs.codes(read_graph(design.onnx).run(design.inputs.values(codes), Exact()))
    scores = np.asarray(found[:, design.trigger_index or 0])
    decided = [c.decided(algorithm, bool(s >= threshold)) for c, s in zip(crossings, scores, strict=True)]
    return decided, scores


def ugt_inputs(design: Design) -> InputWords:
    """Where each input of a design lies in the trigger's words; InputError for one that is no Level-1 object's."""
    fields: list[WordField | None] = []
    for label in design.inputs.labels:
        match = re.fullmatch(r"(met|eg|jet|tau|muon)(\d*)_(pt|eta|phi)", label)
        pin, scale, places = _FIELDS[match[1]] if match else ("", "", {})
        sole = match is not None and match[1] == "met"
        index = int(match[2] or "0") if match else 0
        if match is None or (sole and match[2]) or (not sole and (not match[2] or index >= _COUNT[pin])):
            raise InputError(
                f"ugt: input '{visible(label)}' is no object's that the global trigger has: expected names as met_pt, "
                "eg0_eta, muon3_phi, jet11_pt, as those of the task anomaly"
            )
        if match[3] not in places:
            fields.append(None)  # the missing energy has no eta
            continue
        low, width = places[match[3]]
        turn = SCALES[scale].phi_codes if match[3] == "phi" else 0
        fields.append(WordField(pin if sole else f"{pin}_{index}", low, width, match[3] == "eta", turn))
    return InputWords.of(design, fields, "ugt")


@dataclass(frozen=True)
class UgtWrapper(Wrapper):
    """Around a network that gives one score; ``threshold`` is a code of it."""

    design: Design
    network: WrappedNetwork
    words: InputWords
    threshold: int

    destination = "ugt"

    @classmethod
    def of(cls, design: Design, network: WrappedNetwork, threshold: int | None) -> UgtWrapper:
        """InputError where the design has not one whole score of at most 18 bits; without threshold nothing fires."""
        kind = _score_type(design)
        if network.started:
            raise InputError("ugt: an event comes each crossing and clock: compile the design with interval 1")
        most = 2**SCORE_BITS - 1
        if kind.signed or not 1 <= kind.width <= SCORE_BITS:
            raise InputError(f"ugt: the score is {kind}; the trigger takes a whole number of at most {SCORE_BITS} bits")
        return cls(design, network, ugt_inputs(design), most if threshold is None else min(max(threshold, 0), most))

    # ------------------------------------------------------------------------------------------------- sources
    def files(self) -> dict[str, str]:
        """The block, the wrapper, and the stub of the trigger's package."""
        return {
            "codesign_ugt.vhd": self._block(),
            "codesign_ugt_wrapper.vhd": self._wrapper(),
            "test/gtl_pkg.vhd": _GTL_STUB,
        }

    def _block(self) -> str:
        high, low = bit_range(self.design.outputs, self.design.trigger_index or 0)
        net, latency = self.network, self.network.latency
        kept = "alive(alive'high - 1 downto 0) & ap_start"
        return f"""{BLOCK.vhdl_entity()}
architecture rtl of codesign_ugt is
{net.component()}{CODE_OF}    signal model_inp : std_logic_vector({net.inputs - 1} downto 0);
    signal model_out : std_logic_vector({net.outputs - 1} downto 0);
    -- alive(n): an event was sampled n edges before the last one
    signal alive : std_logic_vector({latency} downto 0) := (others => '0');
    constant NONE : std_logic_vector({latency} downto 0) := (others => '0');
begin
{self.words.vhdl("model_inp")}    network : {net.top} port map (
        clk => ap_clk, model_inp => model_inp, model_out => model_out
    );
    process (ap_clk) begin
        if rising_edge(ap_clk) then
            if ap_rst = '1' then
                alive <= (others => '0');
            else
                alive <= {kept};
            end if;
        end if;
    end process;
    anomaly_score <= std_logic_vector(resize(unsigned(model_out({high} downto {low})), {SCORE_BITS}));
    anomaly_score_ap_vld <= alive({latency});
    ap_done <= alive({latency});
    ap_ready <= ap_start;
    ap_idle <= '1' when ap_start = '0' and alive = NONE else '0';
end architecture rtl;
"""

    def _wrapper(self) -> str:
        own = WRAPPER.vhdl_entity().replace(
            "    port (\n", f"    generic (\n        threshold : integer := {self.threshold}\n    );\n    port (\n", 1
        )
        connected = [
            *(f"{name}_{i} => {own}({i})" for name, own, count, _ in OBJECTS for i in range(count)),
            *(f"{name} => {own}_i" for name, own in SUMS),
        ]
        widened = "".join(f"    {o}_i <= std_logic_vector(resize(unsigned({o}), 32));\n" for _, o in SUMS)
        signals = ", ".join(f"{own}_i" for _, own in SUMS)
        return f"""{own}
architecture rtl of codesign_ugt_wrapper is
    signal {signals} : std_logic_vector(31 downto 0);
    signal score : std_logic_vector({SCORE_BITS - 1} downto 0);
begin
{widened}    trigger : entity work.codesign_ugt port map (
        ap_clk => lhc_clk, ap_rst => '0', ap_start => '1', ap_done => open, ap_idle => open, ap_ready => open,
        {("," + chr(10) + "        ").join(connected)},
        anomaly_score => score, anomaly_score_ap_vld => open
    );
    adt_out <= '1' when to_integer(unsigned(score)) >= threshold else '0';
    anomaly_score_o <= score;
end architecture rtl;
"""

    # --------------------------------------------------------------------------------------------------- benches
    def scores(self, outputs: Codes) -> Codes:
        """The score's codes, (events,), of the design's output codes."""
        return np.asarray(outputs[:, self.design.trigger_index or 0])

    def benches(self, inputs: Codes, outputs: Codes) -> list[PinBench]:
        """The block with gaps and resets, and the wrapper with an event each crossing."""
        return self.benches_of(*self._events(inputs, outputs))

    def patterns(self, inputs: Codes, outputs: Codes) -> dict[str, str]:
        """The trigger's own test-vector file; algorithm 0 is the trigger's bit."""
        events, scores = self._events(inputs, outputs)
        crossings = [
            UgtCrossing(i, event).decided(0, bool(score >= self.threshold))
            for i, (event, score) in enumerate(zip(events, scores, strict=True))
        ]
        return {"test/vectors.txt": ugt_vectors(crossings)}

    def _events(self, inputs: Codes, outputs: Codes) -> tuple[list[dict[str, int]], Codes]:
        """Those events that the trigger's words can hold, by the block's pins, and their scores."""
        words, usable = self.words.words_of(inputs)
        chosen = np.flatnonzero(usable)
        if not len(chosen):
            raise InputError("ugt: no event of these can be written in the trigger's words")
        return [{pin: held[i] for pin, held in words.items()} for i in chosen], self.scores(outputs)[chosen]

    def benches_of(self, events: list[dict[str, int]], scores: Codes) -> list[PinBench]:
        """For events as words by the block's pins, and their scores."""
        return [self._gaps(events, scores), self._crossings(events, scores)]

    def _gaps(self, events: list[dict[str, int]], scores: Codes) -> PinBench:
        """Every event; after every fifth a clock without start, whose words are another's; four resets."""
        rng, latency = np.random.default_rng(len(events)), self.network.latency
        clocks: list[dict[str, int]] = []
        given: list[int] = []
        for i, event in enumerate(events):
            clocks.append({**event, "ap_start": 1})
            given.append(int(scores[i]))
            if i % 5 == 4:
                other = int(rng.integers(len(events)))
                clocks.append({**events[other], "ap_start": 0})
                given.append(int(scores[other]))
        for at in (latency // 2, len(clocks) // 3, len(clocks) // 3 + 1, len(clocks) // 2):
            clocks[at] = {**clocks[at], "ap_rst": 1}
        clocks += [dict(clocks[-1], ap_start=0, ap_rst=0)] * (latency + 2)
        given += [given[-1]] * (latency + 2)
        expected, alive = [], [0] * (latency + 1)
        for at, pins in enumerate(clocks):
            alive = [0] * (latency + 1) if pins.get("ap_rst") else [pins["ap_start"], *alive[:-1]]
            idle = int(not pins["ap_start"] and not any(alive))
            row = {
                "ap_ready": pins["ap_start"], "ap_idle": idle, "ap_done": alive[-1], "anomaly_score_ap_vld": alive[-1],
            }  # fmt: skip
            expected.append(row | ({"anomaly_score": given[at - latency]} if at >= latency else {}))
        return PinBench("gaps and resets", BLOCK, ("codesign_ugt.vhd",), clocks, expected, len(events))

    def _crossings(self, events: list[dict[str, int]], scores: Codes) -> PinBench:
        """An event each crossing, without a gap."""
        latency = self.network.latency
        names = {f"{name}_{i}": f"{own}[{i}]" for name, own, count, _ in OBJECTS for i in range(count)} | dict(SUMS)
        kept = (1 << _SUM_BITS) - 1  # the trigger hands its sums over in so many bits
        own = [{names[pin]: word for pin, word in event.items()} for event in events]
        clocks = [{n: word & kept if n in dict(SUMS).values() else word for n, word in c.items()} for c in own]
        clocks += [clocks[-1]] * latency
        expected: list[dict[str, int]] = [{} for _ in range(latency)]
        expected += [{"anomaly_score_o": int(s), "adt_out": int(s >= self.threshold)} for s in scores]
        sources = ("test/gtl_pkg.vhd", "codesign_ugt.vhd", "codesign_ugt_wrapper.vhd")
        return PinBench("an event each crossing", WRAPPER, sources, clocks, expected, len(events))

    # ----------------------------------------------------------------------------------------------------- words
    def readme(self) -> list[str]:
        """Ports, latency, where each input lies."""
        return [
            "# Into the global trigger of Run 3 (uGT)",
            "",
            f"`codesign_ugt` takes an event each crossing; the score is there {self.network.latency} crossings after "
            f"the edge that samples the event. `codesign_ugt_wrapper` compares it with the generic `threshold` "
            f"({self.threshold}): `score >= threshold`.",
            "",
            "Copy `network/`, `codesign_ugt.vhd` and `codesign_ugt_wrapper.vhd`, in the order of the Makefile, as "
            "VHDL-2008. `test/gtl_pkg.vhd` is a stub of ours that stands for the trigger's own package: leave it here.",
            "",
            "The pipeline is made for 40 MHz by a count of adders; no place and route has seen it.",
            "",
            *BLOCK.markdown(),
            "",
            "## Inputs",
            "",
            "`code = clip(rule, code)`; an azimuth is counted from minus half a turn.",
            "",
            *self.words.markdown(),
        ]


def _score_type(design: Design) -> FixedPoint:
    if design.trigger_index is None and design.outputs.size != 1:
        raise InputError(
            f"ugt: the design has {design.outputs.size} outputs and no trigger: the trigger takes one score"
        )
    return design.outputs.types[design.trigger_index or 0]


_GTL_STUB = f"""\
-- A stub of codesign's, for tests alone: the names that the wrapper takes from the global trigger's own gtl_pkg.
{HEADER}
package gtl_pkg is
    constant MAX_ESUMS_BITS : positive := {_SUM_BITS};
    type muon_objects_array is array (natural range <>) of std_logic_vector({_MUON_BITS - 1} downto 0);
    type calo_objects_array is array (natural range <>) of std_logic_vector({_CALO_BITS - 1} downto 0);
end package;
"""
