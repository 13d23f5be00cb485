"""Verilog of an ensemble: comparators that stand once, of each tree the bits of its leaf's place and a table, sums."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.core.fixedpoint import Port
from codesign.flows.trees.tree_plan import TreePlan
from codesign.rtl.packing import bit_range

__all__ = ("TreeCore", "TreeSignal", "WrittenTrees", "core_text", "extend", "write_trees")


@dataclass(frozen=True)
class WrittenTrees:
    """The core's Verilog, its latency in clock periods, its flip-flops, those at the ports included, and how many
    choices between single bits it has."""

    text: str
    latency: int
    flip_flops: int
    choices: int


@dataclass
class TreeSignal:
    """A number: its name, and its bounds."""

    name: str
    low: int
    high: int

    @property
    def width(self) -> int:
        """Bits in two's complement."""
        return max(self.high.bit_length(), (-self.low - 1).bit_length() if self.low < 0 else 0) + 1


class TreeCore:
    """Text of a core as it is put together, its registers and choices counted."""

    def __init__(self, plan: TreePlan, inputs: Port) -> None:
        self.plan, self.inputs = plan, inputs
        self.wires: list[str] = []
        self.clocked: list[str] = []
        self.flip_flops = 0
        self.choices = 0
        self._made = 0

    def name(self, what: str) -> str:
        """A name that nothing else has."""
        self._made += 1
        return f"{what}{self._made}"

    def register(self, name: str, width: int, signed: bool = False) -> str:
        """The name of a register that holds a signal of one clock before."""
        kept = self.name("r")
        sign = "signed " if signed else ""
        # a number has its range, also of one bit: its sign is told by a place
        self.wires.append(f"    reg {sign}[{width - 1}:0] {kept};" if signed or width > 1 else f"    reg {kept};")
        self.clocked.append(f"        {kept} <= {name};")
        self.flip_flops += width
        return kept

    # ------------------------------------------------------------------------------------------------------- its parts
    def compare(self, words: dict[int, str]) -> list[str]:
        """A bit of each comparator; low bits of the input that cannot matter are left out."""
        bits = []
        for feature, threshold in zip(self.plan.forest.features.tolist(), self.plan.forest.thresholds, strict=True):
            kind, code = self.inputs.types[feature], int(threshold)
            # with the sign inverted, codes in two's complement have the order of unsigned numbers
            shifted = code - kind.minimum
            unused = (shifted & -shifted).bit_length() - 1
            width = kind.width - unused
            word = words[feature]
            part = f"{word}[{kind.width - 1}:{unused}]" if kind.width > 1 else word
            bit = self.name("c")
            if width == 1:
                self.wires.append(f"    wire {bit} = {'~' if kind.signed else ''}{part};")
            else:
                if kind.signed:
                    top = f"{word}[{kind.width - 1}]"
                    rest = f"{word}[{kind.width - 2}:{unused}]"
                    part = f"{{~{top}, {rest}}}"
                self.wires.append(f"    wire {bit} = {part} >= {width}'d{shifted >> unused};")
            bits.append(bit)
        return bits

    def trees(self, bits: list[str]) -> list[TreeSignal]:
        """A number of each tree."""
        forest, chosen = self.plan.forest, dict[tuple[str, str, str], str]()
        places: dict[tuple[int, int], list[str]] = {}

        def choose(bit: str, a: str, b: str) -> str:
            if a == b:
                return a
            if (bit, a, b) not in chosen:
                chosen[bit, a, b] = self.name("p")
                self.choices += 1
                self.wires.append(f"    wire {chosen[bit, a, b]} = {bit} ? {a} : {b};")
            return chosen[bit, a, b]

        def place(node: int, left: int) -> list[str]:
            """Bits of the place of the leaf that is reached, first decision first."""
            if node < 0:
                return ["1'b0"] * left
            if (node, left) not in places:
                bit = bits[int(forest.comparator[node])]
                sides = [place(int(side[node]), left - 1) for side in (forest.reached, forest.below)]
                places[node, left] = [bit, *(choose(bit, a, b) for a, b in zip(*sides, strict=True))]
            return places[node, left]

        def leaves(node: int, left: int) -> list[int]:
            if node < 0:
                return [int(forest.constants[~node])] * (1 << left)
            return leaves(int(forest.below[node]), left - 1) + leaves(int(forest.reached[node]), left - 1)

        found = []
        for number, root in enumerate(forest.roots.tolist()):
            level = int(forest.level[root])
            ends = self.plan.leaves(number)
            tree = TreeSignal(self.name("t"), ends[0], ends[-1])
            self.wires.append(f"    reg signed [{tree.width - 1}:0] {tree.name};")
            self.wires.append(f"    always @(*) case ({{{', '.join(place(root, level))}}})")
            for index, value in enumerate(leaves(root, level)):
                code = value & ((1 << tree.width) - 1)
                self.wires.append(f"        {level}'d{index}: {tree.name} = {tree.width}'d{code};")
            self.wires += [f"        default: {tree.name} = {tree.width}'d0;", "    endcase"]
            found.append(tree)
        return found

    def add(self, given: list[TreeSignal]) -> list[TreeSignal]:
        """Sums of two each."""
        out = []
        for first, second in zip(given[::2], given[1::2], strict=False):
            total = TreeSignal(self.name("s"), first.low + second.low, first.high + second.high)
            added = " + ".join(extend(x, total.width) for x in (first, second))
            self.wires.append(f"    wire signed [{total.width - 1}:0] {total.name} = {added};")
            out.append(total)
        return out + ([given[-1]] if len(given) % 2 else [])


