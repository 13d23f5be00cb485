"""Clusters of a silicon pixel tracker, of the kind of ALICE's ITS: tracks from collisions, against beam background.

A track crosses a sensor of 50 um at an angle and leaves charge along its way (70 electron-hole pairs per um in the
mean, with a Landau-like tail). Charge diffuses, pixels of 28 um have noise and a threshold, and 4 bits of charge are
read. Signal comes from the interaction point, so that its angle fits the place along the beam; background grazes along
the beam anywhere, or loops with a low momentum and much charge.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from codesign import BlockValues, ClassificationProblem, Layout, Part, Plot, Sample, Task

CLASSES = ("background", "signal")
SIZE, PITCH, DEPTH = 8, 28.0, 50.0  # pixels a side, um, um
PAIRS, NOISE, THRESHOLD, STEP, TOP = 70.0, 25.0, 120.0, 280.0, 15
FEATURES = ("pixels", "rows", "columns", "charge", "largest", "elongation", "expected", "beyond")
UNITS = ("1", "1", "1", "log(ADC)", "ADC", "1", "1", "1")


def clusters(events: int, seed: int) -> Sample:
    """Draw clusters, half of each class."""
    rng = np.random.default_rng(seed)
    y = (np.arange(events) % 2).astype(np.int64)
    radius = rng.choice([24.0, 31.0, 39.0], events)  # mm, of the three layers
    z = np.where(
        y == 1, np.clip(rng.normal(0, 60, events), -135, 135), rng.uniform(-135, 135, events)
    )  # mm, of the sensor
    along = np.where(y == 1, np.arctan2(z, radius), 0.0)  # from the sensor's normal, along the beam
    across = rng.normal(0, 0.15, events)
    looper = (y == 0) & (rng.random(events) < 0.4)
    grazing = (y == 0) & ~looper
    along[grazing] = np.sign(rng.normal(size=grazing.sum())) * rng.uniform(1.0, 1.45, grazing.sum())
    along[looper] = rng.normal(0, 0.7, looper.sum())
    across[looper] = np.sign(rng.normal(size=looper.sum())) * rng.uniform(0.3, 1.2, looper.sum())
    more = 1 + looper * rng.gamma(2.0, 0.4, events)  # energy loss of slow particles
    length = DEPTH / (np.cos(along) * np.cos(across))
    charge = PAIRS * length * more * (1 + 0.25 * (rng.gumbel(size=events) + 0.2))
    images = np.zeros((events, SIZE, SIZE), dtype=np.float64)
    places, steps = np.arange(events), 24
    start = rng.uniform(-0.5, 0.5, (events, 2)) * PITCH
    way = np.column_stack([np.tan(along), np.tan(across)]) * DEPTH
    for share in (np.arange(steps) + 0.5) / steps:
        spread = 6.0 * rng.standard_normal((events, 2))
        pixel = np.floor((start + way * (share - 0.5) + spread) / PITCH + SIZE / 2).astype(int)
        inside = ((pixel >= 0) & (pixel < SIZE)).all(axis=1)
        np.add.at(images, (places[inside], pixel[inside, 0], pixel[inside, 1]), charge[inside] / steps)
    images += NOISE * rng.standard_normal(images.shape)
    codes = np.clip(np.floor(images / STEP) + 1, 0, TOP) * (images > THRESHOLD)
    return Sample(
        features=_features(codes, radius, z).astype(np.float32),
        labels=y,
        feature_names=FEATURES,
        units=UNITS,
        class_names=CLASSES,
        blocks=(BlockValues(Layout(name="image", shape=(SIZE, SIZE, 1), fields=("charge",), units=("ADC",)),
                            codes[..., None].astype(np.float32)),),
        provenance={"origin": "toy", "seed": seed},
    )  # fmt: skip


def _features(codes: np.ndarray, radius: np.ndarray, z: np.ndarray) -> np.ndarray:
    """What a cluster finder knows: number of pixels, extent, charge, elongation, and how many rows a track from the
    collision would fire at this place, and how many more there are."""
    fired = codes > 0
    rows, columns = fired.any(axis=2).sum(axis=1), fired.any(axis=1).sum(axis=1)
    x = np.arange(SIZE) - (SIZE - 1) / 2
    total = np.maximum(codes.sum(axis=(1, 2)), 1)
    spread = [
        np.sqrt((codes.sum(axis=other) * (x - (codes.sum(axis=other) * x).sum(axis=1)[:, None] / total[:, None]) ** 2)
                .sum(axis=1) / total)
        for other in (2, 1)
    ]  # fmt: skip
    expected = np.minimum(1 + DEPTH / PITCH * np.abs(z) / radius, SIZE)
    elongation = (spread[0] + 0.1) / (spread[1] + 0.1)
    number, largest = fired.sum(axis=(1, 2)), codes.max(axis=(1, 2))
    return np.column_stack([number, rows, columns, np.log(total), largest, elongation, expected, rows - expected])


class Trees:
    """Boosted trees on the features of a cluster finder."""

    name = "boosted trees on cluster features"

    def __init__(self, train: Part, seed: int) -> None:
        self._model = HistGradientBoostingClassifier(max_iter=100, random_state=seed).fit(train.features, train.y)

    def __call__(self, part: Part) -> np.ndarray:
        """Log-probabilities, (events, 2)."""
        return np.log(np.clip(self._model.predict_proba(part.features), 1e-12, None))


class Length:
    """How long a cluster is along the beam: the cut that is made without learning."""

    name = "length along the beam"

    def __call__(self, part: Part) -> np.ndarray:
        """Scores, (events, 2): a short cluster is signal."""
        return np.column_stack([np.zeros(len(part)), -part.features[:, 1].astype(np.float64)])


class PixelProblem(ClassificationProblem):
    """Cross-entropy; judged by the rejection of background at fixed efficiencies of the signal."""

    def __init__(self, events: int, seed: int) -> None:
        super().__init__(CLASSES)
        self._events, self._seed = events, seed

    @cached_property
    def sample(self) -> Sample:
        """The toy's clusters."""
        return clusters(self._events, self._seed)

    def baselines(self, train: Part, seed: int) -> list[object]:
        """Trees on a cluster finder's features, and a cut on the length."""
        return [Trees(train, seed), Length()]

    def plots(
        self, scores: np.ndarray, part: Part, baselines: Mapping[str, np.ndarray], points: Mapping[str, float]
    ) -> list[Plot]:
        """A gallery: the clusters that are most surely signal (upper row) and background (lower row)."""
        images = part.block("image")[..., 0]
        order = np.argsort(scores[:, 1] - scores[:, 0])
        rows = [np.concatenate([np.pad(images[i], 1) for i in chosen], axis=1) for chosen in (order[-6:], order[:6])]
        gallery = Plot(
            name="gallery", title="What is kept, and what is rejected", x_label="along the rows of six clusters",
            y_label="kept, rejected", matrix=(np.concatenate(rows) / TOP).tolist(),
            caption="Charge over the largest code; each cluster of the test split is framed by a pixel of 0.",
        )  # fmt: skip
        return [*super().plots(scores, part, baselines, points), gallery]


class PixelBackground(Task):
    """``sample: {events: N}``."""

    name = "pixel-background"

    def open(self, settings: Mapping[str, object], seed: int, progress: object = None) -> PixelProblem:
        """The toy of so many clusters."""
        return PixelProblem(int(str(settings.get("events", 30_000))), seed)
