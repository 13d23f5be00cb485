"""Random graphs over all operators: ranks 1 to 4, all broadcasts, dead rows, constant neurons, rounding, overflow."""

from __future__ import annotations

from math import prod

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from codesign.core.fixedpoint import FixedPoint
from codesign.graph.ensemble import ML
from codesign.graph.nodes import CODESIGN, QONNX
from tests.graph.ensembles import ensemble_node

#: what a random graph may be refused for; anything else is a fault
REASONS = (
    "float32, in which PyTorch and onnxruntime compute, is exact to",
    "has no exact hardware here: at most 10 bits are; quantise it first",
    "does not depend on the input",
    "needs more than 64 bits",
)
ROUNDINGS = ("ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN")


class RandomGraph:
    """Grows a graph from one or two inputs; ``standard``: operators that onnxruntime knows, and no others."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.standard = bool(self.rng.random() < 0.5)
        self.trees = int(self.rng.choice([3, 5]))  # version of ai.onnx.ml, whose nodes differ
        self.nodes: list = []
        self.constants: list = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.inputs: list[tuple[str, tuple[int, ...]]] = []
        for name in ("x", "u")[: self.rng.integers(1, 3)]:
            shape = self._shape()
            self.inputs.append((name, shape))
            self.shapes[name] = shape
        self.kinds = [self._kind() for _ in range(sum(prod(s) for _, s in self.inputs))]
        for _ in range(int(self.rng.integers(2, 9))):
            self._grow()
        last = list(self.shapes)[-1]
        if not self.nodes:
            last = self.node("Neg", [last], self.shapes[last])
        self.outputs = [last]
        names = [o for n in self.nodes for o in n.output if o in self.shapes and o != last]
        if names and self.rng.random() < 0.3:
            self.outputs.append(str(self.rng.choice(names)))

    def _shape(self) -> tuple[int, ...]:
        rank = int(self.rng.integers(0, 4))
        sizes = (1, 2, 3, 4) if rank < 3 else (1, 2, 3)
        return tuple(int(self.rng.choice(sizes)) for _ in range(rank)) if rank else (int(self.rng.integers(1, 6)),)

    def _kind(self) -> FixedPoint:
        bits, fraction = int(self.rng.integers(0, 5)), int(self.rng.integers(-1, 3))
        signed = bool(self.rng.random() < 0.6) and bits > 0
        return FixedPoint(signed=signed, integer_bits=bits - int(signed) - fraction, fraction_bits=fraction)

    # --------------------------------------------------------------------------------------------------------- writing
    def constant(self, value, dtype=np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def node(self, op, inputs, shape, domain="", outputs=None, **attributes) -> str:
        name = f"n{len(self.nodes)}"
        outputs = outputs or [name]
        self.nodes.append(helper.make_node(op, inputs, outputs, name=f"{op}_{name}", domain=domain, **attributes))
        if shape is not None:
            self.shapes[outputs[0]] = tuple(shape)
        return outputs[0]

    def pick(self, least=0) -> str:
        names = [n for n, s in self.shapes.items() if len(s) >= least]
        if not names:
            return ""
        return names[-1] if self.rng.random() < 0.6 else str(self.rng.choice(names))

    def small(self, shape, dead=0.25) -> np.ndarray:
        """Numbers on a grid, many of them 0."""
        values = self.rng.integers(-4, 5, shape) * 2.0 ** self.rng.integers(-2, 2)
        return np.where(self.rng.random(shape) < dead, 0.0, values)

    def stretched(self, shape) -> tuple[int, ...]:
        """The shape of a constant that broadcasts to (events, *shape)."""
        kept = [n if self.rng.random() < 0.7 else 1 for n in shape]
        return tuple(kept[int(self.rng.integers(0, len(kept) + 1)) :]) if self.rng.random() < 0.7 else (1, *kept)

    # --------------------------------------------------------------------------------------------------------- growing
    def _grow(self) -> None:
        for _ in range(20):
            method = str(self.rng.choice([m for m in dir(self) if m.startswith("grow_")]))
            if getattr(self, method)():
                return

    def quantised(self, x: str) -> str:
        shape, rng = self.shapes[x], self.rng
        exponent, bits = int(rng.integers(-2, 2)), int(rng.integers(1, 6))
        if self.standard:
            scale = self.constant(2.0**exponent)
            if rng.random() < 0.5:
                signed = bool(rng.random() < 0.5)
                zero = self.constant(0 if signed else int(rng.integers(0, 9)), np.int8 if signed else np.uint8)
                code = self.node("QuantizeLinear", [x, scale, zero], None)
                return self.node("DequantizeLinear", [code, scale, zero], shape)
            op = str(rng.choice(["Floor", "Ceil", "Round"]))
            rounded = self.node(op, [self.node("Div", [x, scale], None)], None)
            low, high = sorted(int(v) for v in rng.integers(-12, 12, 2))
            kept = self.node("Clip", [rounded, self.constant(low), self.constant(high)], None)
            return self.node("Mul", [kept, scale], shape)
        kind = rng.integers(0, 4)
        if kind == 0:
            k = rng.integers(0, 2, self.stretched(shape))
            i, f = rng.integers(-1, 4, self.stretched(shape)), rng.integers(-1, 4, self.stretched(shape))
            overflow = str(rng.choice(["WRAP", "SAT", "SAT_SYM"]))
            given = [x, *(self.constant(v) for v in (k, i, f))]
            mode = str(rng.choice(ROUNDINGS))
            return self.node("FixedPoint", given, shape, CODESIGN, overflow=overflow, rounding_mode=mode)
        if kind == 1:
            return self.node("BipolarQuant", [x, self.constant(2.0**exponent)], shape, QONNX)
        per_element = rng.random() < 0.4
        scale = 2.0 ** rng.integers(-2, 2, self.stretched(shape)) if per_element else 2.0**exponent
        given = [x, self.constant(scale), self.constant(0.0), self.constant(float(bits))]
        signed = int(rng.integers(0, 2)) if bits > 1 else 0
        return self.node(
            "Quant", given, shape, QONNX, signed=signed, narrow=int(rng.integers(0, 2)),
            rounding_mode=str(rng.choice(ROUNDINGS)),
        )  # fmt: skip

    def grow_quantiser(self) -> bool:
        self.quantised(self.pick())
        return True

    def grow_table(self) -> bool:
        """One for all elements, or one for each along some axes, of codes of a type of its own."""
        x, rng = self.pick(), self.rng
        if self.standard:
            return False
        shape = self.shapes[x]
        k, i, f = int(rng.integers(0, 2)), int(rng.integers(0, 3)), int(rng.integers(0, 3))
        given = [x, *(self.constant(float(v)) for v in (k, i, f))]
        overflow = str(rng.choice(["WRAP", "SAT", "SAT_SYM"]))
        code = self.node("FixedPoint", given, None, CODESIGN, overflow=overflow, rounding_mode="FLOOR")
        each = self.stretched(shape) if rng.random() < 0.5 else ()
        values = np.round(rng.normal(size=(*each, 1 << (k + i + f))) * 4) * 2.0 ** rng.integers(-3, 2)
        self.node("Table", [code, self.constant(values)], shape, CODESIGN, k=k, i=i, f=f)
        return True

    def grow_unary(self) -> bool:
        x = self.pick()
        op = str(self.rng.choice(["Neg", "Abs", "Relu", "Sign", "Floor", "Ceil", "Identity", "LeakyRelu", "Round"]))
        attributes = {"alpha": 0.25} if op == "LeakyRelu" else {}
        self.node(op, [x], self.shapes[x], **attributes)
        return True

    def grow_constant(self) -> bool:
        x = self.pick()
        op = str(self.rng.choice(["Add", "Sub", "Mul", "Max", "Min", "Div", "PRelu"]))
        value = self.small(self.stretched(self.shapes[x]))
        given = [x, self.constant(2.0 ** np.round(value) if op == "Div" else value)]
        if op in ("Add", "Sub", "Mul") and self.rng.random() < 0.4:
            given.reverse()
        self.node(op, given, self.shapes[x])
        return True

    def grow_two(self) -> bool:
        a = self.pick()
        same = [n for n, s in self.shapes.items() if s == self.shapes[a]]
        op = str(self.rng.choice(["Add", "Sub", "Max", "Min", "Sum", "Mul"]))
        b = str(self.rng.choice(same))
        if op == "Mul":
            a, b = self.quantised(a), self.quantised(b)
        self.node(op, [a, b], self.shapes[a])
        return True

    def grow_logic(self) -> bool:
        a = self.pick()
        shape = self.shapes[a]
        same = [n for n, s in self.shapes.items() if s == shape]
        b = str(self.rng.choice(same)) if self.rng.random() < 0.5 else self.constant(self.small(self.stretched(shape)))
        op = str(self.rng.choice(["Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal"]))
        choice = self.node(op, [a, b], None)
        if self.rng.random() < 0.4:
            other = self.node("Greater", [a, self.constant(0.0)], None)
            choice = self.node(str(self.rng.choice(["And", "Or", "Xor"])), [choice, other], None)
        if self.rng.random() < 0.3:
            choice = self.node("Not", [choice], None)
        if self.rng.random() < 0.5:
            self.node("Cast", [choice], shape, to=TensorProto.FLOAT)
        else:
            second = self.constant(self.small(())) if self.rng.random() < 0.5 else str(self.rng.choice(same))
            self.node("Where", [choice, a, second], shape)
        return True

    def grow_matmul(self) -> bool:
        x = self.pick()
        shape = self.shapes[x]
        m = int(self.rng.integers(1, 4))
        weight = self.small((shape[-1], m)) if shape else None
        if weight is None:
            return False
        if self.rng.random() < 0.5:
            weight[int(self.rng.integers(0, len(weight)))] = 0
        if len(shape) == 1 and self.rng.random() < 0.3:
            self.node("Gemm", [x, self.constant(weight.T), self.constant(self.small((m,)))], (m,), transB=1, alpha=0.5)
        elif len(shape) > 1 and self.rng.random() < 0.3:
            left = self.small((m, shape[-2]))
            self.node("MatMul", [self.constant(left), x], (*shape[:-2], m, shape[-1]))
        elif len(shape) > 1 and self.rng.random() < 0.2:
            batch = self.small((shape[-3] if len(shape) > 2 else 1, shape[-1], m))
            self.node("MatMul", [x, self.constant(batch)], (*shape[:-1], m))
        else:
            self.node("MatMul", [x, self.constant(weight)], (*shape[:-1], m))
        return True

    def grow_attention(self) -> bool:
        x = self.pick(2)
        if not x:
            return False
        shape = self.shapes[x]
        order = [*range(len(shape) - 1), len(shape), len(shape) - 1]
        q = self.quantised(x)
        turned = self.node("Transpose", [q], (*shape[:-2], shape[-1], shape[-2]), perm=order)
        self.node("MatMul", [q, turned], (*shape[:-1], shape[-2]))
        return True

    def grow_reduce(self) -> bool:
        x = self.pick(1)
        shape = self.shapes[x]
        op = str(self.rng.choice(["ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1"]))
        axes = sorted({int(a) for a in self.rng.integers(1, len(shape) + 1, 2)})
        keep = int(self.rng.integers(0, 2))
        out = tuple(1 if i + 1 in axes else n for i, n in enumerate(shape) if keep or i + 1 not in axes)
        if self.rng.random() < 0.3:
            axes = [a - len(shape) - 1 for a in axes]
        self.node(op, [x, self.constant(axes, np.int64)], out, keepdims=keep)
        return True

    def grow_convolution(self) -> bool:
        names = [n for n, s in self.shapes.items() if len(s) in (2, 3) and min(s) >= 1]
        if not names:
            return False
        rng = self.rng
        x = str(rng.choice(names))
        channels, *lengths = self.shapes[x]
        kernel = [int(rng.integers(1, min(3, n) + 1)) for n in lengths]
        pads = [int(rng.integers(0, 2)) if k > 1 else 0 for k in kernel] * 2
        strides = [int(rng.integers(1, 3)) for _ in lengths]
        out = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(lengths, pads, kernel, strides, strict=False)]
        if rng.random() < 0.5:
            groups = channels if rng.random() < 0.3 else 1
            filters = groups if groups > 1 else int(rng.integers(1, 3))
            weight = self.small((filters, channels // groups, *kernel))
            given = [x, self.constant(weight)]
            if rng.random() < 0.5:
                given.append(self.constant(self.small((filters,))))
            self.node("Conv", given, (filters, *out), kernel_shape=kernel, pads=pads, strides=strides, group=groups)
        elif rng.random() < 0.6:
            self.node("MaxPool", [x], (channels, *out), kernel_shape=kernel, pads=pads, strides=strides)
        elif not prod(kernel) & (prod(kernel) - 1):
            self.node(
                "AveragePool", [x], (channels, *out), kernel_shape=kernel, pads=pads, strides=strides,
                count_include_pad=1,
            )  # fmt: skip
        else:
            self.node("GlobalMaxPool", [x], (channels, *(1 for _ in lengths)))
        return True

    def grow_structure(self) -> bool:
        x = self.pick(1)
        shape, rng = self.shapes[x], self.rng
        rank = len(shape)
        axis = int(rng.integers(1, rank + 1))
        length = shape[axis - 1]
        match int(rng.integers(0, 9)):
            case 0:
                self.node("Flatten", [x], (prod(shape),), axis=1)
            case 1:
                size = prod(shape)
                divisors = [d for d in range(1, size + 1) if size % d == 0]
                first = int(rng.choice(divisors))
                target = [0 if rng.random() < 0.5 else -1, first, size // first]
                self.node("Reshape", [x, self.constant(target, np.int64)], tuple(target[1:]))
            case 2:
                order = [int(i) for i in rng.permutation(rank)]
                self.node("Transpose", [x], [shape[i] for i in order], perm=[0, *(i + 1 for i in order)])
            case 3:
                wanted = rng.integers(-length, length, int(rng.integers(1, 4)))
                out = (*shape[: axis - 1], len(wanted), *shape[axis:])
                self.node("Gather", [x, self.constant(wanted, np.int64)], out, axis=axis)
            case 4:
                start = int(rng.integers(0, length))
                step = 1 if rng.random() < 0.7 else -1
                end = 1 << 40 if step > 0 else -(1 << 40)
                kept = len(range(length)[slice(start, None, step)])
                given = [x, *(self.constant([v], np.int64) for v in (start, end, axis, step))]
                self.node("Slice", given, (*shape[: axis - 1], kept, *shape[axis:]))
            case 5 if rank < 3:
                self.node(
                    "Unsqueeze", [x, self.constant([axis], np.int64)], (*shape[: axis - 1], 1, *shape[axis - 1 :])
                )
            case 6 if rank < 4:
                repeats = [1] * (rank + 1)
                repeats[axis] = 2
                out = (*shape[: axis - 1], 2 * length, *shape[axis:])
                self.node("Tile", [x, self.constant(repeats, np.int64)], out)
            case 7:
                pads = [0] * (2 * (rank + 1))
                pads[axis], pads[axis + rank + 1] = int(rng.integers(0, 2)), int(rng.integers(0, 2))
                out = (*shape[: axis - 1], length + pads[axis] + pads[axis + rank + 1], *shape[axis:])
                self.node("Pad", [x, self.constant(pads, np.int64), self.constant(0.5)], out)
            case 8:
                same = [n for n, s in self.shapes.items() if s == shape]
                self.node(
                    "Concat", [x, str(rng.choice(same))], (*shape[: axis - 1], 2 * length, *shape[axis:]), axis=axis
                )
            case _:
                return False
        return True

    def grow_trees(self) -> bool:
        names = [n for n, s in self.shapes.items() if len(s) == 1]
        if not names:
            return False
        x, name = str(self.rng.choice(names)), f"n{len(self.nodes)}"
        node, outputs = ensemble_node(self.rng, x, name, self.shapes[x][0], self.trees, f"trees_{name}")
        self.nodes.append(node)
        self.shapes[name] = (outputs,)
        return True

    # -------------------------------------------------------------------------------------------------------- finished
    def content(self) -> bytes:
        def declared(name: str) -> object:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["events", *self.shapes[name]])

        graph = helper.make_graph(
            self.nodes, "random", [declared(n) for n, _ in self.inputs], [declared(o) for o in self.outputs],
            self.constants,
        )  # fmt: skip
        opsets = [helper.make_opsetid(d, v) for d, v in (("", 20), (QONNX, 2), (CODESIGN, 1), (ML, self.trees))]
        model = helper.make_model(graph, opset_imports=opsets)
        model.ir_version = 10
        return model.SerializeToString()
