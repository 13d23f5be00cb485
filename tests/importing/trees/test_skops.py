"""Files of skops are data: another model or version, or a damaged file, is refused in one line; nothing is run."""

import io
import json
import zipfile

import numpy as np
import pytest

from codesign.core.errors import CodesignError, InputError, UnsupportedError
from codesign.importing.trees import read_trees
from tests.importing.trees.recorded import FOLDER, INPUTS


def entries(name):
    with zipfile.ZipFile(FOLDER / name) as archive:
        return {e: archive.read(e) for e in archive.namelist()}


def written(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def changed(path, change, name="skops_two.skops"):
    """The file with its schema changed by a function of the model's state."""
    files = entries(name)
    schema = json.loads(files["schema.json"])
    change(schema, schema["content"]["content"])
    return written(path / "changed.skops", files | {"schema.json": json.dumps(schema).encode()})


def plain(value):
    return {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(value)}


def test_a_model_that_starts_from_zero_has_no_base(tmp_path):
    def change(schema, state):
        state["init_"] = plain("zero")

    model, before = read_trees(changed(tmp_path, change)), read_trees(FOLDER / "skops_two.skops")
    assert model.base.tolist() == [0.0]
    assert before.base[0] != 0
    assert [t.values.tolist() for t in model.trees] == [t.values.tolist() for t in before.trees]


def test_an_exponential_loss_starts_at_half_the_log_odds(tmp_path):
    """``HalfLogitLink`` of scikit-learn; the classes are the same."""
    model = read_trees(changed(tmp_path, lambda schema, state: state.update(loss=plain("exponential"))))
    assert model.base[0] == read_trees(FOLDER / "skops_two.skops").base[0] / 2


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda s, state: s.update(__class__="RandomForestClassifier"), UnsupportedError, "holds RandomForestClass"),
        (lambda s, state: s.update(__class__=["os.system"]), UnsupportedError, "holds"),
        (lambda s, state: state.update(_sklearn_version=plain("1.3.2")), UnsupportedError, "scikit-learn 1.3.2"),
        (lambda s, state: state["init_"].update(__class__="MyOwn"), UnsupportedError, "starts from MyOwn"),
        (lambda s, state: state.pop("estimators_"), InputError, "has no estimators_"),
        (lambda s, state: state.update(n_features_in_=plain(10**9)), InputError, "number of inputs or outputs"),
        (lambda s, state: state.update(n_trees_per_iteration_=plain(3)), InputError, "base values for 3 outputs"),
        (lambda s, state: state.update(learning_rate={"__loader__": "MethodNode"}), InputError, "kept as MethodNode"),
        (lambda s, state: state.update(learning_rate=plain("fast")), InputError, "learning_rate"),
        (lambda s, state: s.pop("content"), InputError, "without its state"),
    ],
)  # fmt: skip
def test_what_is_refused_says_why(tmp_path, change, kind, words):
    path = changed(tmp_path, change)
    with pytest.raises(kind, match=words) as caught:
        read_trees(path)
    assert "\n" not in str(caught.value)


def test_categories_are_refused(tmp_path):
    files, changed_one = entries("skops-histogram_five.skops"), False
    for name, content in files.items():
        if name.endswith(".npy") and (nodes := np.load(io.BytesIO(content))).dtype.names:
            nodes["is_categorical"][0] = 1
            kept = io.BytesIO()
            np.save(kept, nodes)
            files[name], changed_one = kept.getvalue(), True
    assert changed_one
    with pytest.raises(UnsupportedError, match="decides on categories"):
        read_trees(written(tmp_path / "x.skops", files))


def test_an_array_of_objects_is_never_unpickled(tmp_path):
    class Touch:
        def __reduce__(self):
            return (tmp_path / "touched").write_text, ("run",)

    files = entries("skops_two.skops")
    kept = io.BytesIO()
    np.save(kept, np.array([Touch()], dtype=object), allow_pickle=True)
    name = next(n for n in files if n.endswith(".npy"))
    with pytest.raises(InputError, match="pickled objects"):
        read_trees(written(tmp_path / "x.skops", files | {name: kept.getvalue()}))
    assert not (tmp_path / "touched").exists()


def test_a_damaged_schema_is_refused_in_one_line(tmp_path):
    """Other digits and words in its 22 kB, ten times: read, or refused; nothing else."""
    files, said = entries("skops_two.skops"), []
    text = files["schema.json"]
    for seed in range(10):
        rng, damaged = np.random.default_rng(seed), bytearray(text)
        for place in rng.choice(len(damaged), 40):
            damaged[place] = ord(rng.choice(list("09a{}[],:")))
        try:
            read_trees(written(tmp_path / "x.skops", files | {"schema.json": bytes(damaged)})).design(INPUTS, 8)
        except CodesignError as error:
            said.append(str(error))
    assert said
    assert all("\n" not in s for s in said)
