"""From the dimensions of a space to Optuna's suggestions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codesign.core.space import Choice, Choose, Fixed, parse

if TYPE_CHECKING:
    import optuna

__all__ = ("choose",)


def choose(trial: optuna.trial.BaseTrial) -> Choose:
    """Return the function by which a family or a flow draws its parameters from an Optuna trial."""

    def draw(name: str, dimension: Any) -> Any:
        dimension = parse(dimension)
        if isinstance(dimension, Fixed):
            return dimension.value
        if isinstance(dimension, Choice):
            return trial.suggest_categorical(name, dimension.values)
        if dimension.integer:
            low, high, step = int(dimension.low), int(dimension.high), int(dimension.step or 1)
            return trial.suggest_int(name, low, high, step=step, log=dimension.log)
        return trial.suggest_float(name, dimension.low, dimension.high, step=dimension.step, log=dimension.log)

    return draw
