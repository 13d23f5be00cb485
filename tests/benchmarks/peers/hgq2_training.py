"""HGQ2's side of the comparison, in HGQ2's own environment: ``python hgq2_training.py JOB.json``.

Trains one network with HGQ2 (JAX) within a given wall-clock time, keeps the checkpoints that are on its front on the
validation split, compiles each with alkaid as HGQ2's users do (all its default passes), and writes Verilog, the
firmware's scores, and how many of its outputs differ from the network's own. Reads no file of the test split until the
checkpoints are chosen and compiled. Imports nothing of codesign: this environment has none of it.

The budget is processor time of this process, on one thread, since a wall clock tells of others on the machine, too.
JAX's compilation comes before it, and is recorded beside it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import keras
import numpy as np
from alkaid.codegen import RTLModel
from alkaid.converter import trace_model
from alkaid.trace import FVArray, HWConfig, to_pipeline, trace
from hgq.config import LayerConfigScope, QuantizerConfig, QuantizerConfigScope
from hgq.layers import QDense
from hgq.utils import trace_minmax
from jax import numpy as jnp


def network(inputs: int, widths: list[int], outputs: int) -> Any:
    """A fully connected network with HGQ2's defaults: a bit width per weight and per signal.

    As in HGQ2's own jet tagger, weights saturate symmetrically and activations wrap; the inputs saturate, upstream of
    the firmware, as ours do.
    """
    with (
        QuantizerConfigScope(q_type="kbi", place="weight", overflow_mode="SAT_SYM", b0=6),
        QuantizerConfigScope(q_type="kif", place="datalane", overflow_mode="WRAP", i0=2, f0=5),
        LayerConfigScope(enable_ebops=True, beta0=1e-6),
    ):
        first = QuantizerConfig("kif", "datalane", overflow_mode="SAT", round_mode="RND", i0=2, f0=5)
        layers: list[Any] = [keras.layers.Input((inputs,))]
        for index, width in enumerate(widths):
            extra = {"iq_conf": first} if index == 0 else {}
            layers.append(QDense(width, activation="relu", **extra))
        layers.append(QDense(outputs))
        return keras.Sequential(layers)


class Front:
    """Points non-dominated in (EBOPs, accuracy), by rising EBOPs."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float, int, Any]] = []

    def offer(self, cost: float, score: float, epoch: int, state: Any) -> None:
        """Take a point in where no other is as cheap and as good."""
        place = bisect_left(self.points, cost, key=lambda p: p[0])
        same = place < len(self.points) and self.points[place][0] == cost and self.points[place][1] >= score
        if same or (place and self.points[place - 1][1] >= score):
            return
        kept = [p for p in self.points if p[0] < cost or p[1] > score]
        self.points = sorted([*kept, (cost, score, epoch, state())], key=lambda p: p[0])

    def chosen(self, low: float, high: float, limit: int) -> list[tuple[float, float, int, Any]]:
        """The best of each of ``limit`` equal steps in log EBOPs between ``low`` and ``high``."""
        edges = np.geomspace(low, high, limit + 1)
        found = []
        for a, b in pairwise(edges):
            inside = [p for p in self.points if a <= p[0] < b]
            found += inside[-1:]
        return found


def trained(job: dict[str, Any], data: dict[str, np.ndarray]) -> tuple[Any, Front, dict[str, Any]]:
    """Train a network for ``job['seconds']`` of processor time."""
    keras.utils.set_random_seed(job["seed"])
    model = network(data["x_train"].shape[1], job["widths"], int(data["y_train"].max()) + 1)
    return model, *optimised(model, job, data)


