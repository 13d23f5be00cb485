"""A teacher of what is unusual: an autoencoder in floating point, whose error is a number that trees can learn.

Trees cannot reproduce their inputs. But they can learn how badly a network does, which is all that a trigger compares
with its threshold: knowledge distillation for anomaly detection (arXiv 2310.06047), as CMS' CICADA has it in hardware.
The network is scikit-learn's, sees the events of training alone, and is no part of the design. What the trees learn is
the logarithm of its error: in the same order, and no few events are all that there is to learn.

A teacher can judge any event, also one that never was. Beside those of training the trees learn artificial ones, in
which each input is another event's: they say what the error is off the beaten track, where the unusual lies.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.reading.json import json_of
from codesign.families.trees.config import TreesConfig
from codesign.tasks.heads import Head, LossObjective
from codesign.training.lesson import Fold, Lesson

__all__ = ("RECONSTRUCTION", "Taught", "agreement", "read_scores", "taught", "write_scores")

#: the objective that needs a teacher
RECONSTRUCTION = "reconstruction"
_EPOCHS, _BATCH, _RATE = 40, 256, 0.005
#: an error of 0 has no logarithm: this share of the mean one is added to all
_LEAST = 1e-3


@dataclass(frozen=True)
class Taught:
    """What trees are given in the place of a lesson to reproduce, and what the teacher says of validation events."""

    lesson: Lesson
    scores: NDArray[np.float64]


def taught(lesson: Lesson, config: TreesConfig, seed: int) -> Taught:
    """Train the teacher of a lesson of one head, and let it say what there is to learn; the same seed, the same."""
    (head,) = lesson.subject.heads
    train, validation = lesson.train, lesson.validation
    scale, shift = _scales(train.x, train.target[head.name].astype(np.float64))
    network = _autoencoder(train.x * scale + shift, train.weights, config, seed)

    def errors(x: NDArray[np.float64]) -> NDArray[np.float64]:
        wanted = x * scale + shift
        found = np.asarray(network.predict(wanted)).reshape(wanted.shape)
        return np.asarray(((found - wanted) ** 2).sum(axis=1))

    least = _LEAST * float(errors(train.x).mean()) or 1.0

    def scores(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log(errors(x) + least)

    dice = np.random.default_rng(seed)
    made = _artificial(train.x, round(config.artificial * len(train)), dice)
    weights = train.weights
    if weights is not None and len(made):
        weights = np.concatenate([weights, np.full(len(made), weights.mean())])
    x, given = np.concatenate([train.x, made]), scores(validation.x)
    subject = replace(lesson.subject, heads=(Head(head.name, head.outputs, LossObjective("squared")),))
    known, held_out = (
        Fold(x, {head.name: scores(x)}, weights),
        Fold(validation.x, {head.name: given}, validation.weights),
    )
    return Taught(replace(lesson, subject=subject, train=known, validation=held_out), given)


def _scales(x: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By what each input is multiplied, and what is added to it, to be what is to be reproduced, by least squares."""
    if x.shape != target.shape:
        raise InputError(f"{target.shape[1]} numbers to reproduce of {x.shape[1]} inputs: trees need one for each")
    middle = x.mean(axis=0)
    spread = ((x - middle) ** 2).mean(axis=0)
    both = ((x - middle) * (target - target.mean(axis=0))).mean(axis=0)
    scale = np.where(spread > 0, both / np.where(spread > 0, spread, 1.0), 0.0)
    return scale, target.mean(axis=0) - scale * middle


def _autoencoder(
    wanted: NDArray[np.float64], weights: NDArray[np.float64] | None, config: TreesConfig, seed: int
) -> Any:
    """scikit-learn's network, trained to reproduce what it is given."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    network = MLPRegressor(
        hidden_layer_sizes=(config.teacher_width, config.teacher_latent, config.teacher_width), activation="tanh",
        max_iter=_EPOCHS, batch_size=min(_BATCH, len(wanted)), learning_rate_init=_RATE, random_state=seed, tol=0.0,
        n_iter_no_change=_EPOCHS,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it has so many epochs, and no more
        return network.fit(wanted, wanted, weights)


def _artificial(x: NDArray[np.float64], count: int, dice: np.random.Generator) -> NDArray[np.float64]:
    """So many events (count, inputs), each input that of some event of ``x``."""
    return np.stack([column[dice.integers(len(x), size=count)] for column in x.T], axis=1)


def write_scores(scores: NDArray[np.float64]) -> bytes:
    """What a teacher says of the validation events, as plain JSON."""
    return json.dumps(scores.tolist(), allow_nan=False).encode()


def read_scores(content: bytes, events: int) -> NDArray[np.float64]:
    """What :func:`write_scores` wrote of so many events; InputError: damaged."""
    found = json_of(content, "the teacher's scores")
    if not isinstance(found, list) or len(found) != events or not all(isinstance(v, float) for v in found):
        raise InputError(f"the teacher's scores are not {events} numbers: the training is damaged")
    return np.array(found)


def agreement(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The rank correlation of two scores of the same events, (events,); 0 where one does not vary."""
    from scipy.stats import rankdata

    ranks = [rankdata(scores) for scores in (one, other)]
    if any(np.ptp(r) == 0 for r in ranks):
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])
