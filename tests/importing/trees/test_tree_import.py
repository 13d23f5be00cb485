"""Trees of other libraries, from files that each wrote itself: read exactly, and exact as a design everywhere."""

import json
from dataclasses import replace

import numpy as np
import pytest

from codesign.core.errors import CodesignError, InputError, UnsupportedError
from codesign.core.fixedpoint import FixedPoint, InputQuantisation
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.importing.trees import TrainedTrees, is_trees, read_trees
from codesign.importing.trees.trained_trees import source_margins
from codesign.testing.graphs import kind_of, port_of_one_kind
from codesign.verify.rtl import verify
from tests.graph.everywhere import equal_everywhere
from tests.importing.trees.recorded import FOLDER, INPUTS

MARGINS = json.loads((FOLDER / "margins.json").read_text(encoding="utf-8"))
FILES = sorted(p.name for p in FOLDER.iterdir() if p.name not in ("VERSIONS", "margins.json"))
KINDS = [f for f in FILES if not f.endswith(".ubj") and not f.startswith(("forest", "xgboost-", "skops"))]
BITS = 10


def all_codes(number=2000):
    return np.concatenate([np.random.default_rng(3).integers(-32, 32, (number, 5)), probe_codes(INPUTS.port, 20)])


@pytest.mark.parametrize("name", FILES)
def test_margins_are_the_librarys(name):
    """With leaves as trained, to the rounding of the float32 in which XGBoost and ONNX add and hold them."""
    model = read_trees(FOLDER / name)
    codes, given = np.array(MARGINS["codes"]), np.array(MARGINS[name]).reshape(len(MARGINS["codes"]), -1)
    found = model.margins(model.values(INPUTS, codes))
    assert found.shape == given.shape
    exact = name.startswith(("lightgbm", "conifer"))
    assert np.abs(found - given).max() <= (0 if exact else 8 * np.spacing(np.float32(np.abs(given).max())))
    assert len(np.unique(given, axis=0)) > 5
    assert len(model.outputs) == (5 if "five" in name else 1)
    assert model.features[4] in ("f4", "x4", "Column_4", "feat_4")


@pytest.mark.parametrize("name", FILES)
def test_a_design_is_exact_in_every_domain(name):
    model = read_trees(FOLDER / name)
    trained = TrainedTrees(model, INPUTS, BITS)
    design, codes = trained.design(), all_codes()
    truth = equal_everywhere(design, codes[:400], circuit=60)
    rounded = model.rounded(BITS)
    assert np.array_equal(design.outputs.values(truth), rounded.margins(model.values(INPUTS, codes[:400])))
    found = model.rounding(INPUTS, codes, BITS)
    assert 0 < found.largest <= found.bound == found.trees * found.step / 2
    assert design.outputs.labels == model.outputs


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * name.endswith(".ubj")) for name in FILES]
)
def test_the_source_with_rounded_leaves_is_the_design(name):
    """The library's own execution of its own file, into which the rounded leaves were written back."""
    model = read_trees(FOLDER / name)
    if source_margins(model) is None:
        pytest.skip(f"{model.source.split()[0]} is not installed: pip install it to compare with its own margins")
    trained, codes = TrainedTrees(model, INPUTS, BITS), all_codes()
    design = trained.design()
    exact = design.outputs.codes(model.rounded(BITS).margins(model.values(INPUTS, codes)))
    ((_, reference),) = trained.references().items()
    assert np.array_equal(reference(codes), exact)


