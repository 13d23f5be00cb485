"""FINNAS's way of searching beside ours, for equal processor time on one core: candidates per hour, and their fronts.

FINNAS (arXiv 2609.16367) evolves fully connected networks of 2 to 6 layers of 8 to 320 neurons and one bit width for
the whole net, trains each for 16 epochs and scores it with FINN's estimate. It is not run itself: its way is gone here
with this package's parts, which are its space (``search/finnas.yaml``), NSGA-II with a constraint, our fused training
and our flow ``finn``. What the estimate says is too large is not trained, and costs that side only the estimate.

What counts as a candidate, on either side: trained (of ours: a network that a training passed through), exported,
compiled by its flow, which tries random and extreme inputs, and equal in Brevitas, QONNX and the flow's own model on
:data:`GATE` events of validation. Nothing else counts. The processor time is that of this process and of all its
children, FINN's among them; what is synthesised afterwards is the front of each side, and is in no rate.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import psutil
import torch
from numpy.typing import NDArray
from pydantic import BaseModel

from codesign.core import plugins
from codesign.core.errors import CodesignError, ToolError
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.targets import Target
from codesign.core.validation import validate
from codesign.families.base import Family
from codesign.families.learned.config import LearnedMLPConfig
from codesign.families.learned.learned_front import checkpoints
from codesign.families.mlp.config import MLPConfig
from codesign.flows.base import Flow
from codesign.flows.finn.client import shared_client
from codesign.flows.finn.environment import environment
from codesign.flows.finn.flow import FinnSettings
from codesign.rtl.firmware import Firmware
from codesign.search.distributions import choose
from codesign.search.seeds import seed_parameters
from codesign.study.definition import load_study
from codesign.training import export
from codesign.training.lesson import Subject
from codesign.training.loop import train
from tests.benchmarks.peers.fronts import Side, compare, spread
from tests.benchmarks.peers.sides import Data, recorded

__all__ = ("comparison",)

PUBLISHED_PER_HOUR = 83
#: events of validation on which Brevitas, QONNX and the flow's model must agree, beside the flow's own trials
GATE = 1000
#: clock cycles between two events that FINN's folding aims at; its layers take 1/16 of the multipliers then
INTERVAL = 16
#: of ours: the published layout of this task, as for HGQ2, and how many networks of one training are kept
WIDTHS, STARTS, KEPT, EBOPS = (64, 32, 32), 3, 100, (60.0, 4000.0)
#: networks of each front that are synthesised
FINALISTS = 5
#: processor time of one of our trainings, as a share of all
ROUND = 0.25


@dataclass
class Candidate:
    """One that came through, with ``cost`` in LUT by its tool's estimate."""

    firmware: Firmware
    quantisation: InputQuantisation
    cost: float
    validation: float
    what: dict[str, Any]


class Clock:
    """Processor seconds of this process, of its children that ended, and of those that are warm; and wall clock."""

    def __init__(self, warm: list[int]) -> None:
        self._warm = warm
        self._cpu, self._wall = self._now(), time.perf_counter()

    def _now(self) -> float:
        found = sum(os.times()[:4])
        for pid in self._warm:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += sum(psutil.Process(pid).cpu_times()[:2])
        return found

    @property
    def spent(self) -> float:
        """Processor seconds since the clock was made."""
        return self._now() - self._cpu

    @property
    def wall(self) -> float:
        """Wall-clock seconds since then."""
        return time.perf_counter() - self._wall


