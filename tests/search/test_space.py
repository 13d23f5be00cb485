import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from codesign.core.errors import InputError
from codesign.core.space import Choice, Dimension, Fixed, FloatDimension, IntDimension, Range, bounds, parse, plain
from codesign.core.validation import validate
from codesign.search.distributions import choose


class Space(BaseModel):
    model_config = ConfigDict(extra="forbid")

    depth: IntDimension = Fixed(2)
    sparsity: FloatDimension = Fixed(0.0)
    activation: Dimension = Fixed("relu")


def test_reads_what_a_study_writes():
    space = Space(depth={"low": 1, "high": 3}, sparsity=[0, 0.5], activation="tanh")
    assert space.depth == Range(1, 3)
    assert space.depth.integer
    assert space.sparsity == Choice((0.0, 0.5))
    assert space.activation == Fixed("tanh")


def test_writes_what_it_read():
    given = {"depth": {"low": 1, "high": 5, "step": 2}, "sparsity": {"low": 0.1, "high": 1.0, "log": True}}
    assert Space.model_validate(given).model_dump(mode="json") == given | {"activation": "relu"}
    assert plain(["a", True, None]) == ["a", True, None]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("depth", {"low": 3, "high": 1}, r"'depth': low \(3\) is above high \(1\)"),
        ("depth", [], "'depth': a choice needs at least one value"),
        ("depth", 1.5, "'depth': expected a whole number, found 1.5"),
        ("depth", True, "'depth': expected a whole number, found True"),
        ("depth", {"low": 1, "high": 2.5}, "'depth': expected a whole number, found 2.5"),
        ("depth", [1, 1], "'depth': a value is listed twice"),
        ("depth", {"low": 1, "high": 4, "step": 2}, "'depth': high .* whole number of steps"),
        ("depth", {"low": 1, "high": 4, "step": 0}, "'depth': step must be positive"),
        ("sparsity", "1e-3", "'sparsity': .*decimal point as in 1.0e-3"),
        ("sparsity", float("nan"), "'sparsity': expected a number"),
        ("sparsity", {"low": 0.0}, "'sparsity': .*'high' is missing"),
        ("sparsity", {"low": 0.0, "hihg": 1.0}, "'sparsity': unknown key 'hihg' .*'high'"),
        ("sparsity", {"low": 0.0, "high": 1.0, "log": True}, "'sparsity': a logarithmic range must begin above 0"),
        ("sparsity", {"low": 0.1, "high": 1.0, "log": True, "step": 0.1}, "'sparsity': .*not both"),
        ("sparsity", {"low": 0.1, "high": 1.0, "log": "yes"}, "'sparsity': log is true or false"),
        ("activation", [["a"]], "'activation': expected a number or a text"),
    ],
)
def test_an_error_names_the_key(key, value, message):
    with pytest.raises(InputError, match=message):
        validate(Space, {key: value}, "study.yaml")


def test_bounds():
    assert bounds([4, 2, 8]) == (2, 8)
    assert bounds({"low": 1, "high": 3}) == (1, 3)
    assert bounds(5) == (5, 5)
    with pytest.raises(ValueError, match="no smallest"):
        bounds(["relu", 1])


@given(st.integers(1, 50), st.integers(0, 50), st.integers(0, 2**31), st.booleans())
def test_draws_lie_in_the_range_and_have_its_type(low, span, seed, log):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    draw = choose(study.ask())
    value = draw("n", {"low": low, "high": low + span, "log": log})
    assert isinstance(value, int)
    assert low <= value <= low + span
    real = draw("x", {"low": float(low), "high": float(low + span), "log": log})
    assert isinstance(real, float)
    assert low <= real <= low + span


def test_a_fixed_value_is_no_parameter_of_the_search():
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)).ask()
    draw = choose(trial)
    assert draw("a", parse("relu")) == "relu"
    assert draw("b", ["x", "y"]) in ("x", "y")
    assert list(trial.params) == ["b"]