def test_onnxruntime_as_reference_sees_a_wrong_leaf():
    """One leaf, moved by one step, is seen on the rows that reach it."""
    model = read_trees(FOLDER / "sklearn_five.onnx")
    rounded = model.rounded(BITS)
    tree = rounded.trees[3]
    moved = tree.values + model.step(BITS) * (np.arange(len(tree.values)) == np.flatnonzero(tree.leaves)[0])
    wrong = replace(rounded, trees=(*rounded.trees[:3], replace(tree, values=moved), *rounded.trees[4:]))
    _, margins = source_margins(rounded)
    x = model.values(INPUTS, all_codes())
    assert np.array_equal(margins(x), rounded.margins(x))
    assert not np.array_equal(margins(x), wrong.margins(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_design_is_exact_in_rtl(name, tmp_path):
    design, codes = read_trees(FOLDER / name).design(INPUTS, BITS), all_codes(300)
    firmware = Alkaid().compile(design, load_target("vu13p-360"), tmp_path / "firmware")
    verdict = verify(firmware, codes, {"exact": equal_everywhere(design, codes, circuit=10)}, tmp_path / "simulation")
    assert verdict.exact, verdict.first_difference


def test_json_and_ubj_are_one_model():
    for what in ("two", "five", "number"):
        a, b = (read_trees(FOLDER / f"xgboost_{what}.{ending}") for ending in ("json", "ubj"))
        assert a.design(INPUTS, BITS).hash == b.design(INPUTS, BITS).hash


def test_inputs_in_physical_units_have_their_thresholds_moved():
    """``offset + step * code`` reaches a threshold where the source's float32 of it does: on every code."""
    model = read_trees(FOLDER / "xgboost_two.json")
    kind = FixedPoint(signed=False, integer_bits=8, fraction_bits=0)
    inputs = InputQuantisation(
        features=model.features,
        units=("GeV",) * 5,
        offset=(-4.1, -3.97, -4.0, -5.3, 0.0),
        step=(0.03, 0.1 / 3, 1 / 32, 0.037, 1.0),
        types=(kind,) * 5,
    )
    trained = TrainedTrees(model, inputs, BITS)
    codes = np.random.default_rng(1).integers(0, 256, (3000, 5))
    for tree in model.trees:
        first = model.first_codes(tree, inputs)
        for node in np.flatnonzero(~tree.leaves):
            feature = tree.features[node]
            values = np.float32(inputs.offset[feature] + inputs.step[feature] * np.arange(256))
            assert first[node] == np.count_nonzero(values < tree.thresholds[node])
    truth = equal_everywhere(trained.design(), codes[:300], circuit=20)
    values = model.rounded(BITS).margins(model.values(inputs, codes[:300]))
    assert np.array_equal(trained.design().outputs.values(truth), values)


# ---------------------------------------------------------------------------------------------------- every version
def changed(tmp_path, change, name="xgboost_two.json"):
    data = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    change(data)
    path = tmp_path / "model.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def learner(data, score=None, objective=None, version=None):
    if score is not None:
        data["learner"]["learner_model_param"]["base_score"] = score
    if objective is not None:
        data["learner"]["objective"]["name"] = objective
    if version is not None:
        data["version"] = version


@pytest.mark.parametrize("score", ["5E-1", "[5E-1]", "0.5"])
def test_a_probability_of_one_half_is_margin_0(tmp_path, score):
    """As a number up to 3.0, as a row since 3.1."""
    assert read_trees(changed(tmp_path, lambda d: learner(d, score))).base.tolist() == [0.0]


@pytest.mark.parametrize(
    ("objective", "margin"),
    [("binary:logistic", np.log(3.0)), ("reg:squarederror", 0.75), ("count:poisson", np.log(0.75))],
)
def test_the_base_score_is_what_the_objective_says(tmp_path, objective, margin):
    model = read_trees(changed(tmp_path, lambda d: learner(d, "7.5E-1", objective)))
    assert abs(model.base[0] - margin) < 1e-6


def test_one_base_score_of_an_old_version_is_that_of_every_class(tmp_path):
    path = changed(tmp_path, lambda d: learner(d, "5E-1", version=[1, 7, 6]), "xgboost_five.json")
    model = read_trees(path)
    assert model.source == "XGBoost 1.7.6"
    assert model.base.tolist() == [0.5] * 5


@pytest.mark.parametrize("version", ["1.7.6", "2.1.4"])
def test_files_of_older_versions_have_the_base_score_that_was_given(version):
    model = read_trees(FOLDER / f"xgboost-{version}_two.json")
    assert model.source == f"XGBoost {version}"
    assert abs(model.base[0] - np.log(0.37 / 0.63)) < 1e-6


def test_early_stopping_is_said(tmp_path):
    def stopped(data):
        data["learner"]["attributes"]["best_iteration"] = "1"

    (note,) = read_trees(changed(tmp_path, stopped)).notes
    assert "round 1 the best of 4" in note


def trees_of(data):
    return data["learner"]["gradient_booster"]["model"]["trees"]


REFUSED = {
    "dart": (lambda d: d["learner"]["gradient_booster"].update(name="dart"), "train with gbtree"),
    "categories": (lambda d: trees_of(d)[0]["split_type"].__setitem__(0, 1), "splits by categories"),
    "several outputs of a leaf": (
        lambda d: trees_of(d)[1]["tree_param"].update(size_leaf_vector="3"),
        "one_output_per_tree",
    ),
    "an unknown objective": (lambda d: learner(d, objective="mine"), "objective 'mine'.*known: binary:hinge"),
    "a probability of 1": (lambda d: learner(d, "1E0"), "is a probability"),
    "two base scores": (lambda d: learner(d, "[1E-1,2E-1]"), "2 base scores of 1 outputs"),
    "a circle": (lambda d: trees_of(d)[0]["left_children"].__setitem__(1, 0), "leads back"),
    "lengths": (lambda d: trees_of(d)[0]["split_indices"].pop(), "different lengths"),
    "an input that is not there": (lambda d: trees_of(d)[0]["split_indices"].__setitem__(0, 5), "not there"),
    "no number": (lambda d: learner(d, "NaN"), "NaN is not a finite number"),
    "an output that is not there": (
        lambda d: d["learner"]["gradient_booster"]["model"]["tree_info"].__setitem__(0, 1),
        "do not fit",
    ),
    "a key that is missing": (lambda d: d["learner"].pop("learner_model_param"), "learner_model_param' is missing"),
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_what_is_refused_says_why(what, tmp_path):
    change, reason = REFUSED[what]
    with pytest.raises(CodesignError, match=reason) as error:
        read_trees(changed(tmp_path, change))
    assert "\n" not in str(error.value)
    assert "model.json" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("num_cat=0", "num_cat=1", "categories"),
        ("is_linear=0", "is_linear=1", "linear leaves"),
        ("end of trees", "end", "truncated"),
        ("max_feature_idx=4", "max_feature_idx=1", "5 names of 2 features"),
        ("decision_type=2", "decision_type=6", "takes 0 for missing"),
    ],
)
def test_what_is_refused_of_lightgbm(old, new, reason, tmp_path):
    text = (FOLDER / "lightgbm_two.txt").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "model.txt").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises((InputError, UnsupportedError), match=reason):
        read_trees(tmp_path / "model.txt")