@contextlib.contextmanager
def estimator(target: Target) -> Iterator[tuple[Any, int]]:
    """FINN's estimate of a layout, ``ask(config)`` in LUT, from a process that stays warm; and its process id."""
    script = Path(__file__).with_name("finn_luts.py")
    with subprocess.Popen(
        [sys.executable, "-P", script],
        env={**os.environ, **environment()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:

        def ask(config: MLPConfig, inputs: int, outputs: int) -> float:
            job = {"sizes": [inputs, *config.widths, outputs], "bits": config.weight_bits[0]}
            job |= {"input_bits": config.input_bits, "part": target.part.lower(), "initiation_interval": INTERVAL}
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            if "failed" in answer:
                raise ToolError(f"FINN's estimate: {answer['failed']}")
            return float(answer["lut"])

        yield ask, process.pid
        assert process.stdin is not None
        process.stdin.close()


def gated(
    network: Any,
    quantisation: InputQuantisation,
    data: Data,
    flow: Any,
    target: Target,
    folder: Path,
    settings: BaseModel | None = None,
) -> tuple[Firmware, float]:
    """Export, compile and prove a trained network; its firmware and its accuracy on validation. CodesignError if not.

    The accuracy is that of Brevitas' integers, which the firmware's must equal on :data:`GATE` events.
    """
    design = export.export(network, quantisation, data.class_names)
    part = data.parts["validation"]
    codes = quantisation.codes(part.x)
    firmware: Firmware = flow.compile(design, target, folder, settings, codes[:GATE])
    own = export.brevitas_codes(network, design, codes)
    for name, found in (
        ("QONNX", export.qonnx_codes(design, codes[:GATE])),
        (flow.name, flow.predict(firmware, codes[:GATE])),
    ):
        if not np.array_equal(found, own[:GATE]):
            raise ToolError(f"not exact: {name} differs from Brevitas")
    return firmware, float((design.outputs.values(own).argmax(axis=1) == part.y).mean())


def evolved(
    data: Data, seed: int, seconds: float, target: Target, work: Path
) -> tuple[list[Candidate], dict[str, Any]]:
    """FINNAS's way for ``seconds`` of processor time: the candidates, and what was spent and refused."""
    study = load_study("finnas")
    family, flow = plugins.load(Family, study.family), plugins.load(Flow, "finn")
    space: BaseModel = validate(family.space, study.space, "space")
    most = next(c.max for c in study.constraints if c.name == "lut")
    assert most is not None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.NSGAIISampler(population_size=study.search.population, seed=seed)
    search = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for seed in study.search.seeds:
        parameters = seed_parameters(seed, family, space, flow, flow.space(), study.name)
        search.enqueue_trial(parameters)
    train_part, names = data.parts["train"], (data.base.features, data.base.units)
    sizes = len(data.base.features), len(data.class_names)
    found: list[Candidate] = []
    refused, failed = 0, []
    with estimator(target) as (estimate, pid):
        estimate(MLPConfig(widths=(8,), weight_bits=(4, 4), activation_bits=(4,), input_bits=8), *sizes)
        _warm_finn(flow, data, target, work / "warm")
        clock = Clock([pid, shared_client().pid or 0])
        while clock.spent < seconds:
            trial = search.ask()
            config = family.suggest(space, choose(trial))
            lut = estimate(config, *sizes)
            trial.set_constraint("lut", lut - most)
            if lut > most:
                refused += 1
                search.tell(trial, (0.0, lut))  # the constraint alone ranks it
                continue
            quantisation = InputQuantisation.fit(train_part.x, *names, config.input_bits)
            torch.manual_seed(seed + trial.number)
            network = family.build(config, Subject.of_sizes(*sizes))
            x = quantisation.port.values(quantisation.codes(train_part.x))
            how = study.training.model_dump() | {"sparsity": config.sparsity, "seed": seed + trial.number}
            train(network, x, train_part.y, torch.nn.functional.cross_entropy, **how)
            try:
                settings = FinnSettings(initiation_interval=INTERVAL)
                folder = work / str(trial.number)
                firmware, accuracy = gated(network.eval(), quantisation, data, flow, target, folder, settings)
            except CodesignError as error:
                failed.append(str(error)[:200])
                search.tell(trial, state=optuna.trial.TrialState.FAIL)
                continue
            search.tell(trial, (accuracy, lut))
            what = {"widths": list(config.widths), "bits": config.weight_bits[0]}
            found.append(Candidate(firmware, quantisation, lut, accuracy, what))
        spent, wall = clock.spent, clock.wall
    facts = _rates(len(found), spent, wall) | {"refused_by_estimate_untrained": refused, "failed": failed}
    return found, facts


def _warm_finn(flow: Any, data: Data, target: Target, folder: Path) -> None:
    """FINN's process started, so that its imports are in no rate; a dozen neurons, untrained."""
    config = MLPConfig(widths=(8,), weight_bits=(4, 4), activation_bits=(4,), input_bits=8)
    quantisation = InputQuantisation.fit(data.parts["train"].x, data.base.features, data.base.units, 8)
    network = plugins.load(Family, "mlp").build(
        config, Subject.of_sizes(len(data.base.features), len(data.class_names))
    )
    x = quantisation.port.values(quantisation.codes(data.parts["train"].x[:2000]))
    network.calibrate(torch.as_tensor(x.astype(np.float32)))
    network.fold()
    gated(network.eval(), quantisation, data, flow, target, folder, FinnSettings(initiation_interval=INTERVAL))


def walked(data: Data, seed: int, seconds: float, target: Target, work: Path) -> tuple[list[Candidate], dict[str, Any]]:
    """Our way for ``seconds`` of processor time: trainings whose checkpoints are the candidates, through alkaid."""
    flow, config = plugins.load(Flow, "alkaid"), LearnedMLPConfig(widths=WIDTHS)
    x = {name: data.values(name) for name in ("train", "validation")}

    def front(epochs: int, which: int) -> list[Any]:
        y = {name: data.parts[name].y for name in x}
        loss = torch.nn.functional.cross_entropy
        return checkpoints(
            config, x["train"], y["train"], x["validation"], y["validation"], loss, outputs=len(data.class_names),
            epochs=epochs, seed=seed + 1000 * which, limit=KEPT, starts=STARTS if epochs > 100 else 1,
        )  # fmt: skip

    front(2, 0)  # compiles the loops, as FINN's process was warm
    found: list[Candidate] = []
    failed, trainings = [], 0
    clock = Clock([])
    front(20, 0)
    epoch = clock.spent / 20
    while clock.spent + ROUND * seconds < seconds:
        made = front(max(101, int(ROUND * seconds / epoch)), trainings)
        trainings += 1
        made = [c for c in made if EBOPS[0] <= c.ebops <= EBOPS[1]]
        # from coarse to fine, so that wherever the time ends, the front is covered
        for place in sorted(range(len(made)), key=lambda i: f"{i:010b}"[::-1]):
            if clock.spent >= seconds:
                break
            network, folder = made[place].network, work / f"{trainings}-{place}"
            quantisation = network.input_quantisation(data.base)
            try:
                firmware, accuracy = gated(network, quantisation, data, flow, target, folder)
            except CodesignError as error:
                failed.append(str(error)[:200])
                continue
            what = {"ebops": round(made[place].ebops), "epoch": made[place].epoch}
            found.append(Candidate(firmware, quantisation, float(firmware.extra["lut"]), accuracy, what))
    facts = _rates(len(found), clock.spent, clock.wall) | {"trainings": trainings, "failed": failed}
    return found, facts


def _rates(number: int, spent: float, wall: float) -> dict[str, Any]:
    """Candidates per hour of processor time, one core."""
    rate = number / spent * 3600
    return {
        "candidates": number,
        "processor_seconds": round(spent, 1),
        "wall_seconds": round(wall, 1),
        "candidates_per_hour": round(rate, 1),
        "over_published": round(rate / PUBLISHED_PER_HOUR, 2),
    }


def finalists(candidates: list[Candidate], flow: Any, data: Data) -> list[dict[str, Any]]:
    """:data:`FINALISTS` or fewer of the front in (estimate, validation), with what each gets right on test."""
    points = []
    test = data.parts["test"]
    for number in spread([c.cost for c in candidates], [c.validation for c in candidates], FINALISTS):
        candidate = candidates[number]
        design = candidate.firmware.design
        codes = candidate.quantisation.codes(test.x)
        right: NDArray[np.bool_] = (
            design.outputs.values(flow.predict(candidate.firmware, codes)).argmax(axis=1) == test.y
        )
        cycles = next(f.value for f in flow.figures(candidate.firmware) if f.quantity == "latency_cycles")
        point = candidate.what | {"number": number, "cost": candidate.cost, "latency_cycles": cycles}
        point |= {"firmware": candidate.firmware, "validation": candidate.validation, "test_right": right}
        points.append(point)
    return points


def comparison(
    data: Data,
    seed: int,
    seconds: float,
    target: Target,
    work: Path,
    measured: Callable[[dict[str, Any], Any], list[dict[str, Any]]],
) -> dict[str, Any]:
    """Both ways for ``seconds`` of processor time each, how their fronts compare once they are ``measured``."""
    found: dict[str, Any] = {
        "space": "2-6 layers of 8-320, one width of 2-8 bits, 16 epochs; ours: 64-32-32 with learned widths",
        "folding": f"FINN's for {INTERVAL} cycles an event; ours takes one every cycle",
        "lut_in_search": "FINN's estimate of its HLS layers; ours: alkaid's cost",
        "lut_in_comparison": "Yosys' of the RTL; FINN's multipliers are DSP slices there, which count as nothing",
        "candidates_per_hour_published": PUBLISHED_PER_HOUR,
        "seed": seed,
        "seconds": seconds,
    }
    sides = {}
    for name, search, flow in (
        ("finnas", evolved, plugins.load(Flow, "finn")),
        ("codesign", walked, plugins.load(Flow, "alkaid")),
    ):
        candidates, facts = search(data, seed, seconds, target, work / name)
        print(f"{name:8} {facts['candidates']} candidates, {facts['candidates_per_hour']:g} an hour", flush=True)
        side = facts | {"points": finalists(candidates, flow, data)}
        good = measured(side, flow.synthesise)
        if not good:
            raise SystemExit(f"{name} has no finalist that was synthesised: give it more --search-seconds")
        right = np.array([p["test_right"] for p in good])
        sides[name] = Side([p["lut"] for p in good], [p["validation"] for p in good], right)
        found[name] = recorded(side)
        for p in good:
            line = f"LUT {p['lut']:5.0f}  DSP {p['dsp']:4.0f}  validation {p['validation']:.4f}  test {p['test']:.4f}"
            print(f"{name:8} {line}", flush=True)
    chance = float(np.bincount(data.parts["test"].y).max() / len(data.parts["test"].y))
    rates = [found[name]["candidates_per_hour"] for name in ("codesign", "finnas")]
    found["candidates_per_hour_ratio"] = round(rates[0] / rates[1], 2)
    return found | {"comparison": compare(sides["codesign"], sides["finnas"], chance, "finnas")}
