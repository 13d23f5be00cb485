"""Read an ONNX or QONNX graph and run it over a domain. The heart of the toolchain; what is not exact is refused.

A graph takes one input for each block of what it sees, (events, ...), and gives one output for each head. It is run on
flat signals: the blocks row-major one after another, (events, n), and the heads in the same way, (events, m).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from math import prod
from typing import Any, TypeAlias, TypeVar

import numpy as np
import onnx

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.reading.onnx import onnx_model
from codesign.graph import operators
from codesign.graph.domain import Array, Domain, Shaped
from codesign.graph.exact import Exact
from codesign.graph.nodes import ALIASES, CODESIGN, OPERATORS, QONNX, STANDARD, Call, Known, Node, Operand, result_of
from codesign.graph.obstacles import Obstacle, Obstacles
from codesign.graph.tensors import Stored, constant_of, tensor_of

__all__ = ("Domain", "Graph", "InputBlock", "Weighted", "obstacles", "read_graph")

S = TypeVar("S", bound=Shaped)

assert operators.__all__, "importing them registers them"

#: what enters a node
Operands: TypeAlias = tuple[Operand[Any] | None, ...]
#: of a node, what enters it, and whether all of that is constant: what comes out
Step: TypeAlias = Callable[[Node, Operands, bool], tuple[Any, ...]]

#: attributes that hold another graph
_SUBGRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


@dataclass(frozen=True)
class Weighted:
    """A layer with weights: the name of the signal that enters it, and its matrix (inputs, outputs).

    ``node`` and ``output``: their names. Of a convolution the inputs are those of a window.
    """

    signal: str
    weights: Array
    node: str
    output: str


@dataclass(frozen=True)
class InputBlock:
    """An input or output: its name, and its shape without the events' axis."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Elements of an event."""
        return prod(self.shape)


