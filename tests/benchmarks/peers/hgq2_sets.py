"""HGQ2's JEDI-linear in HGQ2's own environment: ``python hgq2_sets.py JOB.json``.

The network is that of the checkpoints which HGQ2's authors publish for constituents (arXiv:2508.15468; calad0i/hgq-ae):
``x W``, to which ``mean(x) W'`` is added, another layer, the sum of all items, and dense layers, each with its
normalisation folded into its weights. ``shared`` gives all items the same input types (the permutation invariant
variant), which a folded design needs; without it every item of the input has types of its own, as in the checkpoints.

Trained, kept, chosen and compiled as :mod:`hgq2_training` does; each network is also saved as a Keras file, and its
circuit for alkaid's interpreter. Sees no test jet, and imports nothing of codesign.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # a script that is started in isolation does not see its own folder

import numpy as np
from hgq2_training import judged, optimised  # sets Keras' backend before anything loads it

# isort: split
import keras
from alkaid.codegen import RTLModel
from alkaid.converter import trace_model
from alkaid.trace import FVArray, HWConfig, to_pipeline, trace
from hgq.config import LayerConfigScope, QuantizerConfig, QuantizerConfigScope
from hgq.layers import QAdd, QEinsumDenseBatchnorm, QSum
from hgq.utils import trace_minmax
from jax import numpy as jnp


def network(items: int, fields: int, width: int, tail: int, outputs: int, shared: bool) -> Any:
    """JEDI-linear of (items, fields); ``tail`` dense layers behind the sum, then the scores."""
    dense = {"equation": "bnc,cC->bnC", "bias_axes": "C", "activation": "relu"}
    alike = {"heterogeneous_axis": (-1,), "homogeneous_axis": None}
    own = alike if shared else {"homogeneous_axis": (0,)}
    with (
        QuantizerConfigScope(q_type="kbi", place="weight", overflow_mode="SAT_SYM", b0=6, i0=0),
        QuantizerConfigScope(q_type="kbi", place="bias", overflow_mode="SAT_SYM", b0=6, i0=0),
        QuantizerConfigScope(q_type="kif", place="datalane", overflow_mode="WRAP", i0=2, f0=5, **alike),
        LayerConfigScope(enable_ebops=True, beta0=1e-8),
    ):
        first = QuantizerConfig("kif", "datalane", overflow_mode="SAT", round_mode="RND", i0=2, f0=5, **own)
        seen = keras.layers.Input((items, fields))
        x = QEinsumDenseBatchnorm(output_shape=(items, width), iq_conf=first, **dense)(seen)
        mean = QSum(axes=(1,), scale=2.0 ** -round(np.log2(items)), keepdims=True)(x)
        of_mean = QEinsumDenseBatchnorm(output_shape=(1, width), **dense)(mean)
        x = QAdd()([QEinsumDenseBatchnorm(output_shape=(items, width), **dense)(x), of_mean])
        x = QEinsumDenseBatchnorm(output_shape=(items, width), **dense)(x)
        x = QSum(axes=(1,), scale=2.0 ** -(round(np.log2(items)) - 1), keepdims=False)(x)
        behind = dense | {"equation": "bc,cC->bC"}
        for _ in range(tail):
            x = QEinsumDenseBatchnorm(output_shape=(width,), **behind)(x)
        scores = QEinsumDenseBatchnorm(output_shape=(outputs,), **(behind | {"activation": None}))(x)
        return keras.Model(seen, scores)


def types_of(quantiser: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sign, integer and fraction bits of each input, of this shape."""
    found = [np.broadcast_to(np.asarray(v).astype(int), (1, *shape))[0] for v in quantiser.kif]
    return found[0], found[1], found[2]


def rounded(x: np.ndarray, types: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """What stands in front of the firmware: rounding half up and saturation to the inputs' types, as learned."""
    k, i, f = (t.astype(np.float64) for t in types)
    live = k + i + f > 0
    low, top = np.where(live, -k * 2.0**i, 0), np.where(live, 2.0**i - 2.0**-f, 0)
    return np.ascontiguousarray(np.clip(np.floor(x.astype(np.float64) * 2**f + 0.5) / 2**f, low, top))


def main() -> None:
    """Run the job of the file given and write ``result.json`` into its folder."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder, data = Path(job["folder"]), dict(np.load(job["train"]))
    keras.utils.set_random_seed(job["seed"])
    shape = data["x_train"].shape[1:]
    model = network(*shape, job["width"], job["tail"], int(data["y_train"].max()) + 1, job["shared"])
    front, facts = optimised(model, job, data)
    facts["front"] = [[round(cost), round(score, 4)] for cost, score, _, _ in front.points]
    chosen = front.chosen(*job["ebops"], job["limit"])
    both, points = np.concatenate([data["x_train"], data["x_val"]]), []
    quantiser = model.layers[1].iq.quantizer
    for number, (cost, score, epoch, (trainable, fixed)) in enumerate(chosen):
        for variables, values in ((model.trainable_variables, trainable), (model.non_trainable_variables, fixed)):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        traced = trace_minmax(model, both, batch_size=4096)
        point = {"number": number, "ebops": round(float(traced)), "ebops_training": round(cost), "epoch": epoch}
        place, types = folder / str(number), types_of(quantiser, shape)
        try:
            signal = FVArray.from_kif(*(t[None] for t in types), HWConfig(1, -1, -1))
            circuit = trace(*trace_model(model, HWConfig(1, -1, -1), inputs=(signal,)))
            pipeline = to_pipeline(circuit, latency_cutoff=job["stage_delay"], verbose=False)
            rtl = RTLModel(
                pipeline, place, "peer_top", part_name=job["part"], clock_period=job["clock_ns"], ternary_fuse=False,
                print_latency=False,
            )  # fmt: skip
            rtl.write()
        except Exception as error:
            points.append(point | {"failed": f"{type(error).__name__}: {error}"[:300]})
            continue
        sources = sorted(str(p.relative_to(place)) for p in (place / "src").rglob("*.v"))
        point["sources"] = [s for s in sources if not s.endswith("_wrapper.v")]
        point |= {"cost": float(circuit.cost), "latency_cycles": int(rtl.latency)}
        own = np.asarray(model.layers[1].iq(jnp.asarray(data["x_val"][:2000]), training=False))
        if not np.array_equal(own, rounded(data["x_val"][:2000], types)):
            raise SystemExit("the inputs' rounding is not HGQ2's")
        labels, wrong = judged(model, circuit, rounded(data["x_val"], types))
        np.savez(place / "types.npz", k=types[0], i=types[1], f=types[2], validation=labels.astype(np.uint8))
        circuit.save(place / "program.json")
        model.save(place / "network.keras")
        points.append(point | {"validation_in_training": score, "wrong_on_validation": wrong})
        print(f"{number}: EBOPs {traced:.0f}, LUT {circuit.cost:.0f}, validation {score:.4f}, wrong {wrong:g}")
    (folder / "result.json").write_text(json.dumps(facts | {"points": points}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