def test_lightgbm_forests_are_averaged(tmp_path):
    """A random forest says ``average_output``: its margin is the mean of its trees."""
    text = (FOLDER / "lightgbm_number.txt").read_text(encoding="utf-8")
    (tmp_path / "model.txt").write_text(text.replace("\nfeature_names", "\naverage_output\nfeature_names"), "utf-8")
    x = INPUTS.port.values(all_codes(50))
    once, mean = read_trees(FOLDER / "lightgbm_number.txt"), read_trees(tmp_path / "model.txt")
    assert np.allclose(mean.margins(x), once.margins(x) / 4, rtol=1e-12)


def test_conifers_converter_that_gives_no_number_is_refused(tmp_path):
    """Of XGBoost 3's base score for several classes conifer 1.11 makes NaN."""
    path = changed(tmp_path, lambda d: d.update(init_predict=[float("nan")]), "conifer_two.json")
    with pytest.raises(InputError, match="NaN is not a finite number"):
        read_trees(path)


def test_other_files_are_no_trees(tmp_path):
    for content in (b"", b"{}", b"tree", b"\x80\x04pickle", b"binf", json.dumps({"a": 1}).encode()):
        assert not is_trees(content)
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(InputError, match="no trees that are read here"):
            read_trees(tmp_path / "other")


