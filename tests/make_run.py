"""A finished run folder with made-up numbers, for tests of what reads run folders. No figure here was measured."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from codesign.core import records as r
from codesign.core.design import Design
from codesign.core.figures import Fidelity, Figure, Quantity
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port
from codesign.core.runfolder import RunFolder, TrialFolder
from codesign.core.targets import load_target
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.reader import read_graph
from codesign.study.definition import Study
from tests.made_up_plots import CLASSES, HOSTILE, plots

FEATURES = (*(f"feature_{i}" for i in range(14)), "multiplicity", f"<b>mass</b>{HOSTILE}")

STUDY: dict[str, Any] = {
    "name": "made-up",
    "description": "A run for tests & <i>nothing else</i>",
    "task": "jet-tagging",
    "family": "mlp",
    "flow": "alkaid",
    "target": "vu13p-360",
    "sample": {"card": "jets-13tev", "events": 25000},
    "objectives": [
        {"name": "accuracy", "direction": "maximise"},
        {"name": "lut", "direction": "minimise"},
        {"name": "latency_ns", "direction": "minimise"},
    ],
    "constraints": [{"name": "lut", "max": 6000}, {"name": "latency_ns", "max": 50}],
    "search": {"trials": 40},
}

SAMPLE: dict[str, Any] = {
    "hash": "0123456789abcdef" * 4,
    "events": 25000,
    "splits": {"train": 15000, "validation": 5000, "test": 5000},
    "feature_names": FEATURES,
    "units": ["GeV"] * len(FEATURES),
    "class_names": CLASSES,
    "provenance": {
        "generator": "Pythia 8.317",
        "clustering": "FastJet 3.5.2, anti-kT R = 0.8",
        "card": "jets-13tev",
        "seed": 1,
        "classes": {"g": 5000, "q": 5000, "W": 5000, "Z": 5000, "t": 5000},
        "cuts": "800 < pT < 1200 GeV",
    },
}
CLOCK_NS = 1e3 / 360


def design(config: dict[str, Any], seed: int = 0) -> Design:
    """A design with random weights and a real QONNX graph, as the exporter would write it."""
    rng = np.random.default_rng(seed)
    bits = config["input_bits"]
    kind = FixedPoint(signed=True, integer_bits=2, fraction_bits=bits - 3)
    n = len(FEATURES)
    quantisation = InputQuantisation(
        features=FEATURES,
        units=("GeV",) * n,
        offset=tuple(0.5 * i for i in range(n)),
        step=(0.125,) * n,
        types=(kind,) * n,
    )
    nodes, constants, last = [], [], "features"

    def constant(name: str, value: Any) -> str:
        constants.append(onnx.numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    sizes = [n, *config["widths"], len(CLASSES)]
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        top = 2 ** (config["weight_bits"][i] - 1) - 1
        weights = rng.integers(-top, top, (a, b), endpoint=True) * (rng.random((a, b)) >= config["sparsity"])
        nodes.append(helper.make_node("MatMul", [last, constant(f"w{i}", weights * 2.0**-3)], [f"m{i}"]))
        last = f"m{i}"
        if i < len(config["widths"]):
            nodes.append(helper.make_node("Relu", [last], [f"r{i}"]))
            quantiser = [f"r{i}", constant(f"s{i}", 2.0**-1), constant(f"z{i}", 0)]
            nodes.append(
                helper.make_node(
                    "Quant",
                    [*quantiser, constant(f"b{i}", config["activation_bits"][i])],
                    [f"q{i}"],
                    domain="qonnx.custom_op.general",
                    signed=0,
                    narrow=0,
                    rounding_mode="FLOOR",
                )
            )
            last = f"q{i}"
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["events", size])
        for name, size in (("features", n), (last, len(CLASSES)))
    ]
    graph = helper.make_graph(nodes, "made_up", ends[:1], ends[1:], constants)
    content = helper.make_model(graph).SerializeToString(deterministic=True)
    ranges = read_graph(content).run(Interval.of_port(quantisation.port), Intervals())
    types = tuple(
        tightest_type(float(low), float(high), float(step))
        for low, high, step in zip(ranges.low[0], ranges.high[0], ranges.step[0], strict=True)
    )
    return Design(
        onnx=content, input_quantisation=quantisation, outputs=Port(name="scores", types=types, labels=CLASSES)
    )


def _config(rng: np.random.Generator) -> dict[str, Any]:
    depth = int(rng.integers(1, 4))
    return {
        "widths": [int(v) for v in rng.choice([4, 8, 12, 16, 24, 32], depth)],
        "weight_bits": [int(v) for v in rng.integers(2, 7, depth + 1)],
        "activation_bits": [int(v) for v in rng.integers(2, 7, depth)],
        "input_bits": int(rng.integers(5, 10)),
        "sparsity": round(float(rng.uniform(0, 0.8)), 3),
    }


def _figure(quantity: Quantity, value: float, fidelity: Fidelity) -> Figure:
    tool = {
        Fidelity.ANALYTIC: ("codesign", "0.1.0"),
        Fidelity.COMPILED: ("alkaid", "0.8.2"),
        Fidelity.SYNTHESISED: ("Yosys", "0.70"),
        Fidelity.SIMULATED: ("Verilator", "5.048"),
    }[fidelity]
    return Figure.of(quantity, value, fidelity, *tool)


def _metrics(rng: np.random.Generator, cost: float, split: str) -> r.Metrics:
    accuracy = 0.60 + 0.05 * (1 - np.exp(-cost / 1500)) + rng.normal(0, 0.002)
    return r.Metrics(
        split=split,
        events=5000,
        metrics={
            "accuracy": r.Metric(value=round(float(accuracy), 5), error=0.0067),
            "auc_mean": r.Metric(value=round(float(accuracy) + 0.24, 5), error=0.0021),
        },
    )


def _trial(folder: TrialFolder, rng: np.random.Generator, state: r.State, **status: Any) -> None:
    config = _config(rng)
    folder.write("config.json", config)
    stages = {"train": float(rng.uniform(8, 20)), "compile": float(rng.uniform(1, 4))}
    if state in (r.State.COMPLETE, r.State.INFEASIBLE):
        sizes = [16, *config["widths"], 5]
        products = sum(a * b * w for a, b, w in zip(sizes, sizes[1:], config["weight_bits"], strict=False))
        lut = round(products * (1 - config["sparsity"]) * 1.1) + 120
        if state is r.State.INFEASIBLE:
            lut += 6000
            status["reason"] = f"lut is {lut}, at most 6000 allowed"
        cycles = 2 + len(config["widths"]) + int(lut > 1500)
        folder.write("metrics.json", _metrics(rng, lut, "validation"))
        figures = [
            _figure("ebops", products * 6.0, Fidelity.ANALYTIC),
            _figure("lut", lut, Fidelity.COMPILED),
            _figure("ff", lut // 2, Fidelity.COMPILED),
            _figure("latency_cycles", cycles, Fidelity.COMPILED),
            _figure("latency_ns", cycles * CLOCK_NS, Fidelity.COMPILED),
            _figure("initiation_interval", 1, Fidelity.COMPILED),
        ]
        folder.write("figures.json", r.Figures(figures=figures))
    folder.write(
        "status.json",
        r.TrialStatus(
            trial=folder.number,
            state=state,
            seed=1000 + folder.number,
            seconds=stages,
            **status,
        ),
    )
    (folder.path / "log.txt").write_text("made up\n")


def comparisons(test: r.Metrics, number: int) -> r.Comparisons:
    """Differences from the baselines, and values in replicas of the split, about those of ``test``."""
    rng = np.random.default_rng(number)
    replicas = {n: (m.value + rng.normal(0, m.error / 4, 20)).round(6).tolist() for n, m in test.metrics.items()}
    bases = {"gradient-boosted trees": 0.6451, f"a cut ({HOSTILE})": 0.6451}
    return r.Comparisons(
        split="test",
        events=test.events,
        sample=SAMPLE["hash"],
        directions=dict.fromkeys(test.metrics, "maximise"),
        replicas=replicas,
        compared=[
            r.BesideOther(
                one=f"trial {number}",
                other=name,
                metrics={
                    "accuracy": r.PairedDifference(
                        value=round(test.metrics["accuracy"].value - base, 5), error=0.004, better=0.99, replicas=400
                    )
                },
            )
            for name, base in bases.items()
        ],
    )


def promote(folder: TrialFolder, rng: np.random.Generator, exact: bool = True) -> r.FrontPoint:
    """Give a complete trial what trials on the front have."""
    config = folder.read_json("config.json") or {}
    figures = folder.read("figures.json", r.Figures)
    validation = folder.read("metrics.json", r.Metrics)
    assert figures is not None
    assert validation is not None
    by_name = {f.quantity: f.value for f in figures.figures if f.fidelity == Fidelity.COMPILED}
    test = _metrics(rng, by_name["lut"], "test")
    figures = r.Figures(
        figures=[
            *figures.figures,
            _figure("lut", round(by_name["lut"] * 0.93), Fidelity.SYNTHESISED),
            _figure("ff", round(by_name["ff"] * 1.02), Fidelity.SYNTHESISED),
            _figure("dsp", 0, Fidelity.SYNTHESISED),
            _figure("carry", round(by_name["lut"] * 0.1), Fidelity.SYNTHESISED),
            _figure("latency_cycles", by_name["latency_cycles"], Fidelity.SIMULATED),
            _figure("initiation_interval", 1, Fidelity.SIMULATED),
        ]
    )
    verified = r.Verified(
        exact=exact,
        events=1000,
        latency_cycles=int(by_name["latency_cycles"]),
        initiation_interval=1,
        compared=["Brevitas", "QONNX", "alkaid interpreter", "RTL"],
        tool="Verilator",
        version="5.048",
        first_difference=None if exact else "event 17, output 'W': RTL -3, expected -2",
    )
    folder.write("figures.json", figures)
    folder.write("test.json", test)
    folder.write("verify.json", verified)
    folder.write("plots.json", plots(rng))
    losses = np.random.default_rng(folder.number).exponential(0.01, len(FEATURES))  # of its own: draws nothing of rng
    folder.write(
        "inputs.json",
        r.InputImportance(
            metric="accuracy",
            split="test",
            events=5000,
            inputs={n: r.Metric(value=round(float(v), 5), error=0.002) for n, v in zip(FEATURES, losses, strict=True)},
        ),
    )
    made = design(config, folder.number)
    made.save(folder.path)
    shares = {
        n: r.Metric(value=round(float(v) * (-1) ** i, 5), error=0.03)
        for i, (n, v) in enumerate(zip(FEATURES, losses, strict=True))
    }
    event = r.Explained(
        place=17,
        why=f"taken for W {HOSTILE}",
        label="Z",
        output="W",
        against="Z",
        score=0.25 + sum(m.value for m in shares.values()),
        base=0.25,
        values=dict.fromkeys(FEATURES, 1.5),
        shares=shares,
    )
    folder.write("explained.json", r.Explanations(split="test", background=200, events=[event]))
    depth, cycles = len(config["widths"]) + 1, int(by_name["latency_cycles"])
    steps = [
        r.LayerCost(
            lut=by_name["lut"] * i / depth,
            ff=int(by_name["ff"] * i / depth),
            latency_cycles=max(1, cycles * i // depth),
        )
        for i in range(1, depth + 1)
    ]
    folder.write("comparisons.json", comparisons(test, folder.number))
    folder.write("layers.json", r.LayerCosts(tool="alkaid", version="0.8.2", layers=steps))
    status = folder.read("status.json", r.TrialStatus)
    assert status is not None
    folder.write("status.json", status.model_copy(update={"design": made.hash}))
    low, high = made.inputs.bounds
    np.savez(
        folder.path / "golden.npz",
        inputs=rng.integers(low, high, (64, made.inputs.size), endpoint=True, dtype=np.int64),
        outputs=rng.integers(-8, 8, (64, made.outputs.size), dtype=np.int64),
    )
    folder.firmware.mkdir(exist_ok=True)
    (folder.firmware / "model.v").write_text("module model(input clk); endmodule\n")
    return r.FrontPoint(
        trial=folder.number,
        config=config,
        metrics=test.metrics,
        validation=validation.metrics,
        figures=figures.figures,
        verified=verified,
    )


def make_run(path: Path, trials: int = 40, front: int = 6, seed: int = 1, finished: bool = True) -> RunFolder:
    """Write a run: complete, infeasible and failed trials (one with HTML in its reason), and a front of about ``front``
    points, the last of which failed its verification. ``finished=False`` leaves out the front, and one trial runs."""
    rng = np.random.default_rng(seed)
    run = RunFolder(path)
    path.mkdir(parents=True, exist_ok=True)
    (path / "study.yaml").write_text(Study.model_validate(STUDY).to_yaml())
    run.write("sample.json", SAMPLE)
    run.write("target.json", load_target("vu13p-360"))
    baseline = {"accuracy": r.Metric(value=0.6451, error=0.0036), "auc_mean": r.Metric(value=0.8811, error=0.002)}
    dumped = {name: metric.model_dump() for name, metric in baseline.items()}
    cut = {"name": f"a cut ({HOSTILE})", "metrics": {"accuracy": dumped["accuracy"]}, "validation": {}}
    run.write(
        "baseline.json", {"name": "gradient-boosted trees", "metrics": dumped, "validation": dumped, "others": [cut]}
    )
    complete = []
    for number in range(trials):
        folder = run.trial(number)
        if number % 10 == 3:
            _trial(folder, rng, r.State.FAILED, stage="compile", reason=f"layer 2: rounding mode {HOSTILE} is refused")
        elif number % 10 == 7:
            _trial(folder, rng, r.State.FAILED, stage="train", reason=f"the loss is not finite in epoch {number % 4}")
        elif number % 10 == 5:
            _trial(folder, rng, r.State.INFEASIBLE)
        elif not finished and number == trials - 1:
            _trial(folder, rng, r.State.RUNNING, stage="train")
        else:
            _trial(folder, rng, r.State.COMPLETE)
            complete.append(folder)
    if finished:
        best = _best(complete)
        spread = sorted({round(i * (len(best) - 1) / max(1, front - 1)) for i in range(min(front, len(best)))})
        points = [promote(best[i], rng, exact=i != spread[-1]) for i in spread]
        objectives = [
            r.Objective(name="accuracy", direction="maximise"),
            r.Objective(name="lut", direction="minimise", fidelity="compiled"),
            r.Objective(name="latency_ns", direction="minimise", fidelity="compiled"),
        ]
        run.write("front.json", r.Front(study="made-up", objectives=objectives, points=points, baseline=baseline))
    return run


def _best(folders: list[TrialFolder]) -> list[TrialFolder]:
    """The trials that no other one beats in accuracy and LUT, by LUT."""
    scored = []
    for folder in folders:
        metrics, figures = folder.read("metrics.json", r.Metrics), folder.read("figures.json", r.Figures)
        assert metrics is not None
        assert figures is not None
        lut = next(f.value for f in figures.figures if f.quantity == "lut")
        scored.append((lut, -metrics.metrics["accuracy"].value, folder))
    scored.sort(key=lambda s: s[:2])
    best: list[tuple[float, float, TrialFolder]] = []
    for item in scored:
        if not best or item[1] < best[-1][1]:
            best.append(item)
    return [folder for _, _, folder in best]
