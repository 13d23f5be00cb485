"""Writes the model files of these tests, each with its library's own ``save`` function, and what the library gives.

    python -m tests.importing.trees.make_files     # with xgboost, lightgbm, conifer, scikit-learn, skl2onnx installed

The models are trained on 5 features that are multiples of 1/4 from -4 to 3.75, of which ``f4`` tells nothing. Beside
each file ``margins.json`` keeps the raw margins that the library gives for a few events: of the leaves as trained.
``files/VERSIONS`` names the versions that wrote them. :mod:`.make_old_files` adds those of older versions afterwards.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

FILES = Path(__file__).parent / "files"
ROUNDS, DEPTH = 4, 3
SHOWN = 12


def data():
    """Codes (events, 5), and a target with two classes, five classes, and a number."""
    rng = np.random.default_rng(7)
    codes = rng.integers(-16, 16, (600, 5))
    x = codes / 4
    number = 20.0 + 3 * x[:, 0] + x[:, 1] * x[:, 2] + 2 * (x[:, 3] > 1)
    return codes, x, (number > 20).astype(int), np.digitize(number, [10, 17, 22, 30]), number


def save_conifer(model, path):
    """As conifer saves it, on one line, without the folder, host and user that it writes down."""
    model.save(str(path))
    saved = json.loads(path.read_text(encoding="utf-8"))
    saved["config"] |= {"output_dir": ".", "project_name": "my_prj"}
    saved["metadata"] = [{"version": m["version"]} for m in saved["metadata"]]
    path.write_text(json.dumps(saved) + "\n", encoding="utf-8")


def main() -> None:
    import conifer
    import lightgbm
    import xgboost
    from skl2onnx import to_onnx
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor, RandomForestClassifier

    FILES.mkdir(exist_ok=True)
    codes, x, two, five, number = data()
    shown = x[:SHOWN]
    margins: dict[str, object] = {"codes": codes[:SHOWN].tolist()}
    targets = {"two": two, "five": five, "number": number}
    for name, y in targets.items():
        regression = name == "number"
        kind = xgboost.XGBRegressor if regression else xgboost.XGBClassifier
        model = kind(n_estimators=ROUNDS, max_depth=DEPTH).fit(x, y)
        for ending in ("json", "ubj"):
            model.save_model(FILES / f"xgboost_{name}.{ending}")
            margins[f"xgboost_{name}.{ending}"] = model.predict(shown, output_margin=True).tolist()

        kind = lightgbm.LGBMRegressor if regression else lightgbm.LGBMClassifier
        model = kind(n_estimators=ROUNDS, max_depth=DEPTH, num_leaves=8, verbose=-1).fit(x, y)
        model.booster_.save_model(FILES / f"lightgbm_{name}.txt")
        margins[f"lightgbm_{name}.txt"] = model.booster_.predict(shown, raw_score=True).tolist()

        kind = GradientBoostingRegressor if regression else GradientBoostingClassifier
        model = kind(n_estimators=ROUNDS, max_depth=DEPTH, random_state=0).fit(x, y)
        raw = model.predict(shown) if regression else model.decision_function(shown)
        options = None if regression else {"zipmap": False}
        (FILES / f"sklearn_{name}.onnx").write_bytes(
            to_onnx(model, x[:1].astype(np.float32), options=options).SerializeToString()
        )
        margins[f"sklearn_{name}.onnx"] = raw.tolist()
        if not regression:  # conifer's converter knows no regression
            converted = conifer.converters.convert_from_sklearn(model)
            save_conifer(converted, FILES / f"conifer_{name}.json")
            margins[f"conifer_{name}.json"] = converted.decision_function(shown).tolist()

    forest = RandomForestClassifier(n_estimators=ROUNDS, max_depth=DEPTH, random_state=0).fit(x, five)
    (FILES / "forest_five.onnx").write_bytes(
        to_onnx(forest, x[:1].astype(np.float32), options={"zipmap": False}).SerializeToString()
    )
    margins["forest_five.onnx"] = forest.predict_proba(shown).tolist()
    (FILES / "margins.json").write_text(json.dumps(margins) + "\n", encoding="utf-8")
    used = ("xgboost-cpu", "lightgbm", "conifer", "scikit-learn", "skl2onnx", "numpy")
    (FILES / "VERSIONS").write_text("".join(f"{name} {version(name)}\n" for name in used), encoding="utf-8")


if __name__ == "__main__":
    main()
