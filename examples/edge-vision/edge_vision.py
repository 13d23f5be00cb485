"""Reading signs on an embedded camera: handwritten digits on patches of photographs, ten classes and none.

scikit-learn ships both: 1,797 digits of 8 x 8 pixels (UCI, CC BY 4.0) and two photographs (CC BY 2.0). A digit is laid
on a patch with a random brightness, contrast and place; a patch without one is the eleventh class. No digit and no part
of a photograph is in two splits.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from sklearn.datasets import load_digits, load_sample_images
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from codesign import BlockValues, ClassificationProblem, Layout, Part, Plot, Sample, Task

CLASSES = (*(f"digit{n}" for n in range(10)), "none")
SIZE, LEVELS = 10, 15
SHARES = (0.6, 0.8)  # of digits, and of each photograph's columns, for training and up to validation


def camera(images: int, seed: int) -> Sample:
    """Draw images; ``images`` in all."""
    rng, digits = np.random.default_rng(seed), load_digits()
    photographs = [photo.mean(axis=2)[::3, ::3] / 255 for photo in load_sample_images().images]
    order = np.random.default_rng(7).permutation(len(digits.images))
    assigned = rng.choice(3, images, p=[0.6, 0.2, 0.2]).astype(np.int8)
    values, labels = np.empty((images, SIZE, SIZE)), np.empty(images, dtype=np.int64)
    edges = (0.0, *SHARES, 1.0)
    for place, split in enumerate(assigned):
        photo = photographs[rng.integers(len(photographs))]
        rows, columns = photo.shape
        low, high = (int(edges[split + k] * (columns - SIZE)) for k in (0, 1))
        y, x = rng.integers(0, rows - SIZE), rng.integers(low, max(low + 1, high - SIZE))
        patch = photo[y : y + SIZE, x : x + SIZE] * rng.uniform(0.4, 0.9)
        labels[place] = 10
        if rng.random() > 1 / 11:
            mine = order[int(edges[split] * len(order)) : int(edges[split + 1] * len(order))]
            chosen = rng.choice(mine)
            dy, dx = rng.integers(0, SIZE - 7, 2)
            ink = digits.images[chosen] / 16
            part = patch[dy : dy + 8, dx : dx + 8]
            patch[dy : dy + 8, dx : dx + 8] = part * (1 - ink) + ink * rng.uniform(0.85, 1.0)
            labels[place] = digits.target[chosen]
        values[place] = patch
    codes = np.clip(np.floor(values * (LEVELS + 1)), 0, LEVELS)
    layout = Layout(name="image", shape=(SIZE, SIZE, 1), fields=("brightness",), units=("1",))
    flat = codes.reshape(images, -1)
    means = np.column_stack([flat.mean(axis=1), flat.std(axis=1), flat.max(axis=1)])
    return Sample(
        features=means.astype(np.float32),
        labels=labels,
        feature_names=("mean", "spread", "brightest"),
        units=("1", "1", "1"),
        class_names=CLASSES,
        blocks=(BlockValues(layout, codes[..., None].astype(np.float32)),),
        assigned=assigned,
        provenance={"origin": "scikit-learn", "seed": seed},
    )


class _Fitted:
    """A model of scikit-learn on all pixels."""

    def __init__(self, train: Part) -> None:
        self._model = self.made().fit(_pixels(train), train.y)

    def __call__(self, part: Part) -> np.ndarray:
        """Log-probabilities, (events, classes)."""
        return np.log(np.clip(self._model.predict_proba(_pixels(part)), 1e-12, None))


class Trees(_Fitted):
    """Boosted trees."""

    name = "boosted trees on pixels"

    def made(self) -> HistGradientBoostingClassifier:
        """The model."""
        return HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=15, random_state=1)


class Linear(_Fitted):
    """Logistic regression."""

    name = "logistic regression on pixels"

    def made(self) -> LogisticRegression:
        """The model."""
        return LogisticRegression(max_iter=200)


def _pixels(part: Part) -> np.ndarray:
    return part.block("image").reshape(len(part), -1) / LEVELS


class VisionProblem(ClassificationProblem):
    """Cross-entropy of eleven classes; judged by accuracy."""

    def __init__(self, images: int, seed: int) -> None:
        super().__init__(CLASSES)
        self._images, self._seed = images, seed

    @cached_property
    def sample(self) -> Sample:
        """The images."""
        return camera(self._images, self._seed)

    def baselines(self, train: Part, seed: int) -> list[object]:
        """Boosted trees and logistic regression."""
        return [Trees(train), Linear(train)]

    def plots(
        self, scores: np.ndarray, part: Part, baselines: Mapping[str, np.ndarray], points: Mapping[str, float]
    ) -> list[Plot]:
        """A gallery of images that are read right (upper row) and wrong (lower row)."""
        images, right = part.block("image")[..., 0], scores.argmax(axis=1) == part.y
        sure = np.sort(scores, axis=1)
        order = np.argsort(sure[:, -1] - sure[:, -2])[::-1]
        rows = [np.concatenate([np.pad(images[i], 1) for i in order[chosen[order]][:6]], axis=1)
                for chosen in (right, ~right) if int(chosen.sum()) >= 6]  # fmt: skip
        usual = super().plots(scores, part, baselines, points)
        if not rows:
            return usual
        gallery = Plot(
            name="gallery", title="Read right, and read wrong", x_label="six images a row",
            y_label="right, wrong", matrix=(np.concatenate(rows) / LEVELS).tolist(),
            caption="Brightness over the largest code; the surest of each kind in the test split.",
        )  # fmt: skip
        return [gallery, *usual]


class EdgeVision(Task):
    """``sample: {images: N}``."""

    name = "edge-vision"

    def open(self, settings: Mapping[str, object], seed: int, progress: object = None) -> VisionProblem:
        """So many images."""
        return VisionProblem(int(str(settings.get("images", 20_000))), seed)