def test_damaged_files_are_refused_in_one_line(tmp_path):
    """Cut, with other bytes and other digits: read, or refused; nothing else."""
    outcomes = [outcome(_damaged(name, seed), tmp_path) for name in FILES[:: len(FILES) // 6] for seed in range(12)]
    assert all("\n" not in o for o in outcomes)
    assert min(outcomes.count("read"), len(outcomes) - outcomes.count("read")) > 5


def _damaged(name, seed):
    content, rng = bytearray((FOLDER / name).read_bytes()), np.random.default_rng(seed)
    if seed % 3 == 0:
        return bytes(content[: rng.integers(len(content))])
    if seed % 3 == 1:
        content[rng.integers(len(content))] = rng.integers(256)
        return bytes(content)
    for place in rng.choice([i for i, b in enumerate(content) if chr(b).isdigit()], 3):
        content[place] = ord(rng.choice(list("-09")))
    return bytes(content)


def outcome(content, folder):
    (folder / "damaged").write_bytes(content)
    try:
        read_trees(folder / "damaged").design(INPUTS, 8)
    except CodesignError as error:
        return str(error)
    return "read"


@pytest.mark.parametrize(
    "content",
    [
        b"{i\x01aL\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"{L\x00\x00\x00\x00\x00\x00\x00\x01a[$Z#L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"{L\x00\x00\x00\x00\x00\x00\x00\x01a[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"{L\xff\xff\xff\xff\xff\xff\xff\xff",
        b"{i\x01a" + b"[" * 100_000,
        b"{i\x01aD\x7f\xf0\x00\x00\x00\x00\x00\x00}",
        b"{i\x01aZi\x01aZ}",
        b"{i\x01aZ}}",
    ],
)
def test_binary_json_is_bounded(content):
    from codesign.families.trees.ubjson import ubjson_of

    with pytest.raises(InputError, match="not valid UBJSON"):
        ubjson_of(content, "model.ubj")


def test_files_and_tools_of_a_trained_model():
    trained = TrainedTrees(read_trees(FOLDER / "xgboost_two.json"), INPUTS)
    assert trained.files() == {"xgboost-json": (FOLDER / "xgboost_two.json").read_bytes()}
    assert trained.tools() == {"XGBoost": "3.2.0"}
    with pytest.raises(InputError, match="2 to 24"):
        read_trees(FOLDER / "xgboost_two.json").design(INPUTS, 30)
    with pytest.raises(InputError, match="was trained on 5"):
        read_trees(FOLDER / "xgboost_two.json").design(port_of_one_kind(kind_of(6, True, 2), 4))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import os; os.abort()", "xgboost: ended by signal SIGABRT"),
        ("raise RuntimeError('no such\\n tree')", r"xgboost cannot run it \(RuntimeError: no such tree\)"),
        ("bytearray(1 << 40)", "xgboost: needs more|xgboost cannot run it|needs more than 12 GiB"),
    ],
)
def test_a_library_that_breaks_on_a_file_breaks_alone(monkeypatch, tmp_path, body, words):
    """A stand-in for XGBoost's native parser: it ends its own process, and here is one line of it."""
    (tmp_path / "xgboost.py").write_text(
        "__version__ = '9'\nclass Booster:\n  def __init__(self, options): pass\n"
        f"  def load_model(self, given): {body}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("codesign.importing.trees.trained_trees.find_spec", lambda name: name == "xgboost")
    monkeypatch.setattr("codesign.importing.trees.trained_trees._version_of", lambda name: "9")
    name, margins = source_margins(read_trees(FOLDER / "xgboost_two.json"))
    assert name == "XGBoost 9"
    with pytest.raises(CodesignError, match=words) as refused:
        margins(np.zeros((2, 5)))
    assert "\n" not in str(refused.value)
