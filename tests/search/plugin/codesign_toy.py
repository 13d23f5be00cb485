"""A task, a family and a flow as a user's own package would bring them, and doubles for evaluating and proving."""

import importlib
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from codesign.core.availability import Availability
from codesign.core.errors import CodesignError
from codesign.core.figures import Fidelity, Figure
from codesign.core.records import Figures, Metric, Metrics, Verified
from codesign.core.space import Dimension, Fixed, FloatDimension, IntDimension
from codesign.core.targets import load_target
from codesign.data.sample import Sample
from codesign.families.base import Candidate, Family
from codesign.flows.base import Flow
from codesign.flows.expected import with_expected
from codesign.pipeline.base import Pipeline
from codesign.tasks.base import Problem, Task
from codesign.tasks.heads import Head, LossObjective


def _stillborn(times):
    """Kill the worker that imports this, so many times in all: before it has drawn or begun anything."""
    log = Path(os.environ["TOY_DEATHS"])
    with log.open("a") as stream:
        stream.write("x")
    if log.stat().st_size <= times:
        os.kill(os.getpid(), signal.SIGKILL)


_WATCHED = "TOY_STAGES" in os.environ
if _WATCHED and multiprocessing.parent_process() is not None:
    import toy_stages  # on the path of the harness alone

    toy_stages.reached("worker start-up")
    toy_stages.watch_worker()

if "stillborn" in os.environ.get("TOY", "") and multiprocessing.parent_process() is not None:
    _stillborn(3)


class ToyTask(Task):
    name = "toy"

    def open(self, settings, seed, progress=None):
        return ToyProblem(settings, seed, progress)


class ToyProblem(Problem):
    def __init__(self, chosen, seed, progress=None):
        self.metrics = {"accuracy": "maximise", "auc": "maximise"}
        self.chosen, self.seed, self.progress = chosen, seed, progress

    @cached_property
    def sample(self):
        events = int(self.chosen.get("events", 100))
        if self.progress is not None:
            self.progress(events, events)
        x = np.random.default_rng(int(self.chosen.get("seed", self.seed))).normal(size=(events, 2)).astype(np.float32)
        return Sample(x, (x[:, 0] > 0).astype(np.int64), ("a", "b"), ("GeV", ""), ("no", "yes"), provenance={"toy": 1})

    def heads(self, sample):
        return (Head("classes", sample.class_names, LossObjective("cross-entropy")),)

    def judge(self, scores, part, points):
        return {"accuracy": Metric(value=float(((scores[:, 0] > 0) == part.y).mean()), error=0.01)}

    def target(self, part):
        return {"classes": part.y}

    def plots(self, scores, part, baselines, points):
        return []

    def baselines(self, train, seed):
        if _WATCHED:
            toy_stages.reached("worker baseline")
        return [ToyBaseline("first feature", 0), ToyBaseline("second feature", 1)]


@dataclass
class ToyBaseline:
    name: str
    column: int

    def __call__(self, part):
        return part.x[:, self.column : self.column + 1].astype(np.float64)


