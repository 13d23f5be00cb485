"""Trees that each library saves by itself, made by scripts as its documentation has them: to Verilog, bundle, friends.


    python -m tests.benchmarks.tree_imports [--only xgboost-two,...] [--output FILE]

For each library and kind of target a script is run by itself (it knows nothing of codesign), and then ``codesign
import``, ``verify``, ``handoff``, ``check`` and ``apply`` on what it saved. The friend tree is compared with the
library's own raw margins: it moves by no more than rounding may. Needs xgboost, lightgbm, skl2onnx and conifer; writes
after each, and goes on with those that are not there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import uproot

from tests.trees import ROOT, commit_of

__all__ = ("SCRIPTS", "measured")

_DATA = """
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
X, y = load_digits(n_class=5, return_X_y=True)
y = {"two": y % 2, "five": y, "number": y.astype(float)}["KIND"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=.3, random_state=0)
"""

#: by library: how its documentation trains and saves, and what gives raw margins
SCRIPTS = {
    # https://xgboost.readthedocs.io/en/stable/get_started.html
    "xgboost": (
        "model.json",
        """
from xgboost import XGBClassifier, XGBRegressor
bst = (XGBRegressor if "KIND" == "number" else XGBClassifier)(n_estimators=10, max_depth=3, learning_rate=0.3)
bst.fit(X_train, y_train)
preds = bst.predict(X_test)
bst.save_model("model.json")
margins = bst.predict(X_test, output_margin=True)
""",
    ),
    # https://lightgbm.readthedocs.io/en/stable/Python-Intro.html
    "lightgbm": (
        "model.txt",
        """
import lightgbm as lgb
train_data = lgb.Dataset(X_train, label=y_train)
param = {"num_leaves": 8, "objective": {"two": "binary", "five": "multiclass", "number": "regression"}["KIND"]}
if "KIND" == "five":
    param["num_class"] = 5
bst = lgb.train(param, train_data, 10)
bst.save_model("model.txt")
margins = bst.predict(X_test, raw_score=True)
""",
    ),
    # https://onnx.ai/sklearn-onnx/
    "skl2onnx": (
        "model.onnx",
        """
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from skl2onnx import to_onnx
clr = (GradientBoostingRegressor if "KIND" == "number" else GradientBoostingClassifier)(n_estimators=10, max_depth=3)
clr.fit(X_train, y_train)
onx = to_onnx(clr, X[:1].astype(np.float32))
with open("model.onnx", "wb") as f:
    f.write(onx.SerializeToString())
margins = clr.predict(X_test) if "KIND" == "number" else clr.decision_function(X_test)
""",
    ),
    # https://github.com/thesps/conifer, examples/sklearn_to_hls.py
    "conifer": (
        "model.json",
        """
import conifer
from sklearn.ensemble import GradientBoostingClassifier
clf = GradientBoostingClassifier(n_estimators=10, learning_rate=1.0, max_depth=3, random_state=0).fit(X_train, y_train)
model = conifer.converters.convert_from_sklearn(clf)
model.save("model.json")
margins = model.decision_function(X_test)
""",
    ),
}
KINDS = ("two", "five", "number")
#: conifer's converter knows no regression
POINTS = [f"{name}-{kind}" for name in SCRIPTS for kind in KINDS if (name, kind) != ("conifer", "number")]
_TYPE = "fixed<6,6>"


def _run(*arguments: str, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, env=environment, timeout=1800)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments[1:5])}: {done.stdout[-800:]}{done.stderr[-800:]}")
    return done.stdout


def measured(name: str, kind: str) -> dict[str, Any]:
    """From the library's script to a friend tree; an error says where it ends."""
    file, script = SCRIPTS[name]
    cli = (sys.executable, "-m", "codesign.cli")
    began, found = time.perf_counter(), {"library": name, "kind": kind}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        end = 'np.savez("shown.npz", x=X_test, margins=margins)\n'
        (folder / "documented.py").write_text((_DATA + script + end).replace("KIND", kind), encoding="utf-8")
        _run(sys.executable, "documented.py", folder=folder)
        _run(*cli, "import", file, "--inputs", _TYPE, "-o", "run", folder=folder)
        trial = folder / "run" / "trials" / "0000"
        found |= {"verilog_lines": sum(len(p.read_text().splitlines()) for p in (trial / "firmware").rglob("*.v"))}
        _run(*cli, "verify", "run", "0", folder=folder)
        verdict = json.loads((trial / "verify.json").read_text(encoding="utf-8"))
        found |= {"exact": verdict["exact"], "proven": verdict["proven"], "events": verdict["events"]}
        _run(*cli, "handoff", "run", "0", "-o", "bundle", folder=folder)
        _run(*cli, "check", "bundle", folder=folder)
        design = json.loads((trial / "design.json").read_text(encoding="utf-8"))
        shown = np.load(folder / "shown.npz")
        features = design["input_quantisation"]["features"]
        with uproot.recreate(folder / "events.root") as out:
            out["Events"] = {f: shown["x"][:, i].astype(np.float32) for i, f in enumerate(features)}
        _run(*cli, "apply", "bundle", "events.root", "-o", "friends.root", folder=folder)
        with uproot.open(folder / "friends.root") as friends:
            tree = friends[next(k for k in friends.keys() if "TTree" in friends.classname_of(k))]  # noqa: SIM118
            columns = tree.arrays(library="np")
        margins = shown["margins"].reshape(len(shown["x"]), -1)
        labels = design["outputs"]["labels"]
        given = np.stack([next(v for k, v in columns.items() if k.endswith(label)) for label in labels], axis=1)
        found |= {"friend_events": len(given), "largest_difference": float(np.abs(given - margins).max())}
    return found | {"seconds": round(time.perf_counter() - began, 1)}


def _versions() -> dict[str, str]:
    found = {}
    for name in ("xgboost-cpu", "xgboost", "lightgbm", "skl2onnx", "conifer", "scikit-learn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    """Measure what is not there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(POINTS))
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "tree_imports.json")
    options = parser.parse_args()
    rows = json.loads(options.output.read_text(encoding="utf-8"))["rows"] if options.output.exists() else []
    for point in options.only.split(","):
        name, _, kind = point.partition("-")
        if any((r["library"], r["kind"]) == (name, kind) for r in rows):
            continue
        rows.append(measured(name, kind))
        record = {"commit": commit_of(), "date": datetime.now(UTC).isoformat(timespec="seconds"), "inputs": _TYPE,
                  "versions": _versions(), "rows": rows}  # fmt: skip
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