def extend(x: TreeSignal, width: int) -> str:
    """A number in so many bits, more than it has or as many."""
    if x.low == x.high:
        return f"$signed({width}'d{x.low & ((1 << width) - 1)})"
    missing = width - x.width
    return f"$signed({{{{{missing}{{{x.name}[{x.width - 1}]}}}}, {x.name}}})" if missing > 0 else x.name


def write_trees(plan: TreePlan, inputs: Port, name: str, stage_delay: float) -> WrittenTrees:
    """A module ``name`` with ports ``clk``, ``model_inp`` packed as the inputs are, and ``model_out`` of the sums.

    Registers stand at the inputs, between the stages of the plan, and at the outputs.
    """
    core = TreeCore(plan, inputs)
    words: dict[int, str] = {}
    for feature in sorted(set(plan.forest.features.tolist())):
        high, low = bit_range(inputs, feature)
        source = f"model_inp[{high}:{low}]" if high > low else f"model_inp[{low}]"
        words[feature] = core.register(source, high - low + 1)
    bits: list[str] = []
    trees: list[TreeSignal] = []
    sums: list[list[TreeSignal]] = []
    stages = plan.stages(stage_delay)
    for number, stage in enumerate(stages):
        for what in stage:
            if what == "compare":
                bits = core.compare(words)
            elif what == "trees":
                trees = core.trees(bits)
                sums = [
                    [trees[t] for t in taken] + ([TreeSignal(str(constant), constant, constant)] if constant else [])
                    for taken, constant in zip(plan.summed, plan.constant, strict=True)
                ]
            else:
                sums = [core.add(s) for s in sums]
        if number == len(stages) - 1:
            break
        if not trees:
            bits = [core.register(b, 1) for b in bits]
            continue
        kept: dict[str, TreeSignal] = {}
        for x in (x for row in sums for x in row if x.low < x.high):
            if x.name not in kept:
                kept[x.name] = TreeSignal(core.register(x.name, x.width, signed=True), x.low, x.high)
        sums = [[kept.get(x.name, x) for x in row] for row in sums]
    results = []
    for output, (row, kind) in enumerate(zip(sums, plan.kinds(), strict=True)):
        if not kind.width:
            continue
        (total,), low = row, plan.zeros(output)
        width = max(kind.width + low, total.width)
        wire = core.name("o")
        core.wires.append(f"    wire [{width - 1}:0] {wire} = {extend(total, width)};")
        results.append(core.register(f"{wire}[{kind.width + low - 1}:{low}]", kind.width))
    text = core_text(core, name, results)
    return WrittenTrees(text, len(stages), core.flip_flops, core.choices)


def core_text(core: TreeCore, name: str, results: list[str]) -> str:
    """The module around what a core has, its outputs those of the names."""
    width = sum(k.width for k in core.plan.kinds())
    text = [
        "`timescale 1 ns / 1 ps",
        "",
        f"module {name} (",
        "    input wire clk,",
        "    // verilator lint_off UNUSEDSIGNAL",
        f"    input wire [{core.inputs.width - 1}:0] model_inp,",
        f"    output wire [{width - 1}:0] model_out",
        ");",
        *core.wires,
        "    always @(posedge clk) begin",
        *core.clocked,
        "    end",
        f"    assign model_out = {{{', '.join(reversed(results))}}};",
        "    // verilator lint_on UNUSEDSIGNAL",
        "endmodule",
        "",
    ]
    return "\n".join(text)