class ToySpace(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    width: IntDimension
    sparsity: FloatDimension


class ToyConfig(Candidate):
    width: int
    sparsity: float

    def input_width(self):
        return 8

    def cost(self, inputs, outputs):
        return 1.0


class ToyFamily(Family):
    name = "toy"
    space = ToySpace
    config = ToyConfig

    def suggest(self, space, choose):
        return ToyConfig(width=choose("width", space.width), sparsity=choose("sparsity", space.sparsity))

    def fit(self, candidate, lesson, budget, seed, device="cpu", progress=None):
        raise AssertionError("nothing is trained")

    def pick(self, files, candidate, lesson):
        raise AssertionError("nothing is trained")

    def load(self, files, candidate, design):
        raise AssertionError("nothing is trained")


class ToyFlowSpace(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    reuse: Dimension = Fixed(None)


class ToyFlowSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    reuse: int | None = None


class ToyFlow(Flow):
    name = "toy"
    quantities = ("lut", "latency_ns", "latency_cycles")
    space = ToyFlowSpace
    settings = ToyFlowSettings

    def suggest(self, space, choose):
        return ToyFlowSettings(reuse=choose("reuse", space.reuse))

    def available(self):
        return Availability(True, "a double")

    def compile(self, design, target, folder, settings=None, probe=None):
        raise AssertionError("nothing is compiled")

    def load(self, design, target, folder):
        raise AssertionError("nothing is compiled")

    def figures(self, firmware):
        return []

    def predict(self, firmware, codes):
        raise AssertionError("nothing is compiled")


@dataclass
class Result:
    metrics: dict
    figures: list
    seconds: dict = field(default_factory=lambda: {"training": 0.0})
    design_hash: str | None = "abc"
    notes: list = field(default_factory=list)


def evaluate(study, config, folder, seed, train, validation, stage, settings=None):
    """Accuracy rises with the width, and with luck; so do the LUTs."""
    run = folder.path.parent.parent
    assert not (run / "parts" / "test.npz").exists(), "the search can see the test split"
    assert (train.name, validation.name) == ("train", "validation")
    stage("training")
    behaviour = os.environ.get("TOY", "")
    if _WATCHED:
        toy_stages.wait_for_turn()
        toy_stages.reached("worker evaluation", folder.number)
    if "slow" in behaviour:
        time.sleep(0.15)
    if "suicide" in behaviour and config.width == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    if "once" in behaviour and not (run / "died").exists():
        (run / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if "hang" in behaviour and folder.number == int(behaviour.partition("hang-")[2] or 3):
        (run / "hanging").write_text(str(os.getpid()))
        time.sleep(600)
    if "waits" in behaviour and folder.number >= int(behaviour.partition("waits-")[2]):
        while not (run / "go").exists():
            time.sleep(0.02)
    if "fails" in behaviour and config.width % 4 == 0:
        raise CodesignError("not exact on event 3")
    if "lacks" in behaviour and config.width % 2:
        importlib.import_module("toy_optimizer")
    if "bug" in behaviour and config.width % 4 == 1:
        raise ZeroDivisionError("a bug of this candidate")
    luck = np.random.default_rng(seed).normal(scale=0.01)
    metrics = {"accuracy": Metric(value=float(1 - 1 / (1 + config.width) - config.sparsity**2 + luck), error=0.01)}
    lut = Figure.of("lut", round(100 * config.width * (1 - config.sparsity)), Fidelity.COMPILED, "toy", "1")
    figures = [
        *with_expected([lut], load_target(study.target).family),
        Figure.of("latency_ns", 10, Fidelity.COMPILED, "toy", "1"),
    ]
    folder.write("metrics.json", Metrics(split="validation", events=len(validation), metrics=metrics))
    folder.write("figures.json", Figures(figures=figures))
    return Result(metrics, figures)


def prove(study, folder, sample, seed, stage):
    """Judge on the test split; a verdict by the width, where wanted."""
    stage("test")
    if _WATCHED:
        toy_stages.reached("worker proof", folder.number)
    behaviour = os.environ.get("TOY", "")
    config = folder.read_json("config.json")
    with Path(folder.path.parent.parent / "proofs.txt").open("a") as log:
        log.write(f"{folder.number}\n")
    if "prove-dies" in behaviour:
        os.kill(os.getpid(), signal.SIGKILL)
    if "prove-breaks" in behaviour:
        raise OSError("no space left")
    metrics = {"accuracy": Metric(value=0.5, error=0.02)}
    folder.write("test.json", Metrics(split="test", events=len(sample.labels) // 5, metrics=metrics))
    exact = not ("inexact" in behaviour and config["width"] % 2)
    folder.write(
        "verify.json", Verified(exact=exact, events=1000, first_difference=None if exact else "event 5: 3, not 4")
    )


def measure(study, folder, fidelity, stage):
    """What Yosys and nextpnr would find: of a large sparsity less than the compiler thought, of some widths nothing."""
    stage(f"measuring {fidelity}")
    behaviour = os.environ.get("TOY", "")
    config = folder.read_json("config.json")
    with Path(folder.path.parent.parent / "measured.txt").open("a") as log:
        log.write(f"{folder.number} {fidelity}\n")
    if "measure-dies" in behaviour and folder.number % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if "unroutable" in behaviour and fidelity == Fidelity.PLACED and config["width"] % 2:
        raise CodesignError("nextpnr-ecp5: the design does not route")
    found = folder.read("figures.json", Figures).figures
    lut = next(f.value for f in found if f.quantity == "lut" and f.fidelity == Fidelity.COMPILED)
    new = [Figure.of("lut", round(lut * (1.5 - config["sparsity"] / 2)), fidelity, "toy-tool", "1")]
    if fidelity == Fidelity.PLACED:
        new.append(Figure.of("fmax", 60, fidelity, "toy-tool", "1"))
    folder.write("figures.json", Figures(figures=[*found, *new]))


class ToyPipeline(Pipeline):
    """The three above."""

    def evaluate(self, *arguments, **more):
        return evaluate(*arguments, **more)

    def prove(self, *arguments, **more):
        prove(*arguments, **more)

    def measure(self, *arguments, **more):
        measure(*arguments, **more)
