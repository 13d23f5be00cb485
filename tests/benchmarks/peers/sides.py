"""What all sides of a comparison share: the sample, and how points are measured and recorded."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.errors import ToolError
from codesign.core.figures import Figure
from codesign.core.fixedpoint import InputQuantisation
from codesign.data.generated import generated_sample
from codesign.data.sample import Splits
from codesign.rtl.firmware import Firmware
from codesign.tools.yosys import synthesise

__all__ = ("Data", "prepared", "recorded", "synthesised")

SPLITS = Splits(0.6, 0.2, 0.2, 1)


@dataclass
class Data:
    """The sample's three parts on one grid of the inputs, and the files that the peer reads."""

    parts: dict[str, Any]
    base: InputQuantisation
    class_names: tuple[str, ...]
    train_file: Path
    test_file: Path

    def values(self, name: str) -> Any:
        """Values (events, features) of a part on the grid."""
        return self.base.port.values(self.base.codes(self.parts[name].x)).astype(np.float32)


def prepared(card: str, events: int, work: Path) -> Data:
    """Generate or read the sample, split it, and write it for the peer; labels of test are not among what it reads."""
    sample = generated_sample(card, events)
    parts = {n: sample.part(n, SPLITS) for n in ("train", "validation", "test")}
    base = InputQuantisation.fit(parts["train"].x, sample.feature_names, sample.units, 12)
    data = Data(parts, base, sample.class_names, work / "train.npz", work / "test.npz")
    train, validation = parts["train"], parts["validation"]
    x, x_val = data.values("train"), data.values("validation")
    np.savez(data.train_file, x_train=x, y_train=train.y, x_val=x_val, y_val=validation.y)
    np.savez(data.test_file, x=data.values("test"))
    return data


def synthesised(
    side: dict[str, Any],
    timeout: float,
    jobs: int,
    count: Callable[[Firmware, Path, float], list[Figure]] = synthesise,
) -> list[dict[str, Any]]:
    """Measure every point with Yosys, and return those that compiled, by rising LUT; failures stay in the record.

    ``count``: of firmware, in a folder, within some seconds; FINN's RTL has a way of its own.
    """

    def measure(point: dict[str, Any]) -> None:
        firmware = point.pop("firmware")
        try:
            figures = {f.quantity: f.value for f in count(firmware, firmware.folder / "yosys", timeout)}
            point |= {k: figures[k] for k in ("lut", "ff", "dsp", "bram") if k in figures}
        except ToolError as error:
            point["failed"] = str(error)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(measure, [p for p in side["points"] if "failed" not in p]))
    good = [p for p in side["points"] if "failed" not in p]
    return sorted(good, key=lambda p: p["lut"])


def recorded(side: dict[str, Any]) -> dict[str, Any]:
    """What goes into the report: masks become accuracies."""
    for point in side["points"]:
        for name in ("validation", "test"):
            if f"{name}_right" in point:
                point[name] = round(float(point.pop(f"{name}_right").mean()), 4)
    wrong = [p for p in side["points"] if p.get("wrong_on_validation") or p.get("wrong_on_random")]
    return side | {"circuits_that_differ_from_their_network": len(wrong)}
