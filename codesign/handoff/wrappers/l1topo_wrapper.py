"""An algorithm as ATLAS's L1Topo has them: generic trigger objects in, parameters, a result bit; in VHDL and in C++.

Types as in the package ``L1TopoDataTypes`` of L1Topo's Run-2 firmware as it is publicly stored: ``GenericTOB`` with Et
of 10 bits, Eta of 7 and Phi of 6, ``TOBArray``, five parameters of 32 bits, and ``ClockBus``, whose lowest is the
crossings' clock. An event comes each crossing; ``Results(0)`` says whether the score reaches ``Parameters(0)``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np

from codesign.core import quoting
from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.printing import visible
from codesign.handoff.wrappers.input_words import CODE_OF, InputWords, WordField
from codesign.handoff.wrappers.wrapper import Codes, PinBench, WrappedNetwork, Wrapper
from codesign.rtl.packing import bit_range
from codesign.rtl.signatures import Pin, Signature
from codesign.rtl.vhdl_top import HEADER

__all__ = ("L1TopoWrapper",)

#: fields of a generic object, and their bits; a full turn has all codes of Phi
_TOB = {"Et": 10, "Eta": 7, "Phi": 6}
_NAMES = {"pt": "Et", "et": "Et", "eta": "Eta", "phi": "Phi"}
_PARAMETERS, _PARAMETER_BITS = 5, 32


@dataclass(frozen=True)
class L1TopoWrapper(Wrapper):
    """Around a network with one score; ``objects`` are the names of the objects, in the order of ``Tobs``."""

    design: Design
    network: WrappedNetwork
    words: InputWords
    objects: tuple[str, ...]
    threshold: int

    destination = "l1topo"

    @classmethod
    def of(cls, design: Design, network: WrappedNetwork, threshold: int | None) -> L1TopoWrapper:
        """InputError where an input is no object's pt, eta or phi, or there is not one score."""
        if network.started:
            raise InputError("l1topo: an event comes each crossing and clock: compile the design with interval 1")
        if design.trigger_index is None and design.outputs.size != 1:
            raise InputError(
                f"l1topo: the design has {design.outputs.size} outputs and no trigger: one score is wanted"
            )
        objects: dict[str, int] = {}
        fields = []
        for label in design.inputs.labels:
            match = re.fullmatch(r"(.+)_(pt|et|eta|phi)", label)
            if match is None:
                raise InputError(
                    f"l1topo: input '{visible(label)}' is no object's: expected a name that ends in _pt, _et, _eta or "
                    "_phi"
                )
            place = objects.setdefault(match[1], len(objects))
            name = _NAMES[match[2]]
            width = _TOB[name]
            turn = 1 << width if name == "Phi" else 0
            fields.append(WordField(f"Tobs({place}).{name}", 0, width, name == "Eta", turn))
        words = InputWords.of(design, fields, "l1topo")
        return cls(design, network, words, tuple(objects), max(0, threshold or 0))

    @property
    def signature(self) -> Signature:
        """As a bench plays it."""
        parameters = Pin(
            "Parameters", "in", _PARAMETER_BITS, "the first: the threshold", _PARAMETERS, "ParameterArray", whole=True
        )
        tobs = Pin("Tobs", "in", meaning="objects", count=len(self.objects), type="TOBArray", record=_TOB)
        results = Pin("Results", "out", 1, "whether the score reaches the threshold")
        return Signature(
            "codesign_l1topo",
            "ClockBus(0)",
            (parameters, tobs, results, Pin("Overflow", "out", meaning="0")),
            ("L1TopoDataTypes",),
            ('ClockBus(2 downto 1) => "00"',),
        )

    # ------------------------------------------------------------------------------------------------- sources
    def files(self) -> dict[str, str]:
        """The algorithm, the stub of L1Topo's package, the same in C++, and the map of Athena's inputs."""
        return {
            "codesign_l1topo.vhd": self._entity(),
            "cpp/l1topo.h": self._header(),
            "athena_inputs.json": json.dumps(self._map(), indent=1) + "\n",
            "test/L1TopoDataTypes.vhd": _STUB,
        }

    def _entity(self) -> str:
        net = self.network
        high, low = bit_range(self.design.outputs, self.design.trigger_index or 0)
        kind = self.design.outputs.types[self.design.trigger_index or 0]
        score = f"model_out({high} downto {low})"
        number = f"signed({score})" if kind.signed else f"signed('0' & {score})"
        bits = max(kind.width, _PARAMETER_BITS) + 1
        return f"""{HEADER}use work.L1TopoDataTypes.all;

entity codesign_l1topo is
    port (
        ClockBus : in std_logic_vector(2 downto 0);
        Parameters : in ParameterArray;
        Tobs : in TOBArray({len(self.objects) - 1} downto 0);
        Results : out std_logic_vector(0 downto 0);
        Overflow : out std_logic
    );
end entity codesign_l1topo;

architecture rtl of codesign_l1topo is
{net.component()}{CODE_OF}    signal model_inp : std_logic_vector({net.inputs - 1} downto 0);
    signal model_out : std_logic_vector({net.outputs - 1} downto 0);
begin
{self.words.vhdl("model_inp")}    network : {net.top} port map (
        clk => ClockBus(0), model_inp => model_inp, model_out => model_out
    );
    Results(0) <= '1' when resize({number}, {bits}) >= signed('0' & Parameters(0)) else '0';
    Overflow <= '0';
end architecture rtl;
"""

    def _header(self) -> str:
        rules = []
        for place, rule in enumerate(self.words.rules):
            assert rule.field is not None
            tob, name = re.fullmatch(r"Tobs\((\d+)\)\.(\w+)", rule.field.pin).groups()  # type: ignore[union-attr]
            low, high = rule.kind.minimum, rule.kind.maximum
            signed = str(rule.field.signed).lower()
            rules.append(
                f"    codes[{place}] = code_of(tobs[{tob}].{name}, {rule.field.width}, {signed}, {rule.field.turn}, "
                f"{rule.added}, {rule.shift}, {low}, {high});  // {quoting.comment(rule.label)}\n"
            )
        return _CXX.format(
            objects=len(self.objects),
            inputs=self.design.inputs.size,
            outputs=self.design.outputs.size,
            score=self.design.trigger_index or 0,
            rules="".join(rules),
        )

    def _map(self) -> list[dict[str, object]]:
        """Of every input of the standard ONNX of the bundle, which takes codes."""
        found = []
        for place, rule in enumerate(self.words.rules):
            assert rule.field is not None
            found.append(
                {
                    "input": place, "name": rule.label, "object": self.objects.index(rule.label.rpartition("_")[0]),
                    "field": rule.field.pin.rpartition(".")[2], "bits": rule.field.width, "signed": rule.field.signed,
                    "codes_of_a_turn": rule.field.turn, "added": rule.added, "shift": rule.shift,
                    "minimum": rule.kind.minimum, "maximum": rule.kind.maximum,
                }
            )  # fmt: skip
        return found

    # --------------------------------------------------------------------------------------------------- benches
    def benches(self, inputs: Codes, outputs: Codes) -> list[PinBench]:
        """An event each crossing, with another threshold in each."""
        words, usable = self.words.words_of(inputs)
        chosen = np.flatnonzero(usable)
        if not len(chosen):
            raise InputError("l1topo: no event of these can be written in its objects")
        scores = outputs[chosen, self.design.trigger_index or 0]
        rng, latency = np.random.default_rng(6), self.network.latency
        given = [{_pin(pin): held[i] for pin, held in words.items()} for i in chosen]
        given += [given[-1]] * latency
        thresholds = np.maximum(0, rng.choice(scores, len(given)) + rng.integers(-1, 2, len(given)))
        clocks = [{**pins, "Parameters[0]": int(t)} for pins, t in zip(given, thresholds, strict=True)]
        expected: list[dict[str, int]] = [{"Overflow": 0}] * latency
        expected += [{"Overflow": 0, "Results": int(s >= t)} for s, t in zip(scores, thresholds[latency:], strict=True)]
        sources = ("test/L1TopoDataTypes.vhd", "codesign_l1topo.vhd")
        return [PinBench("an event each crossing", self.signature, sources, clocks, expected, len(scores))]

    def patterns(self, inputs: Codes, outputs: Codes) -> dict[str, str]:
        """Objects and score of every event, a line each: for the C++."""
        words, usable = self.words.words_of(inputs)
        none = [0] * len(inputs)
        pins = [words.get(f"Tobs({k}).{name}", none) for k in range(len(self.objects)) for name in _TOB]
        scores = outputs[:, self.design.trigger_index or 0]
        rows = [" ".join(map(str, [*(held[i] for held in pins), scores[i]])) for i in np.flatnonzero(usable)]
        return {"test/objects.txt": "\n".join(rows) + "\n"}

    def readme(self) -> list[str]:
        """Ports, objects, where each input lies."""
        return [
            "# Into an L1Topo of ATLAS",
            "",
            f"`codesign_l1topo` takes an event each crossing; the bit is there {self.network.latency} crossings after "
            f"the edge that samples the event. `Parameters(0)` is the threshold, the trial's own {self.threshold}.",
            "",
            "Copy `network/` and `codesign_l1topo.vhd` as VHDL-2008; `test/L1TopoDataTypes.vhd` is a stub of ours for "
            "L1Topo's package. `cpp/l1topo.h` is the same in C++: it needs the bundle's `emulator/`. For Athena, "
            "`onnx/codes.onnx` of the bundle with `athena_inputs.json`, which says of every input from which object "
            "and field it comes, and by which integers.",
            "",
            *self.signature.markdown(),
            "",
            "| object | name |",
            "|---|---|",
            *(f"| `Tobs({k})` | {quoting.markdown(name)} |" for k, name in enumerate(self.objects)),
            "",
            *self.words.markdown(),
        ]