class Graph:
    """A checked graph: inputs and outputs named; what is no operator here, or no finite constant, is in ``refused``."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self._stored: dict[str, Stored] = {}
        #: what keeps it from being run, and the tensors that are not known for that
        self.refused: list[Obstacle] = []
        self._unknown: set[str] = set()
        for tensor in graph.initializer:
            self._store(tensor.name, "", (tensor.name,), partial(tensor_of, tensor))
        for sparse in graph.sparse_initializer:
            raise UnsupportedError(f"tensor '{sparse.values.name}': a sparse initialiser; save it as a dense one")
        opsets = {ALIASES.get(o.domain, o.domain): o.version for o in model.opset_import}
        self._nodes: list[Node] = []
        for index, node in enumerate(graph.node):
            name = node.name or f"{node.op_type} number {index}"
            domain = ALIASES.get(node.domain, node.domain)
            if domain == STANDARD and node.op_type == "Constant":
                self._store(name, "Constant", node.output, partial(constant_of, node, name))
            elif (domain, node.op_type) not in OPERATORS:
                self._refuse(Obstacle(name, node.op_type, _no_operator(domain, node.op_type)), node.output)
            elif any(a.type in _SUBGRAPHS for a in node.attribute):
                seen = "a graph within the graph has no exact hardware here"
                self._refuse(Obstacle(name, node.op_type, seen), node.output)
            else:
                attributes = {a.name: _plain(onnx.helper.get_attribute_value(a)) for a in node.attribute}
                self._nodes.append(
                    Node(name, domain, node.op_type, tuple(node.input), tuple(node.output), attributes,
                         opsets.get(domain, 0))
                )  # fmt: skip
        declared = [i for i in graph.input if i.name not in self._stored]
        if not declared or not graph.output:
            raise UnsupportedError(f"the graph has {len(declared)} inputs and {len(graph.output)} outputs")
        self.inputs = tuple(_block(i) for i in declared)
        self.outputs = tuple(o.name for o in graph.output)
        self._batch = _batch(declared)

    def _store(self, name: str, operator: str, outputs: Iterable[str], read: Callable[[], Stored]) -> None:
        """Keep a constant; refused where it is none of finite numbers."""
        try:
            stored = read()
        except UnsupportedError as error:
            self._refuse(Obstacle.of(name, operator, error), outputs)
        else:
            self._stored |= dict.fromkeys(outputs, stored)

    def _refuse(self, obstacle: Obstacle, outputs: Iterable[str]) -> None:
        self.refused.append(obstacle)
        self._unknown.update(outputs)

    def require_known(self) -> None:
        """Obstacles, where there are any."""
        if not self.refused:
            return
        known = ", ".join(sorted({op for domain, op in OPERATORS if domain in (STANDARD, QONNX, CODESIGN)}))
        raise Obstacles(self.refused, f"; supported: {known}" if any(o.operator for o in self.refused) else "")

    @property
    def given(self) -> dict[str, Array]:
        """The constants that the file holds."""
        return {name: stored.values for name, stored in self._stored.items()}

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Nodes in order, those left out that are a constant."""
        return tuple(self._nodes)

    @property
    def batch(self) -> int | None:
        """Number of events with which the graph was exported, where that is a fixed one."""
        return self._batch

    @property
    def input(self) -> str:
        """Name of the first input."""
        return self.inputs[0].name

    @property
    def output(self) -> str:
        """Name of the first output."""
        return str(self.outputs[0])

    @cached_property
    def constants(self) -> dict[str, Array]:
        """Every tensor of the graph that does not depend on its input, by name: given, or folded exactly."""
        found: dict[str, Array] = {name: stored.values for name, stored in self._stored.items()}
        for node in self._nodes:
            if not self._unknown.intersection(node.inputs) and all(i in found for i in node.inputs if i):
                operands = tuple(self._constant(i, found) if i else None for i in node.inputs)
                results = result_of(Call(node, operands, _EXACT, folding=True))
                for name, value in zip(node.outputs, results, strict=False):
                    found[name] = np.asarray(value.values if isinstance(value, Known) else value)
        for values in found.values():
            values.flags.writeable = False  # a graph is read once, by many
        return found

    def _constant(self, name: str, found: dict[str, Array]) -> Operand[Any]:
        stored = self._stored.get(name)
        return Operand(name, found[name], True, stored.kind if stored else None)

    @cached_property
    def layers(self) -> tuple[Weighted, ...]:
        """The products of a signal with a constant matrix, convolutions among them, in order of execution."""
        found = []
        for node in self._nodes:
            if node.op not in ("MatMul", "Gemm", "Conv") or node.outputs[0] in self.constants:
                continue
            first, second = node.inputs[:2]
            if second in self.constants and first not in self.constants:
                weights = self.constants[second]
                if node.op == "Conv":
                    weights = weights.reshape(len(weights), -1)
                turned = node.op == "Conv" or (node.op == "Gemm" and node.attributes.get("transB", 0))
                found.append(Weighted(first, weights.T if turned else weights, node.name, node.outputs[0]))
        return tuple(w for w in found if w.weights.ndim == 2)

    def run(self, x: S, domain: Domain[S]) -> S:
        """Run a flat signal (events, n), the blocks one after another; the heads (events, m) in the same way.

        UnsupportedError names the node that has no exact form in this domain.
        """
        found: list[Obstacle] = []
        values = self.signals(x, domain, found)
        if found:
            raise Obstacles(found)
        heads = []
        for name in self.outputs:
            if name in self.constants or name not in values:
                raise UnsupportedError(f"the output '{name}' does not depend on the input")
            head = values[name]
            shape = tuple(head.shape)
            heads.append(head if len(shape) == 2 else domain.reshape(head, (prod(shape[1:]),)))
        return heads[0] if len(heads) == 1 else domain.concat(heads, 1)

    def obstacles(self, x: S, domain: Domain[S]) -> list[Obstacle]:
        """Everything that is refused, not the first alone; what depends on a refused node is not counted again."""
        found = list(self.refused)
        values = self.signals(x, domain, found)
        for name in self.outputs:
            if name in self.constants:
                found.append(Obstacle(name, "", "the output does not depend on the input"))
            elif name not in values and not found:
                found.append(Obstacle(name, "", "no node makes this output"))
        return found

    def signals(self, x: S, domain: Domain[S], found: list[Obstacle] | None = None) -> dict[str, Any]:
        """Every tensor of the graph by name, constants included, where its input is the flat ``x`` (events, n).

        With a list ``found``, what is refused is appended to it, and left out with all that depends on it.
        """

        def step(node: Node, operands: Operands, folding: bool) -> tuple[Any, ...]:
            run: Domain[Any] = _EXACT if folding else domain
            return result_of(Call(node, operands, run, folding, self._batch))

        return self.walk(self.blocks(x, domain), dict(self.constants), step, found)

    def walk(
        self, signals: dict[str, Any], known: dict[str, Array], step: Step, found: list[Obstacle] | None = None
    ) -> dict[str, Any]:
        """Every tensor by name, where ``step`` gives what a node gives: its inputs are ``signals``, ``known`` constant.

        Nodes whose results are known are left out; what turns out not to depend on the events is added to ``known``.
        """
        values: dict[str, Any] = {**known, **signals}
        for node in self._walk_node(values, known, step, found):
            assert node
        return values

    def steps(self, x: S, domain: Domain[S]) -> Iterator[Node]:
        """The nodes that depend on the input, each when the domain has done it, where the input is ``x``."""

        def step(node: Node, operands: Operands, folding: bool) -> tuple[Any, ...]:
            run: Domain[Any] = _EXACT if folding else domain
            return result_of(Call(node, operands, run, folding, self._batch))

        known = dict(self.constants)
        return self._walk_node({**known, **self.blocks(x, domain)}, known, step, None)

    def _walk_node(
        self, values: dict[str, Any], known: dict[str, Array], step: Step, found: list[Obstacle] | None
    ) -> Iterator[Node]:
        unknown = set(self._unknown)
        for node in self._nodes:
            if all(name in known for name in node.outputs if name):
                continue
            if unknown.intersection(node.inputs):
                unknown.update(node.outputs)
                continue
            missing = [i for i in node.inputs if i and i not in values]
            if missing:
                raise InputError(
                    f"{node.name}: input '{missing[0]}' comes from no earlier node: the graph is not sorted"
                )
            operands = tuple(
                None if not i
                else self._constant(i, known) if i in known
                else Operand(i, values[i], False)
                for i in node.inputs
            )  # fmt: skip
            folding = all(o is None or o.constant for o in operands)
            try:
                results = step(node, operands, folding)
            except UnsupportedError as error:
                if found is None:
                    raise
                found.append(Obstacle.of(node.name, node.op, error))
                unknown.update(node.outputs)
                continue
            for name, value in zip(node.outputs, results, strict=False):
                if folding or isinstance(value, Known):
                    known[name] = value = np.asarray(value.values if isinstance(value, Known) else value)
                values[name] = value
            yield node

    def blocks(self, x: S, domain: Domain[S]) -> dict[str, S]:
        """The inputs by name, each in its own shape."""
        given = int(x.shape[1])
        shapes = [b.shape if b.size >= 0 else (given,) for b in self.inputs]
        if len(shapes) == 1 and shapes[0] == (given,):
            return {self.input: x}
        sizes = [prod(shape) for shape in shapes]
        if sum(sizes) != given:
            raise UnsupportedError(f"the graph takes {sum(sizes)} numbers an event, not {given}")
        ends = np.cumsum([0, *sizes])
        found = {}
        for block, shape, low, high in zip(self.inputs, shapes, ends[:-1], ends[1:], strict=True):
            part = x if len(shapes) == 1 else domain.take(x, np.arange(low, high), 1)
            found[block.name] = part if shape == (int(high - low),) else domain.reshape(part, shape)
        return found


