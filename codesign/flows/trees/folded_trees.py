"""Verilog of an ensemble for events that stay for several clocks: one group of trees each clock, their sums added up.

What is a tree of each group in turn is one piece of hardware: in each clock its decisions take the comparators of
another tree, and its table has the leaves of all of them. The comparators themselves stand once, as ever. Who feeds it
says nothing: a word that differs from the one before begins a new event. While the same word stays, sums are made again
and are the same; a result stays until that of another event is complete.
"""

from __future__ import annotations

from dataclasses import dataclass

from codesign.core.fixedpoint import Port
from codesign.flows.trees.tree_plan import TreePlan
from codesign.flows.trees.tree_verilog import TreeCore, TreeSignal, core_text, extend
from codesign.rtl.packing import bit_range

__all__ = ("FoldedTrees", "write_folded")


@dataclass(frozen=True)
class FoldedTrees:
    """The core's Verilog, the clocks for which an event must stay, its latency in clocks, and its flip-flops."""

    text: str
    interval: int
    latency: int
    flip_flops: int


def write_folded(plan: TreePlan, inputs: Port, name: str, stage_delay: float, interval: int) -> FoldedTrees:
    """A module as :func:`codesign.flows.trees.tree_verilog.write_trees` writes, for events of at most ``interval``
    clocks each: of fewer where the trees need no more."""
    core = TreeCore(plan, inputs)
    slots = [_slots(plan, trees, interval) for trees in plan.summed]
    clocks = max(len(trees) for of_output in slots for trees in of_output)
    words = _words(core)
    changed = core.name("n")
    core.wires.append(
        f"    wire {changed} = {' || '.join(f'({source} != {word})' for source, word in words.values())};"
    )
    first = core.register(changed, 1)
    reached = [core.register(b, 1) for b in core.compare({f: word for f, (_, word) in words.items()})]
    size = max(1, (clocks - 1).bit_length())
    clock = core.name("k")
    core.wires += [f"    reg [{size - 1}:0] {clock};"]
    last = f"{size}'d{clocks - 1}"
    core.clocked.append(f"        {clock} <= ({first} || {clock} >= {last}) ? {size}'d0 : {clock} + {size}'d1;")
    core.flip_flops += size
    sums: list[list[TreeSignal]] = []
    for of_output in slots:
        row = []
        for trees in of_output:
            tree = _tree(core, trees, reached, clock, size)
            row.append(TreeSignal(core.register(tree.name, tree.width, signed=True), tree.low, tree.high))
        sums.append(row)
    clock = core.register(clock, size)
    latency, filled = clocks + 2, 0.0
    while any(len(row) > 1 for row in sums):
        if filled and filled + 2.0 > stage_delay:  # this sum, and the one into which the groups go
            sums = [
                [TreeSignal(core.register(x.name, x.width, signed=True), x.low, x.high) for x in row] for row in sums
            ]
            clock, latency, filled = core.register(clock, size), latency + 1, 0.0
        sums = [core.add(row) for row in sums]
        filled += 1.0
    results = []
    for output, (row, kind) in enumerate(zip(sums, plan.kinds(), strict=True)):
        if not kind.width:
            continue
        low = plan.zeros(output)
        if not row:  # no tree: a constant
            results.append(f"{kind.width}'d{(plan.constant[output] >> low) % (1 << kind.width)}")
            continue
        wire = _accumulate(core, row[0], plan.constant[output], slots[output], clock, size, clocks)
        kept = core.name("r")
        core.wires.append(f"    reg [{kind.width - 1}:0] {kept};")
        core.clocked.append(f"        if ({clock} == {last}) {kept} <= {wire}[{kind.width + low - 1}:{low}];")
        core.flip_flops += kind.width
        results.append(kept)
    return FoldedTrees(core_text(core, name, results), clocks, latency, core.flip_flops)


