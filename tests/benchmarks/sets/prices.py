"""``python -m tests.benchmarks.sets.prices``: what learned precision of items gains by its prices and by its start.

One deep set of the hardest eight constituents, trained in the same processor time from the same seeds in three ways: as
it is; with the products alone priced, as it was, so that the bits of what is only added up stay as they began; and
without a start in floating point. Of each front the cheapest network by alkaid's estimate, unrolled and folded, that
has an accuracy on validation jets.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from codesign.core.runfolder import write_atomically
from codesign.core.targets import load_target
from codesign.families.deepsets.family import DeepSets
from codesign.training.learned_precision import LearnedPrecision
from codesign.training.learned_quantisers import bits_of, width_of
from tests.benchmarks.sets.jets import jets_of
from tests.benchmarks.sets.ours import LEARNED, Training, designs_of
from tests.trees import ROOT

RECORD = ROOT / "reports" / "reference" / "item_prices.json"
TARGET = load_target("vu13p-360")
#: accuracies on validation jets at which LUTs are compared
LEVELS = (0.48, 0.50, 0.52, 0.54)
WAYS = ("as it is", "products alone priced", "no start in floating point")
INTERVALS = (1, 9)
ITEMS = 8


@contextmanager
def products_alone() -> Iterator[None]:
    """While this lasts, what is only added up has neither a price nor bits that are learned."""
    begin = LearnedPrecision.__init__

    def opened(self: LearnedPrecision, *given: Any) -> None:
        begin(self, *given)
        for own, multiplied in zip(self.learned, self._multiplied, strict=True):
            own &= multiplied

    def work(self: LearnedPrecision) -> Tensor:
        return self._products([width_of(bits_of(s.module)) for s in self._wiring.signals])

    with patch.object(LearnedPrecision, "__init__", opened), patch.object(LearnedPrecision, "_work", work):
        yield


def main() -> None:
    """Train what is not there, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=50000, help="jets to train on and choose by")
    parser.add_argument("--seconds", type=float, default=10, help="processor time of one training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "item-prices")
    parser.add_argument("--output", type=Path, default=RECORD)
    given = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    jets = jets_of(ITEMS, given.train, 1000, given.work)
    rows: list[dict[str, Any]] = []
    for seed in given.seeds:
        for number, way in enumerate(WAYS):
            config = LEARNED | ({"float_share": 0.0} if number == 2 else {})
            what = Training(way, DeepSets, config, ITEMS, 1.0)
            place = given.work / f"{given.train}-{given.seconds:g}" / f"{number}-{seed}"
            place.mkdir(parents=True, exist_ok=True)

            def found(what: Training = what, place: Path = place, seed: int = seed) -> list[Any]:
                return designs_of(jets, what, given.seconds, seed, INTERVALS, TARGET, place)

            if number == 1:
                with products_alone():
                    front = found()
            else:
                front = found()
            row: dict[str, Any] = {"way": way, "seed": seed, "best": round(max(o.score for o in front), 4)}
            row |= {k: front[0].facts[k] for k in ("epochs", "training_seconds")}
            for level in LEVELS:
                able = [own for own in front if own.score >= level]
                for interval in INTERVALS:
                    least = min((own.costs[interval] for own in able), default=None)
                    row[f"lut at {level:.2f}, interval {interval}"] = None if least is None else round(least)
            rows.append(row)
            print(row, flush=True)
    record = {
        "command": "python -m tests.benchmarks.sets.prices",
        "items": ITEMS,
        "train_and_validation": given.train,
        "seconds": given.seconds,
        "config": LEARNED,
        "levels": list(LEVELS),
        "tool": "alkaid's estimate",
        "versions": {n: version(n) for n in ("codesign", "torch", "brevitas", "alkaid")},
        "rows": rows,
    }
    write_atomically(given.output, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
