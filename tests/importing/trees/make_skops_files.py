"""Adds scikit-learn's boosted trees as skops saves them, and what they give, to the model files of these tests.

    python -m tests.importing.trees.make_skops_files     # with scikit-learn and skops installed

After :mod:`.make_files`, whose data they are trained on.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from zipfile import ZIP_DEFLATED

from tests.importing.trees.make_files import DEPTH, FILES, ROUNDS, SHOWN, data


def main() -> None:
    import skops.io
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        GradientBoostingRegressor,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )

    _, x, two, five, number = data()
    margins = json.loads((FILES / "margins.json").read_text(encoding="utf-8"))
    plain, histogram = {"n_estimators": ROUNDS, "max_depth": DEPTH}, {"max_iter": ROUNDS, "max_depth": DEPTH}
    for name, model, y in (
        ("skops_two", GradientBoostingClassifier(**plain, random_state=0), two),
        ("skops_five", GradientBoostingClassifier(**plain, random_state=0), five),
        ("skops_number", GradientBoostingRegressor(**plain, random_state=0), number),
        ("skops-histogram_five", HistGradientBoostingClassifier(**histogram, random_state=0), five),
        ("skops-histogram_number", HistGradientBoostingRegressor(**histogram, random_state=0), number),
    ):
        model.fit(x, y)
        raw = model.predict(x[:SHOWN]) if name.endswith("number") else model.decision_function(x[:SHOWN])
        skops.io.dump(model, FILES / f"{name}.skops", compression=ZIP_DEFLATED, compresslevel=9)
        margins[f"{name}.skops"] = raw.tolist()
    (FILES / "margins.json").write_text(json.dumps(margins) + "\n", encoding="utf-8")
    versions = FILES / "VERSIONS"
    kept = [line for line in versions.read_text(encoding="utf-8").splitlines() if not line.startswith("skops ")]
    versions.write_text("\n".join([*kept, f"skops {version('skops')}"]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