def _slots(plan: TreePlan, trees: tuple[int, ...], interval: int) -> list[list[int]]:
    """The trees of an output shared out: those of one slot take turns. Trees of one depth stand together."""
    if not trees:
        return []
    order = sorted(trees, key=lambda t: (int(plan.forest.level[plan.forest.roots[t]]), t))
    number = -(-len(order) // interval)
    turns = -(-len(order) // number)
    return [order[start : start + turns] for start in range(0, len(order), turns)]


def _words(core: TreeCore) -> dict[int, tuple[str, str]]:
    """By feature where it comes in, and the register that holds it."""
    words = {}
    for feature in sorted(set(core.plan.forest.features.tolist())):
        high, low = bit_range(core.inputs, feature)
        source = f"model_inp[{high}:{low}]" if high > low else f"model_inp[{low}]"
        words[feature] = source, core.register(source, high - low + 1)
    return words


def _tree(core: TreeCore, trees: list[int], reached: list[str], clock: str, size: int) -> TreeSignal:
    """One tree after another in one piece: what it gives."""
    forest = core.plan.forest
    roots = [int(forest.roots[t]) for t in trees]
    depth = max(int(forest.level[root]) for root in roots)

    def decide(nodes: list[int]) -> str:
        """The comparator of each tree's node in its turn; a leaf decides nothing."""
        taken = [reached[int(forest.comparator[n])] if n >= 0 else "" for n in nodes]
        known = [t for t in taken if t]
        if not known:
            return "1'b0"
        if len(set(known)) == 1:
            return known[0]
        bit, every = core.name("m"), core.name("v")
        padded = [t or known[0] for t in taken] + [known[0]] * ((1 << size) - len(taken))
        core.wires.append(f"    wire [{len(padded) - 1}:0] {every} = {{{', '.join(reversed(padded))}}};")
        core.wires.append(f"    wire {bit} = {every}[{clock}];")
        return bit

    def side(nodes: list[int], way: str) -> list[int]:
        return [int(getattr(forest, way)[n]) if n >= 0 else n for n in nodes]

    def place(nodes: list[int], left: int) -> list[str]:
        """Bits of the place of the leaf that is reached, first decision first."""
        if not left or all(n < 0 for n in nodes):
            return ["1'b0"] * left
        bit = decide(nodes)
        sides = zip(place(side(nodes, "reached"), left - 1), place(side(nodes, "below"), left - 1), strict=True)
        return [bit, *(_choose(core, bit, a, b) for a, b in sides)]

    def leaves(node: int, left: int) -> list[int]:
        if node < 0:
            return [int(forest.constants[~node])] * (1 << left)
        return leaves(int(forest.below[node]), left - 1) + leaves(int(forest.reached[node]), left - 1)

    ends = [core.plan.leaves(t) for t in trees]
    tree = TreeSignal(core.name("t"), min(0, *(e[0] for e in ends)), max(0, *(e[-1] for e in ends)))
    codes = [code for root in roots for code in leaves(root, depth)]
    codes += [0] * ((1 << size + depth) - len(codes))
    bits = "".join(f"{code & ((1 << tree.width) - 1):0{tree.width}b}" for code in reversed(codes))
    at, table = core.name("l"), core.name("e")
    core.wires += [
        f"    wire [{size + depth - 1}:0] {at} = {{{', '.join([clock, *place(roots, depth)])}}};",
        f"    wire [{len(bits) - 1}:0] {table} = {len(bits)}'b{bits};",
        f"    wire signed [{tree.width - 1}:0] {tree.name} = {table}[{at} * {tree.width} +: {tree.width}];",
    ]
    return tree


def _choose(core: TreeCore, bit: str, a: str, b: str) -> str:
    if a == b:
        return a
    name = core.name("p")
    core.choices += 1
    core.wires.append(f"    wire {name} = {bit} ? {a} : {b};")
    return name


def _accumulate(
    core: TreeCore, each: TreeSignal, constant: int, slots: list[list[int]], clock: str, size: int, clocks: int
) -> str:
    """The sum of the groups so far, the constant in the first one; what is next in its register."""
    low = high = lowest = highest = constant
    for turn in range(clocks):
        ends = [core.plan.leaves(trees[turn]) for trees in slots if turn < len(trees)]
        low, high = low + sum(e[0] for e in ends), high + sum(e[-1] for e in ends)
        lowest, highest = min(lowest, low), max(highest, high)
    total = TreeSignal(core.name("a"), min(lowest, each.low), max(highest, each.high))
    before, after = core.name("s"), core.name("s")
    begin = constant & ((1 << total.width) - 1)
    core.wires += [
        f"    reg signed [{total.width - 1}:0] {total.name};",
        f"    wire signed [{total.width - 1}:0] {before} = {clock} == {size}'d0 ? $signed({total.width}'d{begin}) : "
        f"{total.name};",
        f"    wire signed [{total.width - 1}:0] {after} = {before} + {extend(each, total.width)};",
    ]
    core.clocked.append(f"        {total.name} <= {after};")
    core.flip_flops += total.width
    return after
