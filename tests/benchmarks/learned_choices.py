"""``python -m tests.benchmarks.learned_choices``: what helps in learned precision, each choice at equal processor time.

The reference is the default of ``mlp-learned`` (a width for each weight, price of a bit rising from 1e-5 to 3e-3). Each
other choice changes one thing. What is trained beside the network (float weights to start from, a float teacher) costs
epochs of the network's own, as many as it takes processor time. Networks are picked on the validation split, at budgets
of LUT (the compiler's cost) and of EBOPs, and by hypervolume; a choice is judged by its difference to the default with
the same seed. The test split decides nothing. Writes ``choices`` into ``reports/reference/learned.json``.

What was trained stays in ``--work``, and the same command goes on there; with ``--most`` it ends after so many.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from math import log
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from codesign.families.learned.config import LearnedMLPConfig
from codesign.families.learned.learned_front import Checkpoint, accuracy, checkpoints
from codesign.families.learned.network import LearnedMLP
from tests.benchmarks.learned_front import BUDGETS, LOSS, ROOT, Bench, at_budgets

WIDTHS = (64, 32, 32)
BATCH = 1024
#: costs between which the hypervolume is taken, and networks compiled of each front
RANGE, LIMIT = (100.0, 5000.0), 12


@dataclass(frozen=True)
class Choice:
    """One way to train, in what it differs from the default.

    ``share`` of the processor time goes into a float network, which gives the weights to ``start`` from, or with
    ``alpha`` soft targets at ``temperature``: loss = (1 - alpha) cross entropy + alpha T^2 KL(teacher, network).
    ``prices``: trainings with a constant price each, that share the epochs and make one front.
    """

    config: dict[str, Any] = field(default_factory=dict)
    warm: float = 0.1
    share: float = 0.0
    start: bool = False
    alpha: float = 0.0
    temperature: float = 1.0
    prices: tuple[float, ...] = ()


CHOICES = {
    "default": Choice(),
    "granularity channel": Choice({"granularity": "channel"}),
    "granularity tensor": Choice({"granularity": "tensor"}),
    "price constant, four trainings": Choice({"beta_low": None}, prices=(1e-4, 3e-4, 1e-3, 3e-3)),
    "price to 1e-3": Choice({"beta_high": 1e-3}),
    "price to 1e-2": Choice({"beta_high": 1e-2}),
    "wide start": Choice({"fraction_bits": 8}, warm=0.3),
    "float start": Choice(share=0.2, start=True),
    "distilled, alpha 0.5, temperature 2": Choice(share=0.1, alpha=0.5, temperature=2.0),
    "distilled, alpha 0.9, temperature 4": Choice(share=0.1, alpha=0.9, temperature=4.0),
    "float start, distilled": Choice(share=0.2, start=True, alpha=0.5, temperature=2.0),
}


class Trainer:
    """Trains a choice on the bench's sample."""

    def __init__(self, bench: Bench, epochs: int) -> None:
        self.bench, self.epochs = bench, epochs
        self.base = bench.inputs(12)
        self.x, self.x_val = (bench.values(self.base, p).astype(np.float32) for p in (bench.train, bench.val))
        self.y, self.y_val = bench.train.y, bench.val.y
        self.outputs = len(bench.sample.class_names)

    def ratio(self) -> float:
        """Processor time of an epoch of the float network, judging included, over that of the learned one."""

        def seconds(run: Callable[[int], Any]) -> float:
            run(2)  # compiles loops
            start = [time.process_time()]
            for epochs in (5, 25):
                run(epochs)
                start.append(time.process_time())
            return start[2] - 2 * start[1] + start[0]

        learned = partial(self.learned, 0, Choice(), self.y, LOSS, None)
        own = [seconds(lambda n: self.floats(0, n)) / seconds(learned) for _ in range(3)]
        return sorted(own)[1]

    def floats(self, seed: int, epochs: int) -> nn.Sequential:
        """A float network of the same sizes, as it was after its best epoch on validation."""
        torch.manual_seed(seed)
        sizes = (self.x.shape[1], *WIDTHS, self.outputs)
        network = nn.Sequential(*[m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())][:-1])
        x, y, x_val, y_val = (torch.as_tensor(a) for a in (self.x, self.y, self.x_val, self.y_val))
        steps = len(x) // BATCH
        optimiser = torch.optim.Adam(network.parameters(), lr=5e-3, fused=True)
        rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=epochs * steps)
        best, state = -1.0, deepcopy(network.state_dict())
        for _ in range(epochs):
            for index in torch.randperm(len(x))[: steps * BATCH].view(steps, BATCH):
                optimiser.zero_grad(set_to_none=True)
                LOSS(network(x[index]), y[index]).backward()
                optimiser.step()
                rate.step()
            with torch.no_grad():
                if (right := accuracy(network(x_val), y_val)) > best:
                    best, state = right, deepcopy(network.state_dict())
        network.load_state_dict(state)
        return network

    def learned(
        self, seed: int, choice: Choice, y: Any, loss: Any, prepare: Callable[[LearnedMLP], None] | None, epochs: int,
        **config: Any,
    ) -> list[Checkpoint]:  # fmt: skip
        """One training with learned precision."""
        made = LearnedMLPConfig(widths=WIDTHS, **(choice.config | config))
        return checkpoints(
            made, self.x, y, self.x_val, self.y_val, loss, outputs=self.outputs, epochs=epochs, batch=BATCH, seed=seed,
            limit=LIMIT, warm=choice.warm, prepare=prepare,
        )  # fmt: skip

    def front(self, choice: Choice, seed: int, ratio: float) -> tuple[list[Checkpoint], dict[str, Any]]:
        """All trainings of a choice; its front, and what went into it."""
        began = time.process_time()
        spent = round(self.epochs * choice.share / ratio)
        facts: dict[str, Any] = {"epochs": round(self.epochs * (1 - choice.share))}
        y, loss, prepare = self.y, LOSS, None
        if choice.share:
            teacher = self.floats(seed, spent)
            with torch.no_grad():
                scores = teacher(torch.as_tensor(self.x))
                right = accuracy(teacher(torch.as_tensor(self.x_val)), torch.as_tensor(self.y_val))
            facts |= {"float_epochs": spent, "float_validation": round(right, 4)}
            if choice.start:
                prepare = partial(_started, teacher)
            if choice.alpha:
                soft = (scores / choice.temperature).softmax(1).numpy()
                y = np.concatenate([self.y[:, None], soft], axis=1).astype(np.float32)
                loss = partial(_distilled, choice.alpha, choice.temperature)
        epochs = facts["epochs"]
        runs = [{"beta_high": p} for p in choice.prices] or [{}]
        found = [c for r in runs for c in self.learned(seed, choice, y, loss, prepare, epochs // len(runs), **r)]
        found.sort(key=lambda c: (c.ebops, -c.score))
        kept: list[Checkpoint] = []
        for checkpoint in found:
            if not kept or checkpoint.score > kept[-1].score:
                kept.append(checkpoint)
        return kept, facts | {"training_seconds": round(time.process_time() - began, 1)}


def _started(teacher: nn.Sequential, network: LearnedMLP) -> None:
    with torch.no_grad():
        for mine, its in zip(network.linears, (m for m in teacher if isinstance(m, nn.Linear)), strict=True):
            mine.weight.copy_(its.weight)
            mine.bias.copy_(its.bias)


def _distilled(alpha: float, temperature: float, scores: Tensor, target: Tensor) -> Tensor:
    """``target``: (events, 1 + classes), the label and the teacher's probabilities."""
    soft = nn.functional.kl_div((scores / temperature).log_softmax(1), target[:, 1:], reduction="batchmean")
    return (1 - alpha) * LOSS(scores, target[:, 0].long()) + alpha * temperature**2 * soft


def hypervolume(rows: Sequence[dict[str, Any]], cost: str, part: str, least: float) -> float:
    """Accuracy of the best affordable network (by validation), averaged over the logarithm of the cost in ``RANGE``.

    ``least``: accuracy where none is affordable, of an answer that is always the same.
    """
    low, high = RANGE
    area, at, best, value = 0.0, low, least, least
    for row in sorted(rows, key=lambda r: (r[cost], -r["validation"])):
        if row["validation"] > best and row[cost] < high:
            area += value * log(max(row[cost], low) / at)
            at, best, value = max(row[cost], low), row["validation"], row[part]
    return (area + value * log(high / at)) / log(high / low)


def judged(rows: list[dict[str, Any]], least: float) -> dict[str, float]:
    """The figures of merit of one front."""
    found: dict[str, float] = {}
    for cost in ("lut", "ebops"):
        affordable = at_budgets(rows, cost)
        for part in ("validation", "test"):
            found[f"{part}_at_{cost}"] = mean(affordable.get(str(b), {part: least})[part] for b in BUDGETS)
            found[f"{part}_hypervolume_{cost}"] = hypervolume(rows, cost, part, least)
    return found


def table(kept: dict[str, dict[int, dict[str, Any]]], least: float) -> dict[str, Any]:
    """For each choice, mean and deviation over its seeds, and the same of the difference to the default, by seed."""
    every = {name: {seed: judged(e["points"], least) for seed, e in by_seed.items()} for name, by_seed in kept.items()}
    found = {}
    for name, fronts in every.items():
        seeds = sorted(fronts.keys() & every["default"].keys())
        entry: dict[str, Any] = {"seeds": seeds} | _facts([kept[name][s] for s in seeds])
        for figure in fronts[seeds[0]]:
            own = [fronts[s][figure] for s in seeds]
            against = [fronts[s][figure] - every["default"][s][figure] for s in seeds]
            entry[figure] = _spread(own) | ({} if name == "default" else {"difference": _spread(against)})
        found[name] = entry
    return found


def _facts(entries: list[dict[str, Any]]) -> dict[str, float]:
    names = [n for n in ("epochs", "float_epochs", "float_validation", "training_seconds") if n in entries[0]]
    return {n: round(mean(e[n] for e in entries), 4) for n in names}


def _spread(values: list[float]) -> dict[str, float]:
    found = {"mean": round(mean(values), 4)}
    return found | ({"deviation": round(stdev(values), 4)} if len(values) > 1 else {})


def main() -> int:
    """Train what is missing, and write the table; 1 where ``--most`` ended it before all was trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--card", default="jets-13tev")
    parser.add_argument("--events", type=int, default=25000)
    parser.add_argument("--epochs", type=int, default=600, help="of the default; what the others take as time")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--work", type=Path, required=True, help="folder of what was trained")
    parser.add_argument("--most", type=int, help="trainings of this start")
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "learned.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.card, arguments.events, Path(folder))
        trainer = Trainer(bench, arguments.epochs)
        known = arguments.work / "ratio.json"
        if not known.is_file():
            known.write_text(json.dumps(round(trainer.ratio(), 3)))
        ratio, left = float(json.loads(known.read_text())), arguments.most
        kept: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in CHOICES}
        for seed in arguments.seeds:
            for number, (name, choice) in enumerate(CHOICES.items()):
                path = arguments.work / f"{number}-{seed}.json"
                if not path.is_file():
                    if left == 0:
                        return 1
                    found, facts = trainer.front(choice, seed, ratio)
                    rows = [
                        bench.measured(c.network, c.network.input_quantisation(trainer.base), c.ebops) for c in found
                    ]
                    path.write_text(json.dumps({"choice": name, "seed": seed} | facts | {"points": rows}, indent=1))
                    left = None if left is None else left - 1
                    print(f"{name}, seed {seed}: {facts}, {len(rows)} networks", flush=True)
                kept[name][seed] = json.loads(path.read_text())
        least = float(np.bincount(bench.val.y).max() / len(bench.val))
    report = json.loads(arguments.output.read_text(encoding="utf-8"))
    report["choices"] = {
        "card": arguments.card,
        "events": arguments.events,
        "widths": WIDTHS,
        "float_epoch_over_learned_epoch": ratio,
        "accuracy_of_one_answer": round(least, 4),
        "table": table(kept, least),
    }
    arguments.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for name, entry in report["choices"]["table"].items():
        figure = entry["validation_hypervolume_lut"]
        print(f"{name:40} {figure['mean']:.4f} {figure.get('difference', '')}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