def optimised(model: Any, job: dict[str, Any], data: dict[str, np.ndarray]) -> tuple[Front, dict[str, Any]]:
    """Train this network, whatever it is."""
    x, y = jnp.asarray(data["x_train"]), jnp.asarray(data["y_train"])
    x_val, y_val = jnp.asarray(data["x_val"]), jnp.asarray(data["y_val"])
    batch = job["batch"]
    steps = len(x) // batch
    optimiser = keras.optimizers.Adam(learning_rate=1.0)
    model.build((None, *x.shape[1:]))
    model(x[:batch], training=True)
    optimiser.build(model.trainable_variables)
    betas = [v for v in model.non_trainable_variables if v.path.endswith("beta")]
    places = [i for i, v in enumerate(model.non_trainable_variables) if v.path.endswith("beta")]
    ebops = [i for i, v in enumerate(model.non_trainable_variables) if v.path.endswith("ebops")]
    if not betas or not ebops:
        raise SystemExit("HGQ2's variables for beta and EBOPs have other names than expected")
    rate = next(i for i, v in enumerate(optimiser.variables) if "learning_rate" in v.path)

    def objective(trainable: Any, fixed: Any, a: Any, b: Any) -> Any:
        scores, fixed, losses = model.stateless_call(trainable, fixed, a, training=True, return_losses=True)
        entropy = jnp.mean(-jnp.take_along_axis(jax.nn.log_softmax(scores), b[:, None], axis=1))
        return entropy + sum(losses), fixed

    @jax.jit
    def epoch_of(trainable: Any, fixed: Any, state: Any, key: Any, lr: Any, beta: Any) -> Any:
        order = jax.random.permutation(key, len(x))[: steps * batch].reshape(steps, batch)
        fixed = [jnp.full_like(v, beta) if i in places else v for i, v in enumerate(fixed)]
        state = [jnp.asarray(lr, v.dtype) if i == rate else v for i, v in enumerate(state)]

        def step(carry: Any, index: Any) -> Any:
            trainable, fixed, state = carry
            (_, fixed), gradient = jax.value_and_grad(objective, has_aux=True)(trainable, fixed, x[index], y[index])
            trainable, state = optimiser.stateless_apply(state, gradient, trainable)
            return (trainable, fixed, state), None

        (trainable, fixed, state), _ = jax.lax.scan(step, (trainable, fixed, state), order)
        scores, _ = model.stateless_call(trainable, fixed, x_val, training=False)
        cost = sum(fixed[i] for i in ebops)
        return trainable, fixed, state, jnp.mean(scores.argmax(1) == y_val), cost

    trainable = [v.value for v in model.trainable_variables]
    fixed = [v.value for v in model.non_trainable_variables]
    state = [v.value for v in optimiser.variables]
    key = jax.random.PRNGKey(job["seed"])
    front, epoch = Front(), 0
    low, high = job["beta"]
    start = time.process_time()
    jax.block_until_ready(epoch_of(trainable, fixed, state, key, 0.0, low))  # compiles; what it gives is thrown away
    began, wall = time.process_time(), time.perf_counter()
    while (progress := (time.process_time() - began) / job["seconds"]) < 1:
        # a warm start at the lowest price, then a logarithmic ramp; the rate with warm restarts, as HGQ2 recommends
        beta = low * (high / low) ** max(0.0, (progress - 0.1) / 0.9)
        lr = job["learning_rate"] * rate_at(progress, job["restarts"])
        key, sub = jax.random.split(key)
        trainable, fixed, state, score, cost = epoch_of(trainable, fixed, state, sub, lr, beta)
        epoch += 1
        front.offer(float(cost), float(score), epoch, lambda t=trainable, f=fixed: (t, f))
    facts = {
        "epochs": epoch,
        "steps_per_epoch": steps,
        "training_seconds": round(time.process_time() - began, 1),
        "wall_seconds": round(time.perf_counter() - wall, 1),
        "compilation_seconds": round(began - start, 1),
    }
    return front, facts


def rate_at(progress: float, restarts: int) -> float:
    """Relative learning rate: a cosine with warm restarts, each peak 0.94 of the one before; 0: one slow cosine."""
    if restarts == 0:
        return min(1.0, progress / 0.02 + 0.05) * (0.2 + 0.4 * (1 + float(np.cos(np.pi * progress))))
    cycle, within = divmod(progress * restarts, 1.0)
    return 0.94**cycle * (0.02 + 0.49 * (1 + float(np.cos(np.pi * within))))


