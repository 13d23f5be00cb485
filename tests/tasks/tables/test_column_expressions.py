"""Expressions over columns: what they give, what they refuse, and that no text does anything else."""

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.core.errors import InputError
from codesign.data.column_expressions import FUNCTIONS, ColumnExpression, expand_slice
from codesign.physics.jet_shapes import SHAPES, jet_shapes

RNG = np.random.default_rng(2)
COLUMNS = {
    "pt": RNG.exponential(30, 50) + 1,
    "eta": RNG.normal(0, 2, 50),
    "n": RNG.integers(0, 5, 50),
    "Jet.PT": ak.Array([[float(i)] * (i % 4) for i in range(50)]),
    "mu_pt": RNG.normal(5, 1, 50),
    "a-b": np.ones(50),
}


def value(text):
    return ColumnExpression.of(text, COLUMNS).values(COLUMNS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("log(pt)", lambda c: np.log(c["pt"])),
        ("pt / (n + 1) - 2 * eta ** 2", lambda c: c["pt"] / (c["n"] + 1) - 2 * c["eta"] ** 2),
        ("pt > 30 & abs(eta) < 2", lambda c: (c["pt"] > 30) & (np.abs(c["eta"]) < 2)),
        ("pt > 30 && !(n == 2) || eta < 0", lambda c: ((c["pt"] > 30) & (c["n"] != 2)) | (c["eta"] < 0)),
        ("-1 < eta < 1", lambda c: (c["eta"] > -1) & (c["eta"] < 1)),
        ("n != 2", lambda c: c["n"] != 2),
        ("Jet.PT[1]", lambda c: np.array([x[1] if len(x) > 1 else 0.0 for x in c["Jet.PT"].to_list()])),
        ("sum(Jet.PT) + count(Jet.PT)", lambda c: np.array([sum(x) + len(x) for x in c["Jet.PT"].to_list()])),
        ("max(Jet.PT)", lambda c: np.array([max(x, default=0.0) for x in c["Jet.PT"].to_list()])),
        ("mu.pt", lambda c: c["mu_pt"]),
        ("a-b", lambda c: c["a-b"]),
        ("where(eta > 0, pt, -pt)", lambda c: np.where(c["eta"] > 0, c["pt"], -c["pt"])),
        ("delta_phi(eta, 3)", lambda c: (c["eta"] - 3 + np.pi) % (2 * np.pi) - np.pi),
    ],
)
def test_an_expression_is_what_numpy_gives(text, expected):
    assert np.array_equal(np.asarray(value(text)), expected(COLUMNS))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pt + speed", "no column 'speed'"),
        ("lgo(pt)", "no function 'lgo'"),
        ("log(pt, 2)", "takes 1 argument"),
        ("__import__('os').system('x')", "neither a number"),
        ("pt.__class__", "no column 'pt.__class__'"),
        ("[x for x in pt]", "neither a number"),
        ("pt ** eta", "an exponent is a number"),
        ("2 ** 9999999", "an exponent is a number"),
        ("pt[1000000]", "a place in a list"),
        ("Jet.PT[pt]", "a place in a list"),
        ("pt[0]", "one number a row"),
        ("pt +", "is no expression"),
        ("1 + 1", "is of no column"),
        ("f'{pt}'", "neither a number"),
        ("lambda: pt", "neither a number"),
        ("pt if eta else n", "neither a number"),
        ("log(pt" * 100, "characters long"),
        ("-" * 100 + "pt", "nested too deep"),
        ("-" * 490 + "pt", "more than 120 parts"),
    ],
)
def test_anything_else_is_refused_in_one_line(text, said):
    with pytest.raises(InputError, match=said.replace("(", r"\(")) as error:
        value(text)
    assert "\n" not in str(error.value)


@given(st.text(alphabet="pteanJ.PT0123456789+-*/()[]<>=&|!~,' lmuog_", max_size=40))
@settings(derandomize=True, max_examples=300, deadline=None)
def test_no_text_does_anything_but_give_numbers_or_an_error(text):
    try:
        found = value(text)
    except InputError as error:
        found = str(error).splitlines()
    assert len(found) in (1, 50)


def test_a_slice_is_one_feature_for_each_place():
    assert expand_slice("Jet.PT[:3]", COLUMNS) == ["Jet.PT[0]", "Jet.PT[1]", "Jet.PT[2]"]
    assert expand_slice("pt", COLUMNS) == ["pt"]
    with pytest.raises(InputError, match="1 to 128"):
        expand_slice("Jet.PT[:1000]", COLUMNS)


def test_every_function_is_there():
    for name in FUNCTIONS:
        given = {"where": "eta > 0, pt, n", "clip": "pt, 0, 1"}.get(name, "pt, eta")
        one = "Jet.PT" if name in ("sum", "mean", "count", "max", "min", "any", "all") else "pt"
        two = name in ("arctan2", "hypot", "minimum", "maximum", "delta_phi", "where", "clip")
        lists = "Jet.PT, Jet.PT * 0, Jet.PT * 0" if name.startswith("jet_") else ""
        assert len(value(f"{name}({lists or (given if two else one)})")) == 50


def test_shapes_of_lists_are_those_of_jets():
    """Of any number of constituents, none too, with others beside them in one expression."""
    rng = np.random.default_rng(4)
    jets = np.zeros((60, 12, 3), np.float32)
    for jet, number in enumerate(rng.integers(0, 13, 60)):
        jets[jet, :number] = np.column_stack([rng.exponential(8, number) + 1, *rng.normal(0, 0.2, (2, number))])
    there = jets[..., 0] > 0
    lists = {f"C.{n}": ak.Array([jet[:, k][here].tolist() for jet, here in zip(jets, there, strict=True)])
             for k, n in enumerate(("pt", "eta", "phi"))}  # fmt: skip
    known = jet_shapes(jets)
    for function in (name for name in FUNCTIONS if name.startswith("jet_")):
        found = ColumnExpression.of(f"2 * {function}(C.pt, C.eta, C.phi)", lists).values(lists)
        assert np.array_equal(found, 2 * known[:, list(SHAPES).index(function[4:])].astype(np.float64)), function


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("jet_c2(Jet.PT, Jet.PT)", "'jet_c2' takes 3 arguments, not 2"),
        ("jet_c2(pt, eta, n)", "jet_c2 is of lists a row"),
        ("jet_d2(Jet.PT, Jet.PT, Jet.PT * 0 - 1e400)", "not finite|too large"),
        ("jet_mass(Jet.PT, Jet.PT, Other)", "three lists of one length"),
    ],
)
def test_shapes_of_other_things_are_refused(text, said):
    columns = COLUMNS | {"Other": ak.Array([[1.0]] * 50)}
    with pytest.raises(InputError, match=said) as caught:
        ColumnExpression.of(text, columns).values(columns)
    assert "\n" not in str(caught.value)