_EXACT = Exact()


#: of a candidate's graph, which is asked for when it is compiled, proven, and priced
@lru_cache(maxsize=2)
def read_graph(content: bytes, source: str = "the QONNX model") -> Graph:
    """Parse and check a serialised QONNX model; InputError if it is not one, UnsupportedError for what is not exact.

    The last two are kept: nobody changes a graph.
    """
    model = onnx_model(content, source, functions=True)
    if not model.graph.node:
        raise InputError(f"{source}: the graph is empty")
    graph = Graph(model)
    graph.require_known()
    return graph


def obstacles(content: bytes, source: str = "the QONNX model") -> list[Obstacle]:
    """All that keeps a file from being exact, as far as shapes and constants say; InputError if it is no model."""
    graph = Graph(onnx_model(content, source, functions=True))
    size = sum(b.size if b.size >= 0 else 1 for b in graph.inputs)
    return graph.obstacles(np.zeros((1, size)), _EXACT)


#: names of operators that quantise, compute and quantise again begin so
_IN_ONE = ("QLinear", "QGemm", "QAttention", "MatMulInteger", "ConvInteger", "DynamicQuantize", "DynamicDequantize")


def _no_operator(domain: str, op: str) -> str:
    whose = f" of domain '{domain}'" if domain not in (STANDARD, QONNX, CODESIGN) else ""
    form = "; export the QDQ form (QuantizeLinear, DequantizeLinear) instead" if op.startswith(_IN_ONE) else ""
    return f"operator '{op}'{whose} has no exact hardware here{form}"


def _block(tensor: onnx.ValueInfoProto) -> InputBlock:
    """An input as it is declared; of length -1 where its one axis is open: then it is as long as it comes."""
    if not tensor.type.HasField("tensor_type"):
        raise UnsupportedError(f"input '{tensor.name}' is no tensor")
    dims = tensor.type.tensor_type.shape.dim
    lengths = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dims[1:])
    if -1 in lengths and lengths != (-1,):
        raise UnsupportedError(
            f"input '{tensor.name}' has axes of open length ({', '.join(d.dim_param or '?' for d in dims)}); only the "
            "events' axis, the first, may be open: export with fixed lengths"
        )
    if any(n == 0 for n in lengths):
        raise UnsupportedError(f"input '{tensor.name}' has an axis of length 0")
    return InputBlock(tensor.name, lengths)


def _batch(inputs: list[onnx.ValueInfoProto]) -> int | None:
    """Number of events with which the graph was exported; None where that is open."""
    dims = [i.type.tensor_type.shape.dim for i in inputs]
    fixed = {d[0].dim_value for d in dims if d and d[0].HasField("dim_value")}
    return fixed.pop() if len(fixed) == 1 else None


def _plain(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