def compiled(model: Any, folder: Path, stage_delay: float, clock: float, part: str) -> tuple[Any, Any, dict[str, Any]]:
    """Trace with alkaid's defaults, pipeline and write; returns the circuit, the input's types and a record."""
    quantiser = model.layers[0].iq.quantizer
    k, i, f = (np.broadcast_to(np.asarray(v).astype(int), (1, model.input_shape[1])) for v in quantiser.kif)
    signal = FVArray.from_kif(k, i, f, HWConfig(1, -1, -1))
    inputs, outputs = trace_model(model, HWConfig(1, -1, -1), inputs=(signal,))
    circuit = trace(inputs, outputs)
    pipeline = to_pipeline(circuit, latency_cutoff=stage_delay, verbose=False)
    rtl = RTLModel(
        pipeline, folder, "peer_top", part_name=part, clock_period=clock, ternary_fuse=False, print_latency=False
    )
    rtl.write()
    sources = sorted(str(p.relative_to(folder)) for p in (folder / "src").rglob("*.v"))
    sources = [s for s in sources if not s.endswith("_wrapper.v")]
    record = {"cost": float(circuit.cost), "ff": int(rtl.reg_bits), "latency_cycles": int(rtl.latency)}
    return circuit, quantiser, record | {"sources": sources, "top": "peer_top"}


def main() -> None:
    """Run the job of the file given and write ``result.json`` into its folder."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder = Path(job["folder"])
    data = dict(np.load(job["train"]))
    model, front, facts = trained(job, data)
    points: list[dict[str, Any]] = []
    fixed_now: list[tuple[Path, Any, Any]] = []
    for number, (cost, score, epoch, (trainable, fixed)) in enumerate(front.chosen(*job["ebops"], job["limit"])):
        for variables, values in ((model.trainable_variables, trainable), (model.non_trainable_variables, fixed)):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        # what HGQ2's documentation asks for before a network that wraps is compiled
        traced = trace_minmax(model, np.concatenate([data["x_train"], data["x_val"]]), batch_size=8192)
        point = {"number": number, "ebops": round(float(traced)), "ebops_training": round(cost), "epoch": epoch}
        place = folder / str(number)
        try:
            circuit, quantiser, record = compiled(model, place, job["stage_delay"], job["clock_ns"], job["part"])
        except Exception as error:
            points.append(point | {"failed": f"{type(error).__name__}: {error}"[:300]})
            continue
        low, high = (np.broadcast_to(np.asarray(v), (1, model.input_shape[1])) for v in (quantiser.min, quantiser.max))
        inputs = input_rounding(quantiser, model.input_shape[1])
        own = np.asarray(model.layers[0].iq(jnp.asarray(data["x_val"]), training=False))
        if not np.array_equal(own, inputs(data["x_val"])):
            raise SystemExit("the inputs' rounding is not HGQ2's")
        low = np.minimum(low, high)  # of an input without bits, the range that it was given is empty
        wild = np.random.default_rng(0).uniform(low, high, (4000, model.input_shape[1]))
        labels, wrong = judged(model, circuit, inputs(data["x_val"]))
        _, wrong_wild = judged(model, circuit, inputs(wild))
        np.save(place / "validation.npy", labels)
        points.append(point | record | {"wrong_on_validation": wrong, "wrong_on_random": wrong_wild})
        fixed_now.append((place, circuit, inputs))
        print(f"{number}: EBOPs {traced:.0f}, validation {score:.4f}, wrong {wrong:g} and {wrong_wild:g}", flush=True)
    test = dict(np.load(job["test"]))  # every network is chosen and compiled by now
    for place, circuit, inputs in fixed_now:
        np.save(place / "test.npy", circuit.predict(inputs(test["x"]), n_threads=1).argmax(axis=1))
    (folder / "result.json").write_text(json.dumps(facts | {"points": points}, indent=1), encoding="utf-8")


def input_rounding(quantiser: Any, number: int) -> Callable[[np.ndarray], np.ndarray]:
    """What stands in front of the firmware: rounding half up and saturation to the inputs' types, as learned."""
    k, i, f = (np.broadcast_to(np.asarray(v).astype(np.float64), (1, number)).copy() for v in quantiser.kif)
    live = k + i + f > 0
    low, top = np.where(live, -k * 2.0**i, 0), np.where(live, 2.0**i - 2.0**-f, 0)

    def rounded(x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.clip(np.floor(x.astype(np.float64) * 2**f + 0.5) / 2**f, low, top))

    return rounded


def judged(model: Any, circuit: Any, inputs: np.ndarray) -> tuple[np.ndarray, float]:
    """Class that the firmware gives each event, and the share of events where it is not the network's, to the bit."""
    firmware = circuit.predict(inputs, n_threads=1)
    own = np.asarray(model(jnp.asarray(inputs, dtype=jnp.float32), training=False), dtype=np.float64)
    return firmware.argmax(axis=1), float((firmware != own).any(axis=1).mean())


if __name__ == "__main__":
    main()