def _pin(name: str) -> str:
    """A field as a signature calls it."""
    return name.replace("(", "[").replace(")", "]")


_STUB = f"""\
-- A stub of codesign's, for tests alone: the names that are taken from L1Topo's own L1TopoDataTypes.
{HEADER}
package L1TopoDataTypes is
    constant MaxParams : integer := {_PARAMETERS};
    constant ParameterBitWidth : integer := {_PARAMETER_BITS};
    type GenericTOB is record
        Et : std_logic_vector({_TOB["Et"] - 1} downto 0);
        Eta : std_logic_vector({_TOB["Eta"] - 1} downto 0);
        Phi : std_logic_vector({_TOB["Phi"] - 1} downto 0);
    end record;
    type TOBArray is array (natural range <>) of GenericTOB;
    type ParameterArray is array (MaxParams - 1 downto 0) of std_logic_vector(ParameterBitWidth - 1 downto 0);
end package;
"""

_CXX = """\
// The algorithm of codesign_l1topo.vhd in C++, equal to it for any bits of the objects: link it with the bundle's
// emulator.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

extern "C" void codesign_predict(const std::int32_t* codes, std::int32_t* outputs, std::size_t events);

namespace codesign_l1topo {{
struct GenericTOB {{
  std::uint32_t Et, Eta, Phi;  // the bits of the firmware's fields
}};

inline std::int32_t code_of(std::uint32_t word, int bits, bool is_signed, std::int64_t turn, std::int64_t added,
                            int shift, std::int64_t low, std::int64_t high) {{
  std::int64_t x = word & ((std::uint64_t{{1}} << bits) - 1);
  if (turn ? x >= turn / 2 : is_signed && (x >> (bits - 1))) x -= turn ? turn : std::int64_t{{1}} << bits;
  return static_cast<std::int32_t>(std::clamp((x + added) >> shift, low, high));
}}

constexpr std::size_t objects = {objects};

inline std::int32_t score(const GenericTOB (&tobs)[objects]) {{
  std::int32_t codes[{inputs}], outputs[{outputs}];
{rules}  codesign_predict(codes, outputs, 1);
  return outputs[{score}];
}}

inline bool result(const GenericTOB (&tobs)[objects], std::uint32_t threshold) {{
  return score(tobs) >= static_cast<std::int64_t>(threshold);
}}
}}  // namespace codesign_l1topo
"""
