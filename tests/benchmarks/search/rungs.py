"""``python -m tests.benchmarks.search.rungs``: how well a short training foretells what a long one gives.

Random networks of the shipped jet tagger, each trained for several numbers of epochs, compiled and judged. For each
number below the study's own: rank correlation of the accuracies with those at the end, and how much of the final front
a ladder with that rung would have kept, by its own rule, had all reached it at once.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from codesign.core.runfolder import RunFolder
from codesign.pipeline.evaluation import evaluate
from codesign.pipeline.front import pareto
from codesign.pipeline.parts import load_part
from codesign.pipeline.scoring import Score
from codesign.search.distributions import choose
from codesign.search.engine import run_study
from codesign.search.ladder import Rung, climbs
from codesign.search.resolve import resolve
from tests.benchmarks.search.ladder import study_for
from tests.benchmarks.search.record import OUTPUT, write_section

__all__ = ("foretold",)

_DIRECTIONS = ("maximise", "minimise")
_REDUCTION = 3

Values = tuple[float, float]


def foretold(short: Sequence[Values], final: Sequence[Values], events: int) -> dict[str, Any]:
    """(accuracy, LUT) after a short and the whole training of the same networks: how far the one tells the other.

    ``events`` of the split that the accuracies are of, for their errors.
    """
    from scipy.stats import spearmanr

    rungs = [Rung(0, values, ((values[0] * (1 - values[0]) / events) ** 0.5, 0.0)) for values in short]
    kept = {
        place
        for place, own in enumerate(rungs)
        if climbs(own, [*rungs[:place], *rungs[place + 1 :]], _DIRECTIONS, _REDUCTION)
    }
    front = {
        score.trial for score in pareto([Score(k, v, (None, None)) for k, v in enumerate(final)], list(_DIRECTIONS))
    }
    correlation = spearmanr([accuracy for accuracy, _ in short], [accuracy for accuracy, _ in final])
    return {
        "accuracy_rank_correlation": round(float(correlation.statistic), 3),
        "front": len(front),
        "of_it_kept": len(front & kept),
        "kept": len(kept),
    }


def measured(networks: int, epochs: Sequence[int]) -> dict[str, Any]:
    """Train random networks for each number of epochs, the last of which is the whole training."""
    import optuna

    torch.set_num_threads(1)
    study = study_for("plain", 1)
    values: dict[int, list[Values]] = {e: [] for e in epochs}
    seconds: dict[int, list[float]] = {e: [] for e in epochs}
    with tempfile.TemporaryDirectory() as name:
        run_study(study, Path(name), trials=1)  # the sample
        run = RunFolder(Path(name))
        train, validation = load_part(run, "train"), load_part(run, "validation")
        resolved = resolve(study)
        draws = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
        for number in range(networks):
            config = resolved.family.suggest(resolved.space, choose(draws.ask()))
            for count in epochs:
                training = study.training.model_copy(update={"epochs": count})
                shorter = study.model_copy(update={"training": training})
                began = time.process_time()
                result = evaluate(
                    shorter, config, run.trial(1000 + number), number, train, validation, lambda stage: None
                )
                seconds[count].append(time.process_time() - began)
                lut = next(f.value for f in result.figures if f.quantity == "lut")
                values[count].append((result.metrics["accuracy"].value, lut))
    return {
        "networks": networks,
        "epochs": {
            str(count): {"processor_seconds": round(mean(seconds[count]), 2)}
            | foretold(values[count], values[epochs[-1]], len(validation))
            for count in epochs
        },
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--epochs", type=int, nargs="+", default=[12, 30, 45, 90], help="rising; the last is the whole")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    found = measured(options.networks, options.epochs)
    write_section(options.output, "rungs", found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
