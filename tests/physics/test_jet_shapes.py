"""Shapes of jets and geometry of images: known shapes, what must not change them, and what they are asked for by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.core.errors import InputError
from codesign.physics.image_geometry import minkowski_functionals
from codesign.physics.jet_shapes import CELL_LEAST, RADIUS, SHAPES, energy_correlators, jet_images, jet_shapes
from codesign.physics.substructure import FEATURE_NAMES, features_of
from codesign.tasks.tagging.jet_tagging import JetTagging

NAMES = list(SHAPES)


def shape(*constituents: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(NAMES, jet_shapes(np.array([constituents]))[0].tolist(), strict=True))


def picture(*rows: str) -> np.ndarray:
    return np.array([[float(c == "#") for c in row] for row in rows])[None]


@pytest.mark.parametrize(
    ("rows", "wrap", "expected"),
    [
        (("#",), False, (1, 4, 1)),
        (("...", "..."), False, (0, 0, 0)),
        (("##", "##"), False, (4, 8, 1)),
        (("###", "#.#", "###"), False, (8, 16, 0)),  # a ring has a hole
        (("#.#", "...", "#.#"), False, (4, 16, 4)),
        (("#.", ".#"), False, (2, 8, 1)),  # corners touch
        (("#####", "#.#.#", "#####"), False, (13, 24, -1)),  # two holes
        (("#", ".", "#"), True, (2, 6, 1)),  # the last row is the first one's neighbour
        (("#", "#", "#"), True, (3, 6, 0)),  # a band that goes round
        (("##", "##", "##"), True, (6, 6, 0)),
    ],
)
def test_known_shapes(rows: tuple[str, ...], wrap: bool, expected: tuple[int, ...]) -> None:
    assert tuple(minkowski_functionals(picture(*rows), 0.5, wrap)[0]) == expected


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(3, 7), st.booleans())
def test_functionals_are_additive(seed: int, columns: int, rows: int, wrap: bool) -> None:
    """M(A or B) = M(A) + M(B) - M(A and B) of sets of cells, for the parts and what they have in common as closed sets;
    a turned, mirrored or shifted image has the same."""
    random = np.random.default_rng(seed)
    image = random.random((1, rows, columns))
    whole = minkowski_functionals(image, 0.5, wrap)
    for other in (image[:, ::-1], image[:, :, ::-1]):
        assert (minkowski_functionals(other, 0.5, wrap) == whole).all()
    if wrap:
        assert (minkowski_functionals(np.roll(image, 2, axis=1), 0.5, wrap) == whole).all()
    else:
        assert (minkowski_functionals(image.transpose(0, 2, 1), 0.5) == whole).all()
        apart = np.concatenate([image, np.zeros((1, 1, columns)), image], axis=1)
        assert (minkowski_functionals(apart, 0.5) == 2 * whole).all()
    # pieces and holes by another way: scipy labels them
    if not wrap:
        from scipy.ndimage import label

        used = np.pad(image[0] >= 0.5, 1)
        pieces, holes = label(used, np.ones((3, 3)))[1], label(~used)[1] - 1
        assert whole[0, 2] == pieces - holes


def test_images_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(events, rows, columns\), not \(3, 3\)"):
        minkowski_functionals(np.zeros((3, 3)), 1.0)
    with pytest.raises(InputError, match="image 1 holds a value that is no number"):
        minkowski_functionals(np.stack([np.zeros((3, 3)), np.full((3, 3), np.nan)]), 1.0)
    with pytest.raises(InputError, match="at least 3"):
        minkowski_functionals(np.zeros((1, 2, 2)), 1.0, wrap=True)


def test_one_constituent() -> None:
    found = shape((100.0, 0.3, 0.2))
    assert found["mass"] == 0
    assert found["pt"] == pytest.approx(100)
    assert (found["width"], found["ptd"], found["lead_1"], found["lead_2"], found["c2"]) == (0, 1, 1, 0, 0)
    assert found["area"] == pytest.approx(np.pi * RADIUS**2, rel=0.02)
    assert (found["image_area"], found["image_perimeter"], found["image_euler"]) == (1, 4, 1)
    assert jet_shapes(np.zeros((1, 4, 3))).tolist() == [[0.0] * len(NAMES)]


def test_two_and_three_prongs() -> None:
    """m^2 = 2 pT1 pT2 (cosh(d eta) - cos(d phi)); two discs overlap in a lens; three equal prongs in a triangle."""
    found = shape((60.0, 0.15, 0.0), (40.0, -0.15, 0.0))
    assert found["mass"] == pytest.approx(np.sqrt(2 * 60 * 40 * (np.cosh(0.3) - 1)), rel=1e-5)
    assert found["ptd"] == pytest.approx(np.hypot(0.6, 0.4))
    assert (found["lead_1"], found["lead_2"], found["lead_3"]) == (pytest.approx(0.6), pytest.approx(0.4), 0)
    assert found["width"] == pytest.approx(2 * 0.6 * 0.4 * 0.3, rel=0.02)
    d, r = 0.3, RADIUS
    lens = 2 * r * r * np.arccos(d / 2 / r) - d / 2 * np.sqrt(4 * r * r - d * d)
    assert found["area"] == pytest.approx(2 * np.pi * r * r - lens, rel=0.02)
    assert found["image_euler"] == 2
    side = 0.2
    triangle = np.array([(30, 0, 0), (30, side, 0), (30, side / 2, side * np.sqrt(3) / 2)])
    two, three = energy_correlators(triangle[None])[0]
    assert two == pytest.approx(3 * side / 9)
    assert three == pytest.approx(side**3 / 27)
    assert shape(*map(tuple, triangle))["c2"] == pytest.approx(three / two**2, rel=1e-5)
    assert shape(*map(tuple, triangle))["d2"] == pytest.approx(three / two**3, rel=1e-5)
    two, three = energy_correlators(triangle[None], 2.0)[0]
    assert (two, three) == (pytest.approx(3 * side**2 / 9), pytest.approx(side**6 / 27))


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_soft_and_collinear_radiation(seed: int, number: int) -> None:
    """Mass, pT, width, C2 and D2 take no notice of it; nothing takes notice of the order, of an azimuth's turn, or of
    where the jet is."""
    random = np.random.default_rng(seed)
    jet = np.column_stack([random.uniform(5, 100, number), *random.uniform(-0.3, 0.3, (2, number))])
    safe = [NAMES.index(n) for n in ("mass", "pt", "width", "c2", "d2")]
    before = jet_shapes(jet[None])[0, safe]
    soft = np.vstack([jet, [1e-7, 0.35, -0.35]])
    split = np.vstack([jet, jet[0]])
    split[0, 0] *= 0.3
    split[-1, 0] *= 0.7
    for other in (soft, split):
        assert jet_shapes(other[None])[0, safe] == pytest.approx(before, rel=2e-4, abs=1e-4)
    whole = jet_shapes(jet[None])[0]
    assert jet_shapes(random.permutation(jet)[None])[0] == pytest.approx(whole, rel=1e-5, abs=1e-5)
    # an area is counted on a grid that lies at the axis, as the image's cells do
    moved = jet_shapes((jet + np.array([0, 1.0, 3.0]))[None])[0][: NAMES.index("area")]
    assert moved == pytest.approx(whole[: NAMES.index("area")], rel=1e-3, abs=1e-3)
    assert jet_images(jet[None]).sum() == pytest.approx(jet[:, 0].sum(), rel=0.3)


def test_a_study_asks_for_shapes(
    sample: object, tmp_path: object, jets: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = JetTagging().open(
        {"file": "x.parquet", "features": ["mass_mmdt", "mass", "image_euler"], "jet": ["pt"]}, 1
    )
    monkeypatch.setattr("codesign.data.readers.read_sample", lambda path, names: sample)
    found = problem.sample
    assert (found.feature_names, found.units) == (("mass_mmdt", "mass", "image_euler"), ("GeV", "GeV", "1"))
    made = jet_shapes(jets)
    assert np.array_equal(found.features[:, 1], made[:, NAMES.index("mass")])
    assert np.array_equal(found.values_of("jet")[:, 0], made[:, NAMES.index("pt")])  # type: ignore[index]
    images = minkowski_functionals(jet_images(jets), CELL_LEAST)
    assert np.array_equal(found.features[:, 2], images[:, 2])
    few = JetTagging().open({"file": "x.parquet", "leading": 4, "features": ["multiplicity", "mass"]}, 1).sample
    assert few.features[:, 0].max() == 4
    assert np.array_equal(few.features[:, 0], features_of(jets[:, :4])[:, FEATURE_NAMES.index("multiplicity")])
    with pytest.raises(InputError, match="there is no 'mas'"):
        JetTagging().open({"file": "x.parquet", "features": ["mas"]}, 1)
    monkeypatch.setattr("codesign.data.readers.read_sample", lambda path, names: _without_constituents(sample))
    with pytest.raises(InputError, match="features: mass: this sample has no constituents"):
        _ = JetTagging().open({"file": "x.parquet", "features": ["mass"]}, 1).sample


def _without_constituents(sample: object) -> object:
    from dataclasses import replace

    return replace(sample, blocks=())  # type: ignore[type-var]
