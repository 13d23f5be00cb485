"""The lesson by which the tests train a network of items with learned precision."""

from __future__ import annotations

from codesign.core.fixedpoint import InputQuantisation
from codesign.training.lesson import Fold, Lesson
from tests.families.items.networks import subject_of


def lesson_of(toy, bits=10):
    quantisation = InputQuantisation.of_blocks(toy.x, toy.layouts, bits)
    x = quantisation.port.values(quantisation.codes(toy.x))
    folds = [Fold(x[part], {"scores": toy.y[part]}) for part in (slice(0, 400), slice(400, None))]
    return Lesson(subject_of(toy), quantisation, *folds)
