"""Files before Keras opens them: what is refused, all at once, and that what is opened is what was checked."""

from __future__ import annotations

import io
import json
import zipfile

import h5py
import pytest

from codesign.core.errors import InputError, UnsupportedError
from codesign.importing.keras.keras_container import ConfigRules, check, looks_like_keras, written_by

LAYERS = {"QDense", "InputLayer"}


def layer(name, kind="QDense", module="hgq.layers.core.dense", **config):
    return {"module": module, "class_name": kind, "registered_name": f"hgq>{kind}", "config": {"name": name, **config}}


def model(*layers, kind="Functional"):
    return {"module": "keras", "class_name": kind, "config": {"name": "m", "layers": list(layers)}}


def weights(write=lambda file: None):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_group("layers").create_dataset("w", data=[1.0])
        write(file)
    return content.getvalue()


def packed(path, config, content=None, **more):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("model.weights.h5", weights() if content is None else content)
        for name, data in more.items():
            archive.writestr(name, data)
    return path


def test_what_is_opened_is_what_was_checked(tmp_path):
    config = model(layer("a")) | {"compile_config": {"optimizer": {"class_name": "evil>Optimizer", "module": "os"}}}
    file = packed(tmp_path / "any.name", config, more="x")
    assert looks_like_keras(file)
    assert check(file, tmp_path / "copy", LAYERS).keras_version == "3.15.1"
    with zipfile.ZipFile(tmp_path / "copy.keras") as archive:
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]
        assert json.loads(archive.read("config.json")) == model(layer("a"))  # how it was trained is left out


def test_every_unknown_class_is_named_at_once(tmp_path):
    function = {"class_name": "function", "module": "builtins", "config": {"code": "4wEA"}}
    config = model(
        layer("a"),
        layer("b", "Lambda", "keras.layers"),
        layer("c", "QGRU"),
        layer("d", activation={"class_name": "Thing", "module": "os.path", "config": {}}),
        layer("e", activation=function),
        layer("f", iq_conf={"class_name": "../x", "config": {}}),
    )
    with pytest.raises(UnsupportedError) as refused:
        check(packed(tmp_path / "m.keras", config), tmp_path / "copy", LAYERS)
    said = str(refused.value)
    assert "\n" not in said
    for words in (
        "layer 'b': class 'Lambda' runs code of the file, and is never loaded",
        "layer 'c': class 'QGRU' has no reader",
        "layer 'd': an object of the package 'os.path'",
        "layer 'e': a function that the file brings along",
        "layer 'f': a class without a plain name",
    ):
        assert words in said
    assert not (tmp_path / "copy.keras").exists()


def test_a_model_of_a_class_of_its_own_is_refused(tmp_path):
    with pytest.raises(UnsupportedError, match="class 'Mine'"):
        check(packed(tmp_path / "m.keras", model(kind="Mine")), tmp_path / "copy", LAYERS)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda f: f.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/")), "external link"),
        (lambda f: f["layers"].__setitem__("x", h5py.SoftLink("/layers")), "soft link"),
        (lambda f: f["layers"].create_dataset("x", (4,), "f4", external=[("raw", 0, 16)]), "another file"),
        (lambda f: f["layers"].create_dataset("x", (1 << 30,), "f4", chunks=(1024,)), "announces"),
        (lambda f: f["layers"].__setitem__("x", f["layers"]), "hold themselves|objects"),
    ],
)
def test_weights_that_lie_elsewhere_are_refused(tmp_path, write, words):
    with pytest.raises(InputError, match=words):
        check(packed(tmp_path / "m.keras", model(layer("a")), weights(write)), tmp_path / "copy", LAYERS)


def test_damage_is_one_line(tmp_path):
    whole = packed(tmp_path / "m.keras", model(layer("a"))).read_bytes()
    for content in (whole[:200], whole[:-30], b"PK\x03\x04", b"\x89HDF\r\n\x1a\n" + b"\0" * 50, b""):
        (tmp_path / "damaged").write_bytes(content)
        with pytest.raises(InputError) as refused:
            check(tmp_path / "damaged", tmp_path / "copy", LAYERS)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="weights cannot be read"):
        check(packed(tmp_path / "m.keras", model(layer("a")), b"no HDF5"), tmp_path / "copy", LAYERS)


def hdf5(path, config, version="3.10.0"):
    with h5py.File(path, "w") as file:
        file.attrs.update({"keras_version": version, "backend": "jax", "model_config": json.dumps(config)})
        file.attrs["training_config"] = "{}"
        file.create_group("model_weights").create_dataset("w", data=[1.0])
        file.create_group("optimizer_weights").create_dataset("w", data=[1.0])
    return path


def test_hdf5_of_keras_3(tmp_path):
    file = hdf5(tmp_path / "m.h5", {"class_name": "Sequential", "config": {"name": "m", "layers": [layer("a")]}})
    assert looks_like_keras(file)
    check(file, tmp_path / "copy", LAYERS)
    with h5py.File(tmp_path / "copy.h5") as copy:
        assert list(copy) == ["model_weights"]
        assert "training_config" not in copy.attrs
    with h5py.File(file) as given:
        assert "training_config" in given.attrs  # the user's file is as it was


def test_another_keras_is_refused_with_its_classes(tmp_path):
    config = {"class_name": "Functional", "config": {"layers": [{"class_name": "NodeEdgeProjection", "config": {}}]}}
    with pytest.raises(UnsupportedError, match=r"Keras 2\.8\.0.*NodeEdgeProjection.*Keras 3 is read"):
        check(hdf5(tmp_path / "m.h5", config, "2.8.0"), tmp_path / "copy", LAYERS)
    assert written_by(tmp_path / "m.h5") == "2.8.0"
    assert written_by(packed(tmp_path / "m.keras", model(layer("a")))) == "3.15.1"
    (tmp_path / "none").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert written_by(tmp_path / "none") == ""


RULES = ConfigRules(
    "2.", "QKeras", ("qkeras",), frozenset({"quantized_bits"}), frozenset({"quantized_relu"}), frozenset({"later"})
)


def test_text_that_keras_would_look_up_is_checked(tmp_path):
    inside = {"class_name": "quantized_bits", "config": {"bits": 4, "later": None}}
    fine = {"class_name": "QDense", "config": {"name": "a", "activation": "quantized_relu(8,0)", "q": inside}}
    one = {"class_name": "Sequential", "config": {"name": "m", "layers": [fine]}}
    check(hdf5(tmp_path / "fine.h5", one, "2.8.0"), tmp_path / "copy", LAYERS, RULES)
    with h5py.File(tmp_path / "copy.h5") as copy:
        assert "later" not in copy.attrs["model_config"]
    for wrong in ("K.eval(1)", "tf", "quantized_relu(__import__('os'))", "quantized_relu(1", "six(1)", "x\ny"):
        config = json.loads(json.dumps(one).replace("quantized_relu(8,0)", json.dumps(wrong)[1:-1]))
        with pytest.raises(UnsupportedError, match=r"layer 'a'.*is no activation or quantiser that is known"):
            check(hdf5(tmp_path / "m.h5", config, "2.8.0"), tmp_path / "copy", LAYERS, RULES)
    inside["config"]["later"] = 3
    with pytest.raises(UnsupportedError, match="layer 'a': its later is of a later version"):
        check(hdf5(tmp_path / "m.h5", one, "2.8.0"), tmp_path / "copy", LAYERS, RULES)
